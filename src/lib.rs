//! Fetch lists of URLs concurrently, with one complete record per line, in input order.

pub mod engine;
mod expect;
pub mod fetch;
mod gatherer;
pub mod input;
pub mod model;
mod order;
pub mod policy;
pub mod report;
mod schedule;

pub use gatherer::{Gatherer, GathererBuilder, gather};
