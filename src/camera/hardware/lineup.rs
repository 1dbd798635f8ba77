//! One camera's decoders: which is next, which failed, which runs.
//!
//! Owns the memory of what failed on this camera, so that no wake-up tries it again; refuses to decode. Written by the
//! camera's thread, read by any.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::codec::Codec;
use super::super::problem::Problem;
use super::choose::{Candidate, choose};
use super::inventory::Inventory;
use super::trial::{Drain, Failure, trial};
use crate::config::Hardware;

/// A decoder that passed its trial, and how it is driven.
#[derive(Clone, Debug)]
pub(in super::super) struct Rung {
    pub(in super::super) candidate: Candidate,
    pub(in super::super) drain: Drain,
    /// The stream doesn't reorder, as far as is known.
    pub(in super::super) low_delay: bool,
}

/// A decoder that gave at least one picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// The factory of the element in the pipeline, not what was asked for.
    pub element: String,
    /// Not the processor.
    pub hardware: bool,
}

impl fmt::Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.element, if self.hardware { "hardware" } else { "software" })
    }
}

/// A decoder that was preferred, and failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fallen {
    /// What it should have decoded.
    pub codec: Codec,
    /// GStreamer's name for it.
    pub element: String,
    /// How it failed.
    pub why: String,
}

/// What came of it so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What the latest picture came from.
    pub running: Option<Running>,
    /// In the order in which they failed; none is tried again before the daemon starts again.
    pub fallen: Vec<Fallen>,
}

impl Report {
    /// That a preferred decoder is not in use, in one line. None: all is as it should be.
    pub fn degraded(&self) -> Option<String> {
        let Fallen { element, why, .. } = self.fallen.last()?;
        let instead = match &self.running {
            Some(running) if running.hardware => format!(", decoding with {}", running.element),
            Some(_) => ", decoding in software".to_owned(),
            None => String::new(),
        };
        Some(format!("{element} {why}{instead}"))
    }
}

/// The decoders of one camera. Clones share what they know.
#[derive(Clone, Debug, Default)]
pub struct Lineup {
    wanted: Hardware,
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    report: Report,
    /// Codecs in whose streams a picture was shown before one that came earlier.
    reordering: Vec<Codec>,
}

impl From<&Hardware> for Lineup {
    fn from(wanted: &Hardware) -> Lineup {
        Lineup { wanted: wanted.clone(), known: Arc::default() }
    }
}

impl From<&Lineup> for Lineup {
    fn from(shared: &Lineup) -> Lineup {
        shared.clone()
    }
}

impl Lineup {
    /// What is known now.
    pub fn report(&self) -> Report {
        self.known().report.clone()
    }

    /// Whether there is a decoder of `codec` that works. What failed on the way is in the report.
    ///
    /// # Errors
    /// [`Problem::Hardware`]: the named one can't be used. [`Problem::MissingElement`]: there is none at all.
    pub fn works(&self, codec: Codec) -> Result<(), Problem> {
        self.next(codec).map(|_| ())
    }

    /// The best decoder of `codec` that works and has not failed on this camera.
    ///
    /// # Errors
    /// [`Problem::Hardware`]: the named one can't be used. [`Problem::MissingElement`]: there is none at all.
    pub(in super::super) fn next(&self, codec: Codec) -> Result<Rung, Problem> {
        let choice = choose(codec, &self.wanted, Inventory::installed());
        if let (Hardware::Element(_), Some(passed)) = (&self.wanted, choice.passed.first()) {
            return Err(Problem::Hardware { element: passed.element.clone(), why: passed.why.to_string() });
        }
        for candidate in choice.candidates {
            if self.has_fallen(codec, &candidate.element) {
                continue;
            }
            match trial(codec, &candidate) {
                Ok(drain) => {
                    let low_delay = !self.known().reordering.contains(&codec);
                    return Ok(Rung { candidate, drain, low_delay });
                }
                Err(failure) if self.is_named() => {
                    return Err(Problem::Hardware { element: candidate.element, why: failure.to_string() });
                }
                Err(failure) => self.fell(codec, &candidate.element, &failure),
            }
        }
        Err(Problem::MissingElement)
    }

    /// A decoder failed on this camera's stream. Whether another one may be tried.
    pub(in super::super) fn gives_up(&self, codec: Codec, rung: &Rung, failure: &Failure) -> bool {
        // The processor is the last resort, and a stream that it can't decode is the camera's problem.
        let next = !self.is_named() && rung.candidate.hardware;
        if next {
            self.fell(codec, &rung.candidate.element, failure);
        }
        next
    }

    /// Pictures come out of an element of this factory.
    pub(in super::super) fn runs(&self, element: String, hardware: bool) {
        self.known().report.running = Some(Running { element, hardware });
    }

    /// This camera's stream reorders pictures.
    pub(in super::super) fn reorders(&self, codec: Codec) {
        self.known().reordering.push(codec);
    }

    /// There is no choice.
    pub(in super::super) fn is_named(&self) -> bool {
        matches!(self.wanted, Hardware::Element(_))
    }

    fn has_fallen(&self, codec: Codec, element: &str) -> bool {
        self.known().report.fallen.iter().any(|fallen| fallen.codec == codec && fallen.element == element)
    }

    fn fell(&self, codec: Codec, element: &str, failure: &Failure) {
        tracing::warn!(decoder = element, codec = codec.as_str(), "decoder {element} {failure}; the next one is tried");
        let fallen = Fallen { codec, element: element.to_owned(), why: failure.to_string() };
        self.known().report.fallen.push(fallen);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
