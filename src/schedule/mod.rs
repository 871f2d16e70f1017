//! Who may go now: the frontier's queues, their limits, rates and gates.
//!
//! Pure: no sockets and no waiting, the clock is passed in. The engine does the waiting.

mod adaptive;
mod breaker;
mod budget;
mod frontier;
mod limits;
mod network;
mod origins;
mod rate;
mod signal;
#[cfg(test)]
mod tests;

pub(crate) use frontier::{Flight, FlightId, Frontier, TimeUp};
pub use limits::Limits;
pub use origins::Learned;
pub use rate::{ParseRateError, Rate};
pub use signal::Pressure;
pub(crate) use signal::Signal;
