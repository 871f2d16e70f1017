//! Progress on standard error while the run goes on: a line that is drawn again and again, or a plain one now and then.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::time::Duration;

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Style;
use super::escape;
use super::fit::columns;
use super::style::Tone;
use super::units::{count, rate, size_rate, time};

/// Between two plain lines.
const INTERVAL: Duration = Duration::from_secs(10);

/// Rates are those of this last while.
const RECENT: Duration = Duration::from_secs(10);

/// Between two samples for rates.
const SAMPLE: Duration = Duration::from_millis(500);

/// Columns where the terminal does not tell how many it has.
const USUAL_WIDTH: usize = 80;

/// What the run is doing right now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProgressState {
    /// Since the start of the run.
    pub elapsed: Duration,
    /// Lines that are done, whether their records are written or wait for an older line.
    pub finished: u64,
    /// Lines of the input, once it has ended.
    pub total: Option<u64>,
    /// Records written that were as they should be, flaky ones too.
    pub ok: u64,
    /// Records written that were not.
    pub failed: u64,
    /// Exchanges being made.
    pub in_flight: usize,
    /// Jobs that wait for their backoff to end.
    pub backing_off: usize,
    /// Jobs that wait for their origin's gate to open.
    pub gated: usize,
    /// Jobs that wait for a place in the pool or at their origin.
    pub queued: usize,
    /// Requests sent for the records written.
    pub requests: u64,
    /// Bytes of their bodies on the wire.
    pub bytes: u64,
    /// Median of `time_total`.
    pub p50: Option<Duration>,
    /// 99th percentile of `time_total`.
    pub p99: Option<Duration>,
}

/// Standard error, shared between progress and messages: what is written through it never gets into the progress line.
///
/// Cheap to clone, for the log's writer too. Errors are not the writer's business: where standard error is closed, nothing is
/// said.
#[derive(Debug, Clone)]
pub struct Screen {
    bar: ProgressBar,
}

impl Default for Screen {
    /// Without a progress line, until [`Progress::drawn`] makes one.
    fn default() -> Self {
        Self { bar: ProgressBar::hidden() }
    }
}

impl Screen {
    /// Writes one line of text, in which nothing can act on the terminal.
    pub fn say(&self, text: &str) {
        let line = format!("{}\n", escape(text));
        self.suspend(|| {
            // Nobody is left to tell that standard error is closed.
            let _ = io::stderr().write_all(line.as_bytes());
        });
    }

    /// Takes the progress line away while `write` writes to the terminal.
    pub fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bar.suspend(write)
    }
}

/// Writes as it is, for what is styled already: the log, the summary.
impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Shows how the run goes on. To be told at each tick, some ten times a second.
#[derive(Debug)]
pub struct Progress {
    screen: Screen,
    style: Style,
    mode: Mode,
    pace: Pace,
}

#[derive(Debug)]
enum Mode {
    /// One line of a terminal, drawn again and again.
    Drawn,
    /// A plain line now and then; the next at this time since the start.
    Plain { next: Duration },
}

impl Progress {
    /// For a terminal: a line on standard error, as wide as it is. Records must not go to the same terminal.
    pub fn drawn(screen: &Screen, style: Style) -> Self {
        screen.bar.set_style(message_alone());
        screen.bar.set_draw_target(ProgressDrawTarget::stderr());
        Self { screen: screen.clone(), style, mode: Mode::Drawn, pace: Pace::default() }
    }

    /// For a file or a pipe: a plain line every 10 seconds.
    pub fn plain(screen: &Screen, style: Style) -> Self {
        let style = Style { color: false, ..style };
        Self { screen: screen.clone(), style, mode: Mode::Plain { next: INTERVAL }, pace: Pace::default() }
    }

    /// Shows `state`, if it is time to.
    pub fn tick(&mut self, state: &ProgressState) {
        let recent = self.pace.recent(state);
        match &mut self.mode {
            Mode::Drawn => {
                let width = Term::stderr().size_checked().map(|(_, width)| usize::from(width));
                let width = width.or(self.style.width).unwrap_or(USUAL_WIDTH);
                // The last column is left free: some terminals go to the next line as soon as it is used.
                self.screen.bar.set_message(line(state, &recent, width.saturating_sub(1), &self.style));
            }
            Mode::Plain { next } => {
                if is_due(next, state.elapsed) {
                    self.screen.say(&format!("progress: {}", line(state, &recent, usize::MAX, &self.style)));
                }
            }
        }
    }

    /// Takes the line away for good.
    pub fn clear(self) {
        self.screen.bar.finish_and_clear();
    }
}

/// What indicatif draws is put together here, so that it fits.
fn message_alone() -> ProgressStyle {
    ProgressStyle::with_template("{msg}").expect("a template of one known key")
}

/// Whether `next` has come; then it is moved on.
fn is_due(next: &mut Duration, elapsed: Duration) -> bool {
    if elapsed < *next {
        return false;
    }
    *next = elapsed + INTERVAL;
    true
}

/// What came in the last while.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Recent {
    time: Duration,
    finished: u64,
    requests: u64,
    bytes: u64,
}

/// Remembers the last while, to tell rates.
#[derive(Debug, Default)]
struct Pace {
    samples: VecDeque<ProgressState>,
}

impl Pace {
    fn recent(&mut self, state: &ProgressState) -> Recent {
        if self.samples.back().is_none_or(|last| state.elapsed >= last.elapsed + SAMPLE) {
            self.samples.push_back(*state);
        }
        while self.samples.len() > 1 && self.samples[0].elapsed + RECENT < state.elapsed {
            self.samples.pop_front();
        }
        let first = &self.samples[0];
        // The first sample of all is taken when the run has already begun: it began with nothing.
        let began = ProgressState::default();
        let first = if self.samples.len() == 1 { &began } else { first };
        Recent {
            time: state.elapsed.saturating_sub(first.elapsed),
            finished: state.finished.saturating_sub(first.finished),
            requests: state.requests.saturating_sub(first.requests),
            bytes: state.bytes.saturating_sub(first.bytes),
        }
    }
}

/// One part of the progress line. Parts of higher rank are left out first.
struct Part {
    rank: u8,
    plain: String,
    tone: Option<Tone>,
}

/// The progress line in at most `width` columns.
fn line(state: &ProgressState, recent: &Recent, width: usize, style: &Style) -> String {
    let mut parts = parts(state, recent);
    let gap = columns(style.separator());
    let used = |parts: &[Part]| parts.iter().map(|part| columns(&part.plain) + gap).sum::<usize>().saturating_sub(gap);
    while parts.len() > 1 && used(&parts) > width {
        let least = parts.iter().map(|part| part.rank).max().expect("there is more than one part");
        parts.retain(|part| part.rank != least);
    }
    let shown = parts.iter().map(|part| match part.tone {
        Some(tone) => style.paint(tone, &part.plain),
        None => part.plain.clone(),
    });
    shown.collect::<Vec<_>>().join(style.separator())
}

fn parts(state: &ProgressState, recent: &Recent) -> Vec<Part> {
    let part = |rank, plain: String| Some(Part { rank, plain, tone: None });
    let waiting = [(state.backing_off, "retry"), (state.gated, "gate")]
        .into_iter()
        .filter(|&(jobs, _)| jobs > 0)
        .map(|(jobs, reason)| format!("{} {reason}", count(jobs as u64)))
        .collect::<Vec<_>>()
        .join(", ");
    let parts = [
        part(0, done(state)),
        part(6, format!("{} ok", count(state.ok))),
        part(1, format!("{} failed", count(state.failed)))
            .map(|part| Part { tone: (state.failed > 0).then_some(Tone::Bad), ..part }),
        part(4, format!("{} in flight", count(state.in_flight as u64))),
        part(5, format!("waiting: {waiting}")).filter(|_| !waiting.is_empty()),
        part(9, format!("{} queued", count(state.queued as u64))).filter(|_| state.queued > 0),
        part(3, format!("{} req/s", rate(recent.requests, recent.time))),
        part(8, size_rate(recent.bytes, recent.time)),
        state.p50.zip(state.p99).and_then(|(p50, p99)| part(7, format!("p50 {} p99 {}", time(p50), time(p99)))),
        eta(state, recent).and_then(|eta| part(2, format!("ETA {eta}"))),
    ];
    parts.into_iter().flatten().collect()
}

fn done(state: &ProgressState) -> String {
    match state.total {
        None => format!("{} done", count(state.finished)),
        Some(total) => {
            let percent = (state.finished * 100).checked_div(total).unwrap_or(100);
            format!("{}/{} {percent}%", count(state.finished), count(total))
        }
    }
}

/// How long the rest takes at the present pace; known only if the rest is.
fn eta(state: &ProgressState, recent: &Recent) -> Option<String> {
    let left = state.total?.saturating_sub(state.finished);
    let millis = recent.time.as_millis() * u128::from(left);
    let millis = millis.checked_div(recent.finished.into())?;
    let eta = Duration::from_secs(u64::try_from(millis.div_ceil(1000)).unwrap_or(u64::MAX));
    Some(if eta < Duration::from_mins(1) { format!("{}s", eta.as_secs()) } else { time(eta) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: Style = Style { color: false, unicode: true, width: None };

    fn state() -> ProgressState {
        ProgressState {
            elapsed: Duration::from_secs(20),
            finished: 12_345,
            total: Some(100_000),
            ok: 12_300,
            failed: 45,
            in_flight: 64,
            backing_off: 8,
            gated: 4,
            queued: 900,
            requests: 12_400,
            bytes: 50 << 20,
            p50: Some(Duration::from_millis(98)),
            p99: Some(Duration::from_millis(2_100)),
        }
    }

    fn recent() -> Recent {
        Recent { time: Duration::from_secs(10), finished: 6_000, requests: 6_050, bytes: 32 << 20 }
    }

    #[test]
    fn the_least_important_parts_go_where_the_line_is_too_long() {
        let shown = |width| line(&state(), &recent(), width, &STYLE);
        assert_eq!(
            shown(200),
            "12,345/100,000 12% · 12,300 ok · 45 failed · 64 in flight · waiting: 8 retry, 4 gate · 900 queued · \
             605 req/s · 3.2 MiB/s · p50 98ms p99 2.1s · ETA 2m27s"
        );
        assert_eq!(
            shown(100),
            "12,345/100,000 12% · 45 failed · 64 in flight · waiting: 8 retry, 4 gate · 605 req/s · ETA 2m27s"
        );
        assert_eq!(shown(59), "12,345/100,000 12% · 45 failed · 605 req/s · ETA 2m27s");
        assert_eq!(shown(5), "12,345/100,000 12%");
    }

    #[test]
    fn without_a_total_there_is_no_time_of_arrival() {
        let state = ProgressState { total: None, backing_off: 0, ..state() };
        assert_eq!(
            line(&state, &recent(), 100, &STYLE),
            "12,345 done · 12,300 ok · 45 failed · 64 in flight · waiting: 4 gate · 605 req/s · p50 98ms p99 2.1s"
        );
        assert_eq!(eta(&ProgressState { total: Some(20_000), ..state }, &Recent::default()), None);
    }

    #[test]
    fn an_input_without_lines_is_done() {
        assert_eq!(done(&ProgressState { total: Some(0), ..ProgressState::default() }), "0/0 100%");
    }

    #[test]
    fn rates_are_those_of_the_last_ten_seconds() {
        let mut pace = Pace::default();
        let at = |seconds: u64, finished| ProgressState {
            elapsed: Duration::from_secs(seconds),
            finished,
            ..ProgressState::default()
        };
        assert_eq!(pace.recent(&at(1, 100)).finished, 100);
        assert_eq!(pace.recent(&at(2, 200)).finished, 100);
        for second in 3..100 {
            pace.recent(&at(second, 200));
        }
        let recent = pace.recent(&at(100, 250));
        assert_eq!((recent.finished, recent.time), (50, Duration::from_secs(10)));
        assert!(pace.samples.len() < 25, "{}", pace.samples.len());
    }

    #[test]
    fn a_plain_line_is_due_every_ten_seconds() {
        let mut next = INTERVAL;
        let due: Vec<u64> = (0..45).filter(|&second| is_due(&mut next, Duration::from_secs(second))).collect();
        assert_eq!(due, [10, 20, 30, 40]);
    }
}
