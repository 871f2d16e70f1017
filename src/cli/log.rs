//! The log: `tracing` to standard error, as text or as JSON.
//!
//! Text from the network or the list is logged escaped: nothing in it can act on a terminal.

use gather::report::Screen;
use tracing_subscriber::{EnvFilter, fmt};

use super::args::LogFormat;
use super::settings::LogSettings;

/// Starts logging; only the first call in a process has an effect. A closed standard error is no error.
pub(crate) fn start(settings: &LogSettings, screen: &Screen) {
    let filter = EnvFilter::builder().parse_lossy(&settings.filter);
    let builder = fmt()
        .with_env_filter(filter)
        .with_writer({
            let screen = screen.clone();
            move || screen.clone()
        })
        .with_ansi(settings.colored);
    let started = match settings.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    debug_assert!(started.is_ok(), "logging is started once");
}
