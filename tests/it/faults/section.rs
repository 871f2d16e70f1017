//! A section of the fault list: one run over the lines of all its rows, and good lines between them.

use std::fmt::Write as _;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::row::{Line, Outcome, Row, phase};
use crate::support::{Reply, Running, Server};

/// Silence that a server may keep. Rows that are about silence take this long; a server of the others is never silent.
pub(super) const SILENCE: Duration = Duration::from_secs(2);

/// What every section is run with: one line of a row after the other, rows beside one another, and no second attempt.
const ARGUMENTS: [&str; 8] = [
    "-q",
    "--input-format=jsonl",
    "--concurrency=200",
    "--max-per-host=1",
    "--read-timeout=2",
    "--connect-timeout=2",
    "--max-time=10",
    "-",
];

/// What a section is run with unless it says otherwise.
const DEFAULTS: [&str; 2] = ["--retry=0", "--max-filesize=2MiB"];

/// What a row may take beyond its limit.
const SLACK: Duration = Duration::from_secs(1);

/// The memory that the program may have at any moment, in bytes: room for the bodies that a section allows, and for itself.
const MOST_MEMORY: u64 = 48 << 20;

/// The longest message of a failure, in bytes.
const MOST_MESSAGE: usize = 512;

/// Runs the rows with these further arguments, and good lines to a server of plain HTTP/1.1 between them.
pub(super) fn run(arguments: &[&str], rows: &[Row]) {
    run_with(arguments, rows, &Server::start(|request| Reply::ok(&request.target)), |n| format!("/good/{n}"));
}

/// Runs the rows with these further arguments, and good lines to `good` between them, whose `n`th answer is `body(n)`.
pub(super) fn run_with(arguments: &[&str], rows: &[Row], good: &Server, body: impl Fn(usize) -> String) {
    let asked = asked(rows, good, body);
    let list: String = asked.iter().fold(String::new(), |mut list, (line, _)| {
        writeln!(list, "{}", line.json).expect("a string takes every write");
        list
    });
    let option = |argument: &str| argument.split('=').next().map(str::to_owned);
    let is_said = |default: &&&str| arguments.iter().any(|argument| option(argument) == option(default));
    let defaults = DEFAULTS.iter().filter(|default| !is_said(default));
    let watch = Watch::start();
    let mut program = Running::gather(ARGUMENTS.iter().chain(defaults).chain(arguments));
    program.write(&list);
    // It still waits for more lines, so that its memory can be seen.
    let records: Vec<Value> = asked.iter().map(|_| program.record()).collect();
    let memory = program.peak_memory();
    let ended = program.end();
    let slack = SLACK + watch.longest_stall();
    let stderr = &ended.stderr;
    assert!(matches!(ended.code, Some(0 | 1)), "{ended:?}");
    let mut faults: Vec<String> = Vec::new();
    let written = crate::support::records(&ended.stdout).len();
    if written != asked.len() {
        faults.push(format!("{written} records for {} lines", asked.len()));
    }
    if memory > MOST_MEMORY {
        faults.push(format!("{memory} bytes of memory"));
    }
    for (index, (record, (line, limit))) in records.iter().zip(&asked).enumerate() {
        if let Err(fault) = check(index, record, line, *limit + slack) {
            faults.push(format!("{}: {fault}", line.json["id"]));
        }
    }
    faults.extend(rows.iter().filter_map(|row| count(row).err()));
    assert!(faults.is_empty(), "{} faults:\n{}\n{stderr}", faults.len(), faults.join("\n"));
}

/// The lines in their order, each with its `id` and the time that it may take.
fn asked(rows: &[Row], good: &Server, body: impl Fn(usize) -> String) -> Vec<(Line, Duration)> {
    let mut asked = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        let good = Line {
            json: json!({ "url": good.url(&format!("/good/{number}")) }),
            outcome: Outcome::Answers(200, Some(body(number))),
        };
        asked.push((named(&good, &format!("a good line before: {}", row.name)), SILENCE));
        asked.extend(row.lines.iter().map(|line| (named(line, &row.name), row.limit)));
    }
    asked
}

fn named(line: &Line, name: &str) -> Line {
    let mut json = line.json.clone();
    json["id"] = name.into();
    Line { json, outcome: line.outcome.clone() }
}

/// Notes for how long the machine lets nothing run at all: that is no fault of the program.
struct Watch {
    stop: Sender<()>,
    thread: JoinHandle<Duration>,
}

impl Watch {
    fn start() -> Self {
        const TICK: Duration = Duration::from_millis(20);
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let mut longest = Duration::ZERO;
            loop {
                let start = Instant::now();
                if stopped.recv_timeout(TICK) != Err(RecvTimeoutError::Timeout) {
                    return longest;
                }
                longest = longest.max(start.elapsed().saturating_sub(TICK));
            }
        });
        Self { stop, thread }
    }

    fn longest_stall(self) -> Duration {
        drop(self.stop);
        self.thread.join().expect("it does not panic")
    }
}

/// Whether a record is that of its line, and says what it must.
fn check(index: usize, record: &Value, line: &Line, limit: Duration) -> Result<(), String> {
    let is = |what: &str, seen: &Value, right: Value| {
        if *seen == right {
            Ok(())
        } else {
            let error = record["error"]["message"].as_str().unwrap_or("no error");
            Err(format!("{what} is {seen}, not {right} (status {}; {error})", record["status"]))
        }
    };
    is("the index", &record["index"], index.into())?;
    is("the id", &record["id"], line.json["id"].clone())?;
    let error = &record["error"];
    match &line.outcome {
        Outcome::Fails(kinds) => {
            let kind = kinds.iter().find(|kind| error["kind"] == ***kind).unwrap_or(&kinds[0]);
            is("the kind", &error["kind"], (*kind).into())?;
            is("the phase", &error["phase"], phase(kind).into())?;
            is("ok", &record["ok"], false.into())?;
            // Policy may refuse a response that has come whole.
            if phase(kind) != "policy" {
                is("a body", &record["body"], Value::Null)?;
            }
            check_message(error["message"].as_str().ok_or("there is no message")?)?;
        }
        Outcome::Answers(status, body) => {
            is("the kind", &error["kind"], Value::Null)?;
            is("the status", &record["status"], (*status).into())?;
            if let Some(body) = body {
                is("the body", &record["body"], body.as_str().into())?;
            }
        }
    }
    let time = |field: &str| Duration::from_secs_f64(record[field].as_f64().unwrap_or_default());
    let took = time("time_total").saturating_sub(time("time_wait"));
    if took > limit { Err(format!("it took {took:?}; {limit:?} is right")) } else { Ok(()) }
}

/// Whether a message is one that a person can be shown.
pub(super) fn check_message(message: &str) -> Result<(), String> {
    let acts = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if message.is_empty() || message.len() > MOST_MESSAGE || message.contains(acts) {
        return Err(format!("its message is {message:?}"));
    }
    Ok(())
}

/// Whether the server of a row saw what it must.
fn count(row: &Row) -> Result<(), String> {
    let Some(server) = &row.server else {
        return Ok(());
    };
    let log = server.log();
    let (requests, right) = (log.requests().len(), row.requests.clone().unwrap_or(row.lines.len()..=row.lines.len()));
    if !right.contains(&requests) {
        return Err(format!("\"{}\": {requests} requests, not {right:?}: {:?}", row.name, log.targets()));
    }
    match row.connections {
        Some(right) if right != log.connections() => {
            Err(format!("\"{}\": {} connections, not {right}", row.name, log.connections()))
        }
        _ => Ok(()),
    }
}
