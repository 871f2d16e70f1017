//! A latch: what waits for it goes on when the test says so, not when a clock does.

use std::sync::Arc;

use tokio::sync::watch;

/// Closed until it is released, then open for good. Clones are the same latch.
#[derive(Clone, Debug)]
pub(crate) struct Latch(Arc<watch::Sender<bool>>);

impl Latch {
    /// A closed latch.
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Lets everything go on that waits for it, and all that comes later.
    pub(crate) fn release(&self) {
        self.0.send_replace(true);
    }

    /// Waits until it is released.
    pub(crate) async fn released(&self) {
        let mut released = self.0.subscribe();
        released.wait_for(|released| *released).await.expect("the sender is alive in `self`");
    }
}
