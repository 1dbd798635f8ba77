//! A lane: one model as one camera uses it, with at most one frame on its way.
//!
//! Owns the request that is outstanding and the scratch memory for making the next one; refuses to know conditions.
//! Preparing and interpreting happen here, on the watch thread, so that a model's own thread only computes.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;

use crate::frame::{Frame, Motion};
use crate::judge::Seen;
use crate::model::{Asked, Caller, Findings, Handle, Refused, Reply, Request, Unanswered, Work};
use crate::name::Name;
use crate::picture::{Placement, Scaler};

/// One model as one camera uses it.
pub struct Lane {
    model: Handle,
    /// Our place in the model's line.
    caller: Caller,
    scaler: Scaler,
    /// What came back with the last reply: its memory is used again.
    spare: Work,
    outstanding: Option<Outstanding>,
    /// Tells replies of this lane from those of others.
    tag: u64,
    replies: Sender<Reply>,
    /// Why the last frame got no answer: said when it changes.
    trouble: Option<String>,
    /// Whether the last frame was sent on by a candidate: those that were and those that were not take turns.
    pub forwarded: bool,
}

/// A machine that waits for a lane's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asking {
    /// Its index.
    pub machine: usize,
    /// The answer only decides whether its own model is asked.
    pub as_candidate: bool,
}

/// Where a lane's frame is.
#[derive(Debug, PartialEq)]
pub enum Standing<'a> {
    /// There is none.
    Free,
    /// It stands in line, for these: a newer one may take its place.
    InLine(&'a [Asking]),
    /// The model looks at it, or will: nothing takes its place.
    Looked,
}

/// What became of a frame that was to be sent.
#[derive(Debug, PartialEq)]
pub enum Sent {
    /// It is in line. For whom the frame was whose place it took.
    Taken(Vec<Asking>),
    /// The model has just begun with the frame before, or is done with it.
    TooLate,
    /// Nobody will answer.
    Failed,
}

/// A frame on its way through the model.
struct Outstanding {
    frame: Arc<Frame>,
    placement: Placement,
    asking: Vec<Asking>,
}

/// A frame that came back.
pub struct Answered {
    /// The frame.
    pub frame: Arc<Frame>,
    /// The machines that asked.
    pub asking: Vec<Asking>,
    /// What the model saw.
    pub seen: Result<Sight, NoSight>,
}

/// Why nothing was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSight {
    /// There was too much to do.
    Late,
    /// The model failed.
    Failed,
}

/// What a model saw on a frame that several machines asked about.
pub enum Sight {
    /// The same for all: they look for labels in it.
    Shared(Seen),
    /// An answer for each, in the order in which they asked.
    Each(Vec<Seen>),
}

impl Sight {
    /// For the `nth` of those that asked.
    pub fn of(&self, nth: usize) -> &Seen {
        match self {
            Sight::Shared(seen) => seen,
            Sight::Each(seen) => seen.get(nth).unwrap_or(&Seen::NotANumber),
        }
    }
}

impl Lane {
    /// A free lane whose replies come to `replies`, marked with `tag`.
    pub fn new(model: Handle, tag: u64, replies: Sender<Reply>) -> Lane {
        Lane {
            caller: model.caller(),
            model,
            scaler: Scaler::default(),
            spare: Work::default(),
            outstanding: None,
            tag,
            replies,
            trouble: None,
            forwarded: false,
        }
    }

    /// Which model it leads to.
    pub fn model(&self) -> &Name {
        &self.model.model().identity().name
    }

    /// Where its frame is.
    pub fn standing(&self) -> Standing<'_> {
        match &self.outstanding {
            None => Standing::Free,
            // What was slept through has its turn, whatever comes meanwhile.
            Some(Outstanding { frame, .. }) if frame.motion == Motion::SleptThrough => Standing::Looked,
            Some(outstanding) if self.model.is_in_line(self.caller) => Standing::InLine(&outstanding.asking),
            Some(_) => Standing::Looked,
        }
    }

    /// Whether its frame will be answered to this one.
    pub fn awaits(&self, asking: Asking) -> bool {
        self.outstanding.as_ref().is_some_and(|outstanding| outstanding.asking.contains(&asking))
    }

    /// Sends a frame on behalf of `asking`, each with what it asks of a model that reads. It takes the place of the one that
    /// still stands in line, and is of no use any more after `patience`.
    pub fn send(&mut self, frame: &Arc<Frame>, asking: Vec<(Asking, Option<Asked>)>, patience: Duration) -> Sent {
        let mut work = std::mem::take(&mut self.spare);
        work.asked.clear();
        let (asking, asked): (Vec<Asking>, Vec<Option<Asked>>) = asking.into_iter().unzip();
        work.asked.extend(asked.into_iter().flatten());
        let placement = match self.model.model().show(&mut self.scaler, frame, &mut work) {
            Ok(placement) => placement,
            Err(error) => {
                self.failed(&error);
                return Sent::Failed;
            }
        };
        let (caller, tag, reply) = (self.caller, self.tag, self.replies.clone());
        let request = Request { caller, work, patience, tag, reply };
        let taken = match self.outstanding {
            None => self.model.ask(request).map(|()| Work::default()),
            Some(_) => self.model.ask_instead(request),
        };
        match taken {
            Ok(spare) => {
                self.spare = spare;
                let before = self.outstanding.replace(Outstanding { frame: frame.clone(), placement, asking });
                Sent::Taken(before.map_or_else(Vec::new, |before| before.asking))
            }
            Err(Refused::Busy(request)) => {
                self.spare = request.work;
                Sent::TooLate
            }
            Err(Refused::Down(request)) => {
                self.spare = request.work;
                self.failed(&Unanswered::Down);
                Sent::Failed
            }
        }
    }

    /// A reply came back; None when nothing was outstanding.
    pub fn receive(&mut self, reply: Reply) -> Option<Answered> {
        self.spare = reply.work;
        let Outstanding { frame, placement, asking } = self.outstanding.take()?;
        let seen = match reply.findings {
            Ok(Findings::Scored(scored)) => Ok(Sight::Each(scored.into_iter().map(Seen::Answered).collect())),
            Ok(Findings::Numbers(outputs)) => {
                let seen = self.model.model().interpret(&outputs, &placement);
                self.model.model().take_back(outputs);
                seen.map(Sight::Shared).map_err(|error| self.failed(&error))
            }
            Err(Unanswered::Late) => return Some(Answered { frame, asking, seen: Err(NoSight::Late) }),
            Err(error) => Err(self.failed(&error)),
        };
        if seen.is_ok() && self.trouble.take().is_some() {
            tracing::info!(model = %self.model(), "checks are answered again");
        }
        Some(Answered { frame, asking, seen })
    }

    fn failed(&mut self, error: &dyn std::error::Error) -> NoSight {
        let error = error.to_string();
        if self.trouble.as_ref() != Some(&error) {
            tracing::warn!(model = %self.model(), %error, "checks end without an answer");
            self.trouble = Some(error);
        }
        NoSight::Failed
    }
}
