//! Which warnings and errors say nothing new.
//!
//! Owns the memory of what was said: a line that says the same again is counted and summed up. Refuses to know how lines
//! are written (`sparing`). Pure, time is an argument: runs on whichever thread logs, behind a lock.
//!
//! - The same are lines of one callsite with the same texts in all of their fields. Numbers and ids of single things
//!   (`id`, `delivery`, `job`, `frame`) may differ. So a different error is never taken for a repetition. Whoever tells of a
//!   loss says what was lost in a text of another name.
//! - Once it has been silent about a line for ten minutes, or when something new is said about the same thing at the same
//!   callsite, it says how often the line came.
//! - A better word about a camera, a monitor, an endpoint or a model (a line of information) ends what it has repeated: if
//!   that comes back, it is news.
//! - So many different lines are remembered; then the one that was said the longest ago is forgotten, and may be said
//!   again.

use std::time::Duration;

use tracing::Metadata;
use tracing::callsite::Identifier;
use tracing::level_filters::LevelFilter;

use super::said::Said;
use crate::time::Mono;

/// A repeated line is summed up this often.
const WINDOW: Duration = Duration::from_secs(10 * 60);

/// So many different lines are remembered.
const MOST: usize = 256;

/// A text longer than this is not remembered, so it is always said.
const LONGEST: usize = 4096;

/// Fields that tell of whom a line speaks.
const WHOM: [&str; 4] = ["camera", "monitor", "endpoint", "model"];

/// Fields that name a single thing: the same trouble with the next one is the same trouble.
const SINGLE: [&str; 4] = ["id", "delivery", "job", "frame"];

/// The lines that were said lately.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    /// The one said the longest ago first.
    lines: Vec<Line>,
}

/// A warning or an error.
#[derive(Debug)]
struct Line {
    metadata: &'static Metadata<'static>,
    /// All of its texts but those of [`SINGLE`].
    texts: String,
    whom: String,
    message: String,
    /// When it was said, or summed up.
    said: Mono,
    /// Times that it came since.
    more: u64,
    /// As it came last.
    last: Said,
}

/// A line to be written instead of many.
#[derive(Debug)]
pub(super) struct Summary {
    /// Whose callsite it has.
    pub(super) metadata: &'static Metadata<'static>,
    /// With the fields of the latest.
    pub(super) said: Said,
}

/// What is to be done with a line.
#[derive(Debug)]
pub(super) struct Heard {
    /// To be written first.
    pub(super) summaries: Vec<Summary>,
    /// Whether the line is to be written.
    pub(super) is_news: bool,
}

impl Repeats {
    /// A line came.
    pub(super) fn hear(&mut self, metadata: &'static Metadata<'static>, said: Said, now: Mono) -> Heard {
        let mut line = Line::new(metadata, said, now);
        if *metadata.level() > LevelFilter::WARN {
            return Heard {
                summaries: self.take(|it| !line.whom.is_empty() && it.whom == line.whom, now),
                is_news: true,
            };
        }
        let mut summaries = self.sum_up(now);
        if line.texts.len() > LONGEST {
            return Heard { summaries, is_news: true };
        }
        if let Some(known) = self.lines.iter_mut().find(|it| it.is_same(&line)) {
            known.more += 1;
            std::mem::swap(&mut known.last, &mut line.last);
            return Heard { summaries, is_news: false };
        }
        let replaced = |it: &Line| it.callsite() == line.callsite() && it.whom == line.whom;
        summaries.extend(self.lines.iter_mut().filter(|it| replaced(it)).filter_map(|it| it.sum_up(now)));
        self.lines.push(line);
        if self.lines.len() > MOST {
            summaries.extend(self.lines.remove(0).sum_up(now));
        }
        Heard { summaries, is_news: true }
    }

    /// Sums up what has come again and again for a while; what has not is forgotten.
    pub(super) fn sum_up(&mut self, now: Mono) -> Vec<Summary> {
        let (over, fresh): (Vec<Line>, Vec<Line>) =
            std::mem::take(&mut self.lines).into_iter().partition(|it| now.since(it.said) >= WINDOW);
        self.lines = fresh;
        let mut summaries = Vec::new();
        for mut line in over {
            if let Some(summary) = line.sum_up(now) {
                summaries.push(summary);
                self.lines.push(line);
            }
        }
        summaries
    }

    /// Sums up everything, and forgets it.
    pub(super) fn end(&mut self, now: Mono) -> Vec<Summary> {
        self.take(|_| true, now)
    }

    fn take(&mut self, which: impl Fn(&Line) -> bool, now: Mono) -> Vec<Summary> {
        self.lines.extract_if(.., |it| which(it)).filter_map(|mut it| it.sum_up(now)).collect()
    }
}

impl Line {
    fn new(metadata: &'static Metadata<'static>, said: Said, now: Mono) -> Line {
        let all = said.texts(metadata);
        let joined = |wanted: &dyn Fn(&str) -> bool| {
            let wanted = all.iter().filter(|(name, _)| wanted(name));
            wanted.map(|(name, text)| format!("{name}\0{text}\0")).collect::<String>()
        };
        let message = all.iter().find(|(name, _)| *name == "message").map(|(_, text)| text.clone());
        Line {
            metadata,
            texts: joined(&|name| !SINGLE.contains(&name)),
            whom: joined(&|name| WHOM.contains(&name)),
            message: message.unwrap_or_default(),
            said: now,
            more: 0,
            last: said,
        }
    }

    fn callsite(&self) -> Identifier {
        self.metadata.callsite()
    }

    fn is_same(&self, other: &Line) -> bool {
        self.callsite() == other.callsite() && self.texts == other.texts
    }

    /// None: it came once.
    fn sum_up(&mut self, now: Mono) -> Option<Summary> {
        let (more, passed) = (std::mem::take(&mut self.more), now.since(std::mem::replace(&mut self.said, now)));
        if more == 0 {
            return None;
        }
        let times = if more == 1 { "once".to_owned() } else { format!("{more} times") };
        let message = format!("… {times} more in the last {}: {}", rough(passed), self.message);
        Some(Summary { metadata: self.metadata, said: std::mem::take(&mut self.last).reworded(self.metadata, message) })
    }
}

fn rough(passed: Duration) -> String {
    match passed.as_secs() {
        seconds @ 0..120 => format!("{} s", seconds.max(1)),
        seconds => format!("{} min", (seconds + 30) / 60),
    }
}
