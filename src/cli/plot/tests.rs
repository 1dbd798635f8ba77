//! Golden pictures.

use super::*;

fn trace(name: &str, threshold: f32, samples: &[(u64, Option<f32>)], events: &[(u64, EventType, u32)]) -> Trace {
    Trace {
        monitor: Name::new(name).unwrap(),
        threshold,
        clear: threshold - 0.2,
        cooldown: Duration::from_secs(10),
        interval: Duration::from_secs(1),
        samples: samples.iter().map(|&(at, confidence)| Sample { at: Duration::from_secs(at), confidence }).collect(),
        events: events.iter().map(|&(at, kind, repeat)| (Duration::from_secs(at), kind, repeat)).collect(),
    }
}

/// A visit with a repeat, checks that are skipped, and an answer that is missing.
fn visit() -> Trace {
    let rising = (0..20).map(|at| (at, Some(at as f32 / 20.0)));
    let high = (20..40).map(|at| (at, Some(0.95)));
    let rest = [(45, Some(0.0)), (50, None), (55, Some(1.0))];
    let samples: Vec<_> = rising.chain(high).chain(rest).collect();
    let (alert, clear) = (EventType::Triggered, EventType::Cleared);
    trace("visit", 0.8, &samples, &[(16, alert, 0), (30, alert, 1), (45, clear, 0), (56, alert, 0)])
}

fn span(from: u64, to: u64) -> RangeInclusive<Duration> {
    Duration::from_secs(from)..=Duration::from_secs(to)
}

const PLAIN: Look = Look { width: 66, unicode: true, colour: false };

#[test]
fn a_band_shows_confidence_threshold_alerts_and_gaps() {
    insta::assert_snapshot!(draw(&[visit()], &span(0, 60), PLAIN), @r"
    visit  3 alerts, threshold 0.80, clears below 0.60
    0.80 │┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄▂▄▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄█┄┄┄┄
         │             ▂▄▆████████████████████████               █
         │        ▁▃▅▆████████████████████████████               █
         │    ▁▃▅▇████████████████████████████████               █
    0.00 │▁▃▅▇████████████████████████████████████     ▁    ?    █
                          ▲━━━━━━━━━━━━━△━━━━━━━━━━━━━━▽          ▲━━━
          0:00      0:10      0:20      0:30      0:40      0:50
    ▲ alert  △ repeat  ▽ clear  ? no answer  no bar: not checked  a column: 1.0 s
    ");
}

#[test]
fn ascii_says_the_same() {
    insta::assert_snapshot!(draw(&[visit()], &span(0, 60), Look { unicode: false, ..PLAIN }), @r"
    visit  3 alerts, threshold 0.80, clears below 0.60
    0.80 |-----------------.::::::::::::::::::::::---------------#----
         |             .:#########################               #
         |        ..:#############################               #
         |    .::#################################               #
    0.00 |.::#####################################     .    ?    #
                          ^=============+==============v          ^===
          0:00      0:10      0:20      0:30      0:40      0:50
    ^ alert  + repeat  v clear  ? no answer  no bar: not checked  a column: 1.0 s
    ");
}

#[test]
fn monitors_share_one_axis() {
    let quiet = trace("quiet", 0.5, &[(0, Some(0.1)), (30, Some(0.49))], &[]);
    insta::assert_snapshot!(draw(&[visit(), quiet], &span(0, 60), PLAIN), @r"
    visit  3 alerts, threshold 0.80, clears below 0.60
    0.80 │┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄▂▄▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄█┄┄┄┄
         │             ▂▄▆████████████████████████               █
         │        ▁▃▅▆████████████████████████████               █
         │    ▁▃▅▇████████████████████████████████               █
    0.00 │▁▃▅▇████████████████████████████████████     ▁    ?    █
                          ▲━━━━━━━━━━━━━△━━━━━━━━━━━━━━▽          ▲━━━
    quiet  no alert, threshold 0.50, clears below 0.30
    1.00 │
         │
    0.50 │┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄▄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄
         │                              █
    0.00 │▅                             █
          0:00      0:10      0:20      0:30      0:40      0:50
    ▲ alert  △ repeat  ▽ clear  ? no answer  no bar: not checked  a column: 1.0 s
    ");
}

#[test]
fn a_part_of_the_clip_fills_the_width() {
    insta::assert_snapshot!(draw(&[visit()], &span(28, 48), PLAIN), @r"
    visit  1 alert, threshold 0.80, clears below 0.60
    0.80 │▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄
         │████████████████████████████████████
         │████████████████████████████████████
         │████████████████████████████████████
    0.00 │████████████████████████████████████               ▁▁▁
          ━━━━━━△━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━▽
                0:30           0:35           0:40           0:45
    ▲ alert  △ repeat  ▽ clear  ? no answer  no bar: not checked  a column: 0.33 s
    ");
}

#[test]
fn a_visit_within_the_cooldown_says_why_it_stays_silent() {
    let samples = [(2, Some(0.9)), (6, Some(0.1)), (9, Some(0.9)), (12, Some(0.1)), (15, Some(0.9)), (20, Some(0.1))];
    let events = [(2, EventType::Triggered, 0), (6, EventType::Cleared, 0)];
    let visits = trace("visits", 0.8, &samples, &events);
    insta::assert_snapshot!(draw(std::slice::from_ref(&visits), &span(0, 30), PLAIN), @r"
    visits  1 alert, threshold 0.80, clears below 0.60
    0.80 │┄┄┄┄▄▄┄┄┄┄┄┄┄┄┄┄┄┄▄▄┄┄┄┄┄┄┄┄┄┄▄▄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄
         │    ██            ██          ██
         │    ██            ██          ██
         │    ██            ██          ██
    0.00 │    ██      ▅▅    ██    ▅▅    ██        ▅▅
              ▲━━━━━━━▽     ~
          0:00      0:05      0:10      0:15      0:20      0:25
    ▲ alert  △ repeat  ▽ clear  ? no answer  no bar: not checked  a column: 0.50 s
    ~ positive, but within the cooldown of the alert before
    ");
    let short = Trace { cooldown: Duration::from_secs(7), ..visits };
    assert!(!draw(&[short], &span(0, 30), PLAIN).contains('~'), "negative control: the cooldown was over");
}

#[test]
fn colour_changes_nothing_but_colour() {
    let coloured = draw(&[visit()], &span(0, 60), Look { colour: true, ..PLAIN });
    assert!(coloured.contains("\x1b[31m"));
    let mut plain = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once('\x1b') {
        plain.push_str(before);
        rest = after.split_once('m').expect("a colour ends").1;
    }
    plain.push_str(rest);
    let trimmed = |text: &str| text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    assert_eq!(trimmed(&plain), trimmed(&draw(&[visit()], &span(0, 60), PLAIN)));
}

#[test]
fn no_width_breaks_it() {
    for width in [0, 1, 40, 41, 1000] {
        let drawn = draw(&[visit()], &span(0, 60), Look { width, ..PLAIN });
        let widest = drawn.lines().filter(|line| line.contains('│')).map(|line| line.chars().count()).max();
        assert_eq!(widest, Some(width.clamp(40, 160)), "{width}");
    }
    // A clip of one frame.
    draw(&[visit()], &span(0, 0), PLAIN);
}
