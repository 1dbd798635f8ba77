//! Scenes: what must never wake anybody, and what always must.

use std::time::Duration;

use proptest::prelude::*;

use super::luma::{COLUMNS, ROWS};
use super::{Look, Luma, Scene};
use crate::frame::Motion;
use crate::time::Mono;

/// A picture with some structure: `brightness` in the middle, `contrast` around it, mixed by `seed`.
fn picture(brightness: f32, contrast: f32, seed: u32) -> Vec<f32> {
    let structure = |index: usize| {
        let mixed = (index as u32 ^ seed.wrapping_mul(0x9E37_79B9)).wrapping_mul(0x85EB_CA6B);
        let mixed = (mixed ^ (mixed >> 13)).wrapping_mul(0xC2B2_AE35);
        ((mixed >> 16) % 1000) as f32 / 500.0 - 1.0
    };
    (0..COLUMNS * ROWS).map(|index| brightness + contrast * structure(index)).collect()
}

fn luma(picture: &[f32]) -> Luma {
    Luma(picture.iter().map(|level| (level.clamp(0.0, 255.0) * 256.0) as u16).collect())
}

/// A scene and the time.
struct Watched {
    scene: Scene,
    now: Duration,
}

impl Watched {
    fn new(mask: &[Vec<[f32; 2]>]) -> Watched {
        Watched { scene: Scene::new(mask), now: Duration::from_secs(1000) }
    }

    fn look(&mut self, picture: &[f32], after: Duration) -> Look {
        self.now += after;
        self.scene.look(&luma(picture), Mono(u64::try_from(self.now.as_nanos()).unwrap()))
    }

    /// Looks at the same again and again.
    fn looks(&mut self, picture: &[f32], every: Duration, times: usize) -> Vec<Look> {
        (0..times).map(|_| self.look(picture, every)).collect()
    }
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// From 50 ms awake to 4 s asleep.
fn interval() -> impl Strategy<Value = Duration> {
    (50_u64..4000).prop_map(Duration::from_millis)
}

/// Pictures with room for other light on both sides.
fn scenery() -> impl Strategy<Value = Vec<f32>> {
    (90.0_f32..140.0, 0.0_f32..40.0, any::<u32>())
        .prop_map(|(brightness, contrast, seed)| picture(brightness, contrast, seed))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_same_picture_never_moves(picture in scenery(), intervals in prop::collection::vec(interval(), 1..20)) {
        let mut watched = Watched::new(&[]);
        prop_assert_eq!(watched.look(&picture, millis(0)), Look::First);
        for interval in intervals {
            prop_assert_eq!(watched.look(&picture, interval), Look::Still);
        }
    }

    // Half as much is enough where looks are less than 3 s apart; later it may pass for noise.
    #[test]
    fn one_cell_that_stays_different_is_seen_in_two_looks_and_two_at_once(
        mut picture in scenery(),
        cell in 0..COLUMNS * ROWS - COLUMNS,
        by in prop_oneof![16.0_f32..60.0, -60.0_f32..-16.0],
        interval in interval(),
    ) {
        let mut watched = Watched::new(&[]);
        watched.looks(&picture, interval, 5);
        picture[cell] += by;
        let one = watched.looks(&picture, interval, 2);
        prop_assert!(one.contains(&Look::Moved), "{:?}", one);
        let mut watched = Watched::new(&[]);
        picture[cell] -= by;
        watched.looks(&picture, interval, 5);
        picture[cell] += by;
        picture[cell + COLUMNS] += by;
        prop_assert_eq!(watched.look(&picture, interval), Look::Moved);
    }

    #[test]
    fn another_light_is_told_once_and_is_no_movement(
        before in scenery(), gain in 0.7_f32..1.3, offset in -20.0_f32..20.0, interval in interval(),
    ) {
        let after: Vec<f32> = before.iter().map(|level| level * gain + offset).collect();
        let mut watched = Watched::new(&[]);
        watched.looks(&before, interval, 5);
        let looks = watched.looks(&after, interval, 20);
        prop_assert!(!looks.contains(&Look::Moved), "{:?}", looks);
        prop_assert!(looks.iter().filter(|look| **look == Look::Lit).count() <= 1, "{:?}", looks);
    }

    #[test]
    fn under_a_mask_nothing_moves(
        picture in scenery(), cells in prop::collection::vec((40_usize..64, 0_usize..10, -60.0_f32..60.0), 1..40),
    ) {
        let corner = vec![[40.0 / 64.0, 0.0], [1.0, 0.0], [1.0, 10.0 / 36.0], [40.0 / 64.0, 10.0 / 36.0]];
        let (mut watched, mut open) = (Watched::new(&[corner]), Watched::new(&[]));
        watched.looks(&picture, millis(500), 5);
        open.looks(&picture, millis(500), 5);
        let mut after = picture;
        cells.iter().for_each(|(column, row, by)| after[row * COLUMNS + column] += by.signum() * (by.abs() + 20.0));
        let looks = watched.looks(&after, millis(500), 3);
        prop_assert!(!looks.contains(&Look::Moved), "{:?}", looks);
        prop_assert!(open.looks(&after, millis(500), 3).contains(&Look::Moved), "without the mask it does");
    }
}

/// A square of 3 by 3 cells.
fn with_a_box(mut picture: Vec<f32>, column: usize, row: usize, by: f32) -> Vec<f32> {
    for (dx, dy) in (0..9).map(|nth| (nth % 3, nth / 3)) {
        picture[(row + dy) * COLUMNS + column + dx] += by;
    }
    picture
}

#[test]
fn what_stays_becomes_the_background_and_its_leaving_is_movement() {
    for every in [millis(200), millis(2000)] {
        let empty = picture(110.0, 30.0, 7);
        let parked = with_a_box(empty.clone(), 20, 20, 50.0);
        let mut watched = Watched::new(&[]);
        watched.looks(&empty, every, 30);
        let begun = watched.now;
        assert_eq!(watched.look(&parked, every), Look::Moved);
        let mut last = watched.now;
        for _ in 0..400 {
            if watched.look(&parked, every) == Look::Moved {
                last = watched.now;
            }
        }
        let absorbed = last - begun;
        assert!(absorbed > millis(8_000) && absorbed < millis(20_000), "{absorbed:?}");
        assert_eq!(watched.look(&empty, every), Look::Moved);
    }
}

/// The picture as a camera sees it that points `by` of a cell further to the left.
fn shifted(picture: &[f32], by: f32) -> Vec<f32> {
    let left = |index: usize| picture[index - usize::from(!index.is_multiple_of(COLUMNS))];
    picture.iter().enumerate().map(|(index, level)| level * (1.0 - by) + left(index) * by).collect()
}

#[test]
fn a_camera_that_sways_is_no_movement_and_a_box_before_it_is() {
    // Poles, five cells apart, as wide as a cell.
    let pole = |index: usize| if index % COLUMNS % 5 == 2 { 60.0 } else { 0.0 };
    let held: Vec<f32> = picture(110.0, 5.0, 11).iter().enumerate().map(|(index, level)| level + pole(index)).collect();
    let mut watched = Watched::new(&[]);
    watched.looks(&held, millis(1000), 30);
    for by in [0.25, 0.1, 0.0, 0.2, 0.3, 0.05, 0.3] {
        assert_eq!(watched.look(&shifted(&held, by), millis(1000)), Look::Still, "{by}");
    }
    let intruded = with_a_box(shifted(&held, 0.25), 30, 20, 60.0);
    assert_eq!(watched.look(&intruded, millis(1000)), Look::Moved);
}

#[test]
fn what_creeps_is_seen_against_the_background() {
    // A cell that changes by a level a second never differs from the look before by more.
    let mut creeping = picture(110.0, 30.0, 3);
    let mut watched = Watched::new(&[]);
    watched.looks(&creeping, millis(200), 30);
    let looks: Vec<Look> = (0..100)
        .map(|_| {
            creeping[700] += 0.2;
            creeping[701] += 0.2;
            watched.look(&creeping, millis(200))
        })
        .collect();
    assert!(looks.contains(&Look::Moved));
}

#[test]
fn another_picture_is_movement_once_a_lorry_as_well_as_a_lamp_or_infrared() {
    let (yard, lorry) = (picture(110.0, 40.0, 1), picture(90.0, 40.0, 2));
    for every in [millis(200), millis(2000), millis(8000)] {
        let mut watched = Watched::new(&[]);
        watched.looks(&yard, every, 20);
        assert_eq!(watched.look(&lorry, every), Look::Moved);
        assert_eq!(watched.looks(&lorry, every, 20), [Look::Still; 20], "it is learned at once");
        assert_eq!(watched.look(&yard, every), Look::Moved, "it leaves");
        assert_eq!(watched.look(&lorry, every), Look::Moved, "another one");
    }
}

#[test]
fn dusk_is_nothing() {
    let day = picture(120.0, 60.0, 5);
    let mut watched = Watched::new(&[]);
    watched.looks(&day, millis(2000), 10);
    for step in 0..150_i16 {
        let level = 1.0 - f32::from(step) / 150.0 * 0.6;
        let dimmer: Vec<f32> = day.iter().map(|cell| cell * level).collect();
        assert_ne!(watched.look(&dimmer, millis(2000)), Look::Moved, "{step}");
    }
}

#[test]
fn a_clock_in_the_picture_is_learned() {
    let base = picture(110.0, 30.0, 9);
    let mut watched = Watched::new(&[]);
    let mut moved = Vec::new();
    for second in 0..300_usize {
        let mut now = base.clone();
        now[50] += (second * 7 % 10) as f32 * 2.0;
        now[51] += (second / 10 * 3 % 6) as f32 * 2.0;
        moved.push(watched.look(&now, millis(1000)) == Look::Moved);
    }
    let late = moved[120..].iter().filter(|moved| **moved).count();
    assert!(late * 20 < moved.len() - 120, "{late}");
    let person = with_a_box(base, 40, 20, 40.0);
    assert_eq!(watched.look(&person, millis(1000)), Look::Moved);
}

#[test]
fn time_that_goes_backwards_does_no_harm() {
    let empty = picture(110.0, 30.0, 7);
    let mut scene = Scene::new(&[]);
    for at in [5_000_000_000, 4_000_000_000, 0, 6_000_000_000] {
        assert_ne!(scene.look(&luma(&empty), Mono(at)), Look::Moved);
    }
}

#[test]
fn frames_say_what_was_seen() {
    let said = [Look::First, Look::Still, Look::Moved, Look::Lit].map(Look::motion);
    assert_eq!(said, [Motion::Unknown, Motion::Still, Motion::Moved, Motion::Moved]);
}
