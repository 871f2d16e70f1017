//! Completions and the man page.

use std::process::{Command, Stdio};

use crate::support::gather;

fn generated(what: &str) -> String {
    // A bad file or variable has no say in it.
    let output = gather().env("GATHER_RETRY", "many").args(["--generate", what]).assert().code(0).stderr("");
    String::from_utf8(output.get_output().stdout.clone()).expect("text")
}

/// Runs a program on a text, if the program is there, and gives what it complains of.
fn complaints(program: &str, arguments: &[&str], text: &str) -> Option<String> {
    let file = crate::support::list(text);
    let mut command = Command::new(program);
    command.args(arguments).arg(file.path()).env("MANROFFSEQ", "").env("LC_ALL", "C.UTF-8").stdout(Stdio::null());
    let output = command.output().ok()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program}: {said}");
    Some(said)
}

#[test]
fn completions_are_scripts_with_every_option() {
    for (what, shell, form) in
        [("bash", "bash", "--deny-private"), ("zsh", "zsh", "--deny-private"), ("fish", "fish", "-l deny-private")]
    {
        let script = generated(what);
        assert!(script.contains(form), "{script}");
        let said = complaints(shell, &["-n"], &script);
        assert!(said.is_none_or(|said| said.is_empty()), "{what}");
    }
}

#[test]
fn the_man_page_has_every_option_and_is_well_formed() {
    let page = generated("man");
    for part in [
        ".TH gather 1",
        ".SH NAME",
        ".SH SYNOPSIS",
        ".SH OPTIONS",
        "max\\-per\\-host",
        "GATHER_OPTION_NAME",
        ".SH VERSION",
    ] {
        assert!(page.contains(part), "no {part} in {page}");
    }
    let said = complaints("man", &["--warnings", "-l"], &page);
    assert!(said.is_none_or(|said| said.is_empty()));
}
