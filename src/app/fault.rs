//! What a person sees of a panic: where it was, and nothing of the data that it came from.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, Write as _};
use std::panic::{self, PanicHookInfo};

/// Replaces the standard library's message about panics, from now on and in every thread.
///
/// That message repeats what the panic says, which may quote a URL with its token or an escape sequence of a server's.
pub(crate) fn hide_panic_messages() {
    panic::set_hook(Box::new(|panic| {
        // Not through the screen, which may be what panicked. Nobody is left to tell that standard error is closed.
        let _ = writeln!(io::stderr(), "{}", told(panic));
        let backtrace = Backtrace::capture();
        if backtrace.status() == BacktraceStatus::Captured {
            let _ = writeln!(io::stderr(), "{backtrace}");
        }
    }));
}

fn told(panic: &PanicHookInfo<'_>) -> String {
    let place = panic.location().map(|place| format!(" at {place}")).unwrap_or_default();
    format!("error: a fault in this program{place}: please report it; RUST_BACKTRACE=1 says more")
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn a_panic_shows_where_it_was_and_not_what_it_says() {
        let seen = Arc::new(Mutex::new(String::new()));
        let before = panic::take_hook();
        panic::set_hook(Box::new({
            let seen = Arc::clone(&seen);
            move |panic| match std::thread::current().name() {
                Some("canary") => *seen.lock().expect("one panic at a time") = told(panic),
                _ => before(panic),
            }
        }));
        let panics = || panic!("http://h/?token=canary \u{1b}[2J");
        let thread = std::thread::Builder::new().name("canary".to_owned()).spawn(panics).expect("a thread");
        thread.join().expect_err("a panic");
        let seen = seen.lock().expect("no panic under the lock");
        assert!(seen.contains(file!()) && !seen.contains("canary"), "{seen}");
    }
}
