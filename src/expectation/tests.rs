//! What fails, and what doesn't.

use super::*;
use crate::config::{Located, Span};

const ALERT: EventType = EventType::Triggered;
const CLEAR: EventType = EventType::Cleared;

fn ms(at: u64) -> Duration {
    Duration::from_millis(at)
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn pattern(kind: EventType, from: u64, to: u64) -> Pattern {
    Pattern { kind: Some(kind), monitor: None, span: Span { from: ms(from), to: Some(ms(to)) }, count: 1 }
}

fn case(expect: &[Pattern]) -> Case {
    Case {
        name: "a".to_owned(),
        clip: Located { value: "a.mp4".into(), at: 0..0 },
        monitors: vec![name("dock")],
        expect: expect.to_vec(),
        forbid: Vec::new(),
        nothing_else: false,
    }
}

/// Of the monitor `dock`, which answered.
fn outcome(events: &[(EventType, u64)]) -> Outcome {
    let came = |&(kind, at)| Came { kind, monitor: name("dock"), at: ms(at) };
    Outcome { events: events.iter().map(came).collect(), checks: vec![(name("dock"), 100, 90)], length: ms(60_000) }
}

#[test]
fn an_event_in_time_meets_an_expectation_and_one_at_another_time_is_named() {
    let case = case(&[pattern(ALERT, 5000, 7000)]);
    for edge in [5000, 7000] {
        assert_eq!(complaints(&case, &outcome(&[(ALERT, edge)])), [], "{edge}");
    }
    let missing = |nearest| vec![Complaint::Missing { pattern: &case.expect[0], came: 0, nearest }];
    assert_eq!(complaints(&case, &outcome(&[])), missing(None));
    assert_eq!(complaints(&case, &outcome(&[(CLEAR, 6000)])), missing(None), "of another type");
    assert_eq!(complaints(&case, &outcome(&[(ALERT, 1000), (ALERT, 7001), (ALERT, 20_000)])), missing(Some(1)));
    assert_eq!(off(&case.expect[0], ms(7001)), 0.001);
    assert_eq!(off(&case.expect[0], ms(1000)), -4.0);
}

#[test]
fn as_many_as_possible_are_met_and_each_by_an_event_of_its_own() {
    let wide = pattern(ALERT, 0, 20_000);
    let narrow = pattern(ALERT, 5000, 6000);
    // The wide one comes first in the file and takes the earliest; it has to let go of it.
    let both = case(&[wide.clone(), narrow]);
    assert_eq!(complaints(&both, &outcome(&[(ALERT, 5500), (ALERT, 9000)])), []);
    assert_eq!(complaints(&both, &outcome(&[(ALERT, 5500)])).len(), 1, "one event is not two");
    let three = case(&[Pattern { count: 3, ..wide }]);
    let two = outcome(&[(ALERT, 1000), (ALERT, 2000)]);
    assert_eq!(complaints(&three, &two), [Complaint::Missing { pattern: &three.expect[0], came: 2, nearest: None }]);
}

#[test]
fn what_is_expected_is_not_forbidden_and_all_else_may_be() {
    let visit = outcome(&[(ALERT, 6000), (CLEAR, 9000), (ALERT, 20_000)]);
    let expected = case(&[pattern(ALERT, 5000, 7000)]);
    assert_eq!(complaints(&expected, &visit), [], "unless it is forbidden, anything may come");
    let strict = Case { nothing_else: true, ..expected.clone() };
    let unwelcome = |event| Complaint::Unwelcome { event, pattern: None };
    assert_eq!(complaints(&strict, &visit), [unwelcome(1), unwelcome(2)]);
    let forbidding = Case { forbid: vec![Pattern { kind: None, ..pattern(ALERT, 0, 10_000) }], ..expected };
    let forbidden = Complaint::Unwelcome { event: 1, pattern: Some(&forbidding.forbid[0]) };
    assert_eq!(complaints(&forbidding, &visit), [forbidden]);
}

#[test]
fn a_pattern_may_be_about_one_monitor() {
    let of = |monitor: &str| case(&[Pattern { monitor: Some(name(monitor)), ..pattern(ALERT, 0, 7000) }]);
    assert_eq!(complaints(&of("dock"), &outcome(&[(ALERT, 6000)])), []);
    assert_eq!(complaints(&of("gate"), &outcome(&[(ALERT, 6000)])).len(), 1);
}

#[test]
fn a_silence_that_says_nothing_fails() {
    let silent = Case { nothing_else: true, ..case(&[]) };
    assert_eq!(complaints(&silent, &outcome(&[])), []);
    for checks in [0, 100] {
        let mute = Outcome { checks: vec![(name("dock"), checks, 0)], ..outcome(&[]) };
        assert_eq!(complaints(&silent, &mute), [Complaint::NoAnswer { monitor: name("dock"), checks }]);
    }
}

#[test]
fn what_lies_behind_the_clips_end_is_said_and_not_passed_over() {
    let late = pattern(ALERT, 60_001, 70_000);
    let forbidding = Case { forbid: vec![late.clone()], ..case(&[]) };
    assert_eq!(complaints(&forbidding, &outcome(&[])), [Complaint::BeyondTheEnd(&late)]);
    assert_eq!(complaints(&case(std::slice::from_ref(&late)), &outcome(&[])), [Complaint::BeyondTheEnd(&late)]);
    let at_the_end = Case { forbid: vec![pattern(ALERT, 60_000, 70_000)], ..case(&[]) };
    assert_eq!(complaints(&at_the_end, &outcome(&[])), []);
}
