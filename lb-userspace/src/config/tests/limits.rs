//! More than the kernel's tables hold.

use std::fmt::Write;

use super::{errors, valid};

fn service(number: usize, port: usize, rows: usize) -> String {
    format!(
        "[[service]]\nname = 's{number}'\naddress = '10.0.0.1'\nport = {port}\ndelivery = 'ipip'\n\
         ring = {{ rows = {rows} }}\n"
    )
}

fn with_backends(count: usize) -> String {
    (0..count).fold(String::new(), |mut text, i| {
        let _ = writeln!(text, "[[service.backend]]\naddress = '10.{}.{}.{}'", 1 + (i >> 16), i >> 8 & 255, i & 255);
        text
    })
}

fn services(count: usize, rows: usize) -> String {
    (1..=count).map(|number| service(number, number, rows)).collect()
}

#[test]
fn rings_leave_half_of_the_rows_free() {
    valid(&services(128, 4096));
    let shown = errors(&services(130, 4096));
    assert!(
        shown.starts_with(
            "sluice.toml:774:8: error: the rings have 532480 rows together, and there is room for 524288\n   \
         774 | ring = { rows = 4096 }\n"
        ),
        "{shown}"
    );
    assert!(shown.contains("1 error;"), "{shown}");
}

#[test]
fn there_is_room_for_1024_services() {
    let shown = errors(&services(1026, 1024));
    assert!(shown.contains("error: there are 1026 services, and there is room for 1024"), "{shown}");
    assert!(shown.contains(&format!("sluice.toml:{}:1:", 1024 * 6 + 1)), "{shown}");
}

#[test]
fn there_is_room_for_16384_backends() {
    valid(&(service(1, 1, 65536) + &with_backends(16384)));
    let shown = errors(&(service(1, 1, 65536) + &with_backends(16385)));
    assert!(shown.contains("error: there are 16385 backends, and there is room for 16384"), "{shown}");
    assert!(shown.contains(&format!("sluice.toml:{}:1:", 6 + 16384 * 2 + 1)), "{shown}");
}

#[test]
fn a_ring_has_a_row_for_each_backend() {
    valid(&(service(1, 1, 1024) + &with_backends(1024)));
    let shown = errors(&(service(1, 1, 1024) + &with_backends(1025)));
    assert!(shown.contains("error: service `s1` has 1025 backends, more than the 1024 rows of its ring"), "{shown}");
}

#[test]
fn of_a_thousand_errors_fifty_are_shown() {
    let text: String = (0..1000).map(|number| format!("unknown{number} = 1\n")).collect();
    let shown = errors(&text);
    assert_eq!(shown.matches(": error: ").count(), 50);
    assert!(shown.ends_with("1000 errors (the first 50 are shown); nothing was changed"));
}
