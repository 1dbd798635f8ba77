//! `[recording]`, and the `clip` of a monitor.
//!
//! Owns their keys, ranges and defaults; refuses to know what is recorded when (`recording`).

use std::time::Duration;

use super::diagnostic::Diagnostic;
use super::read::Section;
use super::settings::{Api, Clip, Endpoint, Format, Located, Monitor, Recording};
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

/// Clips that nobody can be told of, and receivers of clips for whom there are none.
pub(super) fn surprises(monitors: &[Monitor], endpoints: &[Endpoint], api: &Api, found: &mut Vec<Diagnostic>) {
    let records = |monitor: &&Monitor| monitor.clip.is_some() && !monitor.shadow;
    let has = |monitor: &Monitor, fits: fn(Format) -> bool| {
        endpoints.iter().any(|endpoint| fits(endpoint.format) && monitor.endpoints.contains(&endpoint.name))
    };
    let is_blind = |monitor: &&Monitor| has(monitor, Format::has_links) && !has(monitor, |it| it == Format::Upload);
    if api.public_url.is_none()
        && let Some(monitor) = monitors.iter().filter(records).find(is_blind)
    {
        let title = format!("monitor `{}` records clips, and nobody is told where they are", monitor.name);
        found.push(Diagnostic::warning(title).help(
            "set `[api] public_url` to what receivers reach this box by, for example \"https://dock-box-01.example\", or \
             have them sent: `format = \"upload\"`",
        ));
    }
    for endpoint in endpoints.iter().filter(|endpoint| endpoint.format.is_about_clips()) {
        let names = |monitor: &&Monitor| monitor.endpoints.contains(&endpoint.name);
        if monitors.iter().any(|monitor| names(&monitor)) && !monitors.iter().filter(names).any(|it| records(&it)) {
            let title = format!("endpoint `{}` is for clips, and no monitor that names it records any", endpoint.name);
            let label = "write `clip = { before = \"5s\", after = \"10s\" }` into a monitor";
            found.push(Diagnostic::warning(title).at(endpoint.url.at(), label));
        }
    }
}
