//! The page around the data: markup, style and scripts, and the policy that allows them and nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(super) const MARKUP: &str = include_str!("page/page.html");
pub(super) const STYLE: &str = concat!(include_str!("page/page.css"), include_str!("page/list.css"));

/// Runs before anything is drawn.
const EARLY: &str = include_str!("page/early.js");

/// The scripts, in one scope: each uses what those before it define.
pub(super) const SCRIPT: &str = concat!(
    "(() => {\n\"use strict\";\n",
    include_str!("page/units.js"),
    include_str!("page/data.js"),
    include_str!("page/view.js"),
    include_str!("page/waterfall.js"),
    include_str!("page/run.js"),
    include_str!("page/overview.js"),
    include_str!("page/list.js"),
    include_str!("page/details.js"),
    include_str!("page/main.js"),
    "})();\n"
);

/// Everything before the first row of data.
pub(super) fn head(title: &str) -> String {
    let (head, _) = halves();
    let ours = head.replace("{{policy}}", &policy()).replace("{{style}}", STYLE).replace("{{early}}", EARLY);
    // What is not ours goes in last, so that nothing in it is taken for a place to fill in.
    ours.replace("{{version}}", VERSION).replace("{{title}}", &escaped(title))
}

/// Everything after the last row of data; `plain` is markup.
pub(super) fn tail(plain: &str) -> String {
    let (_, tail) = halves();
    tail.replace("{{script}}", SCRIPT).replace("{{version}}", VERSION).replace("{{plain}}", plain)
}

/// Text as it may stand in markup, in attributes too; what could reorder it is visible.
pub(super) fn escaped(text: &str) -> String {
    let mut markup = String::with_capacity(text.len());
    for character in super::super::escape(text).chars() {
        match character {
            '&' => markup.push_str("&amp;"),
            '<' => markup.push_str("&lt;"),
            '>' => markup.push_str("&gt;"),
            '"' => markup.push_str("&quot;"),
            '\'' => markup.push_str("&#39;"),
            character => markup.push(character),
        }
    }
    markup
}

fn halves() -> (&'static str, &'static str) {
    MARKUP.split_once("{{rows}}").expect("the page has a place for the data")
}

/// Content Security Policy (level 3): our own style and scripts, by their hashes, and the icon; no request to anywhere.
fn policy() -> String {
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    format!(
        "default-src 'none'; script-src {} {}; style-src {}; img-src data:; base-uri 'none'; form-action 'none'",
        hash(EARLY),
        hash(SCRIPT),
        hash(STYLE)
    )
}
