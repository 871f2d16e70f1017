//! The integration tests: one binary, one module a behaviour.

mod exit_codes;
mod options;
mod stopping;
mod support;
