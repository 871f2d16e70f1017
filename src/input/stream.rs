//! The jobs as a stream, from a thread of their own.
//!
//! Reading blocks: files, pipes and terminals have no other honest way. The thread is detached, so that a standard input on
//! which nobody writes cannot hold up the end of the program, as a task of the runtime would.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::{fmt, thread, vec};

use futures::Stream;
use tokio::sync::mpsc;

use super::error::InputError;
use crate::model::Job;

/// Most jobs that travel together. Passing them on one by one would cost more than parsing them, and the lines in the reader's
/// buffer, after which the batch is passed on in any case, may be many and short.
const BATCH_JOBS: usize = 256;

/// How many batches the thread may be ahead.
const BATCHES_AHEAD: usize = 4;

/// The jobs of an [`Input`](super::Input), in the order of their lines.
///
/// A job is given out as soon as its line is there. Dropping the stream ends the thread that reads, at its next line.
pub struct Jobs {
    batches: mpsc::Receiver<Vec<Job>>,
    batch: vec::IntoIter<Job>,
}

impl Stream for Jobs {
    type Item = Job;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Job>> {
        loop {
            if let Some(job) = self.batch.next() {
                return Poll::Ready(Some(job));
            }
            match ready!(self.batches.poll_recv(context)) {
                Some(batch) => self.batch = batch.into_iter(),
                None => return Poll::Ready(None),
            }
        }
    }
}

impl fmt::Debug for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jobs").finish_non_exhaustive()
    }
}

/// How the reading goes; complete when the stream has ended.
#[derive(Debug, Clone)]
pub struct InputStatus(Arc<Progress>);

#[derive(Debug, Default)]
struct Progress {
    lines: AtomicU64,
    jobs: AtomicU64,
    outcome: OnceLock<Result<(), InputError>>,
}

impl InputStatus {
    /// What stopped the reading before its end. Every line before it is a job.
    pub fn error(&self) -> Option<&InputError> {
        self.0.outcome.get()?.as_ref().err()
    }

    /// How many lines were read so far, in all sources, with blank ones and comments.
    pub fn lines(&self) -> u64 {
        self.0.lines.load(Ordering::Relaxed)
    }

    /// How many jobs were made of them so far, those of URL arguments included.
    pub fn jobs(&self) -> u64 {
        self.0.jobs.load(Ordering::Relaxed)
    }
}

/// Why the reading ended early.
#[derive(Debug)]
pub(super) enum End {
    /// Nobody takes the jobs any more.
    Unwanted,
    /// The input cannot be read on.
    Failed(InputError),
}

impl From<InputError> for End {
    fn from(error: InputError) -> Self {
        Self::Failed(error)
    }
}

/// Where the thread puts its jobs.
#[derive(Debug)]
pub(super) struct Sink {
    batch: Vec<Job>,
    batches: mpsc::Sender<Vec<Job>>,
    progress: Arc<Progress>,
}

impl Sink {
    /// Counts a line, whether or not it becomes a job.
    pub(super) fn count_line(&self) {
        self.progress.lines.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes a job; waits while the consumer is behind.
    pub(super) fn push(&mut self, job: Job) -> Result<(), End> {
        self.progress.jobs.fetch_add(1, Ordering::Relaxed);
        self.batch.push(job);
        if self.batch.len() >= BATCH_JOBS {
            self.flush()?;
        }
        Ok(())
    }

    /// Passes on what was taken; to be called before anything that may block, and at the end.
    pub(super) fn flush(&mut self) -> Result<(), End> {
        if self.batch.is_empty() {
            // Nothing to send would otherwise hide that nobody is there to take it.
            return if self.batches.is_closed() { Err(End::Unwanted) } else { Ok(()) };
        }
        self.batches.blocking_send(std::mem::take(&mut self.batch)).map_err(|_| End::Unwanted)
    }
}

/// A fault of ours must not look like the end of the input.
impl Drop for Sink {
    fn drop(&mut self) {
        if thread::panicking() {
            _ = self.progress.outcome.set(Err(InputError::Internal));
        }
    }
}

/// Runs `read` on a thread of its own; the jobs that it puts into the sink are the stream.
pub(super) fn spawn(read: impl FnOnce(&mut Sink) -> Result<(), End> + Send + 'static) -> (Jobs, InputStatus) {
    let (sender, batches) = mpsc::channel(BATCHES_AHEAD);
    let progress = Arc::new(Progress::default());
    let status = InputStatus(Arc::clone(&progress));
    let mut sink = Sink { batch: Vec::new(), batches: sender, progress };
    let run = move || {
        let outcome = match read(&mut sink).and_then(|()| sink.flush()) {
            Ok(()) | Err(End::Unwanted) => Ok(()),
            Err(End::Failed(error)) => sink.flush().map_or(Ok(()), |()| Err(error)),
        };
        // Before the sink is dropped: whoever sees the end of the stream finds the outcome.
        _ = sink.progress.outcome.set(outcome);
    };
    if let Err(error) = thread::Builder::new().name("gather-input".to_owned()).spawn(run) {
        _ = status.0.outcome.set(Err(InputError::Thread(error)));
    }
    (Jobs { batches, batch: Vec::new().into_iter() }, status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::Template;

    #[test]
    fn jobs_travel_in_batches_of_bounded_size() {
        let (mut jobs, _) = spawn(|sink| {
            loop {
                sink.push(Template::default().job("http://h/"))?;
            }
        });
        for _ in 0..10 {
            assert_eq!(jobs.batches.blocking_recv().map(|batch| batch.len()), Some(BATCH_JOBS));
        }
    }

    #[test]
    fn what_was_taken_is_passed_on_at_the_end() {
        let (mut jobs, status) = spawn(|sink| sink.push(Template::default().job("http://h/")));
        assert_eq!(jobs.batches.blocking_recv().map(|batch| batch.len()), Some(1));
        assert!(jobs.batches.blocking_recv().is_none());
        assert_eq!((status.jobs(), status.error().is_none()), (1, true));
    }
}
