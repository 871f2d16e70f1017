//! The integration tests: one binary, one module a behaviour.

mod exit_codes;
mod stopping;
mod support;
