//! Files of cases: what they mean, and what is said of those that mean nothing.

use std::time::Duration;

use super::super::*;
use crate::event::EventType;
use crate::name::Name;

fn monitors() -> Vec<Name> {
    ["person", "car"].map(|name| Name::new(name).unwrap()).to_vec()
}

fn good(source: &str) -> Vec<Case> {
    parse_cases(source, "cases.toml", &monitors()).unwrap_or_else(|wrong| panic!("{wrong}")).0
}

/// `title: label` of each error.
fn refused(source: &str) -> Vec<String> {
    let Err(wrong) = parse_cases(source, "cases.toml", &monitors()) else { panic!("accepted:\n{source}") };
    wrong.iter().map(|error| format!("{}: {}", error.title, error.label)).collect()
}

fn pattern(kind: Option<EventType>, from: u64, to: Option<u64>) -> Pattern {
    let span = Span { from: Duration::from_millis(from), to: to.map(Duration::from_millis) };
    Pattern { kind, monitor: None, span, count: 1 }
}

#[test]
fn a_case_says_which_clip_which_monitors_and_what_comes() {
    let cases = good(
        r#"
        [[case]]
        name = "a visit"
        clip = "clips/visits.mp4"
        monitor = "car"
        expect = [
            { type = "triggered", at = 6.2 },
            { type = "monitor.triggered", at = "90s", within = "500ms", count = 2 },
            { type = "cleared", between = [20, "0:23.5"] },
            { type = "cleared", by = "1:00:00" },
        ]
        forbid = [{ after = 23.5, monitor = "car" }]
        nothing_else = true
        [[case]]
        clip = "clips/empty.mp4"
        none = true
        "#,
    );
    let [visit, empty] = &cases[..] else { panic!("{cases:?}") };
    let (alert, clear) = (Some(EventType::Triggered), Some(EventType::Cleared));
    assert_eq!((visit.name.as_str(), visit.nothing_else, visit.monitors.len()), ("a visit", true, 1));
    assert_eq!(
        visit.expect,
        [
            pattern(alert, 5200, Some(7200)),
            Pattern { count: 2, ..pattern(alert, 89_500, Some(90_500)) },
            pattern(clear, 20_000, Some(23_500)),
            pattern(clear, 0, Some(3_600_000)),
        ]
    );
    assert_eq!(visit.forbid, [Pattern { monitor: Some(monitors()[1].clone()), ..pattern(None, 23_500, None) }]);
    assert_eq!((empty.name.as_str(), &empty.monitors), ("empty.mp4", &monitors()), "the clip's name, and all monitors");
    assert!(empty.nothing_else && empty.expect.is_empty() && empty.forbid.is_empty());
}

#[test]
fn a_case_that_could_never_fail_is_an_error() {
    let label = "add `expect = [{ type = \"triggered\", by = 10 }]`, or `none = true` where nothing may come";
    let never = format!("case `a`: it expects nothing and forbids nothing: it could never fail: {label}");
    for empty in ["", "expect = []", "forbid = []", "expect = []\nforbid = []", "none = false"] {
        assert_eq!(refused(&format!("[[case]]\nname = \"a\"\nclip = \"a.mp4\"\n{empty}")), [never.as_str()], "{empty}");
    }
    good("[[case]]\nclip = \"a.mp4\"\nforbid = [{}]");
    assert_eq!(refused(""), ["there is no `[[case]]` in this file: "]);
    let nothing = "case `a`: `nothing_else` has nothing beside it: write `none = true`, or say what to `expect`";
    assert_eq!(refused("[[case]]\nname = \"a\"\nclip = \"a.mp4\"\nnothing_else = true"), [nothing]);
}

#[test]
fn unknown_keys_and_monitors_are_errors_with_a_hint() {
    let wrong = refused(
        r#"
        what = 1
        [[case]]
        name = "a"
        clip = "a.mp4"
        monitor = "persn"
        expects = []
        expect = [{ type = "triggered", wthin = 1, monitor = "car" }, { type = "trigered" }, { by = 3 }]
        "#,
    );
    assert_eq!(
        wrong,
        [
            "unknown key `what`: keys belong below a section such as `[[case]]`",
            "case `a`: unknown monitor `persn`: did you mean `person`?",
            "case `a`: unknown key `expects`: did you mean `expect`?",
            "case `a`, `expect`: unknown key `wthin`: did you mean `within`?",
            "case `a`, `expect`: unknown monitor `car`: monitors of this case: `persn`",
            "case `a`, `expect`: `type` can't be `trigered`: did you mean `triggered`?",
            "case `a`, `expect`: `type` is missing: add `type = \"triggered\"`",
        ]
    );
    let key = "case `a`: unknown key `colour`: no such key here; `stakeout test --help` tells all there are";
    assert_eq!(refused("[[case]]\nname = \"a\"\nclip = \"a.mp4\"\nnone = true\ncolour = 1"), [key]);
}

#[test]
fn times_that_contradict_each_other_are_errors() {
    let refused = |pattern: &str| {
        let wrong = refused(&format!("[[case]]\nname = \"a\"\nclip = \"a.mp4\"\nforbid = [{{ {pattern} }}]"));
        wrong.iter().map(|wrong| wrong.replace("case `a`, `forbid`: ", "")).collect::<Vec<_>>()
    };
    assert_eq!(
        refused("at = 3, by = 4"),
        ["`at`, `between`, `by` and `after` exclude each other: keep one of them; `between` says both ends"]
    );
    assert_eq!(refused("within = 3"), ["`within` belongs to `at`: say `at` what time"]);
    assert_eq!(refused("between = [3, 2]"), ["`between` ends before it begins: the earlier time comes first"]);
    assert_eq!(refused("between = [3]"), ["`between` must be two times: from when to when: for example `[5.5, 7]`"]);
    let time =
        "`by` is no time in a clip: seconds such as `6.2`, a duration such as `\"90s\"`, or a time such as `\"1:30\"`";
    for wrong in ["soon", "1:75", "1:2:3:4", ":30", "1:", "-1:30", "1:+3", "1:1e1"] {
        assert_eq!(refused(&format!("by = \"{wrong}\"")), [time], "{wrong}");
    }
    for wrong in ["-1", "1e9", "nan", "inf"] {
        assert_eq!(refused(&format!("by = {wrong}")), ["`by` is out of range: must be between 0 and 604800 seconds"]);
    }
    assert_eq!(refused("by = true"), ["`by` must be a time in the clip, not a boolean: for example `6.2`"]);
}

#[test]
fn what_excludes_each_other_is_said() {
    let case = "[[case]]\nname = \"a\"\nclip = \"a.mp4\"\n";
    let wrong = "case `a`: `none` excludes `expect` and `forbid`: expect nothing, or leave `none` out";
    assert_eq!(refused(&format!("{case}none = true\nforbid = [{{}}]")), [wrong]);
    let wrong = "case `a`: `monitor` and `monitors` exclude each other: leave one of them out";
    assert_eq!(refused(&format!("{case}none = true\nmonitor = \"car\"\nmonitors = [\"car\"]")), [wrong]);
    let wrong = "case `a`: `monitors` is empty: leave it out: then all monitors play";
    assert_eq!(refused(&format!("{case}none = true\nmonitors = []")), [wrong]);
    let twice = format!("{case}none = true\n{case}none = true");
    assert_eq!(refused(&twice), ["two cases are named `a`: give this one a `name` of its own"]);
    let one =
        "case `a`: `expect` must be a list of tables, not a table: for example `[{ type = \"triggered\", at = 6.2 }]`";
    assert_eq!(refused(&format!("{case}expect = {{ type = \"triggered\" }}")), [one]);
}
