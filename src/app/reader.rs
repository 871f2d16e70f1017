//! Sees that nobody reads standard output any more, also while there is nothing to write: `gather list | head -1` is over
//! with its first record, however long the next one takes.

#[cfg(unix)]
use std::os::fd::AsFd as _;

#[cfg(unix)]
use tokio::{io::Interest, net::unix::pipe};

/// Who reads the records.
#[derive(Debug)]
pub(super) struct Reader {
    #[cfg(unix)]
    pipe: Option<pipe::Sender>,
}

#[cfg(unix)]
impl Reader {
    /// The reader of standard output, if that is something whose end can be seen: a pipe, and not a file.
    pub(super) fn of_stdout() -> Self {
        let descriptor = std::io::stdout().as_fd().try_clone_to_owned();
        // Unchecked: it must not be made non-blocking, because records are written by ordinary writes. Nothing is written here.
        Self { pipe: descriptor.and_then(pipe::Sender::from_owned_fd_unchecked).ok() }
    }

    /// A reader whose end is not seen.
    pub(super) fn unseen() -> Self {
        Self { pipe: None }
    }

    /// Waits until there is none any more; for ever where that cannot be seen.
    pub(super) async fn gone(&self) {
        let Some(pipe) = &self.pipe else { return std::future::pending().await };
        if pipe.ready(Interest::ERROR).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(not(unix))]
impl Reader {
    /// A reader whose end shows itself only at the next write.
    pub(super) fn of_stdout() -> Self {
        Self {}
    }

    /// A reader whose end is not seen.
    pub(super) fn unseen() -> Self {
        Self {}
    }

    /// Waits for ever.
    pub(super) async fn gone(&self) {
        std::future::pending::<()>().await;
    }
}
