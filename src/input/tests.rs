//! The room as a whole: sources in, jobs out.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use futures::StreamExt as _;
use proptest::prelude::*;

use super::asked::Defaults;
use super::format::Hint;
use super::stream::spawn;
use super::*;
use crate::model::{BadLine, FailureKind, Job};

fn options(format: Option<InputFormat>) -> InputOptions {
    InputOptions { format, ..InputOptions::default() }
}

fn open(sources: Vec<Source>) -> Result<Input, InputError> {
    Input::open(sources, InputOptions::default())
}

/// All jobs of a file of that name and content.
async fn jobs_of(name: &str, content: &[u8]) -> (Vec<Job>, InputStatus) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join(name);
    fs::write(&path, content).expect("the file can be written");
    collect(open(vec![Source::File(path)]).expect("a readable file")).await
}

async fn collect(input: Input) -> (Vec<Job>, InputStatus) {
    let (jobs, status) = input.into_stream();
    let jobs: Vec<_> = jobs.collect().await;
    assert_eq!(status.jobs(), jobs.len() as u64);
    (jobs, status)
}

/// Line numbers and URLs, or the kind of failure.
fn seen(jobs: &[Job]) -> Vec<(u64, &str)> {
    let line = |job: &Job| job.place.as_ref().map_or(0, |place| place.line);
    jobs.iter().map(|job| (line(job), shown(job))).collect()
}

fn shown(job: &Job) -> &str {
    match &job.request {
        Ok(request) => request.url.as_str(),
        Err(bad) => bad.failure.kind.name(),
    }
}

fn bad_line(job: &Job) -> &BadLine {
    job.request.as_ref().expect_err("a bad line")
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("a vector takes every write")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    let encode = || {
        let mut encoder = ::zstd::Encoder::new(Vec::new(), 3)?;
        // As the `zstd` program does.
        encoder.include_checksum(true)?;
        encoder.write_all(bytes)?;
        encoder.finish()
    };
    encode().expect("a vector takes every write")
}

/// `count` lines, each with another URL that does not compress well.
fn many_lines(count: u32) -> String {
    let url = |i: u32| format!("http://h/{:x}\n", u64::from(i).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    (0..count).map(url).collect::<Vec<_>>().concat()
}

#[tokio::test]
async fn every_fault_of_a_text_line_is_a_record_of_its_kind() {
    let list = fs::read_to_string(fixture("input-faults.txt")).expect("the fixture");
    let mut kind = "";
    let mut expected = Vec::new();
    for (line, number) in list.split('\n').zip(1..) {
        match line.strip_prefix("# ") {
            Some(name) => kind = name,
            None if line.is_empty() => {}
            None => expected.push((number, kind)),
        }
    }
    assert!(expected.len() > 30);
    let input = open(vec![Source::File(fixture("input-faults.txt"))]).expect("the fixture");
    let (jobs, status) = collect(input).await;
    assert_eq!(seen(&jobs), expected);
    assert_eq!(status.lines(), list.lines().count() as u64);
    assert!(status.error().is_none());
}

#[tokio::test]
async fn every_fault_of_a_jsonl_line_is_a_record_of_its_kind_with_its_id() {
    let input = open(vec![Source::File(fixture("input-faults.jsonl"))]).expect("the fixture");
    let (jobs, _) = collect(input).await;
    assert!(jobs.len() > 15);
    for job in jobs {
        assert_eq!(job.id.as_deref().and_then(serde_json::Value::as_str), Some(shown(&job)), "{:?}", job.place);
    }
}

#[tokio::test]
async fn lines_that_are_not_text_are_records_and_the_next_line_is_fine() {
    let long = "x".repeat(65_536);
    for (line, kind) in [
        (&b"http://h/\0"[..], FailureKind::InputNul),
        (b"\0", FailureKind::InputNul),
        (b"http://h/\xe9", FailureKind::InputInvalidUtf8),
        (b"\xed\xa0\x80", FailureKind::InputInvalidUtf8),
        (b"http://a/\rhttp://b/", FailureKind::UrlInvalid),
        (b"http://h/\xef\xbb\xbf", FailureKind::UrlInvalid),
        (long.as_bytes(), FailureKind::UrlTooLong),
        ((long.clone() + "x").as_bytes(), FailureKind::InputTooLong),
        ((long.clone() + "\0x").as_bytes(), FailureKind::InputTooLong),
        (format!("http://h/{}", &long[..65_526]).as_bytes(), FailureKind::UrlTooLong),
        (&long.as_bytes()[..65_534], FailureKind::UrlMissingScheme),
    ] {
        let list = [b"http://h/1\n", line, b"\nhttp://h/2\n"].concat();
        for (name, list) in [("a.txt", list.clone()), ("a.txt.gz", gzip(&list)), ("a.txt.zst", zstd(&list))] {
            let (jobs, _) = jobs_of(name, &list).await;
            assert_eq!(seen(&jobs), [(1, "http://h/1"), (2, kind.name()), (3, "http://h/2")], "in {name}");
            assert!(bad_line(&jobs[1]).text.len() <= 512);
        }
    }
}

#[tokio::test]
async fn the_raw_bytes_of_a_line_that_is_not_utf8_are_kept() {
    let (jobs, _) = jobs_of("a.txt", b" http://h/caf\xe9 \r\n").await;
    let bad = bad_line(&jobs[0]);
    assert_eq!(bad.raw.as_deref(), Some(&b"http://h/caf\xe9"[..]));
    assert_eq!(bad.text, r"http://h/caf\xE9");
    assert!(bad.failure.message.starts_with("byte 13 of the line, 0xE9, is not UTF-8"), "{}", bad.failure.message);
}

#[tokio::test]
async fn a_line_of_10_mb_names_its_length() {
    let (jobs, _) = jobs_of("a.txt", &vec![b'x'; 10_000_000]).await;
    assert_eq!(bad_line(&jobs[0]).failure.message, "the line has 10000000 bytes; at most 65536 make a line");
}

#[tokio::test]
async fn bom_crlf_spaces_blank_lines_and_comments_are_fine() {
    let list = b"\xef\xbb\xbf# caf\xe9 \0\r\n\r\n  \t \n\thttp://h/a  \r\nHEAD http://h/b\n#\nhttp://h/a";
    let (jobs, status) = jobs_of("list", list).await;
    assert_eq!(seen(&jobs), [(4, "http://h/a"), (5, "http://h/b"), (7, "http://h/a")]);
    assert_eq!((status.lines(), status.jobs()), (7, 3));
    let long_comment = format!("# {}\nhttp://h/\n", "x".repeat(100_000));
    assert_eq!(seen(&jobs_of("list", long_comment.as_bytes()).await.0), [(2, "http://h/")]);
}

#[tokio::test]
async fn an_input_without_urls_ends_at_once_without_an_error() {
    for (name, content) in [
        ("a", &b""[..]),
        ("a.json", b""),
        ("a.jsonl", b"\n \r\n"),
        ("a.txt", b"\xef\xbb\xbf"),
        ("a.gz", &gzip(b"")),
        ("a.zst", &zstd(b"")),
        ("a", b"# only\n# comments"),
    ] {
        let (jobs, status) = jobs_of(name, content).await;
        assert!(jobs.is_empty() && status.error().is_none(), "{content:?} in {name}");
    }
}

#[tokio::test]
async fn the_format_is_found_by_name_then_by_the_first_byte_and_can_be_forced() {
    let object = br#"{"url": "http://h/"}"#;
    let with_bom = [b"\xef\xbb\xbf \n ", &object[..]].concat();
    for (name, content, expected) in [
        ("list", &object[..], "http://h/"),
        ("list", &with_bom, "http://h/"),
        ("list", br#""http://h/""#, "http://h/"),
        ("list.txt", object, "input_malformed"),
        ("list.ndjson", b"http://h/", "input_malformed"),
        ("list.jsonl", b"# no comment", "input_malformed"),
        ("list.json.gz", &gzip(object), "http://h/"),
        ("list.conf", b"http://h/", "http://h/"),
    ] {
        assert_eq!(shown(&jobs_of(name, content).await.0[0]), expected, "of {name}");
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (name, format, content) in
        [("a.csv", InputFormat::Text, "http://h/"), ("a.txt", InputFormat::Jsonl, "\"http://h/\"")]
    {
        let path = directory.path().join(name);
        fs::write(&path, content).expect("the file can be written");
        let input = Input::open(vec![Source::File(path)], options(Some(format))).expect("a readable file");
        assert_eq!(shown(&collect(input).await.0[0]), "http://h/");
    }
}

#[tokio::test]
async fn packed_lists_are_found_by_their_bytes_and_may_have_several_members() {
    let gz = [gzip(b"http://h/1\nhttp"), gzip(b""), gzip(b"://h/2\n")].concat();
    let zst = [zstd(b"http://h/1\nhttp"), b"\x50\x2a\x4d\x18\x02\0\0\0ab".to_vec(), zstd(b"://h/2\n")].concat();
    let skippable_first = [b"\x5f\x2a\x4d\x18\0\0\0\0".to_vec(), zst.clone()].concat();
    for (name, content) in
        [("a.gz", &gz), ("a.txt.gz", &gz), ("a.zst", &zst), ("a", &gz), ("a", &zst), ("a", &skippable_first)]
    {
        let (jobs, status) = jobs_of(name, content).await;
        assert_eq!(seen(&jobs), [(1, "http://h/1"), (2, "http://h/2")], "of {name}");
        assert!(status.error().is_none());
    }
}

#[tokio::test]
async fn a_packed_list_that_is_cut_off_gives_its_whole_lines_and_then_the_error() {
    let list = many_lines(20_000);
    for (name, packed) in [("a.gz", gzip(list.as_bytes())), ("a.zst", zstd(list.as_bytes()))] {
        let (jobs, status) = jobs_of(name, &packed[..packed.len() * 3 / 4]).await;
        assert!((1..20_000).contains(&jobs.len()), "{} lines of {name}", jobs.len());
        let urls: String = jobs.iter().map(|job| shown(job).to_owned() + "\n").collect();
        assert!(list.starts_with(&urls), "{name}");
        let Some(InputError::Broken { line, .. }) = status.error() else {
            panic!("{:?}", status.error());
        };
        assert_eq!(*line, jobs.len() as u64);
    }
}

#[tokio::test]
async fn a_packed_list_that_is_damaged_is_an_error() {
    let list = many_lines(20_000);
    for (name, mut packed) in [("a.gz", gzip(list.as_bytes())), ("a.zst", zstd(list.as_bytes()))] {
        let middle = packed.len() / 2;
        packed[middle..middle + 64].fill(0xaa);
        let (_, status) = jobs_of(name, &packed).await;
        let Some(InputError::Broken { line, .. }) = status.error() else {
            panic!("{:?}", status.error());
        };
        assert_eq!(*line, status.lines());
    }
}

#[tokio::test]
async fn a_checksum_that_does_not_fit_is_an_error_after_the_last_line() {
    let mut packed = gzip(b"http://h/1\nhttp://h/2");
    let end = packed.len();
    packed[end - 6] ^= 1;
    let (jobs, status) = jobs_of("a.gz", &packed).await;
    assert_eq!(seen(&jobs), [(1, "http://h/1")]);
    let message = status.error().expect("a wrong checksum").to_string();
    assert!(message.contains("a.gz` cannot be read beyond line 1: "), "{message}");
}

#[tokio::test]
async fn a_packed_list_that_is_cut_off_in_its_first_line_names_no_line() {
    let packed = gzip(format!("http://h/{}\n", many_lines(20).replace('\n', "-")).as_bytes());
    let (jobs, status) = jobs_of("a.gz", &packed[..packed.len() / 2]).await;
    let message = status.error().expect("an end that is missing").to_string();
    assert!(jobs.is_empty() && message.contains("cannot be read as far as the end of its first line: "), "{message}");
}

#[test]
fn what_cannot_be_read_is_refused_before_the_run() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = |name: &str, content: &[u8]| {
        let path = directory.path().join(name);
        fs::write(&path, content).expect("the file can be written");
        Source::File(path)
    };
    let utf16: Vec<u8> = "\u{feff}http://h/\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let good = || file("good", b"http://h/\n");
    for (bad, message) in [
        (Source::File(directory.path().join("none")), "none`: there is no such file; a source is"),
        (Source::File("ftp://u:canary@h/x".into()), "`ftp://***@h/x`: there is no such file; a source is"),
        (Source::File(directory.path().into()), "` is a directory; name the files in it"),
        (file("file", b"").under("below"), "below` cannot be opened: "),
        (file("wide.txt", &utf16), "wide.txt` is UTF-16; a list is UTF-8"),
        (file("wide.gz", &gzip(b"\xfe\xff\0h")), "wide.gz` is UTF-16; a list is UTF-8"),
        (file("a.json", b"\n [\n{\"url\": 1}]"), "a.json` is a JSON array; one object a line is right"),
        (file("array", b"[{\"url\": 1}]"), "array` is a JSON array; one object a line is right"),
        (file("a.csv", b"link,id\n"), "the header of `"),
        (file("a.gz", b"http://h/\n"), "a.gz` has the name of a gzip file but does not start like one"),
        (file("a.zst", b""), "a.zst` has the name of a zstd file but does not start like one"),
        (file("b.gz", b"\x1f\x8b\x08"), "b.gz` cannot be opened: "),
    ] {
        let error = open(vec![good(), bad]).expect_err(message).to_string();
        assert!(error.contains(message), "{error}");
    }
}

impl Source {
    fn under(self, name: &str) -> Self {
        let Self::File(path) = self else { panic!("no file") };
        Self::File(path.join(name))
    }
}

#[test]
fn standard_input_is_read_only_once() {
    let error = open(vec![Source::Stdin, Source::Url("http://h".into()), Source::Stdin]).expect_err("twice");
    assert_eq!(error.to_string(), "standard input is given twice; a pipe and standard input can be read only once");
}

#[tokio::test]
async fn sources_are_read_one_after_the_other_and_an_argument_has_no_place() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("a");
    fs::write(&path, "http://h/1\nhttp://h/1").expect("the file can be written");
    let name: &str = &path.to_string_lossy();
    let url = |url: &str| Source::Url(url.to_owned());
    let sources = vec![url("http://[::1"), Source::File(path.clone()), url("http://h/2"), Source::File(path.clone())];
    let (jobs, status) = collect(open(sources).expect("readable sources")).await;
    let places: Vec<_> =
        jobs.iter().map(|job| (job.place.as_ref().map(|place| (&*place.source, place.line)), shown(job))).collect();
    let file = [(Some((name, 1)), "http://h/1"), (Some((name, 2)), "http://h/1")];
    assert_eq!(places, [&[(None, "url_invalid")], &file[..], &[(None, "http://h/2")], &file[..]].concat());
    assert_eq!((status.lines(), status.jobs()), (4, 6));
}

#[tokio::test]
async fn a_file_that_vanishes_before_it_is_read_is_an_error_after_the_lines_before_it() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("a");
    fs::write(&path, "http://h/1\n").expect("the file can be written");
    let input = open(vec![Source::Url("http://h/0".into()), Source::File(path.clone())]).expect("readable sources");
    fs::remove_file(path).expect("the file can be removed");
    let (jobs, status) = collect(input).await;
    assert_eq!(seen(&jobs), [(0, "http://h/0")]);
    assert!(matches!(status.error(), Some(InputError::Missing { .. })), "{:?}", status.error());
}

/// The same bytes again and again.
struct Endless(&'static [u8]);

impl io::Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = buffer.len().min(self.0.len());
        buffer[..count].copy_from_slice(&self.0[..count]);
        Ok(count)
    }
}

#[tokio::test]
async fn a_consumer_that_stops_ends_the_thread() {
    for lines in ["http://h/\n", "# comment\n"] {
        let (ended, end) = mpsc::channel::<()>();
        let (mut jobs, _) = spawn(move |sink| {
            let _ended_when_dropped = ended;
            sink.push(Template::default().job("http://first/"))?;
            let endless = Endless(lines.as_bytes());
            read::read_lines(endless, "-", Hint::None, &Defaults::of(&Template::default()), sink)
        });
        assert_eq!(shown(&jobs.next().await.expect("the first job")), "http://first/");
        drop(jobs);
        assert_eq!(end.recv(), Err(mpsc::RecvError), "the thread has let its sender go");
    }
}

#[tokio::test]
async fn a_fault_of_ours_does_not_look_like_the_end_of_the_input() {
    let (jobs, status) = spawn(|_| panic!("on purpose"));
    assert_eq!(jobs.count().await, 0);
    assert!(matches!(status.error(), Some(InputError::Internal)));
}

#[cfg(unix)]
mod pipes {
    use std::os::fd::AsRawFd as _;

    use super::*;

    fn path_of(reader: &io::PipeReader) -> Source {
        Source::File(format!("/dev/fd/{}", reader.as_raw_fd()).into())
    }

    #[tokio::test]
    async fn a_job_is_given_out_when_its_line_is_there() {
        let (reader, mut writer) = io::pipe().expect("a pipe");
        let (mut jobs, status) = open(vec![path_of(&reader)]).expect("a readable pipe").into_stream();
        for i in 1..=3 {
            write!(writer, "http://h/{i}\nhttp://h/half-of-the-ne").expect("the pipe is open");
            assert_eq!(
                shown(&jobs.next().await.expect("a job")),
                format!("http://h/{}{i}", if i > 1 { "half-of-the-nehttp://h/" } else { "" })
            );
        }
        drop(writer);
        assert_eq!(shown(&jobs.next().await.expect("the last line")), "http://h/half-of-the-ne");
        assert!(jobs.next().await.is_none());
        assert_eq!((status.lines(), status.error().is_none()), (4, true));
    }

    #[tokio::test]
    async fn a_packed_pipe_gives_its_jobs_member_by_member() {
        for pack in [gzip, zstd] {
            let (reader, mut writer) = io::pipe().expect("a pipe");
            let (mut jobs, _) = open(vec![path_of(&reader)]).expect("a readable pipe").into_stream();
            for url in ["http://h/1", "http://h/2"] {
                writer.write_all(&pack(format!("{url}\n").as_bytes())).expect("the pipe is open");
                assert_eq!(shown(&jobs.next().await.expect("a job")), url);
            }
        }
    }

    #[tokio::test]
    async fn a_named_pipe_is_checked_without_waiting_for_its_writer() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo");
        assert!(made.success());
        let (mut jobs, _) = open(vec![Source::File(path.clone())]).expect("a readable pipe").into_stream();
        fs::write(path, "http://h/").expect("the pipe has a reader");
        assert_eq!(shown(&jobs.next().await.expect("a job")), "http://h/");
    }

    #[tokio::test]
    async fn utf16_in_a_pipe_is_an_error_and_no_job() {
        let (reader, mut writer) = io::pipe().expect("a pipe");
        writer.write_all(b"\xff\xfeh\0\n\0").expect("the pipe is open");
        drop(writer);
        let (jobs, status) = collect(open(vec![path_of(&reader)]).expect("a readable pipe")).await;
        assert!(jobs.is_empty() && matches!(status.error(), Some(InputError::Utf16 { .. })), "{status:?}");
    }

    #[test]
    fn a_pipe_is_not_touched_before_it_is_read_and_not_read_twice() {
        let (mut reader, mut writer) = io::pipe().expect("a pipe");
        writer.write_all(b"whole").expect("the pipe is open");
        drop(writer);
        open(vec![path_of(&reader)]).expect("a readable pipe");
        let error = open(vec![path_of(&reader), path_of(&reader)]).expect_err("twice");
        assert!(matches!(error, InputError::Twice { .. }), "{error}");
        let mut left = String::new();
        reader.read_to_string(&mut left).expect("the pipe can be read");
        assert_eq!(left, "whole");
    }
}

proptest! {
    #[test]
    fn any_bytes_make_a_job_of_every_line_that_is_not_blank_and_no_comment(
        lines in prop::collection::vec(any_line(), 0..40),
        last_line_feed: bool,
    ) {
        let mut list = lines.join(&b"\n"[..]);
        if last_line_feed {
            list.push(b'\n');
        }
        // The text form, whatever the bytes look like; its comments are the only lines that may be skipped.
        let expected: Vec<u64> = list
            .split(|&byte| byte == b'\n')
            .zip(1..)
            .filter(|(line, number)| {
                let line = if *number == 1 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line };
                !line.trim_ascii().is_empty() && !line.starts_with(b"#")
            })
            .map(|(_, number)| number)
            .collect();
        for format in [InputFormat::Text, InputFormat::Jsonl] {
            let (jobs, error) = jobs_of_bytes(list.clone(), format);
            let is_utf16 = list.starts_with(b"\xff\xfe") || list.starts_with(b"\xfe\xff");
            prop_assert_eq!(error.is_some(), is_utf16);
            for job in &jobs {
                if let Err(bad) = &job.request {
                    prop_assert!(bad.text.len() <= 512 && bad.failure.message.len() <= 512);
                    prop_assert!(!bad.failure.message.contains(|c: char| c.is_control()));
                }
            }
            if format == InputFormat::Text && !is_utf16 {
                let numbers: Vec<u64> = jobs.iter().map(|job| job.place.as_ref().map_or(0, |place| place.line)).collect();
                prop_assert_eq!(&numbers, &expected);
            }
        }
    }
}

fn jobs_of_bytes(bytes: Vec<u8>, format: InputFormat) -> (Vec<Job>, Option<String>) {
    let (jobs, status) = spawn(move |sink| {
        let template = Template::default();
        read::read_lines(&bytes[..], "-", Hint::Certain(format), &Defaults::of(&template), sink)
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let jobs = runtime.block_on(jobs.collect());
    (jobs, status.error().map(ToString::to_string))
}

/// Lines that come near to what is parsed, and any bytes.
fn any_line() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60),
        "\\PC{0,60}".prop_map(String::into_bytes),
        "(GET |get |# ?|)(http|https|ftp|)(:|)[/\\\\]{0,3}[a-z@:.\\[\\]%0-9#?]{0,20}(/.{0,10})?\r?".prop_map(String::into_bytes),
        r#"\{"(url|method|headers|body|timeout|accept|id|x)": ?("http://h/[a-z]?"|[0-9.e-]{1,5}|\[.{0,5}\]|\{.{0,5}\}|null)\}"#
            .prop_map(String::into_bytes),
    ]
}
