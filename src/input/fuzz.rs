//! What must hold for any list.

use futures::StreamExt as _;

use super::asked::Defaults;
use super::format::Hint;
use super::options::{InputFormat, Template};
use super::{read, stream};
use crate::model::{FailureKind, Job};

/// No bytes make reading panic or end early, each format gives a job for a line at most, in their order, and what is wrong
/// with a line is told by a kind of its own, without control characters.
pub fn input_lines(bytes: &[u8]) {
    let formats = [InputFormat::Text, InputFormat::Jsonl, InputFormat::Csv, InputFormat::Tsv].map(Hint::Certain);
    for hint in formats.into_iter().chain([Hint::None]) {
        let list = bytes.to_vec();
        let (jobs, status) = stream::spawn(move |sink| {
            let template = Template::default();
            read::read_lines(&list[..], "fuzz", hint, &Defaults::of(&template), sink)
        });
        let jobs: Vec<Job> = futures::executor::block_on(jobs.collect());
        let lines: Vec<u64> = jobs.iter().filter_map(|job| job.place.as_ref()).map(|place| place.line).collect();
        assert_eq!(lines.len(), jobs.len(), "every job has its line");
        assert!(lines.is_sorted() && lines.last().is_none_or(|&last| last <= status.lines()));
        for bad in jobs.iter().filter_map(|job| job.request.as_ref().err()) {
            assert_ne!(bad.failure.kind, FailureKind::InternalError, "{}", bad.failure);
            assert!(bad.failure.message.len() <= 512, "{}", bad.failure);
            assert!(!bad.failure.message.chars().any(crate::model::is_unsafe), "{:?}", bad.failure.message);
        }
    }
}
