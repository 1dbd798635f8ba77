//! What a plan promises, for whatever happens on a camera.

use proptest::prelude::*;

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

#[test]
fn an_event_is_recorded_from_before_it_until_after_its_end() {
    let mut plan = plan();
    let alerted = plan.alert(id(1), id(100), FIVE_TEN, at(60_000), at(60_300));
    let begin = Order::Begin { clip: id(1), camera: Name::new("dock").unwrap(), from: at(55_000), until: at(175_000) };
    assert_eq!(alerted, Alerted { clip: id(1), is_new: true, order: Some(begin) });
    assert_eq!(plan.cleared(id(100), at(80_000)), Some(Order::Until { clip: id(1), until: at(90_000) }));
    assert_eq!(plan.cleared(id(100), at(85_000)), None, "it has ended already");
}

#[test]
fn what_overlaps_shares_a_clip_that_goes_on_for_the_last_of_it() {
    let mut plan = plan();
    plan.alert(id(1), id(100), FIVE_TEN, at(60_000), at(60_000));
    plan.cleared(id(100), at(70_000));
    let joined = plan.alert(id(2), id(200), FIVE_TEN, at(79_000), at(79_500));
    let until = |ms| Some(Order::Until { clip: id(1), until: at(ms) });
    assert_eq!(joined, Alerted { clip: id(1), is_new: false, order: until(175_000) });
    assert_eq!(plan.cleared(id(200), at(81_000)), until(91_000));
    assert!(plan.alert(id(3), id(300), FIVE_TEN, at(90_900), at(91_000)).is_new, "the other one is over");
}

#[test]
fn an_alert_after_a_clip_was_cut_short_begins_another_one() {
    let mut plan = plan();
    plan.alert(id(1), id(100), FIVE_TEN, at(60_000), at(60_000));
    plan.ended(id(9));
    assert!(!plan.alert(id(2), id(200), FIVE_TEN, at(61_000), at(61_000)).is_new);
    plan.ended(id(1));
    assert!(plan.alert(id(2), id(200), FIVE_TEN, at(62_000), at(62_000)).is_new);
    assert_eq!(plan.cleared(id(100), at(63_000)), None, "its clip is no more");
}

/// What happens at a camera, `gap` after what happened before.
#[derive(Clone, Debug)]
enum Happens {
    Alert { event: u8, clip: Clip, latency: u64 },
    Clear { event: u8 },
    CutShort,
}

fn happens() -> impl Strategy<Value = (u64, Happens)> {
    let clip = (0..6000_u64, 0..8000_u64, 0..40_000_u64).prop_map(|(before, after, more)| Clip {
        before: ms(before),
        after: ms(after),
        max: ms(before + after + more),
    });
    let what = prop_oneof![
        4 => (0..4_u8, clip, 0..800_u64).prop_map(|(event, clip, latency)| Happens::Alert { event, clip, latency }),
        3 => (0..4_u8).prop_map(|event| Happens::Clear { event }),
        1 => Just(Happens::CutShort),
    ];
    (0..9000_u64, what)
}

/// A clip as whoever obeys records it, and what its events want of it.
struct Recorded {
    clip: Uuid,
    from: Mono,
    until: Mono,
    max: Duration,
    /// Open events with what they want after their end.
    open: BTreeMap<u8, Duration>,
    /// The latest that an event which ended wants.
    wants: Mono,
}

impl Recorded {
    fn obey(&mut self, order: Option<Order>) {
        if let Some(Order::Until { clip, until }) = order {
            assert_eq!(clip, self.clip);
            self.until = until;
        }
    }

    fn holds(&self) {
        let bound = self.from.plus(self.max);
        assert!(self.until <= bound, "never longer than the longest `max`");
        let wanted = if self.open.is_empty() { self.wants.min(bound) } else { bound };
        assert_eq!(self.until, wanted, "until all that it shows has ended, and no longer");
    }
}

proptest! {
    #[test]
    fn whatever_happens(history in prop::collection::vec(happens(), 1..60)) {
        let (mut plan, mut now) = (plan(), at(100_000));
        let mut last: Option<Recorded> = None;
        for (n, (gap, happens)) in history.into_iter().enumerate() {
            now = now.plus(ms(gap));
            match happens {
                Happens::Alert { event, clip, latency } => {
                    let (new, observed) = (id(n as u128), now.minus(ms(latency)));
                    let alerted = plan.alert(new, id(1000 + u128::from(event)), clip, observed, now);
                    let going = last.as_ref().is_some_and(|last| now < last.until);
                    prop_assert_eq!(alerted.is_new, !going, "what overlaps shares, what doesn't begins anew");
                    if let Some(Order::Begin { clip: begun, from, until, .. }) = alerted.order {
                        prop_assert_eq!((begun, alerted.clip), (new, new));
                        prop_assert_eq!(from, observed.minus(clip.before));
                        let (open, wants) = (BTreeMap::new(), observed);
                        last = Some(Recorded { clip: new, from, until, max: clip.max, open, wants });
                    } else {
                        last.as_mut().unwrap().obey(alerted.order);
                    }
                    let recorded = last.as_mut().unwrap();
                    prop_assert_eq!(recorded.clip, alerted.clip);
                    recorded.max = recorded.max.max(clip.max);
                    recorded.wants = recorded.wants.max(observed.plus(clip.after));
                    recorded.open.insert(event, clip.after);
                }
                Happens::Clear { event } => {
                    let order = plan.cleared(id(1000 + u128::from(event)), now);
                    let Some(recorded) = last.as_mut() else {
                        prop_assert_eq!(order, None);
                        continue;
                    };
                    if let Some(after) = recorded.open.remove(&event) {
                        recorded.wants = recorded.wants.max(now.plus(after));
                    }
                    recorded.obey(order);
                }
                Happens::CutShort => if let Some(cut) = last.take() {
                    plan.ended(cut.clip);
                },
            }
            if let Some(recorded) = &last {
                recorded.holds();
            }
        }
    }
}
