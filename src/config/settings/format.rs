//! The formats of bodies, and what is known of each without writing one.
//!
//! Owns their names, which events each can say, and which settings go with it; refuses to know how a body is written
//! (`payload/`). Plain data.

use crate::event::EventType;

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Ours, in the Standard Webhooks envelope.
    Stakeout,
    /// Trio's live monitor.
    TrioLiveMonitor,
    /// Trio's stream API.
    TrioStream,
    /// VideoDB's alerts.
    Videodb,
    /// AIOZ Stream's webhooks.
    Aioz,
    /// Slack's incoming webhook.
    Slack,
    /// PagerDuty's Events v2.
    Pagerduty,
    /// A message over SMTP.
    Email,
    /// No message: the clips themselves.
    Upload,
}

impl Format {
    /// Every format there is.
    pub const ALL: [Format; 9] = [
        Format::Stakeout,
        Format::TrioLiveMonitor,
        Format::TrioStream,
        Format::Videodb,
        Format::Aioz,
        Format::Slack,
        Format::Pagerduty,
        Format::Email,
        Format::Upload,
    ];

    /// As in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Stakeout => "stakeout",
            Format::TrioLiveMonitor => "trio-live-monitor",
            Format::TrioStream => "trio-stream",
            Format::Videodb => "videodb",
            Format::Aioz => "aioz",
            Format::Slack => "slack",
            Format::Pagerduty => "pagerduty",
            Format::Email => "email",
            Format::Upload => "upload",
        }
    }

    /// Whether there is a body of this format for events of that type. An endpoint is owed no others.
    pub fn expresses(self, kind: EventType) -> bool {
        match self {
            Format::Stakeout => {
                !matches!(kind, EventType::ClipReceived | EventType::ClipStarted | EventType::ClipPartial)
            }
            Format::Aioz => matches!(
                kind,
                EventType::ClipReceived
                    | EventType::ClipStarted
                    | EventType::ClipPartial
                    | EventType::ClipReady
                    | EventType::ClipFailed
            ),
            Format::TrioLiveMonitor => matches!(kind, EventType::Triggered | EventType::JobStatus),
            Format::Pagerduty => matches!(kind, EventType::Triggered | EventType::Cleared),
            Format::TrioStream | Format::Videodb | Format::Slack | Format::Email => kind == EventType::Triggered,
            Format::Upload => kind == EventType::ClipReady,
        }
    }

    /// Whether requests are signed where there is a secret.
    pub fn is_signed(self) -> bool {
        !matches!(self, Format::Slack | Format::Pagerduty | Format::Email)
    }

    /// Whether its receivers know clips and no alerts: they hear of a clip once, however many alerts it shows.
    pub fn is_about_clips(self) -> bool {
        matches!(self, Format::Aioz | Format::Upload)
    }

    /// Whether it has a place for links to clips.
    pub fn has_links(self) -> bool {
        matches!(self, Format::Stakeout | Format::Videodb)
    }

    /// Whether the end of an alert waits for the alert: its receiver takes one that comes first for the end of nothing, and
    /// has no sequence to tell by.
    pub fn is_told_in_order(self) -> bool {
        self == Format::Pagerduty
    }

    /// What becomes of the frame of a trigger.
    pub fn frame(self) -> FrameRule {
        match self {
            Format::Stakeout | Format::Email => FrameRule::Chosen,
            Format::TrioLiveMonitor => FrameRule::Always,
            Format::TrioStream
            | Format::Videodb
            | Format::Aioz
            | Format::Slack
            | Format::Pagerduty
            | Format::Upload => FrameRule::Never,
        }
    }
}

/// What a format does with the frame of a trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameRule {
    /// As `frame` says.
    Chosen,
    /// It is always sent along.
    Always,
    /// There is no place for it.
    Never,
}
