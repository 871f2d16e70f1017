//! Where results may be written, and under which names: nothing that a server says decides it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use crate::support::{Reply, Server, can, gather, gather_under, list, records};

fn string(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// Every file below `directory`.
fn files(directory: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(directory).expect("a directory").flatten() {
        if entry.file_type().expect("a type").is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.insert(entry.path());
        }
    }
    found
}

#[test]
fn what_may_not_be_written_is_refused_before_the_first_request() {
    // For root there are no permissions, so that the program has to be someone else.
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    if !can(&nobody) {
        return;
    }
    let server = Server::start(|_| Reply::ok("hello"));
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("a directory of ours");
    let at = |name: &str| directory.path().join(name);
    fs::write(at("theirs.ndjson"), "old").expect("written");
    fs::create_dir(at("theirs")).expect("made");
    for (arguments, named) in [
        (["-o", string(&at("new.ndjson"))], "new.ndjson"),
        (["-o", string(&at("theirs.ndjson"))], "theirs.ndjson"),
        (["--output-dir", string(&at("new"))], "new"),
        (["--output-dir", string(&at("theirs"))], "theirs"),
        (["-o", string(&at("theirs.ndjson/file"))], "theirs.ndjson"),
        (["--output-dir", string(&at("theirs.ndjson"))], "theirs.ndjson"),
        (["-o", string(&at("missing/out.ndjson"))], "missing"),
    ] {
        let mut program = gather_under(&nobody);
        let output = program.args(["--force", &server.url("/a")]).args(arguments).output().expect("a program");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(named) && output.stdout.is_empty(), "{arguments:?}: {stderr}");
    }
    assert_eq!(server.log().connections(), 0);
    assert_eq!(fs::read_to_string(at("theirs.ndjson")).expect("the file"), "old");
    assert_eq!(files(directory.path()).len(), 1, "something was made");
}

#[test]
fn a_link_in_place_of_the_output_is_not_followed_without_force() {
    let server = Server::start(|_| Reply::ok("hello"));
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (link, victim) = (directory.path().join("out.ndjson"), directory.path().join("victim"));
    symlink(&victim, &link).expect("linked");
    for existing in [None, Some("precious")] {
        existing.map_or(Ok(()), |text| fs::write(&victim, text)).expect("written");
        let output = gather().args(["-o", string(&link), &server.url("/a")]).assert().code(2);
        assert!(String::from_utf8_lossy(&output.get_output().stderr).contains("the file exists"));
        assert_eq!(fs::read_to_string(&victim).ok().as_deref(), existing);
    }
    assert_eq!(server.log().connections(), 0);
}

#[test]
fn names_of_bodies_come_from_the_line_and_never_from_the_server_or_its_url() {
    let server = Server::start(|request| {
        let name = "attachment; filename=\"../../evil\"; filename*=UTF-8''..%2f..%2fevil";
        let reply = Reply::ok(&request.target).header("content-disposition", name);
        reply.header("content-type", "text/../../evil").header("content-location", "/etc/evil")
    });
    let outer = tempfile::tempdir().expect("a temporary directory");
    let bodies = outer.path().join("bodies");
    let targets =
        ["/../../evil", "/%2e%2e/%2e%2e/evil", "//etc/evil", "/evil%00.html", "/a?../../evil", "/same", "/same"];
    let urls = targets.map(|target| server.url(target));
    let output = gather().args(["--output-dir", string(&bodies)]).args(&urls).assert().code(0);
    let records = records(&output.get_output().stdout);
    let named: BTreeSet<PathBuf> =
        records.iter().map(|record| record["body_file"].as_str().expect("a file").into()).collect();
    assert_eq!((named.len(), &files(outer.path())), (targets.len(), &named));
    for (record, asked) in records.iter().zip(server_order(&records)) {
        let path = Path::new(record["body_file"].as_str().expect("a file"));
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        let hash = name.strip_prefix(&format!("{:06}-", record["index"].as_u64().expect("an index")));
        assert!(hash.is_some_and(|hash| hash.len() == 16 && hash.chars().all(|c| c.is_ascii_hexdigit())), "{name}");
        assert_eq!(path.parent(), Some(bodies.join("000").as_path()));
        assert_eq!(fs::read_to_string(path).expect("the file"), asked);
    }
}

/// What each record's URL asks the server for.
fn server_order(records: &[serde_json::Value]) -> Vec<String> {
    let target = |record: &serde_json::Value| {
        let url: url::Url = record["url"].as_str().expect("a URL").parse().expect("a URL");
        url[url::Position::BeforePath..].to_owned()
    };
    records.iter().map(target).collect()
}

#[test]
fn a_planted_link_is_replaced_and_a_planted_directory_refused() {
    let server = Server::start(|_| Reply::ok("hello"));
    let outer = tempfile::tempdir().expect("a temporary directory");
    let (bodies, victim) = (outer.path().join("bodies"), outer.path().join("victim"));
    let run = || gather().args(["--output-dir", string(&bodies), &server.url("/a")]).assert();
    let output = run().code(0);
    let body = PathBuf::from(records(&output.get_output().stdout)[0]["body_file"].as_str().expect("a file"));
    fs::write(&victim, "precious").expect("written");
    fs::remove_file(&body).expect("removed");
    symlink(&victim, &body).expect("linked");
    run().code(0);
    assert!(fs::symlink_metadata(&body).expect("the file").is_file());
    assert_eq!(fs::read_to_string(&victim).expect("the file"), "precious");

    let elsewhere = outer.path().join("elsewhere");
    fs::create_dir(&elsewhere).expect("made");
    fs::remove_dir_all(bodies.join("000")).expect("removed");
    symlink(&elsewhere, bodies.join("000")).expect("linked");
    let output = run().code(3);
    let stderr = String::from_utf8_lossy(&output.get_output().stderr);
    assert!(stderr.contains("symbolic link"), "{stderr}");
    assert!(files(&elsewhere).is_empty());
}

#[test]
fn many_bodies_are_spread_over_directories() {
    let server = Server::start(|_| Reply::ok("hello"));
    let directory = tempfile::tempdir().expect("a temporary directory");
    let lines = list((0..1003).map(|line| server.url(&format!("/{line}\n"))).collect::<String>());
    let bodies = directory.path().join("bodies");
    gather().args(["-q", "--output-dir", string(&bodies), string(lines.path())]).assert().code(0);
    let counts = ["000", "001"].map(|shard| files(&bodies.join(shard)).len());
    assert_eq!((counts, files(&bodies).len()), ([1000, 3], 1003));
}
