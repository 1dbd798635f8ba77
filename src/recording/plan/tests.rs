//! What a plan does, case by case; what it promises, whatever happens: `promise`.

use super::*;

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn at(ms: u64) -> Mono {
    Mono(ms * 1_000_000)
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn plan() -> Plan {
    Plan::new(Name::new("dock").unwrap())
}

const FIVE_TEN: Clip =
    Clip { before: Duration::from_secs(5), after: Duration::from_secs(10), max: Duration::from_secs(120) };

fn begin(clip: u128, from: u64, until: u64) -> Order {
    Order::Begin { clip: id(clip), camera: Name::new("dock").unwrap(), from: at(from), until: at(until) }
}

fn until(clip: u128, until: u64) -> Order {
    Order::Until { clip: id(clip), until: at(until) }
}

#[test]
fn an_event_is_recorded_from_before_it_until_after_its_end() {
    let mut plan = plan();
    let alerted = plan.alert(id(1), id(100), FIVE_TEN, at(60_000), at(60_300));
    assert_eq!(alerted, Alerted { clip: id(1), is_new: true, order: Some(begin(1, 55_000, 175_000)) });
    assert_eq!(plan.cleared(id(100), at(80_000)), [until(1, 90_000)]);
    assert_eq!(plan.cleared(id(100), at(85_000)), [], "it has ended already");
}

#[test]
fn what_overlaps_shares_a_clip_that_goes_on_for_the_last_of_it() {
    let mut plan = plan();
    plan.alert(id(1), id(100), FIVE_TEN, at(60_000), at(60_000));
    plan.cleared(id(100), at(70_000));
    let joined = plan.alert(id(2), id(200), FIVE_TEN, at(77_000), at(77_500));
    assert_eq!(joined, Alerted { clip: id(1), is_new: false, order: Some(until(1, 175_000)) });
    assert!(
        !plan.alert(id(2), id(300), FIVE_TEN, at(58_500), at(77_600)).is_new,
        "judged late, but almost all is shown"
    );
    assert_eq!(plan.cleared(id(300), at(78_000)), []);
    assert_eq!(plan.cleared(id(200), at(81_000)), [until(1, 91_000)]);
    assert!(plan.alert(id(3), id(300), FIVE_TEN, at(89_000), at(90_500)).is_new, "the other one is over too soon");
}

#[test]
fn an_alert_for_which_a_clip_has_no_room_begins_another_one() {
    let mut plan = plan();
    plan.alert(id(1), id(100), FIVE_TEN, at(60_000), at(60_000));
    let early = Clip { before: Duration::from_secs(60), ..FIVE_TEN };
    let alerted = plan.alert(id(2), id(200), early, at(61_000), at(61_000));
    assert_eq!(alerted.order, Some(begin(2, 1_000, 121_000)), "it wants what was long before");
    assert_eq!(plan.alert(id(3), id(300), FIVE_TEN, at(113_000), at(113_000)).clip, id(1), "the one that has room");
    let late = plan.alert(id(4), id(400), FIVE_TEN, at(170_000), at(170_000));
    assert_eq!(late.order, Some(begin(4, 165_000, 285_000)), "five seconds before the clip is as long as it may be");
    assert_eq!(plan.cleared(id(200), at(113_500)), [], "the third goes on by itself");
    assert_eq!(plan.cleared(id(100), at(114_000)), []);
    assert_eq!(plan.cleared(id(300), at(115_000)), [until(1, 125_000)]);
}

#[test]
fn so_many_clips_at_once_are_enough() {
    let mut plan = plan();
    let tight = Clip { max: Duration::from_secs(15), ..FIVE_TEN };
    let clips: Vec<Alerted> =
        (0..9).map(|nth| plan.alert(id(nth.into()), id(100), tight, at(60_000 + 100 * nth), at(61_000))).collect();
    assert_eq!(clips.iter().filter(|alerted| alerted.is_new).count(), MOST);
    assert_eq!(clips[8].clip, id(MOST as u128 - 1), "the latest");
}

#[test]
fn a_clip_that_ends_before_its_events_goes_on_as_another_one() {
    let mut plan = plan();
    plan.alert(id(1), id(100), FIVE_TEN, at(60_000), at(60_000));
    assert_eq!(plan.ended(id(9), Some(at(62_000)), id(2)), None, "nobody knows it");
    let sequel = plan.ended(id(1), Some(at(62_000)), id(2));
    assert_eq!(sequel, Some(Sequel { clip: id(2), order: begin(2, 62_000, 175_000) }), "no longer than the first");
    assert_eq!(plan.cleared(id(100), at(63_000)), [until(2, 73_000)]);
    let sequel = plan.ended(id(2), Some(at(72_990)), id(3));
    assert_eq!(sequel.map(|sequel| sequel.order), Some(begin(3, 72_990, 73_000)), "whatever `after` wants");
    assert_eq!(plan.ended(id(3), Some(at(73_000)), id(4)), None, "it is all there");
}

#[test]
fn nothing_goes_on_where_nothing_came_of_it_nor_where_it_was_cut_nor_for_ever() {
    let mut plan = plan();
    plan.alert(id(1), id(100), FIVE_TEN, at(60_000), at(60_000));
    assert_eq!(plan.ended(id(1), None, id(2)), None, "it failed");
    plan.alert(id(2), id(200), FIVE_TEN, at(62_000), at(62_000));
    assert_eq!(plan.cut(at(63_000)), [until(2, 63_000)]);
    assert!(plan.alert(id(3), id(300), FIVE_TEN, at(63_000), at(63_000)).is_new, "what was cut is over");
    assert_eq!(plan.ended(id(2), Some(at(63_000)), id(4)), None);
    let mut clip = id(3);
    let sequels = (0..1000).map_while(|nth| {
        clip = plan.ended(clip, Some(at(64_000 + nth)), id(10 + u128::from(nth)))?.clip;
        Some(clip)
    });
    assert_eq!(sequels.count(), usize::from(SEQUELS));
}

#[test]
fn an_event_that_is_open_at_the_start_goes_on_once_and_no_longer_than_it_may() {
    let mut plan = plan();
    let resumed = plan.resume(id(1), id(100), FIVE_TEN, at(90_000), at(60_000));
    assert_eq!(resumed, Some(Sequel { clip: id(1), order: begin(1, 60_000, 90_000) }));
    assert_eq!(plan.resume(id(2), id(100), FIVE_TEN, at(90_000), at(61_000)), None, "it is recorded");
    assert_eq!(plan.cleared(id(100), at(61_000)), [until(1, 71_000)]);
    assert_eq!(plan.resume(id(3), id(200), FIVE_TEN, at(60_000), at(61_000)), None, "it was recorded for long enough");
}

mod promise;
