//! The figures of endpoints and monitors: what they count, and that neither a restart, nor a purge, nor a wrong clock changes them.

use stakeout::event::Priority;
use stakeout::journal::{Counts, DeadFilter, Failed};

use super::*;

fn accept(journal: &Journal, monitor: &str, endpoints: &[&str], now: Now) -> Vec<Uuid> {
    let event = Event { monitor: Some(name(monitor)), ..triggered(Priority::Normal) };
    let recorded = journal.writer().record(Record { at: now, ..record(event, endpoints) }).wait().unwrap();
    recorded.events[0].deliveries.iter().map(|stamp| stamp.delivery).collect()
}

fn settle(journal: &Journal, delivery: Uuid, state: State, code: u16, now: Now) {
    journal.writer().settle(settlement(delivery, state, Some(status(code)), now)).wait().unwrap();
}

fn of_endpoint(journal: &Journal, endpoint: &str, now: Now) -> Counts {
    let all = journal.reader().unwrap().endpoint_counts(now).unwrap();
    all.into_iter().find(|counts| counts.endpoint == name(endpoint)).unwrap().counts
}

fn of_monitor(journal: &Journal, monitor: &str, now: Now) -> Counts {
    let all = journal.reader().unwrap().monitor_counts(now).unwrap();
    all.into_iter().find(|counts| counts.monitor == name(monitor)).unwrap().counts
}

/// The same moment by the monotonic clock, `seconds` off by the wall clock.
fn off_by(seconds: i64, now: Now) -> Now {
    Now { wall: Wall(now.wall.0 + seconds * 1000), ..now }
}

/// Two monitors, two endpoints, every kind of end.
fn busy_hour(journal: &Journal) {
    let [a, b] = accept(journal, "gate", &["a", "b"], at(0))[..] else { panic!() };
    settle(journal, a, State::Delivered, 200, at(1));
    settle(journal, b, State::Dead, 501, at(2));
    let [a] = accept(journal, "gate", &["a"], at(3))[..] else { panic!() };
    settle(journal, a, State::Delivered, 200, at(6));
    let [a] = accept(journal, "yard", &["a"], at(4))[..] else { panic!() };
    settle(journal, a, State::Held, 503, at(5));
    let [a] = accept(journal, "yard", &["a"], at(7))[..] else { panic!() };
    settle(journal, a, State::RetryWait, 500, at(8));
    accept(journal, "yard", &[], at(9));
}

#[test]
fn what_is_told_of_endpoints_and_monitors() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    busy_hour(&journal);
    let a = of_endpoint(&journal, "a", at(10));
    assert_eq!((a.events_24h, a.delivered_24h, a.success_rate), (4, 2, 1.0), "holds and retries are not failures");
    assert_eq!((a.pending, a.held, a.dead), (1, 1, 0));
    assert_eq!(a.oldest, Some(Duration::from_secs(6)), "what is held waits, too");
    assert_eq!((a.avg_latency_ms, a.last_success), (2000.0, Some(at(6).wall)));
    assert!((2800.0..=3200.0).contains(&a.p95_latency_ms), "{}", a.p95_latency_ms);
    assert!(a.failing && a.last_error.unwrap().text == "status 500");
    let b = of_endpoint(&journal, "b", at(10));
    assert_eq!((b.success_rate, b.dead, b.oldest, b.last_success), (0.0, 1, None, None));

    let gate = of_monitor(&journal, "gate", at(10));
    assert_eq!((gate.owed_24h, a.owed_24h), (2, 0));
    assert_eq!((gate.events_24h, gate.delivered_24h, gate.dead, gate.pending), (2, 2, 1, 0));
    assert_eq!((gate.success_rate, gate.oldest, gate.failing), (2.0 / 3.0, None, false));
    let yard = of_monitor(&journal, "yard", at(10));
    assert_eq!((yard.events_24h, yard.delivered_24h, yard.held, yard.pending), (3, 0, 1, 1));
    assert_eq!((yard.success_rate, yard.oldest), (1.0, Some(Duration::from_secs(6))));
    assert_eq!(yard.owed_24h, 2, "one of its events nobody is told of");
}

#[test]
fn the_95th_percentile_is_right_to_an_eighth() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    for seconds in 1..=200 {
        let [a] = accept(&journal, "gate", &["a"], at(0))[..] else { panic!() };
        settle(&journal, a, State::Delivered, 200, at(seconds));
    }
    for counts in [of_endpoint(&journal, "a", at(300)), of_monitor(&journal, "gate", at(300))] {
        assert_eq!(counts.avg_latency_ms, 100_500.0);
        assert!((counts.p95_latency_ms / 190_000.0 - 1.0).abs() < 0.125, "{}", counts.p95_latency_ms);
    }
}

#[test]
fn a_restart_and_a_purge_change_no_figure_of_the_day() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    busy_hour(&journal);
    let all = |journal: &Journal| {
        let now = at(2 * 3600);
        (of_endpoint(journal, "a", now), of_endpoint(journal, "b", now), of_monitor(journal, "gate", now))
    };
    let before = all(&journal);
    assert_eq!(journal.writer().purge(at(2 * 3600)).wait().unwrap().deliveries, 2);
    assert_eq!(all(&journal), before);
    journal.close().unwrap();
    let journal = open(dir.path());
    assert_eq!(all(&journal), before);
    drop(journal);
    let journal = open(dir.path());
    assert_eq!(all(&journal), before, "an unclean end");
    assert_eq!(journal.reader().unwrap().totals().unwrap().unclean_starts, 1);

    let next_day = of_endpoint(&journal, "a", at(25 * 3600));
    assert_eq!((next_day.events_24h, next_day.delivered_24h, next_day.p95_latency_ms), (0, 0, 0.0), "a day later");
    assert_eq!((next_day.pending, next_day.held), (1, 1), "what is owed stays owed");
}

#[test]
fn a_wall_clock_that_jumps_corrupts_no_figure() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let years = 12 * 365 * 86_400;
    for (second, jump) in [(10, years), (20, -years), (30, -3600), (40, 86_400), (50, 0)] {
        let [a] = accept(&journal, "gate", &["a"], at(second))[..] else { panic!() };
        settle(&journal, a, State::Delivered, 200, off_by(jump, at(second + 2)));
    }
    let a = of_endpoint(&journal, "a", at(60));
    assert_eq!((a.events_24h, a.delivered_24h, a.avg_latency_ms), (5, 5, 2000.0));
    assert_eq!(of_endpoint(&journal, "a", off_by(years, at(60))).delivered_24h, 5, "whatever the wall clock says");
    let [waits] = accept(&journal, "gate", &["a"], off_by(years, at(61)))[..] else { panic!() };
    assert_eq!(of_endpoint(&journal, "a", at(65)).oldest, Some(Duration::from_secs(4)));

    // A monotonic clock that stands before the acceptance: the latency is unknown, and counts as none.
    settle(&journal, waits, State::Delivered, 200, at(0));
    let a = of_endpoint(&journal, "a", at(70));
    assert_eq!((a.delivered_24h, a.avg_latency_ms), (6, 2000.0));
}

#[test]
fn operators_move_the_counts_too() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    busy_hour(&journal);
    let dead = |journal: &Journal| (of_endpoint(journal, "b", at(20)).dead, of_monitor(journal, "gate", at(20)).dead);
    assert_eq!(dead(&journal), (1, 1));
    assert_eq!(journal.writer().redrive(DeadFilter::default(), at(11)).wait().unwrap(), 1);
    assert_eq!((dead(&journal), of_endpoint(&journal, "b", at(20)).pending), ((0, 0), 1));
    let id = journal.reader().unwrap().due(&name("b"), at(12).wall, 1).unwrap()[0].id;
    settle(&journal, id, State::Dead, 501, at(13));
    assert_eq!(journal.writer().drop_dead(DeadFilter::default()).wait().unwrap(), 1);
    assert_eq!((dead(&journal), of_endpoint(&journal, "b", at(20)).pending), ((0, 0), 0));
    journal.writer().set_gone(name("b"), true).wait().unwrap();
    accept(&journal, "gate", &["b"], at(14));
    assert_eq!(dead(&journal), (1, 1));
    let ended = journal.reader().unwrap().ended().unwrap();
    let amount = |state: &str| ended.iter().filter(|ended| ended.state == state).map(|ended| ended.amount).sum::<u64>();
    assert_eq!((amount("delivered"), amount("dead"), amount("skipped_gone")), (2, 2, 1));
    assert_eq!(journal.writer().purge(at(30 * 24 * 3600)).wait().unwrap().deliveries, 4);
    assert_eq!((dead(&journal), of_endpoint(&journal, "a", at(20)).held), ((0, 0), 1));
    assert_eq!(journal.reader().unwrap().ended().unwrap(), ended, "never goes down");
    assert_eq!(journal.reader().unwrap().totals().unwrap().events, 2, "those that are still owed");
}

#[test]
fn the_counts_are_those_that_counting_gives() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let states = [State::Delivered, State::Dead, State::Held, State::RetryWait, State::Expired];
    for n in 0..200 {
        let ids = accept(&journal, ["gate", "yard"][n % 2], &["a", "b"], at(n as u64));
        for id in ids {
            for state in (0..fastrand::usize(0..3)).map(|_| states[fastrand::usize(0..5)]) {
                settle(&journal, id, state, 200, at(n as u64 + 1));
            }
        }
        if n % 50 == 49 {
            journal
                .writer()
                .redrive(DeadFilter { endpoint: Some(name("a")), ..DeadFilter::default() }, at(300))
                .wait()
                .unwrap();
        }
    }
    for endpoint in ["a", "b"] {
        let counts = of_endpoint(&journal, endpoint, at(400));
        let rows = journal
            .reader()
            .unwrap()
            .deliveries(&DeliveryFilter { endpoint: Some(name(endpoint)), ..all_deliveries() });
        let rows = rows.unwrap();
        let count = |states: &[State]| rows.iter().filter(|row| states.contains(&row.standing.state)).count() as u64;
        assert_eq!(counts.pending, count(&[State::Pending, State::RetryWait]));
        assert_eq!((counts.held, counts.dead), (count(&[State::Held]), count(&[State::Dead, State::Expired])));
        assert_eq!(counts.events_24h, 200);
    }
}

/// The sequence numbers of what failed, the newest first.
fn failed(journal: &Journal, monitor: &str, endpoint: &str, limit: u32) -> Vec<u64> {
    let failed = journal.reader().unwrap().failed(&name(monitor), &name(endpoint), limit).unwrap();
    let body = |failed: &Failed| serde_json::from_str::<serde_json::Value>(&failed.body).unwrap();
    failed.iter().map(|failed| body(failed)["sequence"].as_u64().unwrap()).collect()
}

#[test]
fn what_failed_is_listed_by_monitor_and_endpoint_until_it_is_dead_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    for second in 0..6 {
        let ids = accept(&journal, ["gate", "yard"][second % 2], &["a", "b"], at(second as u64));
        settle(&journal, ids[0], State::Dead, 501, at(10));
        settle(&journal, ids[1], [State::Delivered, State::Expired][second / 3], 500, at(10));
    }
    let all = |journal: &Journal| {
        [("gate", "a"), ("gate", "b"), ("yard", "a"), ("yard", "b")].map(|(of, to)| failed(journal, of, to, 9))
    };
    let before = [vec![5, 3, 1], vec![5], vec![6, 4, 2], vec![6, 4]];
    assert_eq!(all(&journal), before);
    assert_eq!(failed(&journal, "gate", "a", 2), [5, 3], "at most so many");
    let newest = journal.reader().unwrap().failed(&name("gate"), &name("a"), 1).unwrap().remove(0);
    assert_eq!((newest.state, newest.last_status, newest.last_error.as_deref()), (State::Dead, Some(501), None));
    journal.close().unwrap();
    let journal = open(dir.path());
    assert_eq!(all(&journal), before);

    let again = DeadFilter { endpoint: Some(name("a")), ..DeadFilter::default() };
    assert_eq!(journal.writer().redrive(again, at(11)).wait().unwrap(), 6);
    assert_eq!(all(&journal), [vec![], vec![5], vec![], vec![6, 4]]);
    for due in journal.reader().unwrap().due(&name("a"), at(12).wall, 9).unwrap() {
        settle(&journal, due.id, State::Dead, 501, at(13));
    }
    assert_eq!(all(&journal), before, "dead again");
    let dropped = DeadFilter { endpoint: Some(name("b")), ..DeadFilter::default() };
    assert_eq!(journal.writer().drop_dead(dropped).wait().unwrap(), 3);
    assert_eq!(all(&journal), [vec![5, 3, 1], vec![], vec![6, 4, 2], vec![]]);
    journal.writer().set_gone(name("b"), true).wait().unwrap();
    accept(&journal, "yard", &["b"], at(14));
    assert_eq!(failed(&journal, "yard", "b", 9), [7], "dead from the beginning");
    journal.writer().purge(at(30 * 24 * 3600)).wait().unwrap();
    let nothing: [Vec<u64>; 4] = Default::default();
    assert_eq!(all(&journal), nothing, "they go with their deliveries");
}
