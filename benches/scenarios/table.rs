//! The table: one row a figure that must hold.

use std::fmt::Write as _;

/// One figure of a scenario.
pub(crate) struct Row {
    scenario: &'static str,
    measured: String,
    gather: String,
    reference: String,
    ratio: Option<f64>,
    must: Option<Must>,
}

/// What a figure must be.
enum Must {
    AtMost(f64),
    AtLeast(f64),
}

impl Row {
    /// A row that tells what `gather` took, for now compared with nothing.
    pub(crate) fn new(scenario: &'static str, measured: impl Into<String>, gather: impl Into<String>) -> Self {
        let (measured, gather) = (measured.into(), gather.into());
        Self { scenario, measured, gather, reference: "–".to_owned(), ratio: None, must: None }
    }

    /// What it is compared with.
    pub(crate) fn reference(mut self, reference: impl Into<String>) -> Self {
        self.reference = reference.into();
        self
    }

    /// The figure that is judged: a ratio, or an amount where only the amount counts.
    pub(crate) fn ratio(mut self, ratio: f64) -> Self {
        self.ratio = Some(ratio);
        self
    }

    pub(crate) fn at_most(mut self, most: f64) -> Self {
        self.must = Some(Must::AtMost(most));
        self
    }

    pub(crate) fn at_least(mut self, least: f64) -> Self {
        self.must = Some(Must::AtLeast(least));
        self
    }

    fn verdict(&self) -> &'static str {
        let is_met = match (self.ratio, &self.must) {
            (Some(ratio), Some(Must::AtMost(most))) => ratio <= *most,
            (Some(ratio), Some(Must::AtLeast(least))) => ratio >= *least,
            (None, Some(_)) => return "not measured",
            (_, None) => return "–",
        };
        if is_met { "met" } else { "**missed**" }
    }
}

/// The rows as a Markdown table.
pub(crate) fn render(rows: &[Row]) -> String {
    let mut table =
        "| | measured | gather | peer or reference | ratio | must | |\n|---|---|---|---|---|---|---|\n".to_owned();
    for row in rows {
        let ratio = row.ratio.map_or("–".to_owned(), figure);
        let must = match row.must {
            Some(Must::AtMost(most)) => format!("≤ {most}"),
            Some(Must::AtLeast(least)) => format!("≥ {least}"),
            None => "–".to_owned(),
        };
        let Row { scenario, measured, gather, reference, .. } = row;
        writeln!(table, "| {scenario} | {measured} | {gather} | {reference} | {ratio} | {must} | {} |", row.verdict())
            .expect("a string takes every write");
    }
    table
}

/// Two decimals where they matter.
fn figure(value: f64) -> String {
    if value.abs() < 20.0 { format!("{value:.2}") } else { format!("{value:.0}") }
}
