//! What becomes of a clip, as its alerts' receivers are told.
//!
//! Owns the data of these events; refuses to know how a clip is recorded and kept. Plain data.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::EventType;
use crate::time::Wall;

/// How far a clip has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClipStage {
    /// There is a file for it.
    Received,
    /// It is being recorded.
    Started,
    /// Its first part can be played.
    Partial,
    /// It is whole.
    Ready,
    /// Nothing came of it.
    Failed,
}

impl ClipStage {
    /// The type of event that tells of it.
    pub fn kind(self) -> EventType {
        match self {
            ClipStage::Received => EventType::ClipReceived,
            ClipStage::Started => EventType::ClipStarted,
            ClipStage::Partial => EventType::ClipPartial,
            ClipStage::Ready => EventType::ClipReady,
            ClipStage::Failed => EventType::ClipFailed,
        }
    }
}

/// `clip.ready` and the others: what became of the clip of an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClipReport {
    /// How far it has come.
    pub stage: ClipStage,
    /// The clip.
    pub clip: Uuid,
    /// The id of the alert that it shows. Its repeats are shown with it.
    pub alert: Uuid,
    /// When that was observed.
    pub alerted: Wall,
    /// Lines of the clip's picture, where that is known.
    pub height: Option<u32>,
    /// A link to its file; empty where nobody can be told any, or there is none.
    pub url: String,
    /// A link to the page that plays it; empty as well.
    pub player_url: String,
    /// How long it plays, once it is ready.
    pub duration_ms: u64,
    /// Of its file.
    pub bytes: u64,
    /// Of its file, lower-case hex; empty until it is ready.
    pub sha256: String,
}

/// The clip of an alert, as the alert knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertClip {
    /// The clip.
    pub id: Uuid,
    /// A link to its playlist, which bodies are told and rows don't keep; empty where nobody can be told any.
    #[serde(skip)]
    pub stream_url: String,
    /// A link to the page that plays it, the same way.
    #[serde(skip)]
    pub player_url: String,
}
