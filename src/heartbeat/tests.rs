//! Seamless, one at a time, and never more than was watched.

use super::*;
use crate::time::{Mono, Wall};

const MINUTE: Duration = Duration::from_secs(60);

fn boot(n: u128) -> Boot {
    Boot(Uuid::from_u128(n))
}

fn at(mono_s: u64, wall_s: i64) -> Now {
    Now { mono: Mono(mono_s * 1_000_000_000), wall: Wall(wall_s * 1000), synced: true }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn moment(mono_s: u64, wall_s: i64) -> Moment {
    Moment { at: at(mono_s, wall_s), boot: boot(1) }
}

/// `job` has made so many checks, and one frame less was skipped; the camera has decoded ten times as many.
fn counted(job: u128, checks: u64) -> Counted {
    let skipped = BTreeMap::from([(SkipReason::Rate, checks.saturating_sub(1))]);
    let job = JobCounts { job: Some(Uuid::from_u128(job)), work: Work { checks, skipped } };
    Counted {
        frames: BTreeMap::from([(name("dock"), checks * 10)]),
        checks: BTreeMap::from([((name("person"), name("dock")), job)]),
    }
}

fn checks(due: &Due) -> (u64, u64, u64) {
    let work = &due.watched.work[&(name("person"), name("dock"))];
    (due.watched.frames[&name("dock")], work.checks, work.skipped.values().sum())
}

#[test]
fn the_rhythm_is_the_journals_not_the_processs() {
    let due = |latest, now, boot| Rhythm::after(latest, 5 * MINUTE, now, boot).is_due(now);
    assert!(due(None, at(7, 0), boot(1)), "a box that never said anything says so at once");
    assert!(!due(Some(moment(100, 1000)), at(399, 0), boot(1)), "the same boot: whatever the wall clock shows");
    assert!(due(Some(moment(100, 1000)), at(400, 0), boot(1)));
    assert!(!due(Some(moment(100, 1000)), at(5, 1299), boot(2)));
    assert!(due(Some(moment(100, 1000)), at(5, 1300), boot(2)), "it was off for long enough");
    let unset = Rhythm::after(Some(moment(100, 1000)), 5 * MINUTE, at(5, -9_000), boot(2));
    assert!(
        !unset.is_due(at(304, -9_000)) && unset.is_due(at(305, -9_000)),
        "a wrong clock costs one interval at most"
    );
    let mut rhythm = Rhythm::after(Some(moment(0, 0)), MINUTE, at(1_000, 0), boot(1));
    rhythm.told(at(1_000, 0));
    assert!(!rhythm.is_due(at(1_059, 0)), "what was missed is not caught up on");
    assert!(rhythm.is_due(at(1_060, 0)));
}

#[test]
fn an_age_is_told_only_where_a_clock_can_tell() {
    let then = moment(100, 1000);
    assert_eq!(then.age(at(160, 5), boot(1)), Some(MINUTE));
    assert_eq!(then.age(at(5, 1060), boot(2)), Some(MINUTE));
    assert_eq!(then.age(at(5, 900), boot(2)), None);
    assert_eq!(then.age(Now { synced: false, ..at(5, 1060) }, boot(2)), None);
}

#[test]
fn a_heartbeat_counts_what_came_since_the_one_before() {
    let mut accounts = Accounts::default();
    accounts.open(name("ops"), moment(0, 0), None);
    accounts.look(counted(1, 100));
    assert_eq!(checks(&accounts.due(|_| true)[0]), (1000, 0, 0), "checks of a former process are not ours");
    accounts.look(counted(1, 103));
    accounts.look(counted(1, 105));
    let due = accounts.due(|_| true);
    assert_eq!((checks(&due[0]), due[0].since), ((1050, 5, 5), moment(0, 0)));
    accounts.told(&name("ops"), moment(60, 60), Uuid::nil());
    accounts.settled(&name("ops"));
    accounts.look(counted(1, 106));
    let due = accounts.due(|_| true);
    assert_eq!((checks(&due[0]), due[0].since), ((10, 1, 1), moment(60, 60)));
    accounts.look(counted(2, 4));
    assert_eq!(checks(&accounts.due(|_| true)[0]), (50, 5, 4), "another job, and a decoder that began anew");
}

#[test]
fn an_endpoint_that_is_owed_one_gets_no_other_and_then_one_about_all_the_time() {
    let mut accounts = Accounts::default();
    for endpoint in ["ops", "slow"] {
        accounts.open(name(endpoint), moment(0, 0), None);
    }
    accounts.look(counted(1, 0));
    accounts.look(counted(1, 5));
    let due = accounts.due(|_| true);
    assert_eq!(due.len(), 1, "one event for all");
    assert_eq!(due[0].endpoints, [name("ops"), name("slow")]);
    for endpoint in &due[0].endpoints {
        accounts.told(endpoint, moment(60, 60), Uuid::nil());
    }
    assert_eq!(accounts.due(|_| true), [], "both wait");
    accounts.settled(&name("ops"));
    accounts.look(counted(1, 7));
    let due = accounts.due(|_| true);
    assert_eq!((due.len(), due[0].endpoints.as_slice()), (1, &[name("ops")][..]));
    accounts.told(&name("ops"), moment(120, 120), Uuid::nil());
    accounts.settled(&name("ops"));
    accounts.settled(&name("slow"));
    accounts.look(counted(1, 8));
    let told: Vec<_> = accounts.due(|_| true).iter().map(|due| (due.since, checks(due).1)).collect();
    assert_eq!(told, [(moment(120, 120), 1), (moment(60, 60), 3)], "nothing of the time between is missing");
    assert_eq!(accounts.due(|endpoint| *endpoint == name("ops")).len(), 1, "one that is gone is passed over");
    accounts.keep_only(&[name("ops")]);
    assert!(!accounts.knows(&name("slow")) && accounts.knows(&name("ops")));
}

#[test]
fn a_monitor_that_was_away_for_a_moment_claims_nothing_of_the_time_before() {
    let mut accounts = Accounts::default();
    accounts.open(name("ops"), moment(0, 0), None);
    let away = Counted { frames: BTreeMap::new(), checks: BTreeMap::new() };
    [counted(1, 100), counted(1, 103), away.clone(), counted(1, 105), counted(1, 106)]
        .into_iter()
        .for_each(|it| accounts.look(it));
    let told = checks(&accounts.due(|_| true)[0]).1;
    assert_eq!(told, 3 + 1, "what was done while nobody looked is not claimed, and nothing of what was told before");
    [away, counted(2, 2), counted(2, 5), counted(3, 4)].into_iter().for_each(|it| accounts.look(it));
    let told = checks(&accounts.due(|_| true)[0]).1;
    assert_eq!(told, 4 + 3 + 4, "a job that begins under everybody's eyes counts from its beginning");
}

#[test]
fn a_check_without_an_answer_is_no_check() {
    let counters = |errors| Counters { checks_performed: 7, verdict_errors: errors, ..Counters::default() };
    assert_eq!([7, 2, 0].map(|errors| Work::of(&counters(errors)).checks), [0, 5, 7]);
}
