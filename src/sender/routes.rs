//! The kernel's routing tables, as far as it matters whether they changed.
//!
//! Owns where they are read; refuses to understand them. Read by a sender's task, once a second while the box is offline.

use std::hash::{DefaultHasher, Hasher};

/// What the routing tables look like. Equal: nothing changed. None: the kernel does not show them.
pub(super) fn fingerprint() -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    let mut seen = false;
    for table in ["/proc/net/route", "/proc/net/ipv6_route"] {
        let Ok(text) = std::fs::read_to_string(table) else { continue };
        seen = true;
        for line in text.lines() {
            hasher.write(route(line).as_bytes());
        }
    }
    seen.then(|| hasher.finish())
}

/// A line without the counters that change though the route does not: use and reference counts of IPv6.
fn route(line: &str) -> String {
    let counters = |column: &usize| line.len() > 140 && matches!(column, 6 | 7);
    let columns = line.split_whitespace().enumerate().filter(|(column, _)| !counters(column));
    columns.map(|(_, word)| word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_no_change() {
        let v6 = |used: &str| {
            let zero = "0".repeat(32);
            format!("{zero} 00 {zero} 00 {zero} 00000400 00000001 {used} 00000001       lo")
        };
        assert_eq!(route(&v6("00000002")), route(&v6("00000003")));
        let v4 = "eth0 00000000 0102A8C0 0003 0 0 100 00000000 0 0 0";
        assert_ne!(route(v4), route(&v4.replace("0102A8C0", "0202A8C0")));
    }
}
