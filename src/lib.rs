//! Fetch lists of URLs concurrently, with one complete record per line, in input order.

pub mod engine;
pub mod fetch;
pub mod input;
pub mod model;
pub mod policy;
pub mod report;
