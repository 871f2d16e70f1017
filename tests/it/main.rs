//! The integration tests: one binary, one module a behaviour.

mod concurrency;
mod exit_codes;
mod input_faults;
mod options;
mod order;
mod redirects;
mod regressions;
mod retries;
mod stopping;
mod support;
mod three_endpoints;
