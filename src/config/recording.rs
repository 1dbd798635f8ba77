//! `[recording]`, and the `clip` of a monitor.
//!
//! Owns their keys, ranges and defaults; refuses to know what is recorded when (`recording`).

use std::time::Duration;

use super::diagnostic::Diagnostic;
use super::read::Section;
use super::settings::{Api, Clip, Located, Monitor, Recording};
use super::value;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// Reads `[recording]`.
pub(super) fn read(section: &mut Section<'_, '_>) -> Recording {
    Recording {
        max_size: section.or("max_size", 1 << 30, value::size(1 << 20..=64 << 40)),
        keep: section.or("keep", 7 * DAY, value::duration(HOUR..=10 * YEAR)),
        link_expiry: section.or("link_expiry", 7 * DAY, value::duration(MINUTE..=10 * YEAR)),
    }
}

/// Reads a monitor's `clip`. None for an empty table: nothing is recorded.
pub(super) fn clip(section: &mut Section<'_, '_>) -> Option<Clip> {
    section.inner("clip", |inner| {
        let before = inner.or("before", 5 * SECOND, value::duration(Duration::ZERO..=MINUTE));
        let after = inner.or("after", 10 * SECOND, value::duration(Duration::ZERO..=HOUR));
        let (least, usual) = (before + after, 2 * MINUTE);
        let Some(max) = inner.take("max", value::duration(SECOND..=HOUR)) else {
            return Clip { before, after, max: usual.max(least) };
        };
        let Located { value: max, at } = max;
        if max < least {
            let label = format!("must be at least `{}`", value::shown(least));
            inner.problem(at, "`max` is shorter than `before` and `after` together", label);
        }
        Clip { before, after, max }
    })
}

/// Clips that nobody can be told of.
pub(super) fn unreachable(monitors: &[Monitor], api: &Api, found: &mut Vec<Diagnostic>) {
    let records = |monitor: &&Monitor| monitor.clip.is_some() && !monitor.shadow;
    if api.public_url.is_none()
        && let Some(monitor) = monitors.iter().find(records)
    {
        let title = format!("monitor `{}` records clips, and nobody is told where they are", monitor.name);
        found.push(Diagnostic::warning(title).help(
            "set `[api] public_url` to what receivers reach this box by, for example \"https://dock-box-01.example\"",
        ));
    }
}
