//! Quantities for people.

use std::{fmt::Display, time::Duration};

/// Bytes with a decimal prefix and three digits: `1.50 GB`.
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1e3;
    let mut units = UNITS.into_iter();
    let mut unit = units.next().unwrap_or_default();
    for larger in units {
        // 999.5 would be printed as 1000.
        if value < 999.5 {
            break;
        }
        value /= 1e3;
        unit = larger;
    }
    format!("{} {unit}", three_digits(value))
}

/// How long a change took: `850 µs`, `3.20 ms`, `1.25 s`.
pub(super) fn latency(microseconds: u64) -> String {
    match microseconds {
        0..1_000 => format!("{microseconds} µs"),
        1_000..999_500 => format!("{} ms", three_digits(microseconds as f64 / 1e3)),
        _ => format!("{} s", three_digits(microseconds as f64 / 1e6)),
    }
}

/// How long something has been: `3days 2h 1m 5s`.
pub(super) fn duration(seconds: u64) -> String {
    humantime::format_duration(Duration::from_secs(seconds)).to_string()
}

/// A fraction as a percentage: `33.4 %`.
pub(super) fn percent(fraction: f64) -> String {
    format!("{:.1} %", fraction * 100.0)
}

/// An address, or a prefix, and ports as they are written in URLs.
pub(super) fn endpoint(address: impl Display, port: impl Display) -> String {
    let address = address.to_string();
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

/// A number and its noun: `1 service`, `2 services`.
pub(super) fn count(number: usize, noun: &str, nouns: &str) -> String {
    format!("{number} {}", if number == 1 { noun } else { nouns })
}

fn three_digits(value: f64) -> String {
    let decimals = match value {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_three_digits() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.00 kB"),
            (99_949, "99.9 kB"),
            (999_499, "999 kB"),
            (999_500, "1.00 MB"),
            (1_500_000_000, "1.50 GB"),
            (u64::MAX, "18.4 EB"),
        ];
        for (number, text) in cases {
            assert_eq!(bytes(number), text, "{number}");
        }
    }

    #[test]
    fn latencies_have_the_unit_that_fits() {
        let cases = [(0, "0 µs"), (999, "999 µs"), (3_200, "3.20 ms"), (999_499, "999 ms"), (999_500, "1.00 s")];
        for (microseconds, text) in cases {
            assert_eq!(latency(microseconds), text);
        }
    }

    #[test]
    fn endpoints_are_written_as_in_urls() {
        assert_eq!(endpoint("192.0.2.1", 80), "192.0.2.1:80");
        assert_eq!(endpoint("2001:db8::1", "*"), "[2001:db8::1]:*");
        assert_eq!(endpoint("2001:db8::/64", "80,8000-8100"), "[2001:db8::/64]:80,8000-8100");
    }

    #[test]
    fn counts_agree_with_their_nouns() {
        assert_eq!(count(1, "service", "services"), "1 service");
        assert_eq!(count(0, "service", "services"), "0 services");
    }
}
