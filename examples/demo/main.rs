//! Fetches the eight lines of `fixtures/api.txt` from a small API on loopback: all at once, records in the order of the
//! lines, in the time of the slowest one. Needs no network and ends by itself.
#![expect(clippy::print_stdout, reason = "a demo is there to be read")]

mod api;

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use gather::Gatherer;
use gather::input::{Input, InputOptions, Source, Template};
use gather::report::{self, Format, Output, Rendering, Style, Summary};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = api::start().await?;
    println!("fixtures/api.txt is fetched from a small API on http://{address}.");
    println!("What to look for: the order is that of the list, however long each line takes;");
    println!("/posts/2 fails once and is retried (~), and /users/404 is not there (✗).\n");

    // What to fetch: the lines are paths, relative to the API.
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/api.txt");
    let template = Template { base_url: Some(format!("http://{address}/").parse()?), ..Template::default() };
    let input = Input::open(vec![Source::File(list)], InputOptions { template, ..InputOptions::default() })?;

    // How, and where the records go: the defaults, and a line of text for each.
    let gatherer = Gatherer::builder().build()?;
    let style = Style { color: console::colors_enabled(), width: Some(80), ..Style::default() };
    let rendering = Rendering { style, ..Rendering::default() };
    let mut report = report::open(Format::Text, Output::stdout(&[])?, rendering);
    let mut summary = Summary::default();
    let mut one_after_the_other = Duration::ZERO;

    let started = Instant::now();
    let (jobs, status) = input.into_stream();
    let mut records = gatherer.stream(jobs);
    while let Some(record) = records.next().await {
        report.record(&record)?;
        report.flush()?;
        summary.add(&record);
        one_after_the_other += record.time_total.unwrap_or_default();
    }
    report.finish()?;
    if let Some(error) = status.error() {
        return Err(error.to_string().into());
    }
    let together = started.elapsed();

    println!("\n{}", summary.render(together, &[], &style));
    println!(
        "{} requests for {} URLs completed in {:.2} s, the time of the slowest ({:.2} s);\n\
         one after the other they would have taken {:.1} s.",
        summary.requests(),
        summary.records(),
        together.as_secs_f64(),
        summary.slowest().unwrap_or_default().as_secs_f64(),
        one_after_the_other.as_secs_f64(),
    );
    Ok(())
}
