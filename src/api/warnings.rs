//! What a person should look at, and what to do about it.
//!
//! Owns which warnings follow from what the journal and the cameras tell; refuses to know how those are asked. What only the
//! daemon knows (an endpoint that does not answer now) it adds itself. Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::camera::{Camera, CameraState};
use super::site::Expectation;
use super::status::Endpoint;
use crate::event::{EventData, JournalOverflow, JournalReset};
use crate::journal::Totals;
use crate::name::Name;
use crate::time::{Boot, Now};

/// What a person should look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// What is the matter.
    pub what: String,
    /// What to do about it.
    #[serde(rename = "do")]
    pub remedy: String,
}

impl Warning {
    /// A warning with its remedy.
    pub fn new(what: impl Into<String>, remedy: impl Into<String>) -> Warning {
        Warning { what: what.into(), remedy: remedy.into() }
    }
}

/// When something was seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// On both clocks.
    pub(super) at: Now,
    /// The boot that the monotonic one belongs to.
    pub(super) boot: Boot,
}

impl Seen {
    /// How long ago that was, whatever the wall clock did within one boot; None where no clock can tell.
    fn age(self, now: Now) -> Option<Duration> {
        if self.boot == Boot::current() {
            return Some(now.mono.since(self.at.mono));
        }
        (self.at.synced && now.synced).then(|| now.wall.since(self.at.wall))
    }
}

/// What warnings follow from.
pub(super) struct Facts<'a> {
    pub(super) now: Now,
    pub(super) uptime: Duration,
    pub(super) cameras: &'a [Camera],
    pub(super) endpoints: &'a [Endpoint],
    /// Endpoints in the file.
    pub(super) configured: &'a [Name],
    /// Monitors that should have an event now and then, with their last.
    pub(super) expected: &'a [(Expectation, Option<Seen>)],
    pub(super) totals: &'a Totals,
    /// What the journal had to say of itself.
    pub(super) said: &'a [(EventData, Seen)],
    /// What the daemon warns of.
    pub(super) told: &'a [Warning],
}

impl Facts<'_> {
    /// The most urgent first: what is not seen, what does not arrive, what may be wrong, and the box itself.
    pub(super) fn warnings(&self) -> Vec<Warning> {
        let mut warnings: Vec<Warning> = nothing_to_watch(self.cameras).into_iter().collect();
        warnings.extend(self.cameras.iter().filter_map(not_watched));
        warnings.extend(self.cameras.iter().filter_map(degraded));
        warnings.extend(self.endpoints.iter().filter_map(|endpoint| self.owed_in_vain(endpoint)));
        warnings.extend(self.endpoints.iter().filter_map(|endpoint| self.refused(endpoint)));
        warnings.extend(self.endpoints.iter().filter_map(gone));
        warnings.extend(self.endpoints.iter().filter_map(|endpoint| self.dead_letters(endpoint)));
        warnings.extend(self.expected.iter().filter_map(|(expected, last)| self.silent(expected, *last)));
        warnings.extend(self.said.iter().filter_map(|(said, seen)| self.journal(said, *seen)));
        warnings.extend(self.totals.disk.and_then(nearly_full));
        if !self.now.synced {
            warnings.push(Warning::new(
                "the wall clock cannot be believed yet",
                "let the box reach a time server (`timedatectl` shows how it stands)",
            ));
        }
        warnings
    }

    fn owed_in_vain(&self, endpoint: &Endpoint) -> Option<Warning> {
        let (name, owed) = (&endpoint.name, endpoint.pending + endpoint.held);
        (owed > 0 && !self.configured.contains(name)).then(|| {
            Warning::new(
                format!("{owed} deliveries are owed to endpoint `{name}`, which is neither in the configuration nor made over the API"),
                format!("{}, so that they can be sent", made_again(name)),
            )
        })
    }

    fn dead_letters(&self, endpoint: &Endpoint) -> Option<Warning> {
        let (name, dead) = (&endpoint.name, endpoint.dead);
        (dead > 0).then(|| {
            let letters = if dead == 1 { "1 dead letter".to_owned() } else { format!("{dead} dead letters") };
            let list = format!("`stakeout dlq list --endpoint {name}`");
            let remedy = match self.configured.contains(name) {
                true => format!("{list}, then `stakeout dlq retry --endpoint {name}` or `drop`"),
                false => format!("{list}, then {} and `dlq retry`, or `dlq drop`", made_again(name)),
            };
            Warning::new(format!("endpoint `{name}` has {letters}"), remedy)
        })
    }

    /// The receiver answers, and takes nothing: what is tried again and again looks like what is about to be sent.
    fn refused(&self, endpoint: &Endpoint) -> Option<Warning> {
        let (name, statistics) = (&endpoint.name, &endpoint.statistics);
        let waits = Duration::from_secs_f64(statistics.oldest_pending_age_s.unwrap_or_default().clamp(0.0, 1e9));
        let success = statistics.last_success.map(|last| self.now.wall.since(last.0));
        let lasts = success.map_or(waits, |success| success.min(waits));
        if !statistics.failing || endpoint.pending == 0 || endpoint.held > 0 || lasts <= PATIENCE {
            return None;
        }
        let subject = format!("endpoint `{name}`");
        if self.told.iter().any(|warning| warning.what.contains(&subject)) {
            return None;
        }
        let why = statistics.last_error.as_deref().unwrap_or("it is refused");
        Some(Warning::new(
            format!(
                "endpoint `{name}` has taken nothing for {}, and is owed {}: {why}",
                hours(lasts),
                endpoint.pending
            ),
            format!(
                "look at what its receiver says: `stakeout deliveries --endpoint {name}`, `stakeout endpoint check {name}`"
            ),
        ))
    }

    /// What became of the journal within the last days.
    fn journal(&self, said: &EventData, seen: Seen) -> Option<Warning> {
        let age = seen.age(self.now);
        if age.is_some_and(|age| age > REMEMBERED) {
            return None;
        }
        let when = age.map(|age| format!(" {} ago", hours(age))).unwrap_or_default();
        match said {
            EventData::JournalReset(JournalReset { salvaged, lost, previous_epoch }) => {
                let count: u64 = lost.iter().map(|range| range.to.saturating_sub(range.from).saturating_add(1)).sum();
                let lost = match previous_epoch {
                    // Not even the numbers that were given out could be read.
                    None => "nobody can say how many are lost".to_owned(),
                    Some(_) => format!("at most {count} are lost"),
                };
                Some(Warning::new(
                    format!("the journal was damaged{when}: {salvaged} deliveries go on, {lost}"),
                    "check its disk (`journalctl -k`); the damaged file is kept beside it as `journal.corrupt-…`",
                ))
            }
            EventData::JournalOverflow(JournalOverflow { dropped, .. }) => {
                let count: u64 = dropped.iter().map(|range| range.count).sum();
                Some(Warning::new(
                    format!("the journal was full{when}: {count} deliveries were dropped"),
                    "mend what keeps deliveries from leaving, free some space on its disk, or raise `[storage] max_size`; \
                     `stakeout dlq list --state dropped_quota` lists what was dropped",
                ))
            }
            EventData::Triggered(_)
            | EventData::Cleared(_)
            | EventData::JobStatus(_)
            | EventData::CameraOffline(_)
            | EventData::CameraOnline(_)
            | EventData::Heartbeat(_)
            | EventData::Clip(_) => None,
        }
    }

    /// A monitor that never triggered is measured from the daemon's start.
    fn silent(&self, expected: &Expectation, last: Option<Seen>) -> Option<Warning> {
        let silent_for = last.and_then(|last| last.age(self.now)).unwrap_or(self.uptime);
        (silent_for > expected.within).then(|| {
            Warning::new(
                format!(
                    "monitor `{}` has been silent for {}, an event was expected within {}",
                    expected.monitor,
                    hours(silent_for),
                    hours(expected.within)
                ),
                "look whether its camera still shows the scene, and whether `expect_event_within` is right",
            )
        })
    }
}

/// A box as the package leaves it.
fn nothing_to_watch(cameras: &[Camera]) -> Option<Warning> {
    cameras.is_empty().then(|| {
        Warning::new(
            "nothing is watched: there is no camera",
            "`sudo stakeout init` asks for a camera, a receiver and what to look for, and writes the configuration (`stakeout config` \
             prints its manual); then `sudo systemctl restart stakeout`",
        )
    })
}

fn not_watched(camera: &Camera) -> Option<Warning> {
    let away = match camera.state {
        CameraState::Offline => true,
        CameraState::Connecting => camera.cause.is_some(),
        CameraState::Online | CameraState::Ended => false,
    };
    let cause = camera.cause.as_deref().unwrap_or("no pictures come");
    // A cause ends in what to do about it.
    let (what, advice) = cause.split_once("; ").unwrap_or((cause, "check its power, cable, address and password"));
    away.then(|| {
        let what = format!("camera `{}` is not watched: {what}", camera.name);
        match advice.contains("tried again") {
            true => Warning::new(what, advice.to_owned()),
            false => Warning::new(what, format!("{advice}; it is tried again for ever")),
        }
    })
}

fn degraded(camera: &Camera) -> Option<Warning> {
    let how = camera.degraded.as_ref()?;
    Some(Warning::new(
        format!("camera `{}`: degraded: {how}", camera.name),
        "mend the decoder's driver and restart, or write `hardware = \"off\"` for this camera",
    ))
}

fn gone(endpoint: &Endpoint) -> Option<Warning> {
    let name = &endpoint.name;
    endpoint.gone.then(|| {
        Warning::new(
            format!("endpoint `{name}` said that it is gone (410); what happens now is not sent to it"),
            format!(
                "correct its `url`, then `stakeout endpoint enable {name}`; `stakeout dlq retry --endpoint {name}` sends what \
                 was skipped"
            ),
        )
    })
}

/// What brings back an endpoint that is no more.
fn made_again(name: &Name) -> String {
    format!("make an endpoint of the name `{name}` again, as an `[[endpoint]]` or with PUT /v1/endpoints/{name}")
}

/// So long an endpoint may refuse what it is sent before that is told.
const PATIENCE: Duration = Duration::from_secs(300);

/// So long it is told that the journal was damaged or full.
const REMEMBERED: Duration = Duration::from_secs(7 * 86_400);

/// Less than this is little on any disk, …
const LITTLE: u64 = 100 << 20;

/// … and so much is plenty, however large the disk is.
const PLENTY: u64 = 1 << 30;

/// Less than this is nothing: the journal keeps such a rest for itself.
const FULL: u64 = 1 << 20;

/// Free and total bytes.
fn nearly_full((free, size): (u64, u64)) -> Option<Warning> {
    let nearly = free < LITTLE || (free < PLENTY && free < size / 20);
    nearly.then(|| {
        let how = if free < FULL { "full: what finds no room is not recorded" } else { "nearly full" };
        Warning::new(
            format!("the journal's disk is {how}: {} MiB of {} MiB are free", free >> 20, size >> 20),
            "free some space on it, lower `[storage] max_size` and `keep_delivered`, or move `[storage] path`",
        )
    })
}

fn hours(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7199 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::api::Statistics;
    use crate::event::{DroppedRange, Priority, SequenceRange};
    use crate::time::{Mono, Wall};

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    /// `mono_h` hours after the boot and `wall_h` hours after some day.
    fn now(mono_h: u64, wall_h: i64, synced: bool) -> Now {
        Now { mono: Mono(mono_h * 3_600_000_000_000), wall: Wall(1_800_000_000_000 + wall_h * 3_600_000), synced }
    }

    fn endpoint(what: &str, dead: u64, gone: bool) -> Endpoint {
        Endpoint {
            name: name(what),
            gone,
            pending: 0,
            held: 0,
            dead,
            delivered_24h: 0,
            success_rate: 1.0,
            p95_latency_ms: 0.0,
            last_error: None,
            statistics: Statistics::default(),
            origin: Default::default(),
        }
    }

    fn warnings(now: Now, endpoints: &[Endpoint], last: Option<Seen>, disk: (u64, u64)) -> Vec<String> {
        let configured: Vec<Name> = endpoints.iter().map(|endpoint| endpoint.name.clone()).collect();
        let within = Duration::from_secs(3 * 3600);
        let totals = Totals { disk: Some(disk), ..Totals::default() };
        let facts = Facts {
            now,
            uptime: Duration::from_secs(3600),
            cameras: &[],
            endpoints,
            configured: &configured[..configured.len().min(2)],
            expected: &[(Expectation { monitor: name("gate"), within }, last)],
            totals: &totals,
            said: &[],
            told: &[],
        };
        let mut told = facts.warnings().into_iter().map(|warning| format!("{}: {}", warning.what, warning.remedy));
        assert!(told.next().unwrap().starts_with("nothing is watched"), "there is no camera");
        told.collect()
    }

    const ROOMY: (u64, u64) = (1 << 40, 1 << 41);

    #[test]
    fn each_says_what_is_the_matter_and_what_to_do() {
        let mut forgotten = endpoint("old", 0, false);
        forgotten.held = 3;
        let endpoints = [endpoint("ops", 2, false), endpoint("hq", 1, true), forgotten];
        assert_eq!(
            warnings(now(9, 9, false), &endpoints, None, (90 << 20, 4 << 30)),
            [
                "3 deliveries are owed to endpoint `old`, which is neither in the configuration nor made over the API: make \
                 an endpoint of the name `old` again, as an `[[endpoint]]` or with PUT /v1/endpoints/old, so that they can \
                 be sent",
                "endpoint `hq` said that it is gone (410); what happens now is not sent to it: correct its `url`, then \
                 `stakeout endpoint enable hq`; `stakeout dlq retry --endpoint hq` sends what was skipped",
                "endpoint `ops` has 2 dead letters: `stakeout dlq list --endpoint ops`, then `stakeout dlq retry \
                 --endpoint ops` or `drop`",
                "endpoint `hq` has 1 dead letter: `stakeout dlq list --endpoint hq`, then `stakeout dlq retry --endpoint \
                 hq` or `drop`",
                "the journal's disk is nearly full: 90 MiB of 4096 MiB are free: free some space on it, lower `[storage] \
                 max_size` and `keep_delivered`, or move `[storage] path`",
                "the wall clock cannot be believed yet: let the box reach a time server (`timedatectl` shows how it \
                 stands)",
            ]
        );
        assert_eq!(warnings(now(9, 9, true), &endpoints[..1], None, ROOMY).len(), 1);
        assert_eq!(warnings(now(9, 9, true), &[], None, ROOMY), [] as [String; 0]);
    }

    #[test]
    fn an_endpoint_that_takes_nothing_is_told_once_that_has_lasted() {
        let told = |waited_s: f64, success_ago_s: Option<i64>, failing: bool, held: u64| {
            let now = now(9, 9, true);
            let mut refusing = endpoint("ops", 0, false);
            (refusing.pending, refusing.held) = (44, held);
            refusing.statistics = Statistics {
                failing,
                oldest_pending_age_s: Some(waited_s),
                last_success: success_ago_s.map(|ago| crate::api::Utc(Wall(now.wall.0 - ago * 1000))),
                last_error: Some("it answers 400".into()),
                ..Statistics::default()
            };
            warnings(now, &[refusing], None, ROOMY)
        };
        let said = told(780.0, None, true, 0);
        assert!(
            said[0].starts_with("endpoint `ops` has taken nothing for 13 min, and is owed 44: it answers 400"),
            "{said:?}"
        );
        assert_eq!(told(780.0, Some(999), true, 0).len(), 1);
        for (waited, success, failing, held) in
            [(200.0, None, true, 0), (780.0, Some(9), true, 0), (780.0, None, false, 0), (780.0, None, true, 1)]
        {
            assert_eq!(told(waited, success, failing, held), [] as [String; 0]);
        }
    }

    #[test]
    fn silence_is_measured_by_the_clock_that_can_tell() {
        let is_silent = |now: Now, seen: Now, boot| {
            warnings(now, &[], Some(Seen { at: seen, boot }), ROOMY).iter().any(|text| text.contains("silent for"))
        };
        let (this, other) = (Boot::current(), Boot(Uuid::from_u128(1)));
        assert!(is_silent(now(5, 0, true), now(1, 0, true), this));
        assert!(!is_silent(now(2, 999, true), now(1, 0, true), this), "a wall clock that jumped");
        assert!(is_silent(now(0, 9, true), now(7, 0, true), other));
        assert!(!is_silent(now(0, 9, true), now(7, 0, false), other), "it was 1970 then");
    }

    #[test]
    fn what_became_of_the_journal_is_told_for_some_days() {
        let told = |said: EventData, now: Now| {
            let seen = Seen { at: self::now(0, 0, true), boot: Boot::current() };
            let (totals, said) = (Totals::default(), [(said, seen)]);
            let facts = Facts {
                now,
                uptime: Duration::ZERO,
                cameras: &[],
                endpoints: &[],
                configured: &[],
                expected: &[],
                totals: &totals,
                said: &said,
                told: &[],
            };
            // The first is that there is no camera.
            facts.warnings().into_iter().skip(1).map(|warning| warning.what).collect::<Vec<_>>()
        };
        let lost = |from, to| SequenceRange { endpoint: name("ops"), from, to };
        let reset = JournalReset { salvaged: 7, lost: vec![lost(3, 3), lost(8, 10)], previous_epoch: None };
        assert_eq!(
            told(EventData::JournalReset(reset.clone()), now(3, 3, true)),
            ["the journal was damaged 3 h ago: 7 deliveries go on, nobody can say how many are lost"]
        );
        let known = JournalReset { previous_epoch: Some(Uuid::nil()), ..reset.clone() };
        assert_eq!(
            told(EventData::JournalReset(known), now(3, 3, true)),
            ["the journal was damaged 3 h ago: 7 deliveries go on, at most 4 are lost"]
        );
        assert_eq!(told(EventData::JournalReset(reset), now(8 * 24, 0, true)), [] as [String; 0]);
        let dropped = |priority, count| DroppedRange { endpoint: name("ops"), priority, from: 1, to: 9, count };
        let dropped = vec![dropped(Priority::Low, 5), dropped(Priority::High, 2)];
        let overflow = JournalOverflow { dropped, free_bytes: 0 };
        assert_eq!(
            told(EventData::JournalOverflow(overflow), now(1, 1, true)),
            ["the journal was full 60 min ago: 7 deliveries were dropped"]
        );
    }

    #[test]
    fn a_disk_is_nearly_full_by_its_share_or_when_little_is_left() {
        let warned = |free_mib: u64, size_mib: u64| nearly_full((free_mib << 20, size_mib << 20)).is_some();
        assert!(warned(90, 128) && warned(500, 20_000) && warned(1000, 100_000));
        assert!(!warned(500, 4000) && !warned(1100, 10_000_000));
    }
}
