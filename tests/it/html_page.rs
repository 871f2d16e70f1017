//! The HTML page in a browser: what a person sees and can do, and that it loads nothing and says nothing in the console.

use std::path::Path;
use std::time::Duration;

use gather::model::{Failure, FailureKind, FlakyRule, Record, Verdict};
use gather::report::{self, Output};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Browser, Reply, Server, gather, records, skipped};

/// A browser with a page in it.
struct Tab {
    browser: Browser,
    directory: TempDir,
}

impl Tab {
    /// Opens the page of these records; `None` where there is no browser.
    fn of(records: &[Record]) -> Option<Self> {
        let Some(browser) = Browser::start() else {
            skipped("there is no chromium to look at the page with (Debian: apt-get install chromium)");
            return None;
        };
        let directory = tempfile::tempdir().expect("a temporary directory");
        write_page(&directory.path().join("page.html"), records);
        let mut tab = Self { browser, directory };
        tab.browser.window(1280, 900, "light");
        tab.open("");
        Some(tab)
    }

    fn url(&self, view: &str) -> String {
        format!("file://{}{view}", self.directory.path().join("page.html").display())
    }

    /// Opens the page with a view, such as `#verdict=failed`.
    fn open(&mut self, view: &str) {
        let url = self.url(view);
        self.browser.open(&url);
    }

    /// The text of what a selector finds first.
    fn text(&mut self, selector: &str) -> String {
        let text = self.browser.evaluate(&format!("document.querySelector({}).innerText", json!(selector)));
        text.as_str().expect("text").split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The numbers of the lines in the list, from the top.
    fn lines(&mut self) -> Vec<u64> {
        let rows = "[...document.querySelectorAll('#rows .row')].sort((a, b) => a.dataset.at - b.dataset.at)";
        let lines = format!("{rows}.map((row) => +row.querySelector('.c-line').textContent)");
        serde_json::from_value(self.browser.evaluate(&lines)).expect("numbers")
    }

    fn click(&mut self, selector: &str) {
        self.browser.evaluate(&format!("document.querySelector({}).click()", json!(selector)));
    }

    /// Waits for the next picture, before which the page draws what it has put off.
    fn drawn(&mut self) {
        self.browser
            .evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))");
    }

    fn assert_quiet(&self) {
        assert_eq!(self.browser.console(), Vec::<&Value>::new());
    }
}

fn write_page(path: &Path, records: &[Record]) {
    let mut page = report::html(Output::file(path, false, &[]).expect("a new file"), "a list", FlakyRule::Warn);
    for record in records {
        page.record(record).expect("there is room");
    }
    page.finish().expect("there is room");
}

/// The records of a run with something of everything: lines 1 to 8.
fn run() -> Vec<Record> {
    let server = Server::start(|request| match request.target.as_str() {
        "/flaky" if request.nth == 1 => Reply::status(503),
        "/moved" => Reply::redirect("/fine"),
        "/missing" => Reply::status(404),
        "/cut" => Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n1234"),
        "/slow" => Reply::ok("late").after(Duration::from_millis(50)),
        _ => Reply::ok("fine"),
    });
    let paths = ["/fine", "/flaky", "/moved", "/missing", "/cut", "/slow", "/fine?q=orders"];
    let mut list = paths.map(|path| server.url(path)).join("\n");
    list.push_str("\nno url at all\n");
    let output = gather().args(["--retry", "1"]).write_stdin(list).assert().code(1);
    let records = records(&output.get_output().stdout);
    records.into_iter().map(|record| serde_json::from_value(record).expect("a record")).collect()
}

fn line(index: u64, url: &str) -> Record {
    let status = if index % 100 == 7 { 503 } else { 200 };
    let verdict = if status == 200 { Verdict::Ok } else { Verdict::Failed };
    Record {
        index,
        line: Some(index + 1),
        method: "GET".into(),
        url: url.into(),
        ok: status == 200,
        verdict,
        status: Some(status),
        time_starttransfer: Some(Duration::from_millis(20 + index % 90)),
        time_total: Some(Duration::from_millis(21 + index % 97)),
        timestamp: Some(std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000) + Duration::from_millis(index)),
        ..Record::default()
    }
}

#[test]
fn names_of_quantiles_can_be_read_wherever_they_stand() {
    // Boxes of the names and of the panel that they are in.
    const BOXES: &str = "[document.querySelector('.histogram'), ...document.querySelectorAll('.quantile span')]
        .map((element) => [element.getBoundingClientRect(), element.textContent])
        .map(([{ left, right }, text]) => [left, right, text])";
    let taking = |micros: &dyn Fn(u64) -> u64| -> Vec<Record> {
        let url = "http://a.example/";
        let record = |index| Record { time_total: Some(Duration::from_micros(micros(index))), ..line(index, url) };
        (0..100).map(record).collect()
    };
    let (same, close, far) = (
        taking(&|_| 1500),
        taking(&|index| 900 + 7 * index),
        taking(&|index| [1, 100, 10_000][usize::from(index >= 60) + usize::from(index >= 95)] * 1_000),
    );
    for (records, alone) in [(same, false), (close, false), (far, true)] {
        let Some(mut tab) = Tab::of(&records) else { return };
        for width in [1280, 390] {
            tab.browser.window(width, 844, "light");
            tab.open("");
            let boxes: Vec<(f64, f64, String)> = serde_json::from_value(tab.browser.evaluate(BOXES)).expect("boxes");
            let (panel, marks) = boxes.split_first().expect("a histogram");
            let all: Vec<&str> = marks.iter().map(|(.., text)| text.as_str()).collect();
            assert_eq!(all.join(" "), "p50 p90 p99");
            assert!(!alone || width < 600 || all.len() == 3, "{all:?}");
            assert!(marks.iter().all(|(left, right, _)| *left >= panel.0 && *right <= panel.1), "{boxes:?}");
            assert!(marks.is_sorted_by(|one, next| one.1 <= next.0), "{boxes:?}");
        }
    }
}

#[test]
fn a_page_shows_the_run_in_both_themes_and_sizes_and_asks_the_network_for_nothing() {
    let Some(mut tab) = Tab::of(&run()) else { return };
    let mut brightness = Vec::new();
    for (width, height, scheme) in [(1280, 900, "light"), (1280, 900, "dark"), (390, 844, "light"), (390, 844, "dark")]
    {
        tab.browser.window(width, height, scheme);
        tab.open("");
        let picture = tab.browser.picture();
        assert_eq!((picture.width, picture.height), (width, height));
        assert!(picture.colours() > 100, "{} colours at {width} in {scheme}", picture.colours());
        brightness.push(picture.brightness());
        assert_eq!(tab.text("#headline span + span"), "3 of 8 lines failed, 1 flaky");
        let too_wide = tab.browser.evaluate("document.documentElement.scrollWidth - innerWidth");
        assert!(too_wide.as_i64() <= Some(0), "the page is {too_wide} wider than a window of {width}");
        tab.assert_quiet();
        let page = tab.url("");
        let elsewhere = tab.browser.requests().into_iter().filter(|url| *url != page && !url.starts_with("data:"));
        assert_eq!(elsewhere.collect::<Vec<_>>(), Vec::<&str>::new());
    }
    assert!(brightness[0] > 200 && brightness[1] < 60 && brightness[2] > 200 && brightness[3] < 60, "{brightness:?}");
    // The button overrules the system, and the next page remembers.
    tab.click("#theme");
    tab.open("");
    assert!(tab.browser.picture().brightness() > 200, "{}", tab.text("html"));
}

#[test]
fn lines_are_filtered_by_the_address_by_buttons_and_by_words() {
    let Some(mut tab) = Tab::of(&run()) else { return };
    assert_eq!(tab.lines(), [1, 2, 3, 4, 5, 6, 7, 8]);
    for (view, lines) in [
        ("#verdict=failed", vec![4, 5, 8]),
        ("#verdict=flaky", vec![2]),
        ("#status=404", vec![4]),
        ("#status=none", vec![8]),
        ("#kind=body_truncated", vec![5]),
        ("#kind=status+404", vec![4]),
        ("#q=fine+orders", vec![7]),
        ("#q=FINE&verdict=ok", vec![1, 3, 7]),
        ("#q=nothing+is+like+this", vec![]),
        ("#verdict=failed&sort=-line", vec![8, 5, 4]),
    ] {
        tab.open(view);
        assert_eq!(tab.lines(), lines, "{view}");
    }
    tab.open("");
    tab.click("[data-verdict=failed]");
    assert_eq!((tab.lines(), tab.text("#shown")), (vec![4, 5, 8], "3 of 8".into()));
    tab.browser.evaluate("document.querySelector('#search').focus()");
    tab.browser.write("missing");
    tab.drawn();
    assert_eq!(tab.lines(), [4]);
    assert_eq!(tab.browser.evaluate("location.hash"), "#verdict=failed&q=missing");
    tab.click("#reset");
    assert_eq!((tab.lines().len(), tab.browser.evaluate("location.hash")), (8, json!("")));
    tab.click("[data-order=line] button");
    assert_eq!(tab.lines(), [8, 7, 6, 5, 4, 3, 2, 1]);
    tab.assert_quiet();
}

#[test]
fn lines_of_a_relative_list_count_for_the_host_that_they_were_sent_to() {
    let relative = |index| Record {
        url: format!("/item/{index}"),
        url_effective: Some(format!("http://api.example:8080/item/{index}")),
        ..line(index, "")
    };
    let Some(mut tab) = Tab::of(&[relative(1), relative(2), relative(7)]) else { return };
    assert_eq!(tab.text("#hosts tbody th"), "api.example:8080");
    tab.open("#host=api.example:8080");
    assert_eq!(tab.lines(), [2, 3, 8]);
    tab.assert_quiet();
}

#[test]
fn a_line_is_found_and_opened_with_the_keys_alone() {
    let Some(mut tab) = Tab::of(&run()) else { return };
    tab.browser.evaluate("document.querySelector('#list').focus()");
    for _ in 0..2 {
        tab.browser.press("ArrowDown");
    }
    assert_eq!(tab.browser.evaluate("document.querySelector('#list').getAttribute('aria-activedescendant')"), "row-1");
    assert!(tab.text("#tip").contains("total"), "the numbers stand beside the bar");
    tab.browser.press("Enter");
    assert_eq!(tab.text("#details-title"), "~ flaky: 200");
    let requests = tab.text(".exchanges");
    assert!(requests.starts_with("503") && requests.contains("tried again 200"), "{requests}");
    tab.browser.press("Escape");
    assert_eq!(
        tab.browser.evaluate("[document.querySelector('#details').hidden, document.activeElement.id]"),
        json!([true, "list"])
    );
    tab.assert_quiet();
}

#[test]
fn text_from_the_list_or_the_network_is_only_text() {
    let evil = r#"</script><img src="http://127.0.0.1:9/x" onerror="document.title = 'owned'"><b>bold</b>"#;
    let mut failed = line(7, &format!("http://evil.example/{evil}"));
    failed.error = Some(Failure::new(FailureKind::HttpParse, evil));
    failed.failed = vec![evil.into()];
    failed.id = Some(Box::new(json!(evil)));
    failed.source = Some(evil.into());
    let script = Record { url: "javascript:alert(1)".into(), ..line(17, "") };
    let Some(mut tab) = Tab::of(&[failed, script]) else { return };
    for view in ["#index=7", "#index=17"] {
        tab.open(view);
        assert_eq!(
            tab.browser.evaluate("document.querySelectorAll('img, main b b, #details a[href^=javascript]').length"),
            0
        );
        assert_eq!(tab.browser.evaluate("document.title"), "a list · gather");
        tab.assert_quiet();
    }
    tab.open("#index=7");
    assert!(tab.text("#details").contains(evil));
}

#[test]
fn of_ten_thousand_lines_only_those_near_the_window_are_elements() {
    let records: Vec<Record> =
        (0..10_000).map(|index| line(index, &format!("http://{}.example/items/{index}", index % 40))).collect();
    let Some(mut tab) = Tab::of(&records) else { return };
    assert_eq!(tab.text("#shown"), "10,000");
    tab.browser.evaluate("scrollTo(0, document.body.scrollHeight)");
    tab.drawn();
    let lines = tab.lines();
    assert_eq!(lines.last(), Some(&10_000));
    assert!(lines.len() < 100, "{} rows", lines.len());
    let elements = tab.browser.evaluate("document.querySelectorAll('*').length");
    assert!(elements.as_u64() < Some(3000), "{elements} elements");
    tab.open("#from=5&to=5.01");
    let lines = tab.lines();
    assert!(lines[0] > 4_880 && lines.iter().all(|&line| line <= 5_011), "{lines:?}");
    tab.open("#index=7777");
    tab.drawn();
    assert!(tab.lines().contains(&7_778), "the line of the address is in view");
    assert_eq!(tab.text("#details .facts dd"), "7778");
    tab.open("");
    tab.click("[data-verdict=failed]");
    assert_eq!((tab.text("#shown"), tab.lines()[1]), ("100 of 10,000".into(), 108));
    tab.assert_quiet();
}

#[test]
fn without_scripts_the_lines_that_failed_are_there_to_read() {
    let Some(mut tab) = Tab::of(&run()) else { return };
    tab.browser.allow_scripts(false);
    tab.open("");
    tab.browser.allow_scripts(true);
    let shown = tab.text("body");
    assert!(shown.contains("8 lines · 4 ok · 1 flaky · 3 failed"), "{shown}");
    assert!(shown.contains("status 404") && shown.contains("body_truncated: "), "{shown}");
    assert!(!shown.contains("Latency"), "{shown}");
}
