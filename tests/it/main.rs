//! The integration tests: one binary, one module a behaviour.

mod support;
