//! The library's front door: the transport and the plan, joined.

use std::num::NonZeroUsize;
use std::time::Duration;

use futures::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;

use crate::engine::{self, Order, Plan, Records};
use crate::fetch::{FetchError, FetchOptions, HttpTransport};
use crate::input::Template;
use crate::model::{Job, Record};
use crate::policy::special_purpose;

/// Fetches `urls` together and gives one record for each, in the order of `urls`.
///
/// A URL that cannot be fetched, or is none, is a record with an [`error`](Record::error); `Err` means that the fetching
/// itself could not begin.
///
/// ```
/// # use std::time::{Duration, Instant};
/// # use wiremock::{Mock, MockServer, ResponseTemplate, matchers::path};
/// # async fn api() -> MockServer {
/// #     let server = MockServer::start().await;
/// #     for (name, millis) in [("/users/1", 100), ("/posts/1", 200), ("/comments/1", 100)] {
/// #         let answer = ResponseTemplate::new(200).set_body_string(name).set_delay(Duration::from_millis(millis));
/// #         Mock::given(path(name)).respond_with(answer).mount(&server).await;
/// #     }
/// #     server
/// # }
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = api().await;
/// # let api = server.uri();
/// // The server at `api` takes 100 ms for a user or a comment, and 200 ms for a post.
/// let started = Instant::now();
/// let records = gather::gather([
///     format!("{api}/users/1"),
///     format!("{api}/posts/1"),
///     format!("{api}/comments/1"),
/// ])
/// .await?;
///
/// let bodies: Vec<_> = records.iter().map(|record| record.body.as_deref().unwrap_or_default()).collect();
/// assert_eq!(bodies, ["/users/1", "/posts/1", "/comments/1"]);
/// let slowest = records.iter().filter_map(|record| record.time_total).max().unwrap_or_default();
/// println!("all {} requests completed in {:?}, the slowest one took {slowest:?}", records.len(), started.elapsed());
/// # let one_after_the_other: Duration = records.iter().filter_map(|record| record.time_total).sum();
/// # assert!(started.elapsed() < one_after_the_other);
/// # Ok(())
/// # }
/// ```
pub async fn gather<U: AsRef<str>>(urls: impl IntoIterator<Item = U>) -> Result<Vec<Record>, FetchError> {
    let template = Template::default();
    let jobs: Vec<Job> = urls.into_iter().map(|url| template.job(url.as_ref())).collect();
    let records = Gatherer::builder().build()?.stream(futures::stream::iter(jobs));
    Ok(records.map(|record| *record).collect().await)
}

/// Fetches any number of lists with one set of options, over one HTTP client that keeps its connections.
#[derive(Debug, Clone)]
pub struct Gatherer {
    transport: HttpTransport,
    plan: Plan,
}

impl Gatherer {
    /// Starts from the defaults of the command line.
    pub fn builder() -> GathererBuilder {
        GathererBuilder::default()
    }

    /// The records of `jobs`, in their order. How far reading goes ahead of the oldest line without a record, and how much
    /// memory the finished ones behind it take, is bounded by [`Plan::window`].
    ///
    /// Nothing happens until the stream is polled; dropping it aborts what is in flight. To be polled in a Tokio runtime.
    pub fn stream(&self, jobs: impl Stream<Item = Job> + Send + 'static) -> Records {
        self.run(jobs, CancellationToken::new())
    }

    /// The records of `jobs`, as they finish.
    pub fn stream_unordered(&self, jobs: impl Stream<Item = Job> + Send + 'static) -> Records {
        let plan = Plan { order: Order::Completion, ..self.plan.clone() };
        engine::run(jobs, self.transport.clone(), plan, CancellationToken::new())
    }

    /// The records of `jobs` in the order of the plan, until `cancel` is cancelled; see [`engine::run`].
    pub fn run(&self, jobs: impl Stream<Item = Job> + Send + 'static, cancel: CancellationToken) -> Records {
        engine::run(jobs, self.transport.clone(), self.plan.clone(), cancel)
    }

    /// Why a body could not be written to its file, where bodies go to files: a fault of this machine, not of a URL.
    pub fn output_error(&self) -> Option<&str> {
        self.transport.output_error()
    }
}

/// The options of a [`Gatherer`].
#[derive(Debug, Clone, Default)]
pub struct GathererBuilder {
    plan: Plan,
    fetch: FetchOptions,
}

impl GathererBuilder {
    /// Most exchanges at once, in all; 0 is taken as 1.
    #[must_use]
    pub fn concurrency(mut self, most: usize) -> Self {
        self.plan.limits.concurrency = NonZeroUsize::new(most).unwrap_or(NonZeroUsize::MIN);
        self
    }

    /// Most exchanges at once to one origin; 0: no limit of its own.
    #[must_use]
    pub fn max_per_host(mut self, most: usize) -> Self {
        self.plan.limits.max_per_host = NonZeroUsize::new(most);
        self
    }

    /// Attempts after the first.
    #[must_use]
    pub fn retries(mut self, attempts: u32) -> Self {
        self.plan.policy.retries.attempts = attempts;
        self
    }

    /// Time of one attempt, redirects included.
    #[must_use]
    pub fn timeout(mut self, time: Duration) -> Self {
        self.plan.policy.max_time = time;
        self
    }

    /// All that the engine can be told, in place of what was set before.
    #[must_use]
    pub fn plan(mut self, plan: Plan) -> Self {
        self.plan = plan;
        self
    }

    /// All that the HTTP transport can be told.
    #[must_use]
    pub fn fetch(mut self, options: FetchOptions) -> Self {
        self.fetch = options;
        self
    }

    /// Opens no connection to an address that is not of the public Internet, `--deny-private`; call it after
    /// [`fetch`](Self::fetch). See [`FetchOptions::deny_addresses`], which takes other rules too.
    #[must_use]
    pub fn deny_private(mut self) -> Self {
        self.fetch.deny_addresses = Some(special_purpose);
        self
    }

    /// Builds the HTTP client.
    ///
    /// Fails if a file that the options name cannot be used: a certificate, a key, the directory for bodies.
    pub fn build(self) -> Result<Gatherer, FetchError> {
        Ok(Gatherer { transport: HttpTransport::new(self.fetch)?, plan: self.plan })
    }
}
