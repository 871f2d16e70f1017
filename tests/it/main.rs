//! The integration tests: one binary, one module a behaviour.

mod exit_codes;
mod options;
mod regressions;
mod stopping;
mod support;
