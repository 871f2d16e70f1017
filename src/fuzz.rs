//! What must hold for any bytes: one function a fuzz target, each beside the code that it tries.
//!
//! `fuzz/` feeds them with `cargo fuzz`; the corpus that it found is replayed here by an ordinary test.

pub use crate::fetch::fuzz::{coded_body, file_name};
pub use crate::input::fuzz::input_lines;
pub use crate::model::fuzz::{record, redaction};
pub use crate::policy::fuzz::{address, location, retry_after};

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::{fs, panic};

    /// A fuzz target, and the name of its folder in the corpus.
    type Target = (&'static str, fn(&[u8]));

    const TARGETS: [Target; 8] = [
        ("address", super::address),
        ("coded_body", super::coded_body),
        ("file_name", super::file_name),
        ("input_lines", super::input_lines),
        ("location", super::location),
        ("record", super::record),
        ("redaction", super::redaction),
        ("retry_after", super::retry_after),
    ];

    #[test]
    fn what_the_fuzzers_found_holds() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
        for (name, target) in TARGETS {
            let mut inputs = 0;
            for entry in fs::read_dir(corpus.join(name)).expect("every target has a corpus") {
                let path = entry.expect("the corpus can be listed").path();
                let input = fs::read(&path).expect("the corpus can be read");
                assert!(panic::catch_unwind(|| target(&input)).is_ok(), "{} does not hold", path.display());
                inputs += 1;
            }
            assert!(inputs > 0, "the corpus of {name} is empty");
        }
    }

    #[test]
    fn every_target_is_replayed() {
        let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/targets");
        let mut found: Vec<String> = fs::read_dir(targets)
            .expect("the targets can be listed")
            .map(|entry| entry.expect("the targets can be listed").path())
            .map(|path| path.file_stem().expect("a file").to_string_lossy().into_owned())
            .collect();
        found.sort();
        assert_eq!(found, TARGETS.map(|(name, _)| name));
    }
}
