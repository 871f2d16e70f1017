//! What the system withholds from the program: streams, directories, a home, room, memory. No line is lost for it.

use std::fs;
use std::process::Command;

use crate::support::{Latch, Reply, Running, Server, can, gather_under, records, skipped};

/// Starts a script of the shell, which gets the program and its arguments as `"$@"`.
fn in_shell(script: &str, arguments: &[&str]) -> Command {
    let mut command = gather_under(&["sh", "-c", script, "sh"]);
    command.args(arguments);
    command
}

#[test]
fn closed_streams_are_no_trouble_and_nothing_else_gets_into_their_place() {
    let server = Server::start(|_| Reply::ok("hello"));
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (number, (script, arguments)) in [
        (r#"exec "$@" 2>&-"#, &["-vv"][..]),
        (r#"exec "$@" >&-"#, &["-q"]),
        (r#"exec "$@" <&-"#, &["-q"]),
        (r#"exec "$@" <&- >&- 2>&-"#, &["-vv"]),
    ]
    .into_iter()
    .enumerate()
    {
        let file = directory.path().join(number.to_string());
        let (url, file) = (server.url("/a"), file.to_str().expect("UTF-8"));
        let arguments = [arguments, &["--retry", "0", &url, "http://127.0.0.2:9/nobody", "-o", file]].concat();
        let output = in_shell(script, &arguments).output().expect("a program that starts");
        assert_eq!(output.status.code(), Some(1), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{script}: something was written");
        let written = records(&fs::read(file).expect("the file"));
        let kinds: Vec<_> = written.iter().map(|record| &record["error"]["kind"]).collect();
        assert_eq!(kinds, [&serde_json::Value::Null, &"connect_refused".into()], "{script}");
    }
}

#[test]
fn records_for_a_closed_standard_output_go_nowhere_and_the_run_ends() {
    let server = Server::start(|_| Reply::ok("hello"));
    let output = in_shell(r#"exec "$@" >&-"#, &["-q", &server.url("/a")]).output().expect("a program that starts");
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

#[test]
fn a_list_whose_writer_goes_in_the_middle_of_a_line_is_read_to_its_end() {
    let server = Server::start(|_| Reply::ok("hello"));
    let mut program = Running::gather(["-q"]);
    program.write(&format!("{}\n{}", server.url("/a"), server.url("/b")));
    assert_eq!(program.record()["status"], 200);
    let ended = program.end();
    assert_eq!((ended.code, records(&ended.stdout).len()), (Some(0), 2), "{}", ended.stderr);
    assert_eq!(server.log().targets(), ["/a", "/b"]);
}

#[test]
fn a_file_that_may_not_grow_ends_with_a_whole_record_and_no_signal() {
    let server = Server::start(|_| Reply::ok("x".repeat(5000)));
    let directory = tempfile::tempdir().expect("a temporary directory");
    let at = |name: &str| directory.path().join(name).to_str().expect("UTF-8").to_owned();
    // In units of 512 bytes, or of 1,024 where the shell is bash.
    let (file, to_stdout) = (at("out.ndjson"), at("stdout.ndjson"));
    let to_file = (r#"ulimit -f 64; exec "$@""#.to_owned(), vec!["-o", &file], &file);
    let redirected = (format!(r#"ulimit -f 64; exec "$@" > '{to_stdout}'"#), vec!["-c", "4"], &to_stdout);
    for (script, arguments, written) in [to_file, redirected] {
        let mut program = Running::start(in_shell(&script, &arguments));
        program.write(&(server.url("/a") + "\n").repeat(100));
        let ended = program.end();
        assert_eq!((ended.code, ended.signal), (Some(3), None), "{script}: {}", ended.stderr);
        assert!(ended.stderr.contains("File too large"), "{script}: {}", ended.stderr);
        let count = records(&fs::read(written).expect("the file")).len();
        assert!((3..20).contains(&count), "{script}: {count} records");
    }
    // A body that is larger than a file may be.
    let server = Server::start(|_| Reply::ok("x".repeat(1_000_000)));
    let bodies = at("bodies");
    let script = r#"ulimit -f 64; exec "$@""#;
    let output =
        in_shell(script, &["--output-dir", &bodies, &server.url("/a")]).output().expect("a program that starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(3) && stderr.contains("File too large"), "{:?} {stderr}", output.status);
    assert_eq!(fs::read_dir(directory.path().join("bodies/000")).map_or(0, Iterator::count), 0, "half a body stays");
}

#[test]
fn without_a_directory_for_temporary_files_no_record_is_lost_and_that_is_said_once() {
    // Each of these lines holds up more records than memory may hold.
    let server = Server::start(|request| match request.target.as_str() {
        "/0" => Reply::ok("head").held_until(|log| log.requests().len() >= 16),
        "/100" => Reply::ok("head").held_until(|log| log.requests().len() >= 112),
        _ => Reply::ok("x".repeat(50_000)),
    });
    let mut program = gather_under(&["env", "TMPDIR=/no/such/directory"]);
    program.args(["--memory", "200KiB", "-c", "16", "--max-per-host", "0"]);
    let mut program = Running::start(program);
    program.write(&(0..200).map(|line| server.url(&format!("/{line}\n"))).collect::<String>());
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let indices = records(&ended.stdout).iter().map(|record| record["index"].as_u64()).collect::<Vec<_>>();
    assert_eq!(indices, (0..200).map(Some).collect::<Vec<_>>());
    assert_eq!(ended.stderr.matches("temporary files (TMPDIR)").count(), 1, "{}", ended.stderr);
}

#[test]
fn without_memory_for_records_a_directory_for_temporary_files_must_be_there() {
    let server = Server::start(|_| Reply::ok("hello"));
    let run = |arguments: &[&str]| {
        let mut program = gather_under(&["env", "TMPDIR=/no/such/directory"]);
        program.args(arguments).arg(server.url("/"));
        Running::start(program).end()
    };
    let ended = run(&["--memory", "0"]);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.starts_with("error: /no/such/directory: No such file"), "{}", ended.stderr);
    assert!(ended.stderr.contains("--memory 0") && ended.stderr.contains("TMPDIR"), "{}", ended.stderr);
    assert!(server.log().requests().is_empty());
    // Where it is not needed, it may be missing.
    for arguments in [&["--memory", "1"][..], &["--memory", "0", "--order", "completion"]] {
        let ended = run(arguments);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
}

#[test]
fn a_container_without_writable_directories_home_or_user_is_enough() {
    // A probe that could be written would show that the root is not read-only.
    const SCRIPT: &str = r#"
        mount -t tmpfs -o ro tmpfs /tmp && mount -o remount,bind,ro / || exit 99
        if touch /.gather-probe 2> /dev/null; then rm /.gather-probe; exit 99; fi
        setpriv --reuid 54321 --regid 54321 --clear-groups test -x "$1" || exit 99
        exec setpriv --reuid 54321 --regid 54321 --clear-groups env -i "$@""#;
    let server = Server::start(|request| match request.target.as_str() {
        "/0" => Reply::ok("head").held_until(|log| log.requests().len() >= 8),
        _ => Reply::ok("x".repeat(50_000)),
    });
    if !can(&["unshare", "--mount"]) {
        return;
    }
    let mut program = gather_under(&["unshare", "--mount", "sh", "-c", SCRIPT, "sh"]);
    program.args(["--memory", "100KiB", "--max-per-host", "0"]);
    let mut program = Running::start(program);
    program.write(&(0..50).map(|line| server.url(&format!("/{line}\n"))).collect::<String>());
    let ended = program.end();
    if ended.code == Some(99) {
        return skipped(&format!("no read-only root can be made here: {}", ended.stderr));
    }
    assert_eq!((ended.code, records(&ended.stdout).len()), (Some(0), 50), "{}", ended.stderr);
}

#[test]
fn a_record_that_the_disk_lost_is_a_failure_of_its_line_alone() {
    let latch = Latch::new();
    let held = latch.clone();
    let server = Server::start(move |request| match request.target.as_str() {
        "/0" => Reply::ok("head").held_by(&held),
        _ => Reply::ok("x".repeat(100_000)),
    });
    let mut program = Running::gather(["--memory", "1", "--max-per-host", "0"]);
    program.write(&(0..60).map(|line| server.url(&format!("/{line}\n"))).collect::<String>());
    program.close_stdin();
    server.wait_until("all requests", |log| log.requests().len() == 60 && log.in_progress() == 1);
    // The file has no name any more; the system still lets us at it through the process that has it open.
    let descriptors = format!("/proc/{}/fd", program.id());
    let spilled = || {
        let entries = fs::read_dir(&descriptors).expect("a running program").flatten();
        let is_spilled = |path: &std::path::PathBuf| {
            let is_deleted = fs::read_link(path).is_ok_and(|target| target.to_string_lossy().ends_with("(deleted)"));
            is_deleted && fs::metadata(path).is_ok_and(|metadata| metadata.len() > 4_000_000)
        };
        entries.map(|entry| entry.path()).find(is_spilled)
    };
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let file = loop {
        match spilled() {
            Some(file) => break file,
            None if std::time::Instant::now() < patience => std::thread::yield_now(),
            None => panic!("nothing was spilled"),
        }
    };
    fs::OpenOptions::new().write(true).truncate(true).open(file).expect("a file of ours");
    latch.release();
    let ended = program.end();
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    let records = records(&ended.stdout);
    let indices: Vec<_> = records.iter().map(|record| record["index"].as_u64()).collect();
    assert_eq!(indices, (0..60).map(Some).collect::<Vec<_>>());
    let lost = records.iter().filter(|record| record["error"]["kind"] == "internal_error").count();
    assert!((1..60).contains(&lost), "{lost} records were lost");
    assert!(ended.stderr.contains("a fault in this program"), "{}", ended.stderr);
}

#[test]
fn a_control_group_of_64_mib_is_enough_for_any_list() {
    const LIMIT: u64 = 64 << 20;
    let Some(group) = ControlGroup::new(LIMIT) else { return };
    // 90 MB of records wait for the first line, and may by default.
    let server = Server::start(|request| match request.target.as_str() {
        "/0" => Reply::ok("head").held_until(|log| log.requests().len() >= 900),
        _ => Reply::ok("x".repeat(100_000)),
    });
    let script = format!(r#"echo $$ > '{}/cgroup.procs' || exit 99; exec "$@""#, group.path.display());
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("out.ndjson");
    let arguments = ["-q", "--max-per-host", "0", "--fields", "index,body", "-o", file.to_str().expect("UTF-8")];
    let mut program = Running::start(in_shell(&script, &arguments));
    program.write(&(0..900).map(|line| server.url(&format!("/{line}\n"))).collect::<String>());
    let ended = program.end();
    if ended.code == Some(99) {
        return skipped(&format!("no process can be put into a control group here: {}", ended.stderr));
    }
    assert_eq!((ended.code, ended.signal), (Some(0), None), "{}", ended.stderr);
    let written = fs::read_to_string(file).expect("the file");
    let begins = (0..900).map(|index| format!("{{\"index\":{index},"));
    assert!(
        written.lines().count() == 900 && written.lines().zip(begins).all(|(line, begin)| line.starts_with(&begin))
    );
}

/// A control group with a limit of memory, removed when it is dropped.
struct ControlGroup {
    path: std::path::PathBuf,
}

impl ControlGroup {
    /// `None` where the system lets nobody make one.
    fn new(limit: u64) -> Option<Self> {
        for (root, file) in [("memory", "memory.limit_in_bytes"), ("", "memory.max")] {
            let root = std::path::Path::new("/sys/fs/cgroup").join(root);
            let path = root.join(format!("gather-test-{}", std::process::id()));
            if !root.join("cgroup.procs").exists() || fs::create_dir(&path).is_err() {
                continue;
            }
            let group = Self { path };
            // Without the controller the group has no such file.
            if group.path.join(file).exists() && fs::write(group.path.join(file), limit.to_string()).is_ok() {
                return Some(group);
            }
        }
        skipped("no control group with a limit of memory can be made here");
        None
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        // It fails only while a process is in it, whose end the test has seen; then the empty group stays.
        let _ = fs::remove_dir(&self.path);
    }
}
