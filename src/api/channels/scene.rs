//! The channel `scene_index`: what was seen, check by check, in words.
//!
//! Owns the object's fields (README, "Channels"); refuses to know how often it is told. Plain data.

use serde::Serialize;

use super::super::lines::Utc;
use crate::broadcast::Checked;
use crate::name::Name;
use crate::verdict::{Answer, Region, rounded};

/// One check that was answered.
#[derive(Serialize)]
pub(super) struct Scene<'a> {
    /// Which monitor.
    monitor: &'a Name,
    /// Where it looked.
    camera: &'a Name,
    /// What it looks for, verbatim.
    condition: &'a str,
    /// `yes`, `no` or `abstain`.
    answer: Answer,
    /// Calibrated, 0 to 1, four decimals.
    confidence: f64,
    /// In words, for people.
    explanation: &'a str,
    /// What supports it; empty for models that see the picture as a whole.
    regions: Vec<Part<'a>>,
    /// When the frame arrived.
    observed_at: Utc,
    /// Whether that can be believed: `synced` or `estimated`.
    clock: &'static str,
}

/// A part of the picture.
#[derive(Serialize)]
struct Part<'a> {
    label: &'a str,
    /// 0 to 1, four decimals.
    score: f64,
    /// `[x1, y1, x2, y2]`, normalised to the frame.
    #[serde(rename = "box")]
    bounds: [f64; 4],
}

impl<'a> From<&'a Checked> for Scene<'a> {
    fn from(checked: &'a Checked) -> Scene<'a> {
        let Checked { monitor, camera, condition, verdict, seen } = checked;
        Scene {
            monitor,
            camera,
            condition,
            answer: verdict.answer,
            confidence: rounded(verdict.confidence),
            explanation: &verdict.explanation,
            regions: verdict.regions.iter().map(Part::from).collect(),
            observed_at: Utc(seen.wall),
            clock: if seen.synced { "synced" } else { "estimated" },
        }
    }
}

impl<'a> From<&'a Region> for Part<'a> {
    fn from(region: &'a Region) -> Part<'a> {
        Part { label: &region.label, score: rounded(region.score), bounds: region.bounds.map(rounded) }
    }
}
