//! Deliveries: one event owed to one endpoint, and what became of each attempt.
//!
//! Owns the states, the reasons and the outcomes by name; refuses to know when to try again (`retry`), how to send
//! (`transport/`) and how it is kept (`journal/`).

use std::time::Duration;

/// Where a delivery stands (contracts/delivery.md, "States of a delivery"). In flight is not a state: it is memory only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Not tried yet, or re-driven.
    Pending,
    /// An attempt was burnt; the next one is scheduled.
    RetryWait,
    /// Something outside the delivery stands in the way; no attempt was burnt.
    Held,
    /// The receiver answered 2xx.
    Delivered,
    /// Ended without success; listed, re-drivable.
    Dead,
    /// Too old to be of use.
    Expired,
    /// Dropped for quota.
    DroppedQuota,
    /// The endpoint said 410.
    SkippedGone,
}

impl State {
    /// Every state there is.
    pub const ALL: [State; 8] = [
        State::Pending,
        State::RetryWait,
        State::Held,
        State::Delivered,
        State::Dead,
        State::Expired,
        State::DroppedQuota,
        State::SkippedGone,
    ];

    /// As in the journal and in JSON lines.
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::RetryWait => "retry_wait",
            State::Held => "held",
            State::Delivered => "delivered",
            State::Dead => "dead",
            State::Expired => "expired",
            State::DroppedQuota => "dropped_quota",
            State::SkippedGone => "skipped_gone",
        }
    }

    /// The state of that name.
    pub fn parse(text: &str) -> Option<State> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether it ended without success: a dead letter.
    pub fn is_dead_letter(self) -> bool {
        !self.is_open() && self != State::Delivered
    }

    /// Whether it is still owed.
    pub fn is_open(self) -> bool {
        matches!(self, State::Pending | State::RetryWait | State::Held)
    }
}

/// Why a delivery is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HoldReason {
    /// The box has no way out.
    Offline,
    /// The endpoint does not answer at all.
    EndpointDown,
    /// The endpoint asked us to slow down.
    Throttled,
    /// The wall clock cannot be believed yet.
    Clock,
    /// The operator disabled the endpoint.
    Paused,
}

impl HoldReason {
    /// Every reason there is.
    pub const ALL: [HoldReason; 5] =
        [HoldReason::Offline, HoldReason::EndpointDown, HoldReason::Throttled, HoldReason::Clock, HoldReason::Paused];

    /// As in the journal and in JSON lines.
    pub fn as_str(self) -> &'static str {
        match self {
            HoldReason::Offline => "offline",
            HoldReason::EndpointDown => "endpoint_down",
            HoldReason::Throttled => "throttled",
            HoldReason::Clock => "clock",
            HoldReason::Paused => "paused",
        }
    }
}

/// Why a delivery is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeadReason {
    /// The schedule is used up.
    Exhausted,
    /// The receiver refuses the content.
    Rejected,
    /// The receiver says that the body is too large.
    TooLarge,
    /// Our own fault: it cannot be sent as configured.
    Config,
    /// It took the daemon down with it.
    Poison,
    /// An operator dropped it.
    DroppedByHand,
    /// The clip that was to be sent is gone: deleted, or for want of room.
    ClipGone,
}

impl DeadReason {
    /// Every reason there is.
    pub const ALL: [DeadReason; 7] = [
        DeadReason::Exhausted,
        DeadReason::Rejected,
        DeadReason::TooLarge,
        DeadReason::Config,
        DeadReason::Poison,
        DeadReason::DroppedByHand,
        DeadReason::ClipGone,
    ];

    /// As in the journal and in JSON lines.
    pub const fn as_str(self) -> &'static str {
        match self {
            DeadReason::Exhausted => "exhausted",
            DeadReason::Rejected => "rejected",
            DeadReason::TooLarge => "too_large",
            DeadReason::Config => "config",
            DeadReason::Poison => "poison",
            DeadReason::DroppedByHand => "dropped_by_hand",
            DeadReason::ClipGone => "clip_gone",
        }
    }
}

/// What became of one attempt, as far as the wire tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A status line arrived.
    Status {
        /// The HTTP status.
        status: u16,
        /// `Retry-After` as a delay; a date was measured against the response's own `Date`.
        retry_after: Option<Duration>,
    },
    /// A mail server answered.
    Reply {
        /// The code of RFC 5321: 250, 450, 550.
        code: u16,
        /// To what.
        to: Step,
    },
    /// No route, interface down, resolver unreachable: the box is offline.
    Offline,
    /// The host name does not exist.
    NoSuchHost,
    /// DNS failure, refused, reset or timed out before anything was sent; of a letter: before its text was.
    Unreachable,
    /// The certificate is not valid yet, or no longer, by our clock.
    CertificateDates,
    /// TLS could not be agreed upon for another reason: an unknown issuer, a wrong name, an alert, no TLS at all.
    Tls,
    /// Every address of the host is one that the egress rules forbid; nothing was sent.
    Forbidden,
    /// The request went out on a connection that was kept open, and that broke before a status came: mostly the receiver
    /// had just closed it.
    StaleConnection,
    /// The request was sent, and no status came in time, or the connection broke: it may have been received.
    NoAnswer,
    /// What came back is not HTTP, or not SMTP.
    Malformed,
    /// It cannot be sent as configured: an invalid header, an unsupported URL.
    OurFault,
    /// There is nothing left to send: the clip's file is gone.
    ClipGone,
}

/// How far a mail server let us come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The greeting, EHLO, STARTTLS, MAIL: whether it has to do with us at all.
    Session,
    /// AUTH: whether it believes that we are who we say.
    Login,
    /// RCPT, DATA and the letter itself.
    Letter,
}

impl Outcome {
    /// The class, as in the journal.
    pub fn class(&self) -> &'static str {
        match self {
            outcome if outcome.is_success() => "delivered",
            Outcome::Status { .. } | Outcome::Reply { .. } => "status",
            Outcome::Offline => "offline",
            Outcome::NoSuchHost => "no_such_host",
            Outcome::Unreachable => "unreachable",
            Outcome::CertificateDates => "certificate_dates",
            Outcome::Tls => "tls",
            Outcome::Forbidden => "forbidden",
            Outcome::StaleConnection => "stale_connection",
            Outcome::NoAnswer => "no_answer",
            Outcome::Malformed => "malformed",
            Outcome::OurFault => "our_fault",
            Outcome::ClipGone => "clip_gone",
        }
    }

    /// Whether the receiver took it.
    pub fn is_success(&self) -> bool {
        matches!(self, Outcome::Status { status: 200..=299, .. } | Outcome::Reply { code: 200..=299, to: Step::Letter })
    }

    /// The HTTP status or the code of a mail server, if one arrived.
    pub fn status(&self) -> Option<u16> {
        match self {
            Outcome::Status { status, .. } => Some(*status),
            Outcome::Reply { code, .. } => Some(*code),
            _ => None,
        }
    }
}

/// One POST of a delivery, one letter or one conversation about a clip, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// What became of it.
    pub outcome: Outcome,
    /// From the start of connecting to the status line, or to the failure.
    pub took: Duration,
    /// For people: the cause chain of a failure, without secrets; of a success, what is wrong with it all the same.
    pub error: Option<String>,
    /// The beginning of the response's body, at most 1 KiB.
    pub snippet: Option<String>,
}
