//! What the receivers of alerts are told of their clips.
//!
//! Owns who is told of which step: whoever is told of an alert, of one and its repeats once; in a format whose
//! receivers know clips and no alerts, once for each clip. Refuses to know how a clip is recorded. Called on
//! `journal-writer`, inside the transaction.

use std::collections::BTreeSet;
use std::sync::Arc;

use uuid::Uuid;

use super::accept::owed_by;
use crate::config::Endpoint;
use crate::event::{ClipReport, ClipStage, Event, EventData};
use crate::journal::{Accepted, ClipAlert, ClipRow};
use crate::name::Name;
use crate::recording::link::{Links, Piece};
use crate::time::{Boot, Now};

/// Makes the events of one step.
pub struct ClipReports {
    /// When it happened.
    pub at: Now,
    /// What is told of it, in order.
    pub stages: Vec<ClipStage>,
    /// All that there are.
    pub endpoints: Arc<[Endpoint]>,
    /// Makes links, if anybody can be told any.
    pub links: Option<Links>,
}

impl ClipReports {
    /// The events that tell of `clip`, which shows `alerts`.
    pub fn of(self, clip: &ClipRow, alerts: &[ClipAlert]) -> Vec<Accepted> {
        let mut accepted = Vec::new();
        for stage in &self.stages {
            let (mut seen, mut told) = (BTreeSet::new(), BTreeSet::new());
            for alert in alerts.iter().filter(|alert| seen.insert(occurrence(alert))) {
                accepted.extend(self.report(*stage, clip, alert, &mut told));
            }
        }
        accepted
    }

    /// None: nobody wants to know, and nothing came of it yet.
    fn report(
        &self,
        stage: ClipStage,
        clip: &ClipRow,
        alert: &ClipAlert,
        told: &mut BTreeSet<Name>,
    ) -> Option<Accepted> {
        let event = Event {
            id: self.at.new_id(),
            observed: self.at,
            boot: Boot::current(),
            data: EventData::Clip(self.said(stage, clip, &alert.event)),
            ..alert.event.clone()
        };
        let wants =
            |endpoint: &&Endpoint| alert.told.contains(&endpoint.name) && endpoint.events.contains(&stage.kind());
        let is_news = |endpoint: &&Endpoint| !endpoint.format.is_about_clips() || told.insert(endpoint.name.clone());
        let owed = owed_by(&event, self.endpoints.iter().filter(wants).filter(is_news));
        let is_end = matches!(stage, ClipStage::Ready | ClipStage::Failed);
        (is_end || !owed.is_empty()).then_some(Accepted { event, frame: None, owed })
    }

    fn said(&self, stage: ClipStage, clip: &ClipRow, alert: &Event) -> ClipReport {
        let links = self.links.as_ref().filter(|_| stage == ClipStage::Ready);
        let link = |piece| links.map_or_else(String::new, |links| links.to(clip.id, piece, self.at.wall));
        ClipReport {
            stage,
            clip: clip.id,
            alert: alert.id,
            alerted: alert.observed.wall,
            height: clip.height,
            url: link(Piece::Movie),
            player_url: link(Piece::Player),
            duration_ms: clip.duration.map_or(0, |it| u64::try_from(it.as_millis()).unwrap_or(u64::MAX)),
            bytes: clip.bytes,
            sha256: clip.sha256.clone().unwrap_or_default(),
        }
    }
}

/// An alert and its repeats are one.
fn occurrence(alert: &ClipAlert) -> Uuid {
    match &alert.event.data {
        EventData::Triggered(triggered) => triggered.open_id,
        _ => alert.event.id,
    }
}
