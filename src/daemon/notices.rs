//! What the journal has to say, said by events: it dropped something, it began anew.
//!
//! Owns the making of such an event, owed to every endpoint that wants its type; refuses to know when there is something to
//! say (`journal` does). Runs on tokio, with the housekeeping.

use super::scribe::Scribe;
use crate::event::{EventData, JournalOverflow, JournalReset, Priority};
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
            tracing::warn!(event = notice.data.kind().as_str(), lost = losses(&notice.data), "announced");
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

/// What it is about, in words: another loss is another line of log, however soon it follows.
fn losses(data: &EventData) -> String {
    let told: Vec<String> = match data {
        EventData::JournalOverflow(JournalOverflow { dropped, .. }) => dropped
            .iter()
            .map(|it| format!("{} of {} to `{}` ({}-{})", it.count, it.priority.as_str(), it.endpoint, it.from, it.to))
            .collect(),
        EventData::JournalReset(JournalReset { lost, .. }) => {
            lost.iter().map(|it| format!("`{}` ({}-{})", it.endpoint, it.from, it.to)).collect()
        }
        _ => Vec::new(),
    };
    told.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{DroppedRange, SequenceRange};
    use crate::name::Name;

    #[test]
    fn each_loss_has_words_of_its_own() {
        let overflow = |from, to| {
            let endpoint = Name::new("ops").unwrap();
            let dropped = vec![DroppedRange { endpoint, priority: Priority::Low, from, to, count: 1 + to - from }];
            losses(&EventData::JournalOverflow(JournalOverflow { dropped, free_bytes: 7 }))
        };
        assert_eq!([overflow(1, 4), overflow(5, 8)], ["4 of low to `ops` (1-4)", "4 of low to `ops` (5-8)"]);
        let lost = vec![SequenceRange { endpoint: Name::new("ops").unwrap(), from: 2, to: 3 }];
        let reset = JournalReset { salvaged: 1, lost, previous_epoch: None };
        assert_eq!(losses(&EventData::JournalReset(reset)), "`ops` (2-3)");
    }
}
