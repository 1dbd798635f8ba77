//! A lane: one model as one camera uses it, with at most one frame on its way.
//!
//! Owns the request that is outstanding and the scratch memory for making the next one; refuses to know conditions.
//! Preparing and interpreting happen here, on the watch thread, so that a model's own thread only computes.

use std::sync::Arc;

use crossbeam_channel::Sender;

use crate::frame::Frame;
use crate::judge::Seen;
use crate::model::{Asked, Findings, Handle, Refused, Reply, Request, Work};
use crate::name::Name;
use crate::picture::{Placement, Scaler};

/// One model as one camera uses it.
pub struct Lane {
    model: Handle,
    scaler: Scaler,
    /// What came back with the last reply: its memory is used again.
    spare: Work,
    outstanding: Option<Outstanding>,
    /// Tells replies of this lane from those of others.
    tag: u64,
    replies: Sender<Reply>,
    /// Why the last frame got no answer: said when it changes.
    trouble: Option<String>,
}

/// A frame on its way through the model.
struct Outstanding {
    frame: Arc<Frame>,
    placement: Placement,
    asking: Vec<usize>,
}

/// A frame that came back.
pub struct Answered {
    /// The frame.
    pub frame: Arc<Frame>,
    /// Indices of the machines that asked.
    pub asking: Vec<usize>,
    /// What the model saw; None when it failed.
    pub seen: Option<Sight>,
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
            model,
            scaler: Scaler::default(),
            spare: Work::default(),
            outstanding: None,
            tag,
            replies,
            trouble: None,
        }
    }

    /// Which model it leads to.
    pub fn model(&self) -> &Name {
        &self.model.model().identity().name
    }

    /// Whether a frame may be sent.
    pub fn is_free(&self) -> bool {
        self.outstanding.is_none()
    }

    /// Sends a frame on behalf of `asking`: indices of machines, and what each asks of a model that reads. False when it
    /// could not be sent: then nobody will answer.
    pub fn send(&mut self, frame: &Arc<Frame>, asking: Vec<(usize, Option<Asked>)>) -> bool {
        let mut work = std::mem::take(&mut self.spare);
        work.asked.clear();
        let (asking, asked): (Vec<usize>, Vec<Option<Asked>>) = asking.into_iter().unzip();
        work.asked.extend(asked.into_iter().flatten());
        let placement = match self.model.model().show(&mut self.scaler, frame, &mut work) {
            Ok(placement) => placement,
            Err(error) => {
                self.failed(&error);
                return false;
            }
        };
        match self.model.ask(Request { work, tag: self.tag, reply: self.replies.clone() }) {
            Ok(()) => {
                self.outstanding = Some(Outstanding { frame: frame.clone(), placement, asking });
                true
            }
            Err(Refused::Busy(request)) => {
                self.spare = request.work;
                false
            }
            // The thread ends only with the process: a model that is gone is a bug, and this daemon is crash-only.
            Err(Refused::Gone(_)) => panic!("the thread of model `{}` has ended", self.model()),
        }
    }

    /// A reply came back; None when nothing was outstanding.
    pub fn receive(&mut self, reply: Reply) -> Option<Answered> {
        self.spare = reply.work;
        let Outstanding { frame, placement, asking } = self.outstanding.take()?;
        let seen = match reply.findings {
            Ok(Findings::Scored(scored)) => Some(Sight::Each(scored.into_iter().map(Seen::Answered).collect())),
            Ok(Findings::Numbers(outputs)) => {
                let seen = self.model.model().interpret(&outputs, &placement);
                self.model.model().take_back(outputs);
                seen.map_err(|error| self.failed(&error)).ok().map(Sight::Shared)
            }
            Err(error) => {
                self.failed(&error);
                None
            }
        };
        if seen.is_some() && self.trouble.take().is_some() {
            tracing::info!(model = %self.model(), "checks are answered again");
        }
        Some(Answered { frame, asking, seen })
    }

    fn failed(&mut self, error: &dyn std::error::Error) {
        let error = error.to_string();
        if self.trouble.as_ref() != Some(&error) {
            tracing::warn!(model = %self.model(), %error, "checks end without an answer");
            self.trouble = Some(error);
        }
    }
}
