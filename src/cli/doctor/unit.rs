//! What systemd says of the service.
//!
//! Owns which of its properties matter; refuses to change any. Where there is no systemd that is no fault.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use super::report::{Finding, Report};
use crate::cli::settings::TAKE_EFFECT;

const CHECK: &str = "unit";

pub(super) fn examine(report: &mut Report) -> io::Result<()> {
    if !Path::new("/run/systemd/system").exists() {
        return report
            .tell(Finding::ok(CHECK, "systemd is not at work here: whoever starts the daemon has to restart it"));
    }
    let properties = "LoadState,ActiveState,SubState,UnitFileState,NRestarts,ExecMainStatus";
    let asked = Command::new("systemctl").args(["show", "stakeout", "-p", properties]).stderr(Stdio::null()).output();
    let text = asked.ok().and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    report.tell(judge(&text))
}

fn judge(shown: &str) -> Finding {
    let of: BTreeMap<&str, &str> = shown.lines().filter_map(|line| line.split_once('=')).collect();
    let property = |name: &str| of.get(name).copied().unwrap_or_default();
    let (active, sub) = (property("ActiveState"), property("SubState"));
    let found = format!("{active} ({sub}), {}, restarted {} times", property("UnitFileState"), property("NRestarts"));
    match (property("LoadState"), active) {
        ("loaded", "failed") if property("ExecMainStatus") == "78" => {
            Finding::fail(CHECK, found, "its configuration can't be used: `stakeout check` says why")
        }
        ("loaded", "failed") => Finding::fail(CHECK, found, "see `journalctl -u stakeout -e`"),
        ("loaded", "activating") => Finding::warn(CHECK, found, "if it stays so, see `journalctl -u stakeout -e`"),
        ("loaded", "active") if property("UnitFileState") == "enabled" => Finding::ok(CHECK, found),
        ("loaded", _) => Finding::warn(CHECK, found, format!("`{TAKE_EFFECT}`")),
        ("masked", _) => Finding::fail(CHECK, "the unit is masked", "`systemctl unmask stakeout`"),
        _ => {
            Finding::warn(CHECK, "there is no unit `stakeout`", "install the package (`apt install ./stakeout_*.deb`)")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(shown: &str) -> String {
        serde_json::to_value(judge(shown)).unwrap()["level"].as_str().unwrap().to_owned()
    }

    #[test]
    fn what_systemd_says_is_understood() {
        let unit = |load, active, file, exit| {
            level(&format!(
                "LoadState={load}\nActiveState={active}\nSubState=x\nUnitFileState={file}\nExecMainStatus={exit}\n"
            ))
        };
        assert_eq!(unit("loaded", "active", "enabled", "0"), "ok");
        assert_eq!(unit("loaded", "active", "disabled", "0"), "warn");
        assert_eq!(unit("loaded", "inactive", "enabled", "0"), "warn");
        assert_eq!(unit("loaded", "failed", "enabled", "78"), "fail");
        assert_eq!(unit("masked", "inactive", "masked", "0"), "fail");
        assert_eq!(level(""), "warn");
    }
}
