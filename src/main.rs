//! The `gather` program: reads the command line, runs, and turns how it ended into an exit code.

mod app;
mod cli;

use std::process::ExitCode;
use std::time::Duration;

use app::Outcome;
use gather::report::Screen;

/// Records are made on one thread and dropped on another, and thousands of connections may grow at once. The system's allocator
/// takes a lock or asks the kernel for that much more often; what it makes of a request, `cargo bench --bench scenarios` tells.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// How long what was given up has to end by itself.
const LAST_MOMENT: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    app::hide_panic_messages();
    let words: Vec<_> = std::env::args_os().collect();
    let process = cli::Process::current();
    let mut settings = match cli::settings(&words, &process) {
        Ok(settings) => settings,
        Err(instead) => return instead.say(),
    };
    let screen = Screen::default();
    cli::log::start(&settings.log, &screen);
    app::fit(&mut settings);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            screen.say(&format!("error: the program cannot start: {error}"));
            return code(Outcome::Broken);
        }
    };
    let outcome = runtime.block_on(app::run(settings, &screen));
    match outcome {
        // Nothing goes on; thousands of idle connections are closed faster by the system than one by one.
        Outcome::AllOk | Outcome::SomeFailed => runtime.shutdown_background(),
        // Whatever holds a temporary file lets go of it now. What hangs, such as a write that nobody reads, is left behind.
        _ => runtime.shutdown_timeout(LAST_MOMENT),
    }
    code(outcome)
}

fn code(outcome: Outcome) -> ExitCode {
    ExitCode::from(outcome.code())
}
