//! What the journal has to say, said by events: it dropped something, it began anew.
//!
//! Owns the making of such an event, owed to every endpoint that wants its type; refuses to know when there is something to
//! say (`journal` does). Runs on tokio, with the housekeeping.

use super::scribe::Scribe;
use crate::event::{EventData, Priority};
use crate::journal::{self, Accepted, Notice, Record};
use crate::time::Now;

/// Who says it, to whom.
pub(super) struct Notices {
    /// Where it is recorded, and where free space is looked for.
    pub(super) scribe: Scribe,
}

impl Notices {
    /// Records an event for each notice that is due.
    ///
    /// # Errors
    /// The journal's; the notice is said the next time.
    pub(super) async fn state(&self, now: Now) -> Result<(), journal::Error> {
        for notice in self.scribe.writer.notices(now).await? {
            let record = Record { at: now, events: vec![self.event(&notice, now)], machine: None, jobs: Vec::new() };
            self.scribe.writer.announce(&notice, record).await?;
            tracing::warn!(event = notice.data.kind().as_str(), "announced");
        }
        Ok(())
    }

    fn event(&self, notice: &Notice, now: Now) -> Accepted {
        let mut data = notice.data.clone();
        if let EventData::JournalOverflow(overflow) = &mut data {
            overflow.free_bytes = journal::free_bytes(&self.scribe.storage.path).unwrap_or(0);
        }
        let event = self.scribe.event_of_the_box(data, Priority::High, now);
        self.scribe.accepted(event)
    }
}
