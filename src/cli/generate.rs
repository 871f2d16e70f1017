//! Completions and the man page, made of the options themselves.

use clap::CommandFactory;
use clap_complete::Shell;

use super::args::{Args, Generated};

/// The text of `what`, as a file of its own.
pub(super) fn generate(what: Generated) -> Vec<u8> {
    let mut command = Args::command();
    let shell = match what {
        Generated::Bash => Shell::Bash,
        Generated::Zsh => Shell::Zsh,
        Generated::Fish => Shell::Fish,
        Generated::Man => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page).expect("a vector takes every write");
            return page;
        }
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "gather", &mut script);
    script
}
