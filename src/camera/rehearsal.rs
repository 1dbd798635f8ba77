//! A camera's packets out of a file, in the clip's own time and as fast as they are taken.
//!
//! Owns the way from a file into a feed of its own, the one that a camera has; refuses to know what is wanted of it and what
//! is checked (the caller plays the watch loop). Runs on the caller's thread (`scripts/bench cameras`).

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::elements;
use super::feed::Feed;
use super::file::{Clip, Pace};
use super::mailbox::Mailbox;
use super::packet::Packet;
use super::problem::Problem;
use super::settings::Settings;
use super::source::Source;
use super::status::{Board, Snapshot};
use crate::time::Now;

/// How long one packet may take to come out of a file.
const PATIENCE: Duration = Duration::from_millis(20);

/// A camera without a thread and without a clock: each packet arrives when the clip shows it.
pub struct Rehearsal {
    source: Clip,
    feed: Feed,
    mailbox: Arc<Mailbox>,
    board: Arc<Board>,
    /// When the clip shows its first picture.
    origin: Option<Duration>,
}

impl Rehearsal {
    /// Of an MP4, MOV or Matroska file; the settings' own address isn't looked at.
    ///
    /// # Errors
    /// [`Problem::Unreadable`], [`Problem::NotAVideo`]: the file can't be played. [`Problem::MissingElement`]: GStreamer is
    /// not installed as needed.
    pub fn open(path: &Path, settings: Settings) -> Result<Rehearsal, Problem> {
        elements::init().map_err(|_| Problem::MissingElement)?;
        let mut source = Clip::new(path.to_owned(), Pace::Full);
        source.open(1)?;
        let (mailbox, board) = (Arc::new(Mailbox::default()), Arc::new(Board::default()));
        let feed = Feed::new(Arc::new(settings), mailbox.clone(), board.clone());
        Ok(Rehearsal { source, feed, mailbox, board, origin: None })
    }

    /// Where its frames are, and where to say which are wanted.
    pub fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// How it is now.
    pub fn status(&self) -> Snapshot {
        self.board.snapshot()
    }

    /// Lets the next packet arrive, and says when that was; None: the clip is over.
    ///
    /// # Errors
    /// The file is damaged, or its pictures can't be decoded.
    pub fn advance(&mut self) -> Result<Option<Now>, Problem> {
        let packet = loop {
            match self.source.next(PATIENCE) {
                Ok(Some(packet)) => break packet,
                Ok(None) => {}
                Err(Problem::EndOfClip) => return Ok(None),
                Err(problem) => return Err(problem),
            }
        };
        let origin = *self.origin.get_or_insert(packet.pts);
        let arrived = Now::in_clip(packet.pts.saturating_sub(origin));
        self.feed.packet(Packet { arrived, ..packet }, arrived)?;
        Ok(Some(arrived))
    }
}
