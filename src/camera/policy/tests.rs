//! The decision, tried with times and facts that no camera would send in order.
//!
//! Owns the properties; refuses to know packets.

use proptest::prelude::*;

use super::*;
use crate::camera::Turn;
use crate::camera::packet::{Class, Packet};
use crate::time::Now;

/// A stream whose packets come at these milliseconds.
fn cadence(packets: impl IntoIterator<Item = (u64, Class)>) -> Cadence {
    let mut cadence = Cadence::default();
    for (at, class) in packets {
        let pts = Duration::from_millis(at);
        let (codec, data, arrived) = (Codec::H264, [].into(), Now::in_clip(pts));
        cadence.packet(&Packet {
            codec,
            data,
            pts,
            dts: pts,
            class,
            after_loss: false,
            turn: Turn::None,
            arrived,
            connection: 1,
        });
    }
    cadence
}

fn every(interval_ms: u64) -> Cadence {
    cadence((0..5).map(|nth| (nth * interval_ms, Class::Idr)))
}

fn quiet() -> Facts {
    Facts {
        decode: Decode::Auto,
        notice_within: Some(Duration::from_secs(2)),
        codec: Codec::H264,
        cadence: every(2000),
        moved: None,
        demanded: None,
        overflowed: None,
        rare: false,
    }
}

fn at(seconds: u64) -> Mono {
    Mono(seconds * 1_000_000_000)
}

/// Keyframes so far apart, with places to join between them.
fn mixed(interval_ms: u64) -> Cadence {
    let half = interval_ms / 2;
    cadence((0..9).map(|nth| (nth * half, if nth % 2 == 0 { Class::Idr } else { Class::Recovery })))
}

#[test]
fn what_was_too_rare_must_become_clearly_better() {
    let sleeps = |interval, rare| Facts { cadence: every(interval), rare, ..quiet() }.decide(at(100)).why == Why::Quiet;
    assert_eq!([2000, 2090, 2110, 2190, 2210].map(|interval| sleeps(interval, false)), [true, true, true, true, false]);
    assert_eq!(
        [2000, 2090, 2110, 2190, 2210].map(|interval| sleeps(interval, true)),
        [true, true, false, false, false]
    );
}

#[test]
fn each_reason_has_its_mode() {
    let told = |facts: Facts| {
        let Decision { mode, why } = facts.decide(at(100));
        format!("{}: {why}", mode.as_str())
    };
    let open = cadence((0..9).map(|nth| (nth * 1000, if nth == 0 { Class::Idr } else { Class::Recovery })));
    for (facts, expected) in [
        (quiet(), "keyframes: nothing moves"),
        (Facts { moved: Some(at(96)), ..quiet() }, "awake: something moved"),
        (Facts { demanded: Some(at(100)), ..quiet() }, "awake: an event is open, or a check undecided"),
        (Facts { moved: Some(at(95)), demanded: Some(at(95)), ..quiet() }, "keyframes: nothing moves"),
        (Facts { cadence: every(4000), ..quiet() }, "all: a keyframe only every 4.0 s, `notice_within` is 2.0 s"),
        (Facts { cadence: cadence([(0, Class::Idr)]), ..quiet() }, "awake: measuring the keyframe interval"),
        (
            Facts { cadence: cadence([(0, Class::Idr), (2600, Class::Delta)]), ..quiet() },
            "all: a keyframe only every 2.6 s, `notice_within` is 2.0 s",
        ),
        (Facts { notice_within: None, cadence: every(60_000), ..quiet() }, "keyframes: nobody watches"),
        (
            Facts { cadence: open.clone(), ..quiet() },
            "all: keyframes can't be decoded alone (open GOP or intra refresh)",
        ),
        (
            Facts { cadence: open.clone(), decode: Decode::Keyframes, ..quiet() },
            "all: keyframes can't be decoded alone (open GOP or intra refresh)",
        ),
        (
            Facts { cadence: every(12_000), notice_within: Some(Duration::from_secs(60)), ..quiet() },
            "all: a keyframe only every 12.0 s, no camera sleeps for longer than 10 s",
        ),
        (Facts { overflowed: Some(at(41)), ..quiet() }, "all: more comes between two keyframes than is kept: 8 MiB"),
        (Facts { overflowed: Some(at(40)), ..quiet() }, "keyframes: nothing moves"),
        (Facts { cadence: mixed(4000), decode: Decode::Keyframes, ..quiet() }, "keyframes: as configured"),
        (Facts { decode: Decode::All, ..quiet() }, "all: as configured"),
        (Facts { decode: Decode::Keyframes, moved: Some(at(100)), ..quiet() }, "keyframes: as configured"),
        (
            Facts { codec: Codec::Mjpeg, cadence: Cadence::default(), ..quiet() },
            "keyframes: nothing moves, and MJPEG needs no picture but the newest",
        ),
        (Facts { codec: Codec::Mjpeg, moved: Some(at(99)), ..quiet() }, "awake: something moved"),
    ] {
        assert_eq!(told(facts), expected);
    }
}

#[test]
fn two_seconds_may_be_a_little_longer_and_non_idr_pictures_may_stand_between_keyframes() {
    assert_eq!(Facts { cadence: every(2150), ..quiet() }.decide(at(100)).why, Why::Quiet);
    assert_eq!(Facts { cadence: mixed(2000), ..quiet() }.decide(at(100)).why, Why::Quiet);
}

#[test]
fn asleep_dense_keyframes_are_thinned_out() {
    let pace =
        |within: Option<u64>| Facts { notice_within: within.map(Duration::from_millis), ..quiet() }.pace().as_millis();
    assert_eq!((pace(None), pace(Some(60_000)), pace(Some(400))), (750, 750, 300));
    assert_eq!(Facts { decode: Decode::Keyframes, ..quiet() }.pace(), Duration::ZERO, "that is what it says");
}

fn any_cadence() -> impl Strategy<Value = Cadence> {
    let class = prop_oneof![Just(Class::Idr), Just(Class::Delta), Just(Class::Recovery)];
    prop::collection::vec((1u64..5000, class), 0..12).prop_map(|steps| {
        let mut pts = 0;
        cadence(steps.into_iter().map(|(step, class)| {
            pts += step;
            (pts, class)
        }))
    })
}

fn any_facts() -> impl Strategy<Value = Facts> {
    let decode = prop_oneof![Just(Decode::Auto), Just(Decode::All), Just(Decode::Keyframes)];
    let codec = prop_oneof![Just(Codec::H264), Just(Codec::H265), Just(Codec::Mjpeg)];
    let stirred = || prop::option::of((0u64..200).prop_map(at));
    let within = prop::option::of((10u64..20_000).prop_map(Duration::from_millis));
    (decode, codec, within, any_cadence(), stirred(), stirred(), any::<bool>()).prop_map(
        |(decode, codec, notice_within, cadence, moved, demanded, rare)| Facts {
            decode,
            notice_within,
            codec,
            cadence,
            moved,
            demanded,
            overflowed: None,
            rare,
        },
    )
}

proptest! {
    #[test]
    fn nobody_sleeps_while_something_happens(facts in any_facts(), within in 10u64..20_000, ago in 0u64..5, moved: bool) {
        let (decode, notice_within) = (Decode::Auto, Some(Duration::from_millis(within)));
        let mut facts = Facts { decode, notice_within, ..facts };
        *(if moved { &mut facts.moved } else { &mut facts.demanded }) = Some(at(200 - ago));
        prop_assert_ne!(facts.decide(at(200)).mode, Mode::Keyframes);
    }

    #[test]
    fn nobody_sleeps_on_keyframes_that_come_too_rarely(facts in any_facts(), newer: bool, now in 0u64..200) {
        let codec = if newer { Codec::H265 } else { Codec::H264 };
        let facts = Facts { decode: Decode::Auto, codec, ..facts };
        let Some(within) = facts.notice_within else { return Ok(()) };
        let is_rare = facts.cadence.interval().is_none_or(|interval| interval > within * 11 / 10);
        if is_rare || facts.cadence.age() > within * 5 / 4 {
            prop_assert_ne!(facts.decide(at(now)).mode, Mode::Keyframes);
        }
    }

    #[test]
    fn what_is_configured_holds(facts in any_facts(), now in 0u64..200) {
        let mode = facts.decide(at(now)).mode;
        match facts.decode {
            Decode::All => prop_assert_eq!(mode, Mode::All),
            Decode::Keyframes => prop_assert!(mode == Mode::Keyframes || facts.cadence.joins()),
            Decode::Auto => {}
        }
    }

    /// Whatever stirs it and when: between two times that it falls asleep lies a quiet of some seconds.
    #[test]
    fn it_does_not_flutter(stirs in prop::collection::btree_set(0u64..1200, 0..60)) {
        let tenth = Duration::from_millis(100);
        let (mut facts, mut asleep, mut falls) = (quiet(), true, 0u32);
        for now in 0..1200u32 {
            let clock = Mono(0).plus(tenth * now);
            if stirs.contains(&u64::from(now)) {
                facts.moved = Some(clock);
            }
            let sleeps = facts.decide(clock).mode == Mode::Keyframes;
            falls += u32::from(sleeps && !asleep);
            asleep = sleeps;
        }
        prop_assert!(falls <= 1200 / 50);
        prop_assert!(falls as usize <= stirs.len());
    }

    /// An encoder whose keyframes come now a little too rarely, now just in time.
    #[test]
    fn it_does_not_flutter_with_the_cadence(intervals in prop::collection::vec(2110u64..2400, 5..100)) {
        let (mut facts, mut pts, mut changes) = (Facts { cadence: Cadence::default(), ..quiet() }, 0, 0u32);
        let mut keyframes = Vec::new();
        for interval in intervals {
            keyframes.push((pts, Class::Idr));
            pts += interval;
            facts.cadence = cadence(keyframes.iter().copied());
            let rare = matches!(facts.decide(at(500)).why, Why::TooRare { .. });
            changes += u32::from(rare != facts.rare);
            facts.rare = rare;
        }
        prop_assert!(changes <= 1, "{}", changes);
    }
}
