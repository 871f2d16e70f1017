//! Who may go now: the frontier's queues, their limits and gates.
//!
//! Pure: no sockets and no waiting, the clock is passed in. The engine does the waiting.

mod frontier;
mod limits;
mod origins;

pub(crate) use frontier::{Flight, FlightId, Frontier};
pub use limits::Limits;
