//! Fetch lists of URLs concurrently, with one complete record per line, in input order.

pub mod engine;
mod expect;
pub mod fetch;
pub mod input;
pub mod model;
mod order;
pub mod policy;
pub mod report;
mod schedule;
