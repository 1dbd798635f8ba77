//! The gate on real footage: no visit is missed, and an empty room wakes nobody.

use std::time::Duration;

use stakeout::camera::Clip;
use stakeout::gate::{Look, Luma, Scene};
use stakeout::time::Mono;

use crate::shared::shared;
use crate::visits::spans;

/// Pictures are taken so far apart, in half seconds of the clip.
const STEP: f64 = 0.5;

/// Half an hour before the clip begins, for what is played before it.
const BEFORE: f64 = 1800.0;

/// A clip's small pictures, every half a second, with sensor noise of this standard deviation on every sample.
fn pictures(name: &str, noise: f64) -> Option<Vec<Luma>> {
    let clip = shared(&format!("videos/{name}"))?;
    let mut pictures = Vec::new();
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    for frame in Clip::open(&clip).unwrap() {
        let mut frame = frame.unwrap();
        if frame.pts.as_secs_f64() < pictures.len() as f64 * STEP {
            continue;
        }
        for sample in frame.planes[0].data.iter_mut().filter(|_| noise > 0.0) {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // The sum of four uniform variables is nearly normal; its deviation is the square root of a third.
            let sum: f64 = (0..4).map(|part| f64::from((random >> (16 * part)) as u16) / 65536.0).sum();
            *sample = (f64::from(*sample) + (sum - 2.0) * noise * 3_f64.sqrt()).round().clamp(0.0, 255.0) as u8;
        }
        pictures.push(Luma::of_frame(&frame));
    }
    Some(pictures)
}

/// What is seen of a minute of the clip's first four seconds, back and forth, and then of the clip: when, and what.
fn looks(pictures: &[Luma], every: usize, phase: usize) -> Vec<(f64, Look)> {
    let mut scene = Scene::new(&[]);
    let quiet = (0..120).map(|nth| (nth as f64 * STEP - 60.0, [0, 1, 2, 3, 4, 5, 6, 7, 6, 5, 4, 3, 2, 1][nth % 14]));
    let clip = (0..pictures.len()).map(|nth| (nth as f64 * STEP, nth));
    let all: Vec<(f64, usize)> = quiet.chain(clip).collect();
    let taken = all.into_iter().skip(phase).step_by(every);
    taken
        .map(|(at, nth)| {
            let mono = Mono(u64::try_from(Duration::from_secs_f64(at + BEFORE).as_nanos()).unwrap());
            (at, scene.look(&pictures[nth], mono))
        })
        .collect()
}

/// Visits of which nothing was seen, all visits, looks of the quiet minute that saw something, all of these.
fn missed(pictures: &[Luma], spans: &[(f64, f64)], every: usize) -> [usize; 4] {
    let mut figures = [0; 4];
    for phase in 0..every {
        let looks = looks(pictures, every, phase);
        let moved = |from: f64, to: f64| {
            looks.iter().filter(move |(at, look)| *at >= from && *at <= to && *look == Look::Moved).count()
        };
        figures[0] += spans.iter().filter(|(start, end)| moved(start - 0.3, end + 0.3) == 0).count();
        figures[1] += spans.len();
        figures[2] += moved(-60.0, -0.1);
        figures[3] += looks.iter().filter(|(at, _)| *at < 0.0).count();
    }
    figures
}

const ROOM: &str = "one-by-one-person-detection.mp4";
const CARS: &str = "car-detection.mp4";

#[test]
fn no_visit_is_missed_in_any_phase_and_an_empty_room_wakes_nobody() {
    let (Some(room), Some(visits)) = (pictures(ROOM, 0.0), spans(ROOM, "person_any_part_visible")) else { return };
    let (Some(cars), Some(passes)) = (pictures(CARS, 0.0), spans(CARS, "car_visible")) else { return };
    for every in [2, 4] {
        let [missed_visits, all, awake, _] = missed(&room, &visits, every);
        assert_eq!((missed_visits, all, awake), (0, 6 * every, 0), "every {every} half seconds");
        assert_eq!(missed(&cars, &passes, every)[..2], [0, 3 * every], "every {every} half seconds");
    }
    let empty = vec![room[0].clone(); room.len()];
    assert_eq!(missed(&empty, &visits, 2)[0], 12, "where nobody comes, nobody is seen");
}

#[test]
#[ignore = "prints the figures of src/gate/mod.rs; minutes"]
#[expect(clippy::print_stdout, reason = "that is what it is for")]
fn figures_of_the_gate() {
    for (clip, key) in [(ROOM, "person_any_part_visible"), (CARS, "car_visible")] {
        for noise in [0.0, 4.0, 10.0, 20.0] {
            let (Some(pictures), Some(spans)) = (pictures(clip, noise), spans(clip, key)) else { return };
            for every in [1, 2, 4] {
                let [missed, all, awake, quiet] = missed(&pictures, &spans, every);
                let every = every as f64 * STEP;
                println!(
                    "{clip}, noise {noise}, every {every} s: missed {missed}/{all}, moved in {awake}/{quiet} of a quiet minute"
                );
            }
        }
    }
}
