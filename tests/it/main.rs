//! The integration tests: one binary, one module a behaviour.

mod bodies;
mod concurrency;
mod exit_codes;
mod faults;
mod guard;
mod input_faults;
mod names;
mod options;
mod order;
mod output_paths;
mod outputs;
mod politeness;
mod proxies;
mod redirects;
mod regressions;
mod retries;
mod schema;
mod secrets;
mod sockets;
mod stopping;
mod support;
mod surroundings;
mod terminal;
mod three_endpoints;
mod tls;
