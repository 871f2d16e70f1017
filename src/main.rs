//! gather
fn main() {}
