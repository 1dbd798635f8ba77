//! All machines of one camera: which of them looks at which frame, and what each of them is told.
//!
//! Owns the order of things on a camera; refuses to know where frames come from (a live camera or a clip), what a ledger
//! does, and how anybody waits. It never blocks in a model: frames go out by [`Watcher::frame`], answers come back by
//! [`Watcher::reply`]. Both the daemon's watch threads and `replay` drive it.
//!
//! Of live frames the newest wins twice: while the model looks at one, only the newest that came meanwhile is kept; and while one
//! stands in the model's line, a newer one takes its place. What a machine doesn't get to see is counted (`load`), and so is
//! what it need not see (`nothing_moved`, [`Attention`](super::attention)). Frames that a camera slept through have their turn one by one
//! ([`Backlog`]).

mod turns;

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::backlog::Backlog;
use super::lane::{Answered, Asking, Lane, NoSight, Sent, Standing};
use super::ledger::Ledger;
use super::machine::Machine;
use super::way::{Asker, Way};
use crate::camera::{Demand, MAX_BURST};
use crate::condition::Input;
use crate::event::{JobReason, SkipReason};
use crate::frame::Frame;
use crate::model::{Handle, Reply};
use crate::time::{Mono, Now};

/// All machines of one camera.
pub struct Watcher {
    machines: Vec<Machine>,
    /// For each machine, its way through the lanes.
    ways: Vec<Way>,
    lanes: Vec<Lane>,
    /// The newest frame, for lanes that were busy when it came.
    newest: Option<Arc<Frame>>,
    /// Frames whose turn is still to come.
    backlog: Backlog,
    replies: Receiver<Reply>,
    /// How long after it came a frame was judged, at most.
    lag: Duration,
}

impl Watcher {
    /// Machines with the models that are asked for each; those that share a model share an inference.
    pub fn new(askers: Vec<Asker>) -> Watcher {
        // One request may be outstanding per lane, and a machine has two lanes at most: replies always find room.
        let (sender, replies): (Sender<Reply>, _) = bounded(askers.len().max(1) * 2);
        // Where there is no lane nobody sends: a channel at its end would be ready all the time.
        let replies = if askers.is_empty() { crossbeam_channel::never() } else { replies };
        let mut lanes: Vec<Lane> = Vec::new();
        let mut lane_of = |model: &Handle| {
            let name = &model.model().identity().name;
            lanes.iter().position(|lane| lane.model() == name).unwrap_or_else(|| {
                lanes.push(Lane::new(model.clone(), lanes.len() as u64, sender.clone()));
                lanes.len() - 1
            })
        };
        let (mut machines, mut ways) = (Vec::new(), Vec::new());
        for Asker { machine, model, candidate } in askers {
            let candidate = candidate.map(|candidate| (lane_of(&candidate.model), candidate));
            ways.push(Way { own: lane_of(&model), candidate, missed: false, referred: None });
            machines.push(machine);
        }
        Watcher { machines, ways, lanes, newest: None, backlog: Backlog::default(), replies, lag: Duration::ZERO }
    }

    /// The machines.
    pub fn machines(&self) -> &[Machine] {
        &self.machines
    }

    /// Where replies arrive: hand each to [`Watcher::reply`].
    pub fn replies(&self) -> &Receiver<Reply> {
        &self.replies
    }

    /// How long after it came a frame was judged, at most.
    pub fn lag(&self) -> Duration {
        self.lag
    }

    /// Whether an answer is outstanding, or a frame waits for its turn.
    pub fn is_waiting(&self) -> bool {
        !self.backlog.is_empty() || self.lanes.iter().any(|lane| lane.standing() != Standing::Free)
    }

    /// From when on a frame is wanted; None: nobody looks at this camera.
    pub fn due(&self) -> Option<Mono> {
        self.machines.iter().filter_map(Machine::due).min()
    }

    /// Which frames are wanted, and how urgently.
    pub fn demand(&self, now: Now) -> Demand {
        let active = self.machines.iter().filter(|machine| machine.due().is_some());
        let every = active.map(|machine| machine.subject().spec.check_interval).min();
        let awake = self.machines.iter().any(|machine| machine.is_awake(now));
        every.map_or(Demand::NOTHING, |every| Demand { from: self.due(), every, burst: MAX_BURST, awake })
    }

    /// `count` frames passed that nobody had asked for.
    pub fn passed(&mut self, ledger: &mut dyn Ledger, now: Now, count: u64) {
        if count > 0 {
            self.tell_all(ledger, now, Input::Passed(count));
        }
    }

    /// A model answered.
    pub fn reply(&mut self, ledger: &mut dyn Ledger, now: Now, reply: Reply) {
        let lane = usize::try_from(reply.tag).unwrap_or(usize::MAX);
        let Some(answered) = self.lanes.get_mut(lane).and_then(|lane| lane.receive(reply)) else { return };
        self.lag = self.lag.max(now.mono.since(answered.frame.arrived.mono));
        self.answer(ledger, now, &answered);
        let newest = self.newest.clone().filter(|newest| !Arc::ptr_eq(newest, &answered.frame));
        // Whoever's turn it is in this lane goes first; the other one then finds it taken.
        let forwarded = self.lanes[lane].forwarded;
        if let Some(newest) = newest.as_ref().filter(|_| forwarded) {
            self.look(ledger, now, lane, newest);
        }
        (0..self.lanes.len()).for_each(|lane| self.forward(ledger, now, lane));
        if let Some(newest) = newest.as_ref().filter(|_| !forwarded) {
            self.look(ledger, now, lane, newest);
        }
        if let Some(newest) = newest {
            self.keep_newest(newest);
        }
        self.catch_up(ledger, now);
    }

    /// Nothing came.
    pub fn tick(&mut self, ledger: &mut dyn Ledger, now: Now) {
        self.tell_all(ledger, now, Input::Tick);
    }

    /// The camera gives pictures.
    pub fn online(&mut self, ledger: &mut dyn Ledger, now: Now) {
        self.tell_all(ledger, now, Input::CameraBack);
    }

    /// The camera is away. What it slept through until then has its turn all the same: something moved in it.
    pub fn lost(&mut self, ledger: &mut dyn Ledger, now: Now) {
        self.forget_live_frames(ledger, now);
        self.tell_all(ledger, now, Input::CameraLost);
    }

    /// All jobs end.
    pub fn stop(&mut self, ledger: &mut dyn Ledger, now: Now, reason: JobReason) {
        self.forget_frames(ledger, now);
        self.tell_all(ledger, now, Input::Stop(reason));
    }

    /// Tells every machine that asked what came of it, or refers the frame to its own model.
    fn answer(&mut self, ledger: &mut dyn Ledger, now: Now, answered: &Answered) {
        for (nth, Asking { machine: index, as_candidate }) in answered.asking.iter().copied().enumerate() {
            let under_way = self.is_under_way(index);
            let machine = &mut self.machines[index];
            let candidate = self.ways[index].candidate.as_ref().filter(|_| as_candidate);
            match (&answered.seen, candidate) {
                (Err(NoSight::Late), _) => machine.tell(ledger, now, Input::Skipped(SkipReason::Load)),
                (Err(NoSight::Failed), None) => machine.tell(ledger, now, Input::Abstain),
                (Err(NoSight::Failed), Some(_)) => self.refer(ledger, now, index, &answered.frame),
                (Ok(sight), None) => {
                    let verdict = machine.subject().question.judge(sight.of(nth));
                    machine.check(ledger, now, &answered.frame, verdict);
                }
                (Ok(sight), Some((_, candidate))) => {
                    match candidate.spares(sight.of(nth), &machine.subject().model.name) {
                        // The answer to an older frame is still to come: it must not be overtaken by this one.
                        Some(_) if under_way => machine.tell(ledger, now, Input::Skipped(SkipReason::Load)),
                        Some(verdict) => machine.spared(ledger, now, &answered.frame, verdict),
                        None => self.refer(ledger, now, index, &answered.frame),
                    }
                }
            }
        }
    }

    /// Whether a frame that its candidate sent on is still to be answered by a machine's own model.
    fn is_under_way(&self, index: usize) -> bool {
        let way = &self.ways[index];
        way.referred.is_some() || self.lanes[way.own].awaits(Asking { machine: index, as_candidate: false })
    }

    /// The candidate of a machine has nothing against a frame: its own model is to look at it.
    fn refer(&mut self, ledger: &mut dyn Ledger, now: Now, index: usize, frame: &Arc<Frame>) {
        if self.ways[index].referred.replace(frame.clone()).is_some() {
            self.tell(ledger, now, index, Input::Skipped(SkipReason::Load));
        }
    }

    /// Sends `frame` into a lane that has nothing better to do, on behalf of every machine that begins there and is due.
    /// Those whose frame still stands in line come along, due or not: they are given back.
    fn look(&mut self, ledger: &mut dyn Ledger, now: Now, lane: usize, frame: &Arc<Frame>) -> Vec<usize> {
        let mut asking = self.due_in(ledger, now, lane, frame);
        let mut taken_along = Vec::new();
        match self.lanes[lane].standing() {
            _ if asking.is_empty() => return taken_along,
            Standing::Looked => return taken_along,
            Standing::Free => {}
            Standing::InLine(waiting) => {
                for other in waiting.iter().filter(|other| !asking.contains(other)).copied().collect::<Vec<_>>() {
                    // Its candidate was asked about the frame that waits, not about this one.
                    if self.ways[other.machine].candidate.is_some() && !other.as_candidate {
                        return taken_along;
                    }
                    taken_along.push(other.machine);
                    asking.push(other);
                }
            }
        }
        let due: Vec<usize> =
            asking.iter().map(|asking| asking.machine).filter(|it| !taken_along.contains(it)).collect();
        if !self.send(ledger, now, lane, frame, asking) {
            return Vec::new();
        }
        for index in due {
            self.ways[index].missed = false;
            self.machines[index].scheduled(frame.arrived.mono);
        }
        self.lanes[lane].forwarded = false;
        (0..self.lanes.len()).for_each(|lane| self.forward(ledger, now, lane));
        taken_along
    }

    /// The machines that begin in `lane`, are due at `frame` and have not had it yet. Those for whom it has become too old are
    /// told so.
    fn due_in(&mut self, ledger: &mut dyn Ledger, now: Now, lane: usize, frame: &Arc<Frame>) -> Vec<Asking> {
        let mut asking = Vec::new();
        for machine in 0..self.machines.len() {
            let (first, as_candidate) = self.ways[machine].first();
            if first != lane || !self.ways[machine].missed || !self.is_due(machine, frame) {
                continue;
            }
            if self.machines[machine].patience(now, frame).is_some() {
                asking.push(Asking { machine, as_candidate });
            } else {
                self.ways[machine].missed = false;
                self.tell(ledger, now, machine, Input::Skipped(SkipReason::Load));
            }
        }
        asking
    }

    /// Sends the frame that candidates referred to a lane, the oldest one first, where that is free or waits for the same
    /// machines only.
    fn forward(&mut self, ledger: &mut dyn Ledger, now: Now, lane: usize) {
        let referred = self.ways.iter().filter(|way| way.own == lane).filter_map(|way| way.referred.clone());
        let Some(frame) = referred.min_by_key(|frame| frame.arrived.mono) else { return };
        let of_frame = |way: &Way| way.own == lane && way.referred.as_ref().is_some_and(|it| Arc::ptr_eq(it, &frame));
        let all = (0..self.ways.len()).filter(|machine| of_frame(&self.ways[*machine]));
        let asking: Vec<Asking> = all.map(|machine| Asking { machine, as_candidate: false }).collect();
        let room = match self.lanes[lane].standing() {
            Standing::Free => true,
            Standing::InLine(waiting) => waiting.iter().all(|other| asking.contains(other)),
            Standing::Looked => false,
        };
        if !room {
            return;
        }
        let (fresh, old): (Vec<Asking>, Vec<Asking>) =
            asking.into_iter().partition(|asking| self.machines[asking.machine].patience(now, &frame).is_some());
        for Asking { machine, .. } in old {
            self.ways[machine].referred = None;
            self.tell(ledger, now, machine, Input::Skipped(SkipReason::Load));
        }
        if !fresh.is_empty() && self.send(ledger, now, lane, &frame, fresh.clone()) {
            fresh.iter().for_each(|asking| self.ways[asking.machine].referred = None);
            self.lanes[lane].forwarded = true;
        }
    }

    /// Sends a frame into a lane; whoever will get no answer is told. False: the lane's model has just begun with the one
    /// before.
    fn send(
        &mut self,
        ledger: &mut dyn Ledger,
        now: Now,
        lane: usize,
        frame: &Arc<Frame>,
        asking: Vec<Asking>,
    ) -> bool {
        let patience = asking.iter().filter_map(|asking| self.machines[asking.machine].patience(now, frame)).max();
        let question = |asking: &Asking| {
            let machine = &self.machines[asking.machine];
            (*asking, machine.asks(now, frame.arrived).filter(|_| !asking.as_candidate))
        };
        let questions = asking.iter().map(question).collect();
        match self.lanes[lane].send(frame, questions, patience.unwrap_or_default()) {
            Sent::TooLate => return false,
            Sent::Taken(replaced) => {
                for Asking { machine, .. } in replaced {
                    self.tell(ledger, now, machine, Input::Skipped(SkipReason::Load));
                }
            }
            Sent::Failed => {
                for Asking { machine, as_candidate } in asking {
                    match as_candidate {
                        true => self.refer(ledger, now, machine, frame),
                        false => self.tell(ledger, now, machine, Input::Abstain),
                    }
                }
            }
        }
        true
    }

    fn is_due(&self, index: usize, frame: &Frame) -> bool {
        self.machines[index].due().is_some_and(|due| frame.arrived.mono >= due)
    }

    fn tell(&mut self, ledger: &mut dyn Ledger, now: Now, index: usize, input: Input) {
        self.machines[index].tell(ledger, now, input);
    }

    fn tell_all(&mut self, ledger: &mut dyn Ledger, now: Now, input: Input) {
        for machine in &mut self.machines {
            machine.tell(ledger, now, input);
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
