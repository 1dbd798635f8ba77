//! What becomes of a camera's packets: kept, decoded or slept through.
//!
//! Owns the way from packets to frames, and to those who record them: the ring, the decoder while the camera is awake, what has been decoded before; what
//! is decided, the policy says. Refuses to know connections. Frames that somebody wants go into the mailbox, what was done
//! is told on the board. Runs on the thread `camera-<name>`, and decodes there.
//!
//! Asleep, a keyframe is decoded by itself, with a decoder that all sleeping cameras share. When it shows movement, what
//! came since the last look is decoded from the ring at full speed: the movement began somewhere in there.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use super::codec::Codec;
use super::cost::Cost;
use super::decoder::{Decoded, Decoder};
use super::eye::Eye;
use super::live::{Live, Past};
use super::lone::Lone;
use super::mailbox::Mailbox;
use super::packet::{Class, Packet};
use super::policy::{Decision, Facts, Mode, Why};
use super::pool::Pool;
use super::problem::Problem;
use super::ring::Ring;
use super::settings::Settings;
use super::status::Board;
use super::tap::Pipe;
use crate::config::Decode;
use crate::time::{self, Mono, Now};

/// What a lost camera sent last, so long before an alert, shows nothing of it.
const BYGONE: Duration = Duration::from_secs(10);

/// What was seen of one packet, or of none.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Whole pictures that came out, wanted or not.
    pub(super) pictures: u64,
    /// A decoder was given something: a picture is to be expected, sooner or later. False: it was slept through.
    pub(super) tried: bool,
    /// Of the newest of them that was looked at: equal for pictures that are the same in the samples of their light. None:
    /// nobody looked. Keyframes are looked at, and frames that somebody wants.
    pub(super) fingerprint: Option<u64>,
    /// That picture is one even colour.
    pub(super) uniform: bool,
}

/// The way from packets to frames.
pub(super) struct Feed {
    settings: Arc<Settings>,
    mailbox: Arc<Mailbox>,
    board: Arc<Board>,
    facts: Facts,
    eye: Eye,
    cost: Cost,
    ring: Ring,
    past: Past,
    lone: Lone<'static>,
    /// While the camera is awake.
    live: Option<Live>,
    /// When the connection's first picture is shown, which frames call zero.
    origin: Option<Duration>,
    /// Who records.
    pipes: Vec<Pipe>,
}

impl Feed {
    pub(super) fn new(settings: Arc<Settings>, mailbox: Arc<Mailbox>, board: Arc<Board>) -> Feed {
        let facts = Facts::of(&settings);
        let (cost, ring, past) = Default::default();
        let eye = Eye::new(&settings.mask);
        board.decides(facts.decide(Mono(0)));
        let lone = Lone::new(Pool::shared());
        mailbox.hold(settings.pre_roll);
        let (live, origin, pipes) = (None, None, Vec::new());
        let mut feed = Feed { settings, mailbox, board, facts, eye, cost, ring, past, lone, live, origin, pipes };
        feed.tend();
        feed
    }

    /// Hears what is to be recorded, and begins with what has been before: some times a second, connected or not.
    pub(super) fn tend(&mut self) {
        let (pre_roll, pipes) = self.mailbox.recordings();
        self.ring.hold(pre_roll);
        for pipe in pipes {
            let is_of_then = |newest: &Packet| newest.arrived.mono.plus(BYGONE) >= pipe.from;
            if !self.ring.newest().is_some_and(is_of_then)
                || self.ring.since(pipe.from).all(|packet| pipe.offer(packet))
            {
                self.pipes.push(pipe);
            }
        }
    }

    /// A packet came.
    pub(super) fn packet(&mut self, packet: Packet, now: Now) -> Result<Seen, Problem> {
        let at = packet.arrived.mono;
        self.facts.codec = packet.codec;
        if let Some(within) = self.mailbox.heard_within() {
            self.facts.notice_within = within;
        }
        self.facts.cadence.packet(&packet);
        if packet.class != Class::Delta {
            self.origin.get_or_insert(packet.pts);
        }
        let is_kept = self.may_wake() || self.ring.has_pre_roll();
        if is_kept && !self.ring.push(packet.clone()) {
            self.facts.overflowed = Some(at);
        }
        self.pipes.retain(|pipe| pipe.offer(&packet));
        self.facts.rare = matches!(self.decide(at).why, Why::TooRare { .. });
        if self.mailbox.wants_all() {
            self.facts.demanded = Some(at);
        }
        let mut seen = match self.decide(at).mode {
            Mode::Keyframes => self.asleep(&packet, now)?,
            Mode::All | Mode::Awake => self.awake(&packet, now)?,
        };
        self.fingerprint(&mut seen);
        let interval = self.facts.cadence.interval().filter(|_| packet.codec != Codec::Mjpeg);
        self.board.packet(packet.arrived, self.decide(at), interval);
        if packet.class != Class::Delta {
            self.board.saves(self.cost.saving());
        }
        Ok(seen)
    }

    /// There is no more to come.
    pub(super) fn finish(&mut self, now: Now) -> Result<Seen, Problem> {
        let mut seen = self.last_look(now)?;
        let rest = self.doze_off(now)?;
        (seen.pictures, seen.tried) = (seen.pictures + rest.pictures, seen.tried || rest.tried);
        self.fingerprint(&mut seen);
        Ok(seen)
    }

    /// The connection is lost: what was slept through right before is all that will ever be seen of it.
    pub(super) fn lost(&mut self, now: Now) {
        if self.live.is_none() && self.finish(now).is_err() {
            tracing::debug!("what was slept through before the loss could not be decoded");
        }
    }

    /// What comes next is another connection's.
    pub(super) fn disconnected(&mut self) {
        (self.facts.cadence, self.facts.overflowed, self.facts.rare) = Default::default();
        self.past.forget();
        if !self.ring.has_pre_roll() {
            // Otherwise the next connection's first packet does that: what was seen last may be worth recording.
            self.ring.clear();
        }
        self.live = None;
        self.origin = None;
        self.board.decides(self.decide(Mono(u64::MAX)));
    }

    fn fingerprint(&mut self, seen: &mut Seen) {
        let fingerprint = self.eye.take_fingerprint();
        seen.fingerprint = fingerprint.map(|it| it.hash);
        seen.uniform = fingerprint.is_some_and(|it| it.uniform);
    }

    fn decide(&self, at: Mono) -> Decision {
        self.facts.decide(at)
    }

    /// Asleep: catches up with what came since the last look, because no keyframe will give cause to.
    fn last_look(&mut self, now: Now) -> Result<Seen, Problem> {
        let unseen = |packet: &&Packet| Some(packet.arrived.mono) > self.eye.looked();
        match self.ring.newest().filter(unseen).cloned() {
            Some(newest) if self.live.is_none() && self.may_wake() && self.mailbox.wants(newest.arrived.mono) => {
                self.wake(&newest, now)
            }
            _ => Ok(Seen::default()),
        }
    }

    /// Whether there will ever be something to catch up with.
    fn may_wake(&self) -> bool {
        self.facts.decode == Decode::Auto && self.facts.notice_within.is_some()
    }

    fn asleep(&mut self, packet: &Packet, now: Now) -> Result<Seen, Problem> {
        let mut seen = self.doze_off(now)?;
        self.answer();
        let at = packet.arrived.mono;
        let too_soon = self.past.latest_alone().is_some_and(|latest| at.since(latest) < self.facts.pace());
        if packet.class != Class::Idr || too_soon {
            return Ok(seen);
        }
        let wanted = |arrived: Now| self.mailbox.wants(arrived.mono);
        let mut decoded = match self.lone.decode(packet, &self.settings.hardware, wanted) {
            Ok(Some(decoded)) => decoded,
            Ok(None) => return Ok(seen),
            Err(Problem::Decoder) => {
                tracing::debug!("a keyframe could not be decoded");
                return Ok(Seen { tried: true, ..seen });
            }
            Err(problem) => return Err(problem),
        };
        self.look(&mut decoded, None, Mono(0));
        if self.decide(at).mode != Mode::Keyframes {
            // This picture comes once more, in its turn.
            let woken = self.awake(packet, now)?;
            return Ok(Seen { pictures: seen.pictures + woken.pictures, ..woken });
        }
        self.past.decoded_alone(at);
        self.board.fed(1);
        let offset = packet.pts.saturating_sub(self.origin.unwrap_or_default());
        let passed = decoded.pictures.saturating_sub(decoded.frames.len() as u64);
        seen.pictures += self.hand_over(decoded, offset, passed, now);
        Ok(Seen { tried: true, ..seen })
    }

    /// Who asks for a picture gets the last keyframe: the next may be long in coming. Where none is kept it is waited for.
    fn answer(&mut self) {
        let Some(keyframe) = self.ring.keyframe() else { return };
        let Some(asker) = self.mailbox.take_asker() else { return };
        match self.lone.decode(keyframe, &self.settings.hardware, |_| true) {
            Ok(Some(decoded)) => {
                if let Some(frame) = decoded.frames.into_iter().next() {
                    asker.tell(frame);
                }
            }
            Ok(None) => self.mailbox.ask(asker),
            Err(_) => tracing::debug!("a keyframe that somebody asked for could not be decoded"),
        }
    }

    /// Lets the decoder go, once what it holds back is out.
    fn doze_off(&mut self, now: Now) -> Result<Seen, Problem> {
        let Some(mut live) = self.live.take() else { return Ok(Seen::default()) };
        let passed = Cell::new(0);
        let mut decoded = live.decoder.drain(wanted(&self.past, &passed, |arrived| self.mailbox.wants(arrived)))?;
        self.past.decoded_until(live.newest);
        self.look(&mut decoded, live.looked, live.woken);
        let pictures = self.hand_over(decoded, live.offset(), passed.get(), now);
        // A decoder that holds nothing back any more has not failed.
        Ok(Seen { pictures, tried: pictures > 0, ..Seen::default() })
    }

    fn awake(&mut self, packet: &Packet, now: Now) -> Result<Seen, Problem> {
        let Some(live) = self.live.as_mut().filter(|live| live.decoder.codec() == packet.codec) else {
            return self.wake(packet, now);
        };
        let passed = Cell::new(0);
        let wanted = wanted(&self.past, &passed, |arrived| self.mailbox.wants(arrived));
        let mut decoded = live.decode(packet, self.origin, &mut self.cost, wanted)?;
        let (offset, looked, woken) = (live.offset(), live.looked, live.woken);
        self.board.fed(1);
        self.look(&mut decoded, looked, woken);
        let pictures = self.hand_over(decoded, offset, passed.get(), now);
        Ok(Seen { pictures, tried: true, ..Seen::default() })
    }

    /// Begins to decode everything: first what the ring holds of what somebody wants, `packet` included.
    fn wake(&mut self, packet: &Packet, now: Now) -> Result<Seen, Problem> {
        let decoder = Decoder::new(packet.codec, &self.settings.hardware)?;
        let mut live = Live::new(decoder, self.eye.looked(), packet.arrived.mono);
        let late: Vec<Mono> = self.ring.packets().map(|it| it.arrived.mono).filter(|it| self.past.lacks(*it)).collect();
        let chosen =
            self.mailbox.choose(if late.is_empty() { std::slice::from_ref(&packet.arrived.mono) } else { &late });
        let from = chosen.first().copied().unwrap_or(packet.arrived.mono);
        let mut packets: Vec<Packet> = self.ring.since(from).cloned().collect();
        if packets.is_empty() {
            packets.push(packet.clone());
        }
        if packet.codec == Codec::Mjpeg {
            packets.retain(|it| chosen.contains(&it.arrived.mono));
        }
        let mut pictures = 0;
        for packet in &packets {
            // Two GOPs take a while.
            self.board.beat(time::now());
            let passed = Cell::new(0);
            let wanted = wanted(&self.past, &passed, |arrived| chosen.contains(&arrived));
            let mut decoded = live.decode(packet, self.origin, &mut Cost::default(), wanted)?;
            let offset = live.offset();
            self.look(&mut decoded, live.looked, live.woken);
            pictures += self.hand_over(decoded, offset, passed.get(), now);
        }
        self.board.fed(packets.iter().filter(|it| !self.past.knows(it.arrived.mono)).count() as u64);
        self.live = Some(live);
        Ok(Seen { pictures, tried: true, ..Seen::default() })
    }

    /// Looks at keyframes and frames, but for those that arrived no later than `looked`; those before `woken` come late.
    fn look(&mut self, decoded: &mut Decoded, looked: Option<Mono>, woken: Mono) {
        for (arrived, glance) in decoded.glances.iter().filter(|(arrived, _)| Some(arrived.mono) > looked) {
            self.eye.look(arrived.mono, glance);
        }
        for frame in &mut decoded.frames {
            let arrived = frame.arrived.mono;
            self.eye.look_at(frame, Some(arrived) <= looked, arrived < woken);
        }
        self.facts.moved = self.eye.moved();
    }

    /// Counts pictures and leaves frames in the mailbox; `passed` pictures nobody wanted.
    fn hand_over(&mut self, decoded: Decoded, offset: Duration, passed: u64, now: Now) -> u64 {
        if decoded.pictures > 0 {
            self.board.pictures(now, decoded.pictures, decoded.frames.len() as u64);
        }
        for mut frame in decoded.frames {
            frame.pts += offset;
            self.past.handed_over(frame.arrived.mono);
            self.mailbox.put(frame);
        }
        self.mailbox.pass(passed);
        decoded.pictures
    }
}

/// Asked for every picture: whether it becomes a frame. What was there before does not, and is not counted again.
fn wanted(past: &Past, passed: &Cell<u64>, wants: impl Fn(Mono) -> bool) -> impl Fn(Now) -> bool {
    move |arrived| {
        let known = past.knows(arrived.mono);
        let wanted = !known && wants(arrived.mono);
        passed.set(passed.get() + u64::from(!known && !wanted));
        wanted
    }
}

#[cfg(test)]
mod tests;
