//! Times, sizes and counts as people read them.

use std::time::Duration;

/// A time in at most six characters: `0.4ms`, `84ms`, `2.1s`, `2m05s`, `1h02m`.
pub(super) fn time(duration: Duration) -> String {
    let micros = duration.as_micros();
    if (1..950).contains(&micros) {
        let tenths = (micros + 50) / 100;
        return format!("{}.{}ms", tenths / 10, tenths % 10);
    }
    let millis = (micros + 500) / 1_000;
    if millis < 1_000 {
        return format!("{millis}ms");
    }
    let tenths = (micros + 50_000) / 100_000;
    if tenths < 600 {
        return format!("{}.{}s", tenths / 10, tenths % 10);
    }
    let seconds = (micros + 500_000) / 1_000_000;
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, minutes, seconds) => format!("{minutes}m{seconds:02}s"),
        (hours, minutes, _) => format!("{hours}h{minutes:02}m"),
    }
}

/// A time as it stands in a sentence: `84 ms`, `2.1 s`; from a minute on as [`time`].
pub(super) fn time_in_prose(duration: Duration) -> String {
    let text = time(duration);
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    if number.bytes().any(|byte| byte.is_ascii_alphabetic()) {
        return text;
    }
    format!("{number} {}", &text[number.len()..])
}

/// Bytes in at most ten characters: `0B`, `1.2 KiB`, `10.0 MiB`.
pub(super) fn size(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    let mut amount = bytes as f64 / 1024.0;
    for unit in ["KiB", "MiB", "GiB", "TiB", "PiB"] {
        // What would be rounded up to 1024.0 belongs to the next unit.
        if amount < 1023.95 {
            return format!("{amount:.1} {unit}");
        }
        amount /= 1024.0;
    }
    format!("{amount:.1} EiB")
}

/// A number with its thousands apart: `1,234,567`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// A count with its noun: `1 redirect`, `2 redirects`.
pub(super) fn plural(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// What happens in a second: `1.4`, `12,345`. Zero where no time passed.
pub(super) fn rate(amount: u64, time: Duration) -> String {
    let per_second = per_second(amount, time);
    if per_second < 99.95 {
        return format!("{per_second:.1}");
    }
    count(whole(per_second))
}

/// Bytes in a second: `3.2 MiB/s`. Zero where no time passed.
#[cfg(any(feature = "cli", test))]
pub(super) fn size_rate(bytes: u64, time: Duration) -> String {
    format!("{}/s", size(whole(per_second(bytes, time))))
}

fn per_second(amount: u64, time: Duration) -> f64 {
    if time.is_zero() {
        return 0.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "it is shown with few digits")]
    let amount = amount as f64;
    amount / time.as_secs_f64()
}

fn whole(number: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is not negative, and the cast saturates"
    )]
    let whole = number.round() as u64;
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_the_unit_that_fits_and_rounds_into_the_next() {
        let shown = |micros| time(Duration::from_micros(micros));
        assert_eq!(
            [0, 1, 449, 949, 950, 84_400, 999_499, 999_500, 2_149_999, 59_949_999].map(shown),
            ["0ms", "0.0ms", "0.4ms", "0.9ms", "1ms", "84ms", "999ms", "1.0s", "2.1s", "59.9s"]
        );
        assert_eq!([59_950_000, 125_000_000, 3_599_600_000].map(shown), ["1m00s", "2m05s", "1h00m"]);
        assert_eq!([84_000, 2_100_000].map(|micros| time_in_prose(Duration::from_micros(micros))), ["84 ms", "2.1 s"]);
        assert_eq!(time_in_prose(Duration::from_secs(125)), "2m05s");
    }

    #[test]
    fn a_size_has_the_unit_that_fits_and_rounds_into_the_next() {
        assert_eq!([0, 1023, 1024, 1229, 1_048_524].map(size), ["0B", "1023B", "1.0 KiB", "1.2 KiB", "1023.9 KiB"]);
        assert_eq!([1_048_525, 10 << 20, u64::MAX].map(size), ["1.0 MiB", "10.0 MiB", "16.0 EiB"]);
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([1, 2].map(|number| plural(number, "URL")), ["1 URL", "2 URLs"]);
    }

    #[test]
    fn a_rate_over_no_time_is_zero() {
        assert_eq!(rate(5, Duration::ZERO), "0.0");
        assert_eq!(rate(3, Duration::from_millis(2_100)), "1.4");
        assert_eq!(rate(100_000, Duration::from_secs(1)), "100,000");
        assert_eq!(size_rate(6 << 20, Duration::from_secs(2)), "3.0 MiB/s");
    }
}
