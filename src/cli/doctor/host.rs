//! What this is and runs on: versions, memory.
//!
//! Owns what is read of them; refuses to change anything.

use std::fs;
use std::io;

use super::report::{Finding, Report};
use crate::cli::print;

/// With less than this the next model that is loaded may be the last straw.
const SCARCE: u64 = 256 << 20;

/// With less than this the kernel is about to end somebody.
const NONE: u64 = 48 << 20;

pub(super) fn examine(report: &mut Report) -> io::Result<()> {
    report.tell(Finding::ok("version", format!("stakeout {}", env!("CARGO_PKG_VERSION"))))?;
    report.tell(Finding::ok("system", system()))?;
    report.tell(memory(&fs::read_to_string("/proc/meminfo").unwrap_or_default()))
}

/// `Debian GNU/Linux 12 (bookworm), Linux 6.1.0-18-amd64 x86_64`
fn system() -> String {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let pretty = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let kernel = rustix::system::uname();
    let kernel = [kernel.sysname(), kernel.release(), kernel.machine()].map(|part| part.to_string_lossy());
    format!("{}, {}", pretty.map_or("unknown system", |name| name.trim_matches('"')), kernel.join(" "))
}

fn memory(meminfo: &str) -> Finding {
    let field = |name: &str| {
        let value = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        value.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
    };
    let (Some(available), Some(total)) = (field("MemAvailable"), field("MemTotal")) else {
        return Finding::warn("memory", "the kernel doesn't tell how much there is", "look at `/proc/meminfo`");
    };
    let found = format!("{} of {} are available", print::size(available), print::size(total));
    let remedy = "see with `top` who takes it; smaller models and fewer cameras need less";
    match available {
        ..NONE => Finding::fail("memory", found, remedy),
        NONE..SCARCE => Finding::warn("memory", found, remedy),
        SCARCE.. => Finding::ok("memory", found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scarce_memory_is_told() {
        let level = |available: u64| {
            let finding = memory(&format!("MemTotal: 4096000 kB\nMemFree: 1 kB\nMemAvailable:   {available} kB\n"));
            serde_json::to_value(finding).unwrap()["level"].clone()
        };
        assert_eq!([level(2_000_000), level(200_000), level(20_000)], ["ok", "warn", "fail"]);
        assert_eq!(serde_json::to_value(memory("")).unwrap()["level"], "warn");
    }
}
