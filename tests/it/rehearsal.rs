//! Trying before arming: the plot of `replay`, and `test`, with the built binary on real recordings.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::appliance::Appliance;
use crate::shared::shared;
use crate::visits::spans;

/// The shipped classifier on the drawn yard: somebody is in the zone from 7.333 s to 15.2 s and from 31.6 s to 35.667 s.
const MONITOR: &str = "\
[[camera]]\nname = \"yard\"\nurl = \"file:///nowhere.mp4\"\n\
[[monitor]]\nname = \"zone\"\ncamera = \"yard\"\nmodel = \"yard-classifier\"\nlabels = [\"person_in_zone\"]\n\
hold = \"2 of 3\"\ncheck_interval = \"200ms\"\nclear_after = \"1s\"\ncooldown = \"1s\"\nrepeat = false\n\
[[endpoint]]\nname = \"ops\"\nurl = \"http://127.0.0.1:9/\"\nallow_http = true\nsecret_file = \"HERE/ops.secret\"\n";

const CLIP: &str = "tests/data/yard.mp4";

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// `stakeout ARGS` in a pipe, with these variables and no others that change how it looks.
fn run(appliance: &Appliance, args: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stakeout"));
    command.args(args).arg("--config").arg(appliance.config());
    for name in ["COLUMNS", "LC_ALL", "LC_CTYPE", "LANG", "TERM", "NO_COLOR"] {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied()).output().unwrap()
}

/// `stakeout replay` of the yard.
fn replay(appliance: &Appliance, args: &[&str], variables: &[(&str, &str)]) -> String {
    let output = run(appliance, &[&["replay", CLIP], args].concat(), variables);
    assert!(output.status.success(), "{}", stderr(&output));
    let told = stdout(&output);
    // How long it took is nobody's golden.
    let (lines, _) = told.rsplit_once(" in ").unwrap();
    lines.to_owned()
}

const LINES: &str = "    7.600 s  monitor.triggered  zone  1.00  person_in_zone 1.00
   16.000 s  monitor.cleared    zone  0.00  person_in_zone 0.00
   32.000 s  monitor.triggered  zone  1.00  person_in_zone 1.00
   36.600 s  monitor.cleared    zone  0.00  person_in_zone 0.00
";

const SUMMARY: &str = "600 frames, 171 checks, 2 triggers";

#[test]
fn in_a_pipe_there_are_lines_and_no_plot() {
    let appliance = Appliance::new(MONITOR);
    let told = replay(&appliance, &[], &[("LANG", "C.UTF-8")]);
    assert_eq!(told, format!("{LINES}{SUMMARY}"));
    assert!(!appliance.folder.path().join("state").exists(), "nothing is journaled");
}

#[test]
fn the_plot_is_drawn_with_blocks_where_the_locale_has_them_and_as_wide_as_it_is_told() {
    let appliance = Appliance::new(MONITOR);
    let drawn = replay(&appliance, &["--plot", "always"], &[("LANG", "C.UTF-8"), ("COLUMNS", "86")]);
    let plot = drawn.strip_prefix(LINES).unwrap().strip_suffix(SUMMARY).unwrap();
    insta::assert_snapshot!(plot, @r"
    zone  2 alerts, threshold 0.80, clears below 0.60
    0.80 │┄┄┄┄┄┄┄┄┄┄┄┄┄┄█████████████████┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄█████████┄┄┄┄┄┄┄┄
         │              █████████████████                                █████████
         │              █████████████████                                █████████
         │              █████████████████                                █████████
    0.00 │▁       ▁▁▁▁▁▁█████████████████▁▁▁▁▁  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁█████████▁▁▁▁▁▁▁▁
                         ▲━━━━━━━━━━━━━━━━▽                               ▲━━━━━━━━▽
          0:00      0:05      0:10      0:15      0:20      0:25      0:30      0:35
    ▲ alert  △ repeat  ▽ clear  ? no answer  no bar: not checked  a column: 0.50 s
    ");
    let drawn = replay(&appliance, &["--plot", "always"], &[("LANG", "C"), ("COLUMNS", "60")]);
    let plot = drawn.strip_prefix(LINES).unwrap().strip_suffix(SUMMARY).unwrap();
    assert!(plot.is_ascii(), "{plot}");
    insta::assert_snapshot!(plot, @r"
    zone  2 alerts, threshold 0.80, clears below 0.60
    0.80 |----------###########----------------------######-----
         |          ###########                      ######
         |          ###########                      ######
         |         .###########                      ######
    0.00 |.    ....############... .................#######.....
                    ^==========v                     ^=====v
          0:00          0:10         0:20          0:30
    ^ alert  + repeat  v clear  ? no answer  no bar: not checked  a column: 0.74 s
    ");
}

#[test]
fn a_terminal_gets_a_plot_of_its_width_in_colour() {
    let appliance = Appliance::new(MONITOR);
    let typed = format!(
        "stty cols 60 rows 30; exec {} replay {CLIP} --config {}",
        env!("CARGO_BIN_EXE_stakeout"),
        appliance.config().display()
    );
    let on_terminal = |variables: &[(&str, &str)]| {
        let mut command = Command::new("script");
        command.args(["-qec", &typed, "/dev/null"]).env_remove("COLUMNS").env("TERM", "xterm").env("LC_ALL", "C.UTF-8");
        let output = command.env_remove("NO_COLOR").envs(variables.iter().copied()).output().unwrap();
        assert!(output.status.success(), "{}", stdout(&output));
        stdout(&output).replace('\r', "")
    };
    let coloured = on_terminal(&[]);
    assert!(coloured.contains("\x1b[31m") && coloured.contains('█'), "{coloured}");
    let plain = on_terminal(&[("NO_COLOR", "1")]);
    let widest = plain.lines().filter(|line| line.contains('│')).map(|line| line.chars().count()).max();
    assert!(!plain.contains('\x1b') && widest == Some(60), "{plain}");
    let console = on_terminal(&[("TERM", "linux"), ("NO_COLOR", "1")]);
    assert!(console.contains('#') && !console.contains('█'), "{console}");
}

/// `stakeout test` of these cases, which name the clip `yard.mp4` beside them.
fn test(appliance: &Appliance, cases: &str, args: &[&str]) -> Output {
    let folder = appliance.folder.path();
    let clip = folder.join("yard.mp4");
    if !clip.exists() {
        std::os::unix::fs::symlink(fs::canonicalize(CLIP).unwrap(), clip).unwrap();
    }
    let file = folder.join("cases.toml");
    fs::write(&file, cases).unwrap();
    run(appliance, &[&["test", file.to_str().unwrap()], args].concat(), &[("LANG", "C.UTF-8")])
}

const VISITS: &str = "\
[[case]]\nname = \"two visits\"\nclip = \"yard.mp4\"\nmonitor = \"zone\"\n\
expect = [\n  { type = \"triggered\", at = 7.6 },\n  { type = \"cleared\", between = [15.2, 17] },\n\
  { type = \"triggered\", at = \"0:32\" },\n  { type = \"cleared\", by = 40 },\n]\nnothing_else = true\n";

#[test]
fn what_comes_as_expected_passes() {
    let appliance = Appliance::new(MONITOR);
    let cases = VISITS.to_owned()
        + "[[case]]\nname = \"calm between\"\nclip = \"yard.mp4\"\nforbid = [{ between = [17, 31] }]\n";
    let output = test(&appliance, &cases, &[]);
    let folder = appliance.folder.path().display().to_string();
    let told = stdout(&output).replace(&folder, "HERE");
    let (lines, _) = told.rsplit_once(" in ").unwrap();
    assert_eq!(
        (output.status.code(), lines),
        (
            Some(0),
            "ok    two visits  (HERE/yard.mp4: 39.933 s, 2 alerts, 2 clears)\n\
             ok    calm between  (HERE/yard.mp4: 39.933 s, 2 alerts, 2 clears)\n2 cases passed"
        )
    );
    assert!(!appliance.folder.path().join("state").exists(), "nothing is journaled");
}

#[test]
fn what_fails_says_what_was_expected_what_came_and_shows_the_time_around_it() {
    let appliance = Appliance::new(MONITOR);
    let cases = "\
        [[case]]\nname = \"early\"\nclip = \"yard.mp4\"\nexpect = [{ type = \"triggered\", at = 5, within = 0.5 }]\n\
        [[case]]\nname = \"nobody\"\nclip = \"yard.mp4\"\nforbid = [{ type = \"triggered\", after = 20 }]\n";
    let output = test(&appliance, cases, &[]);
    let folder = appliance.folder.path().display().to_string();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).starts_with("error: 2 of 2 cases failed\nhint: "), "{}", stderr(&output));
    insta::assert_snapshot!(stdout(&output).replace(&folder, "HERE"), @r"
    FAIL  early  (HERE/yard.mp4: 39.933 s, 2 alerts, 2 clears)
          expected monitor.triggered between 4.500 s and 5.500 s
            none came; the nearest is 2.100 s too late, at 7.600 s
              7.600 s  monitor.triggered  zone  1.00  person_in_zone 1.00
             16.000 s  monitor.cleared    zone  0.00  person_in_zone 0.00
          zone  1 alert, threshold 0.80, clears below 0.60
          0.80 │┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄███████████████████████████████┄┄┄┄┄┄┄┄┄
               │                            ███████████████████████████████
               │                            ███████████████████████████████▂
               │                           ▁████████████████████████████████
          0.00 │▁▁              ▁▁▁▁▁▁▁▁▁▁▁█████████████████████████████████▁▁▁▁▁▁▁▁
                                             ▲━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━▽
                0:00               0:05                0:10               0:15
          ▲ alert  △ repeat  ▽ clear  ? no answer  no bar: not checked  a column: 0.26 s
    FAIL  nobody  (HERE/yard.mp4: 39.933 s, 2 alerts, 2 clears)
          forbidden is monitor.triggered from 20.000 s on
            32.000 s  monitor.triggered  zone  1.00  person_in_zone 1.00
             36.600 s  monitor.cleared    zone  0.00  person_in_zone 0.00
          zone  1 alert, threshold 0.80, clears below 0.60
          0.80 │┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄████████████████┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄
               │                                     ████████████████
               │                                     ████████████████
               │                                     ████████████████
          0.00 │▁▁▁ ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▆████████████████▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁
                                                     ▲━━━━━━━━━━━━━━━━━▽
                           0:25               0:30               0:35
          ▲ alert  △ repeat  ▽ clear  ? no answer  no bar: not checked  a column: 0.26 s
    ");
}

/// What became of cases with these keys, in order: whether each passed, and the command's exit status.
fn passed(appliance: &Appliance, all: &[&str]) -> (Vec<bool>, Option<i32>) {
    let case = |(n, keys): (usize, &&str)| format!("[[case]]\nname = \"{n}\"\nclip = \"yard.mp4\"\n{keys}\n");
    let cases: String = all.iter().enumerate().map(case).collect();
    let output = test(appliance, &cases, &["--json"]);
    let mut lines: Vec<Value> = stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary = lines.pop().unwrap_or_else(|| panic!("{}", stderr(&output)));
    let passed: Vec<bool> = lines.iter().map(|case| case["passed"].as_bool().unwrap()).collect();
    let failed = passed.iter().filter(|passed| !**passed).count();
    assert_eq!((&summary["cases"], &summary["failed"]), (&all.len().into(), &failed.into()));
    for (case, passed) in lines.iter().zip(&passed) {
        assert_eq!(case["complaints"].as_array().unwrap().is_empty(), *passed, "{case}");
        assert_eq!(case["events"].as_array().unwrap().len(), 4, "{case}");
    }
    (passed, output.status.code())
}

#[test]
fn every_way_to_say_something_can_fail() {
    let appliance = Appliance::new(MONITOR);
    let (right, wrong): (Vec<&str>, Vec<&str>) = [
        ("expect = [{ type = \"triggered\", count = 2 }]", "expect = [{ type = \"triggered\", count = 3 }]"),
        ("expect = [{ type = \"triggered\", by = 7.6 }]", "expect = [{ type = \"triggered\", by = 7.5 }]"),
        ("expect = [{ type = \"cleared\", after = 36 }]", "expect = [{ type = \"cleared\", after = 37 }]"),
        ("forbid = [{ type = \"cleared\", by = 15 }]", "forbid = [{ type = \"cleared\", by = 16 }]"),
        ("forbid = [{ monitor = \"zone\", after = 37 }]", "forbid = [{ monitor = \"zone\", after = 36 }]"),
        ("forbid = [{ after = 39 }]", "forbid = [{ after = 41 }]"),
        (
            "nothing_else = true\nexpect = [{ type = \"triggered\", count = 2 }, { type = \"cleared\", count = 2 }]",
            "nothing_else = true\nexpect = [{ type = \"triggered\", count = 2 }, { type = \"cleared\" }]",
        ),
        ("forbid = [{ between = [17, 31] }]", "none = true"),
    ]
    .into_iter()
    .unzip();
    assert_eq!(passed(&appliance, &right), (vec![true; right.len()], Some(0)));
    assert_eq!(passed(&appliance, &wrong), (vec![false; wrong.len()], Some(1)));
}

#[test]
fn a_monitor_without_an_answer_is_not_taken_for_a_calm_one() {
    let dog = "[[camera]]\nname = \"yard\"\nurl = \"file:///nowhere.mp4\"\n\
        [[monitor]]\nname = \"dog\"\ncamera = \"yard\"\nmodel = \"yard\"\ncondition = \"Is there a dog in the picture?\"\n";
    let appliance = Appliance::new(dog);
    let output = test(&appliance, "[[case]]\nclip = \"yard.mp4\"\nnone = true\n", &[]);
    let told = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("monitor `dog` gave no answer in "), "{told}");
    assert!(told.contains("its silence says nothing; ask its model by hand with `stakeout ask`"), "{told}");
}

#[test]
fn what_is_wrong_with_the_cases_is_told_as_of_the_configuration() {
    let appliance = Appliance::new(MONITOR);
    let cases = "[[case]]\nname = \"gone\"\nclip = \"gone.mp4\"\nnone = true\n";
    let output = test(&appliance, cases, &[]);
    let folder = appliance.folder.path().display().to_string();
    assert_eq!(output.status.code(), Some(78));
    insta::assert_snapshot!(stderr(&output).replace(&folder, "HERE"), @r#"
    error: case `gone`: there is no clip `HERE/gone.mp4`
     --> HERE/cases.toml:3:8
      |
    3 | clip = "gone.mp4"
      |        ^^^^^^^^^^ a file, relative to this one
    "#);
    let output = test(&appliance, "[[case]]\nclip = \"yard.mp4\"\nexpcet = []\n", &[]);
    assert_eq!(output.status.code(), Some(78));
    insta::assert_snapshot!(stderr(&output).replace(&folder, "HERE"), @r#"
    error: `[[case]]`: it expects nothing and forbids nothing: it could never fail
     --> HERE/cases.toml:1:1
      |
    1 | [[case]]
      | ^^^^^^^^ add `expect = [{ type = "triggered", by = 10 }]`, or `none = true` where nothing may come

    error: `[[case]]`: unknown key `expcet`
     --> HERE/cases.toml:3:1
      |
    3 | expcet = []
      | ^^^^^^ did you mean `expect`?
    "#);
    let output = appliance.run(&["test", "nowhere.toml"]);
    assert_eq!(output.status.code(), Some(78));
    assert!(stderr(&output).starts_with("error: cannot read the cases `nowhere.toml`: "), "{}", stderr(&output));
    let output = test(&appliance, VISITS, &["--case", "three visits"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).ends_with("hint: cases known here: `two visits`\n"), "{}", stderr(&output));
}

#[test]
fn a_clip_that_is_none_fails_its_case_and_no_other() {
    let appliance = Appliance::new(MONITOR);
    let cases = "[[case]]\nclip = \"cases.toml\"\nnone = true\n".to_owned() + VISITS;
    let output = test(&appliance, &cases, &[]);
    let told = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.starts_with("FAIL  cases.toml  (") && told.contains("the clip can't be played: "), "{told}");
    assert!(told.contains("\nok    two visits  ("), "{told}");
}

#[test]
fn the_example_works() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/examples/cases");
    let appliance = Appliance::new(&fs::read_to_string(example.join("monitor.toml")).unwrap());
    let output = test(&appliance, &fs::read_to_string(example.join("cases.toml")).unwrap(), &[]);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
}

#[test]
fn cases_hold_a_detector_to_what_is_known_of_a_real_clip() {
    const REAL: &str = "one-by-one-person-detection.mp4";
    let (Some(clip), Some(visits)) = (shared(&format!("videos/{REAL}")), spans(REAL, "person_any_part_visible")) else {
        return;
    };
    let monitor = "[[camera]]\nname = \"counter\"\nurl = \"file:///nowhere.mp4\"\n\
        [[monitor]]\nname = \"person\"\ncamera = \"counter\"\nmodel = \"yolox-nano\"\nlabels = [\"person\"]\n\
        confidence_threshold = 0.4\nhold = \"2 of 3\"\ncheck_interval = \"400ms\"\nclear_after = \"1s\"\n\
        cooldown = \"1s\"\nrepeat = false\n";
    let visits_within = |name: &str, from: f64, to: f64| {
        let visit = |(start, _): &(f64, f64)| {
            format!("{{ type = \"triggered\", between = [{:.3}, {:.3}] }},\n", start + from, start + to)
        };
        let visits: String = visits.iter().map(visit).collect();
        let clip = clip.canonicalize().unwrap();
        format!(
            "[[case]]\nname = \"{name}\"\nclip = {clip:?}\nexpect = [\n{visits}]\nforbid = [{{ type = \"triggered\" }}]\n"
        )
    };
    let appliance = Appliance::new(monitor);
    let cases = visits_within("each visit", -0.3, 2.5) + &visits_within("nobody comes then", 2.6, 5.0);
    let output = test(&appliance, &cases, &[]);
    let told = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    let (first, second) = told.split_once("\nFAIL  nobody comes then  (").unwrap();
    assert!(first.starts_with("ok    each visit  ("), "{first}");
    assert_eq!(second.matches("; the nearest is ").count(), visits.len(), "{second}");
    assert_eq!(second.matches("forbidden is monitor.triggered at any time").count(), visits.len(), "{second}");
}
