//! The format `upload`: which clip is sent whole, and what tells that all of it arrived.
//!
//! Owns the keys and their order. It stays here: what leaves is the clip's file (`sender/upload`). Pure.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::json;
use crate::event::{ClipStage, Event, EventData};

/// Counts the changes of what this file writes.
pub(super) const VERSION: u32 = 1;

/// A clip that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WholeClip {
    /// Which one.
    pub clip: Uuid,
    /// The id of the alert that it shows, of the first one if it shows several.
    pub alert: Uuid,
    /// Of its file.
    pub bytes: u64,
    /// Of its file, lower-case hex.
    pub sha256: String,
}

impl WholeClip {
    /// The one that a frozen body of this format names. None: it is a body of another format.
    pub fn of(body: &[u8]) -> Option<WholeClip> {
        // No other format begins like that, and most are longer than is worth a look.
        body.starts_with(b"{\"clip\":\"").then(|| serde_json::from_slice(body).ok()).flatten()
    }
}

pub(super) fn render(event: &Event) -> Option<String> {
    match &event.data {
        EventData::Clip(report) if report.stage == ClipStage::Ready => {
            let (clip, alert, sha256) = (report.clip, report.alert, report.sha256.clone());
            Some(json(&WholeClip { clip, alert, bytes: report.bytes, sha256 }))
        }
        _ => None,
    }
}
