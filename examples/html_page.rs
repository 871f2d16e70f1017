//! Makes a page to look at of records that were kept: `gather list.txt > run.ndjson; html_page "list.txt" < run.ndjson > run.html`.

use std::error::Error;
use std::io::BufRead as _;

use gather::model::Record;
use gather::report::{self, Output};

fn main() -> Result<(), Box<dyn Error>> {
    let title = std::env::args().nth(1).unwrap_or_else(|| "standard input".to_owned());
    let mut page = report::html(Output::stdout(&["/dev/stdin".into()])?, &title);
    for line in std::io::stdin().lock().lines() {
        let record: Record = serde_json::from_str(&line?)?;
        page.record(&record)?;
        if page.is_full() {
            page.flush()?;
        }
    }
    page.finish()?;
    Ok(())
}
