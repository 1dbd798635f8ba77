//! What a heartbeat accounts for, and when the next one is due.
//!
//! Owns the counting between two heartbeats and the rule that they are seamless for each endpoint: each accounts for the
//! time from the end of the one before that the same endpoint was owed. Refuses to know where the figures come from and
//! how one is told. Pure: time is an argument, and an account is closed once what it says is on stable storage.
//!
//! - One rhythm for the whole box, counted from the latest heartbeat in the journal: a box that starts anew every few
//!   minutes still says so. A box that has none says its first one at once, and so does one that was off for longer than
//!   an interval; what was missed is never caught up on by more than one.
//! - An endpoint is owed one heartbeat at most. While it waits for delivery no other one is made for that endpoint, so
//!   that an outage of days leaves one behind, not thousands; the next one accounts for all the time since. No sequence
//!   number is taken back for that: numbers stay gapless.
//! - What a process has counted is lost with it. A heartbeat then says less than was watched, never more, and its
//!   `uptime_s` is shorter than its `interval_s`. For the same reason a monitor that comes counts from when it was seen
//!   first: what its job did before may be of another interval.
//! - A check without an answer is none: a box whose model fails all the time has watched nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use uuid::Uuid;

use crate::event::{Counters, SkipReason};
use crate::name::Name;
use crate::time::{Boot, Deadline, Now};

/// A moment that can be told from another boot's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// By both clocks.
    pub at: Now,
    /// Of which boot.
    pub boot: Boot,
}

impl Moment {
    /// How long ago it was. By the monotonic clock within a boot; after a reboot by the wall clock, where both of its
    /// readings can be believed. None: nobody can tell.
    pub fn age(&self, now: Now, boot: Boot) -> Option<Duration> {
        if self.boot == boot {
            return Some(now.mono.since(self.at.mono));
        }
        (self.at.synced && now.synced && now.wall >= self.at.wall).then(|| now.wall.since(self.at.wall))
    }
}

/// When the next heartbeat is due.
#[derive(Clone, Copy, Debug)]
pub struct Rhythm {
    interval: Duration,
    /// None: at once.
    next: Option<Deadline>,
}

impl Rhythm {
    /// Goes on from the latest heartbeat in the journal.
    pub fn after(latest: Option<Moment>, interval: Duration, now: Now, boot: Boot) -> Rhythm {
        let next = latest.map(|it| Deadline::after(it.at, interval).save(it.at, it.boot).load(now, boot));
        Rhythm { interval, next }
    }

    /// Whether one is due.
    pub fn is_due(&self, now: Now) -> bool {
        self.next.is_none_or(|next| next.passed(now))
    }

    /// One was told.
    pub fn told(&mut self, now: Now) {
        self.next = Some(Deadline::after(now, self.interval));
    }
}

/// A monitor on a camera.
pub type Pair = (Name, Name);

/// How far the counters of the box have come. Whoever counts may begin anew, a camera that was changed for instance.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    /// Pictures decoded, by camera.
    pub frames: BTreeMap<Name, u64>,
    /// What was done by the latest job of each monitor on each camera.
    pub checks: BTreeMap<Pair, JobCounts>,
}

/// What a job has counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobCounts {
    /// Which job.
    pub job: Option<Uuid>,
    /// As it counts.
    pub work: Work,
}

/// Checks, and frames that were not checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Checks that a model has answered.
    pub checks: u64,
    /// Frames seen but not checked, by reason.
    pub skipped: BTreeMap<SkipReason, u64>,
}

impl Work {
    /// What a job's counters say of it.
    pub fn of(counters: &Counters) -> Work {
        let checks = counters.checks_performed.saturating_sub(counters.verdict_errors);
        Work { checks, skipped: counters.frames_skipped.clone() }
    }
}

/// What was counted over a while.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// Pictures decoded, by camera.
    pub frames: BTreeMap<Name, u64>,
    /// What was done by monitors.
    pub work: BTreeMap<Pair, Work>,
}

impl Watched {
    /// What was counted between two looks.
    fn between(before: &Counted, after: &Counted) -> Watched {
        let frames = after.frames.iter().map(|(camera, frames)| {
            let counted_before = before.frames.get(camera).copied().unwrap_or_default();
            (camera.clone(), since(counted_before, *frames))
        });
        let nothing = Work::default();
        let work = after.checks.iter().map(|(pair, job)| {
            // Who was away for a moment may come back with a job of long ago.
            let before = match before.checks.get(pair) {
                None => &job.work,
                Some(it) if it.job == job.job => &it.work,
                Some(_) => &nothing,
            };
            let skipped_before = |reason| before.skipped.get(reason).copied().unwrap_or_default();
            let skipped = job.work.skipped.iter().map(|(reason, n)| (*reason, since(skipped_before(reason), *n)));
            let checks = since(before.checks, job.work.checks);
            (pair.clone(), Work { checks, skipped: skipped.filter(|(_, n)| *n > 0).collect() })
        });
        Watched { frames: frames.collect(), work: work.collect() }
    }

    fn add(&mut self, more: &Watched) {
        for (camera, frames) in &more.frames {
            *self.frames.entry(camera.clone()).or_default() += frames;
        }
        for (pair, work) in &more.work {
            let sum = self.work.entry(pair.clone()).or_default();
            sum.checks += work.checks;
            for (reason, n) in &work.skipped {
                *sum.skipped.entry(*reason).or_default() += n;
            }
        }
    }
}

/// A counter that is less than it was has begun anew.
fn since(before: u64, after: u64) -> u64 {
    if after < before { after } else { after - before }
}

/// One account for each endpoint that is told.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    latest: Option<Counted>,
    open: BTreeMap<Name, Account>,
}

#[derive(Clone, Debug)]
struct Account {
    since: Moment,
    watched: Watched,
    /// The delivery that it was owed last, and that may still wait.
    owed: Option<Uuid>,
}

/// A heartbeat to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// To whom.
    pub endpoints: Vec<Name>,
    /// From when on.
    pub since: Moment,
    /// What was counted since.
    pub watched: Watched,
}

impl Accounts {
    /// Whether nothing was counted yet.
    pub fn is_fresh(&self) -> bool {
        self.latest.is_none()
    }

    /// Whether `endpoint` has an account.
    pub fn knows(&self, endpoint: &Name) -> bool {
        self.open.contains_key(endpoint)
    }

    /// From now on `endpoint` is told what is watched `since`; the latest that it was owed is that delivery.
    pub fn open(&mut self, endpoint: Name, since: Moment, owed: Option<Uuid>) {
        self.open.insert(endpoint, Account { since, watched: Watched::default(), owed });
    }

    /// Others are no longer told.
    pub fn keep_only(&mut self, endpoints: &[Name]) {
        self.open.retain(|endpoint, _| endpoints.contains(endpoint));
    }

    /// The delivery that `endpoint` was owed last, unless it is known to be over.
    pub fn owed(&self, endpoint: &Name) -> Option<Uuid> {
        self.open.get(endpoint)?.owed
    }

    /// It is over: another one may follow.
    pub fn settled(&mut self, endpoint: &Name) {
        if let Some(account) = self.open.get_mut(endpoint) {
            account.owed = None;
        }
    }

    /// Takes a look at the counters. What jobs of former processes have done is not this one's work: the first look at each
    /// only tells where counting begins.
    pub fn look(&mut self, counted: Counted) {
        let more = Watched::between(&self.latest.take().unwrap_or_default(), &counted);
        self.open.values_mut().for_each(|account| account.watched.add(&more));
        self.latest = Some(counted);
    }

    /// What is to be told to those for whom nothing waits, one heartbeat for all whose time is the same.
    pub fn due(&self, may_get: impl Fn(&Name) -> bool) -> Vec<Due> {
        let mut all: Vec<Due> = Vec::new();
        for (endpoint, account) in self.open.iter().filter(|(endpoint, it)| it.owed.is_none() && may_get(endpoint)) {
            let same = |due: &&mut Due| due.since == account.since && due.watched == account.watched;
            match all.iter_mut().find(same) {
                Some(due) => due.endpoints.push(endpoint.clone()),
                None => all.push(Due {
                    endpoints: vec![endpoint.clone()],
                    since: account.since,
                    watched: account.watched.clone(),
                }),
            }
        }
        all
    }

    /// That was recorded: from there on counts what comes.
    pub fn told(&mut self, endpoint: &Name, at: Moment, delivery: Uuid) {
        if let Some(account) = self.open.get_mut(endpoint) {
            *account = Account { since: at, watched: Watched::default(), owed: Some(delivery) };
        }
    }
}

#[cfg(test)]
mod tests;
