//! The promise of every alert, held against whatever happens and to whoever obeys.

use proptest::prelude::*;

use super::*;

/// What happens at a camera, some time after what happened before.
#[derive(Clone, Debug)]
enum Happens {
    /// `latency`: since the picture; `commit`: until the order arrives, in ms.
    Alert {
        event: u8,
        clip: Clip,
        latency: u64,
        commit: u64,
    },
    Clear {
        event: u8,
    },
    /// A clip ends early, the nth of those that are recorded.
    EndsEarly {
        nth: usize,
    },
}

fn happens() -> impl Strategy<Value = (u64, Happens)> {
    let clip = (0..6000_u64, 0..8000_u64, 0..40_000_u64).prop_map(|(before, after, more)| Clip {
        before: ms(before),
        after: ms(after),
        max: ms(before + after + more),
    });
    let what = prop_oneof![
        4 => (0..4_u8, clip, 0..800_u64, prop_oneof![4 => 0..300_u64, 1 => 0..9000_u64]).prop_map(
            |(event, clip, latency, commit)| Happens::Alert { event, clip, latency, commit }),
        3 => (0..4_u8).prop_map(|event| Happens::Clear { event }),
        1 => (0..4_usize).prop_map(|nth| Happens::EndsEarly { nth }),
    ];
    (0..9000_u64, what)
}

/// A clip as whoever obeys records it.
struct Recorded {
    clip: Uuid,
    from: Mono,
    /// Where the first of those began that it goes on from.
    origin: Mono,
    /// As ordered; once it is over, what was recorded.
    until: Mono,
    is_over: bool,
    /// That went on from it.
    next: Option<Uuid>,
}

/// An alert, and what it is promised.
struct Promised {
    clip: Uuid,
    event: u8,
    wanted: Clip,
    observed: Mono,
    /// When its event ended.
    cleared: Option<Mono>,
    /// It came while as many were recorded as may be.
    crowded: bool,
}

struct World {
    plan: Plan,
    now: Mono,
    ids: u128,
    clips: Vec<Recorded>,
    alerts: Vec<Promised>,
}

impl World {
    fn id(&mut self) -> Uuid {
        self.ids += 1;
        id(self.ids)
    }

    fn obey(&mut self, orders: impl IntoIterator<Item = Order>) {
        for order in orders {
            match order {
                Order::Begin { clip, from, until, .. } => {
                    self.clips.push(Recorded { clip, from, origin: from, until, is_over: false, next: None });
                }
                Order::Until { clip, until } => {
                    // One that is over stays as it is: the order came too late.
                    let going = self.clips.iter_mut().find(|it| it.clip == clip && !it.is_over);
                    going.into_iter().for_each(|going| going.until = until);
                }
            }
        }
    }

    /// Time passes; what is over by then is over, and nobody has heard of it.
    fn pass(&mut self, span: Duration) -> Vec<Uuid> {
        self.now = self.now.plus(span);
        let over = self.clips.iter_mut().filter(|it| !it.is_over && it.until <= self.now);
        over.map(|it| {
            it.is_over = true;
            it.clip
        })
        .collect()
    }

    /// Somebody hears of what is over, and what goes on may be over already.
    fn hear(&mut self, over: Vec<Uuid>) {
        for clip in over {
            let next = self.id();
            let at = self.clips.iter().position(|it| it.clip == clip).unwrap();
            let sequel = self.plan.ended(clip, Some(self.clips[at].until), next);
            self.clips[at].next = sequel.as_ref().map(|sequel| sequel.clip);
            if let Some(sequel) = sequel {
                self.obey([sequel.order]);
                let origin = self.clips[at].origin;
                self.clips.last_mut().unwrap().origin = origin;
            }
        }
        let over = self.pass(Duration::ZERO);
        if !over.is_empty() {
            self.hear(over);
        }
    }

    fn happens(&mut self, happens: &Happens) {
        match *happens {
            Happens::Alert { event, clip: wanted, latency, commit } => {
                let going = self.clips.iter().filter(|it| !it.is_over && self.now < it.until).count();
                let (new, observed) = (self.id(), self.now.minus(ms(latency)));
                let alerted = self.plan.alert(new, id(1_000_000 + u128::from(event)), wanted, observed, self.now);
                let clip = alerted.clip;
                let over = self.pass(ms(commit));
                self.obey(alerted.order);
                self.hear(over);
                self.alerts.push(Promised { clip, event, wanted, observed, cleared: None, crowded: going >= MOST });
            }
            Happens::Clear { event } => {
                let orders = self.plan.cleared(id(1_000_000 + u128::from(event)), self.now);
                self.obey(orders);
                let open = self.alerts.iter_mut().filter(|alert| alert.event == event && alert.cleared.is_none());
                open.for_each(|alert| alert.cleared = Some(self.now));
            }
            Happens::EndsEarly { nth } => {
                let now = self.now;
                let going = self.clips.iter_mut().filter(|it| !it.is_over && it.from < now).nth(nth);
                let over = going.map(|it| {
                    (it.is_over, it.until) = (true, now.min(it.until));
                    it.clip
                });
                self.hear(over.into_iter().collect());
            }
        }
    }

    /// Where what a clip goes on from began, and from when to when it and what goes on from it show everything.
    fn shown(&self, clip: Uuid) -> [Mono; 3] {
        let find = |clip| self.clips.iter().find(|it| it.clip == clip).unwrap();
        let (first, mut last) = (find(clip), find(clip));
        while let Some(next) = last.next.map(find) {
            assert_eq!(next.from, last.until, "nothing is missing between them");
            last = next;
        }
        [first.origin, first.from, last.until]
    }

    fn holds(&self, alert: &Promised) {
        let Promised { clip, wanted, observed, cleared, crowded, .. } = *alert;
        let [origin, from, until] = self.shown(clip);
        if crowded {
            return;
        }
        assert!(from <= observed.minus(wanted.before - (wanted.before / 2).min(ALMOST)), "`before` is shown");
        let bound = observed.plus(wanted.after).max(origin.plus(wanted.max));
        let over = cleared.map_or(bound, |cleared| cleared.max(observed).plus(wanted.after));
        assert!(until >= observed.plus(wanted.after), "`after` is shown, whatever `max` says");
        assert!(until >= over.min(bound), "until its event has ended");
    }
}

proptest! {
    #[test]
    fn every_alert_is_shown_from_before_it_until_after_its_end(history in prop::collection::vec(happens(), 1..40)) {
        let (plan, alerts) = (plan(), Vec::new());
        let mut world = World { plan, now: at(100_000), ids: 0, clips: Vec::new(), alerts };
        for (gap, happens) in history {
            let over = world.pass(ms(gap));
            world.hear(over);
            world.happens(&happens);
        }
        let over = world.pass(ms(1_000_000));
        world.hear(over);
        for alert in &world.alerts {
            world.holds(alert);
        }
        let longest = ms(6000 + 8000 + 40_000);
        prop_assert!(world.clips.iter().all(|it| it.until.since(it.from) <= longest), "never longer than any `max`");
    }
}
