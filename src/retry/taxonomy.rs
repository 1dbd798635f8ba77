//! The taxonomy: what each outcome of an attempt means, as data.
//!
//! Owns the two tables of contracts/delivery.md ("Taxonomy" and "Retry presets"): `EDGE`, in which what is not the
//! delivery's fault burns nothing, and `STRICT`, in which every failure burns an attempt. A table is read from the top, the
//! first row that fits counts, and the last row fits everything. Refuses to know schedules and delays (`retry`). Pure.

use std::ops::RangeInclusive;

use super::{Circumstances, Progress};
use crate::config::Retry;
use crate::delivery::{DeadReason, HoldReason, Outcome, Step};

/// A row of the taxonomy.
#[derive(Clone, Debug)]
pub struct Row {
    on: On,
    when: When,
    /// What follows.
    pub then: Then,
    /// What the outcome says something about.
    pub scope: Scope,
}

/// Outcomes that a row is about.
#[derive(Clone, Debug)]
enum On {
    Offline,
    NoSuchHost,
    Unreachable,
    CertificateDates,
    Tls,
    Forbidden,
    StaleConnection,
    Malformed,
    NoAnswer,
    OurFault,
    ClipGone,
    /// It arrived.
    Success,
    /// Of HTTP.
    Status(&'static [u16]),
    /// Of HTTP.
    Statuses(RangeInclusive<u16>),
    /// Of a mail server, to that step.
    Replies(Step, RangeInclusive<u16>),
    Anything,
}

/// What else must hold for a row to count.
#[derive(Clone, Copy, Debug)]
enum When {
    Always,
    /// The wall clock cannot be believed: certificates look invalid and receivers refuse our timestamps.
    ClockUnsynced,
    /// The host has not existed for a day, and not counted against a delivery for six hours.
    HostMissingForLong,
    /// The endpoint said so before, a minute ago or longer, and nothing else since.
    SaidBefore,
    /// An earlier attempt may have been received.
    MaybeReceived,
    /// The response says when to come back.
    RetryAfterGiven,
    /// The attempt before ended with the same status.
    SameStatusBefore,
    /// The free re-send is not used up.
    NotYetResent,
    /// The endpoint took another delivery of the same type after it had refused this one.
    OthersDeliveredSince,
}

/// What follows from an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It arrived.
    Delivered,
    /// Burns an attempt; again when the schedule says so, dead when it is used up.
    Schedule,
    /// Burns nothing; again at once on a new connection, one time in a delivery's life.
    ResendAtOnce,
    /// Burns nothing; waits for something outside the delivery.
    Hold(HoldReason),
    /// No use in trying again.
    Dead(DeadReason),
    /// The endpoint takes nothing any more.
    Gone,
}

/// What an outcome says something about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The whole box.
    Box,
    /// The endpoint: other deliveries to it would fare alike.
    Endpoint,
    /// This delivery only.
    Delivery,
}

const fn row(on: On, when: When, then: Then, scope: Scope) -> Row {
    Row { on, when, then, scope }
}

use HoldReason::{Clock, EndpointDown, Throttled};
use When::{
    Always, ClockUnsynced, HostMissingForLong, MaybeReceived, NotYetResent, OthersDeliveredSince, RetryAfterGiven,
    SaidBefore, SameStatusBefore,
};

/// For unattended boxes: presets `edge` and custom.
static EDGE: &[Row] = &[
    row(On::Offline, Always, Then::Hold(HoldReason::Offline), Scope::Box),
    row(On::NoSuchHost, HostMissingForLong, Then::Schedule, Scope::Endpoint),
    row(On::NoSuchHost, Always, Then::Hold(EndpointDown), Scope::Endpoint),
    row(On::Unreachable, Always, Then::Hold(EndpointDown), Scope::Endpoint),
    row(On::CertificateDates, ClockUnsynced, Then::Hold(Clock), Scope::Box),
    row(On::CertificateDates, Always, Then::Hold(EndpointDown), Scope::Endpoint),
    row(On::Tls, Always, Then::Hold(EndpointDown), Scope::Endpoint),
    row(On::Forbidden, Always, Then::Hold(EndpointDown), Scope::Endpoint),
    row(On::StaleConnection, NotYetResent, Then::ResendAtOnce, Scope::Delivery),
    row(On::StaleConnection, Always, Then::Schedule, Scope::Delivery),
    row(On::NoAnswer, Always, Then::Schedule, Scope::Delivery),
    row(On::Malformed, NotYetResent, Then::ResendAtOnce, Scope::Delivery),
    row(On::Malformed, Always, Then::Schedule, Scope::Delivery),
    row(On::OurFault, Always, Then::Dead(DeadReason::Config), Scope::Endpoint),
    row(On::ClipGone, Always, Then::Dead(DeadReason::ClipGone), Scope::Delivery),
    row(On::Success, Always, Then::Delivered, Scope::Delivery),
    row(On::Replies(Step::Letter, 500..=599), OthersDeliveredSince, Then::Dead(DeadReason::Rejected), Scope::Delivery),
    row(On::Replies(Step::Letter, 400..=599), Always, Then::Schedule, Scope::Delivery),
    row(On::Replies(Step::Login, 400..=599), Always, Then::Schedule, Scope::Endpoint),
    row(On::Replies(Step::Session, 400..=599), Always, Then::Schedule, Scope::Endpoint),
    row(On::Statuses(300..=399), Always, Then::Schedule, Scope::Endpoint),
    row(On::Status(&[400, 401, 403]), ClockUnsynced, Then::Hold(Clock), Scope::Box),
    row(On::Status(&[410]), SaidBefore, Then::Gone, Scope::Endpoint),
    row(On::Status(&[401, 403, 404, 405, 407, 410]), Always, Then::Schedule, Scope::Endpoint),
    row(On::Status(&[408, 425]), Always, Then::Schedule, Scope::Delivery),
    row(On::Status(&[409]), MaybeReceived, Then::Delivered, Scope::Delivery),
    row(On::Status(&[409]), Always, Then::Schedule, Scope::Delivery),
    row(On::Status(&[413]), SameStatusBefore, Then::Dead(DeadReason::TooLarge), Scope::Delivery),
    row(On::Status(&[413]), Always, Then::Schedule, Scope::Delivery),
    row(On::Status(&[421]), NotYetResent, Then::ResendAtOnce, Scope::Delivery),
    row(On::Status(&[421]), Always, Then::Schedule, Scope::Delivery),
    row(On::Status(&[429]), Always, Then::Hold(Throttled), Scope::Endpoint),
    row(On::Statuses(400..=499), OthersDeliveredSince, Then::Dead(DeadReason::Rejected), Scope::Delivery),
    row(On::Statuses(400..=499), Always, Then::Schedule, Scope::Delivery),
    row(On::Status(&[503]), RetryAfterGiven, Then::Hold(Throttled), Scope::Endpoint),
    row(On::Status(&[501, 505]), SameStatusBefore, Then::Dead(DeadReason::Rejected), Scope::Delivery),
    row(On::Anything, Always, Then::Schedule, Scope::Delivery),
];

/// For receivers that count attempts: presets `trio`, `aioz` and `standard`. Only what is the whole box's trouble burns
/// nothing.
static STRICT: &[Row] = &[
    row(On::Offline, Always, Then::Hold(HoldReason::Offline), Scope::Box),
    row(On::CertificateDates, ClockUnsynced, Then::Hold(Clock), Scope::Box),
    row(On::OurFault, Always, Then::Dead(DeadReason::Config), Scope::Endpoint),
    row(On::ClipGone, Always, Then::Dead(DeadReason::ClipGone), Scope::Delivery),
    row(On::Success, Always, Then::Delivered, Scope::Delivery),
    row(On::Status(&[400, 401, 403]), ClockUnsynced, Then::Hold(Clock), Scope::Box),
    row(On::Anything, Always, Then::Schedule, Scope::Delivery),
];

/// The row that counts for `outcome`.
pub fn row_for(retry: &Retry, progress: &Progress, outcome: &Outcome, circumstances: &Circumstances) -> &'static Row {
    let table = if acts_on_endpoint(retry) { EDGE } else { STRICT };
    let fits = |row: &&Row| row.on.fits(outcome) && row.when.holds(progress, outcome, circumstances);
    table.iter().find(fits).expect("the last row fits everything")
}

/// Whether the breaker and the throttle act: in `edge` and custom schedules.
pub fn acts_on_endpoint(retry: &Retry) -> bool {
    matches!(retry, Retry::Edge | Retry::Custom { .. })
}

impl On {
    fn fits(&self, outcome: &Outcome) -> bool {
        match self {
            On::Offline => *outcome == Outcome::Offline,
            On::NoSuchHost => *outcome == Outcome::NoSuchHost,
            On::Unreachable => *outcome == Outcome::Unreachable,
            On::CertificateDates => *outcome == Outcome::CertificateDates,
            On::Tls => *outcome == Outcome::Tls,
            On::Forbidden => *outcome == Outcome::Forbidden,
            On::StaleConnection => *outcome == Outcome::StaleConnection,
            On::Malformed => *outcome == Outcome::Malformed,
            On::NoAnswer => *outcome == Outcome::NoAnswer,
            On::OurFault => *outcome == Outcome::OurFault,
            On::ClipGone => *outcome == Outcome::ClipGone,
            On::Success => outcome.is_success(),
            On::Status(list) => matches!(outcome, Outcome::Status { status, .. } if list.contains(status)),
            On::Statuses(range) => matches!(outcome, Outcome::Status { status, .. } if range.contains(status)),
            On::Replies(step, range) => {
                matches!(outcome, Outcome::Reply { code, to } if to == step && range.contains(code))
            }
            On::Anything => true,
        }
    }
}

impl When {
    fn holds(self, progress: &Progress, outcome: &Outcome, circumstances: &Circumstances) -> bool {
        match self {
            When::Always => true,
            When::ClockUnsynced => !circumstances.clock_synced,
            When::HostMissingForLong => circumstances.host_missing_for_long,
            When::SaidBefore => circumstances.gone_before,
            When::MaybeReceived => progress.maybe_received,
            When::RetryAfterGiven => matches!(outcome, Outcome::Status { retry_after: Some(_), .. }),
            When::SameStatusBefore => outcome.status().is_some() && progress.last_status == outcome.status(),
            When::NotYetResent => progress.resent() == 0,
            When::OthersDeliveredSince => circumstances.others_delivered_since,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn then(retry: &Retry, outcome: Outcome) -> Then {
        row_for(retry, &Progress::default(), &outcome, &Circumstances::default()).then
    }

    fn status(status: u16) -> Outcome {
        Outcome::Status { status, retry_after: None }
    }

    #[test]
    fn edge_burns_only_what_reached_the_receiver() {
        for (outcome, expected) in [
            (Outcome::Offline, Then::Hold(HoldReason::Offline)),
            (Outcome::NoSuchHost, Then::Hold(EndpointDown)),
            (Outcome::Unreachable, Then::Hold(EndpointDown)),
            (Outcome::Tls, Then::Hold(EndpointDown)),
            (Outcome::CertificateDates, Then::Hold(EndpointDown)),
            (Outcome::Forbidden, Then::Hold(EndpointDown)),
            (Outcome::StaleConnection, Then::ResendAtOnce),
            (Outcome::NoAnswer, Then::Schedule),
            (Outcome::Malformed, Then::ResendAtOnce),
            (Outcome::OurFault, Then::Dead(DeadReason::Config)),
            (Outcome::ClipGone, Then::Dead(DeadReason::ClipGone)),
        ] {
            assert_eq!(then(&Retry::Edge, outcome.clone()), expected, "{outcome:?}");
        }
        for delivered in [200, 201, 202, 204, 299] {
            assert_eq!(then(&Retry::Edge, status(delivered)), Then::Delivered, "{delivered}");
        }
        for scheduled in [301, 400, 401, 404, 408, 409, 410, 413, 418, 422, 425, 500, 501, 502, 503, 504, 505, 599, 999]
        {
            assert_eq!(then(&Retry::Edge, status(scheduled)), Then::Schedule, "{scheduled}");
        }
        assert_eq!(then(&Retry::Edge, status(421)), Then::ResendAtOnce);
        assert_eq!(then(&Retry::Edge, status(429)), Then::Hold(Throttled));
        let busy = Outcome::Status { status: 503, retry_after: Some(std::time::Duration::from_secs(9)) };
        assert_eq!(then(&Retry::Edge, busy), Then::Hold(Throttled));
    }

    #[test]
    fn a_mail_server_refuses_for_now_or_for_good() {
        let reply = |code, to| Outcome::Reply { code, to };
        for (outcome, expected) in [
            (reply(250, Step::Letter), Then::Delivered),
            (reply(450, Step::Letter), Then::Schedule),
            (reply(421, Step::Letter), Then::Schedule),
            (reply(550, Step::Letter), Then::Schedule),
            (reply(554, Step::Letter), Then::Schedule),
            (reply(535, Step::Login), Then::Schedule),
            (reply(454, Step::Login), Then::Schedule),
            (reply(554, Step::Session), Then::Schedule),
            (reply(421, Step::Session), Then::Schedule),
            (reply(250, Step::Session), Then::Schedule),
        ] {
            assert_eq!(then(&Retry::Edge, outcome.clone()), expected, "{outcome:?}");
            let strict = if expected == Then::Delivered { Then::Delivered } else { Then::Schedule };
            assert_eq!(then(&Retry::Trio, outcome.clone()), strict, "{outcome:?}");
        }
        let others = Circumstances { others_delivered_since: true, ..Circumstances::default() };
        for (code, expected) in [(450, Then::Schedule), (550, Then::Dead(DeadReason::Rejected))] {
            let row = row_for(&Retry::Edge, &Progress::default(), &reply(code, Step::Letter), &others);
            assert_eq!(row.then, expected, "only then it is this letter: {code}");
        }
        let unsynced = Circumstances { clock_synced: false, ..Circumstances::default() };
        let row = row_for(&Retry::Edge, &Progress::default(), &reply(535, Step::Login), &unsynced);
        assert_eq!((row.then, row.scope), (Then::Schedule, Scope::Endpoint), "a login has nothing to do with clocks");
    }

    #[test]
    fn strict_presets_burn_on_everything_but_the_box_being_offline() {
        for retry in [Retry::Trio, Retry::Aioz, Retry::Standard] {
            assert_eq!(then(&retry, Outcome::Offline), Then::Hold(HoldReason::Offline));
            assert_eq!(then(&retry, status(204)), Then::Delivered);
            assert_eq!(then(&retry, Outcome::OurFault), Then::Dead(DeadReason::Config));
            assert_eq!(then(&retry, Outcome::ClipGone), Then::Dead(DeadReason::ClipGone));
            for outcome in [Outcome::NoSuchHost, Outcome::Unreachable, Outcome::Tls, Outcome::NoAnswer] {
                assert_eq!(then(&retry, outcome), Then::Schedule);
            }
            for failed in [302, 400, 409, 421, 429, 500, 503] {
                assert_eq!(then(&retry, status(failed)), Then::Schedule);
            }
        }
    }

    #[test]
    fn what_else_counts() {
        let edge = |progress: Progress, circumstances: Circumstances, outcome: Outcome| {
            row_for(&Retry::Edge, &progress, &outcome, &circumstances).then
        };
        let unsynced = Circumstances { clock_synced: false, ..Circumstances::default() };
        for outcome in [status(400), status(401), status(403), Outcome::CertificateDates] {
            assert_eq!(edge(Progress::default(), unsynced, outcome), Then::Hold(Clock));
        }
        assert_eq!(edge(Progress::default(), unsynced, status(404)), Then::Schedule);

        let missing = Circumstances { host_missing_for_long: true, ..Circumstances::default() };
        assert_eq!(edge(Progress::default(), missing, Outcome::NoSuchHost), Then::Schedule);
        let before = Circumstances { gone_before: true, ..Circumstances::default() };
        assert_eq!(edge(Progress::default(), before, status(410)), Then::Gone);
        assert_eq!(edge(Progress::default(), before, status(404)), Then::Schedule);

        let received = Progress { maybe_received: true, ..Progress::default() };
        assert_eq!(edge(received, Circumstances::default(), status(409)), Then::Delivered);

        let before = |status| Progress { attempts: 1, tries: 1, last_status: Some(status), ..Progress::default() };
        assert_eq!(edge(before(413), Circumstances::default(), status(413)), Then::Dead(DeadReason::TooLarge));
        assert_eq!(edge(before(500), Circumstances::default(), status(413)), Then::Schedule);
        assert_eq!(edge(before(501), Circumstances::default(), status(501)), Then::Dead(DeadReason::Rejected));

        let resent = Progress { tries: 2, attempts: 1, ..Progress::default() };
        assert_eq!(edge(resent, Circumstances::default(), Outcome::Malformed), Then::Schedule);

        let others = Circumstances { others_delivered_since: true, ..Circumstances::default() };
        assert_eq!(edge(Progress::default(), others, status(422)), Then::Dead(DeadReason::Rejected));
        assert_eq!(
            edge(Progress::default(), others, status(404)),
            Then::Schedule,
            "a wrong address is no wrong content"
        );
    }
}
