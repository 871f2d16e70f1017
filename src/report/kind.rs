//! The reports that a run can make beside its records, and their names.

use std::fmt;
use std::str::FromStr;

/// What a report is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReportKind {
    /// XML of `JUnit`, which every CI reads: one test case a line of input.
    Junit,
    /// Annotations of GitHub's workflows, and the summary of the step.
    Github,
    /// A Markdown page: the figures, and the lines that are not ok.
    Markdown,
    /// The Test Anything Protocol, version 14.
    Tap,
    /// A page to look at the run in a browser.
    Html,
}

impl ReportKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Junit, Self::Github, Self::Markdown, Self::Tap, Self::Html];

    /// The name, as it is given to `--report`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Junit => "junit",
            Self::Github => "github",
            Self::Markdown => "markdown",
            Self::Tap => "tap",
            Self::Html => "html",
        }
    }

    /// Whether it has to have a file; what needs none is said on standard error.
    pub const fn needs_file(self) -> bool {
        !matches!(self, Self::Github)
    }
}

impl fmt::Display for ReportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ReportKind {
    type Err = ParseReportKindError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| ParseReportKindError(name.to_owned()))
    }
}

/// A name that no report has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a report: it is one of {all}", all = ReportKind::ALL.map(ReportKind::name).join(", "))]
pub struct ParseReportKindError(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_for_its_report_and_another_is_refused() {
        for kind in ReportKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert_eq!(
            "xml".parse::<ReportKind>().expect_err("no such report").to_string(),
            "`xml` is not a report: it is one of junit, github, markdown, tap, html"
        );
    }
}
