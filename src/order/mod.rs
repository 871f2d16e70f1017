//! The window: jobs admitted and not yet written. It gives finished records back in input order.
//!
//! Pure. The engine asks it before it admits a line, so that a slow line holds up the reading and never the memory.

mod window;

pub(crate) use window::Window;

/// The order of the records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// As the lines stand in the input.
    #[default]
    Input,
    /// As they finish.
    Completion,
}
