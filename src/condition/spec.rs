//! What a monitor asks of the machine.
//!
//! Owns the settings that decide alerts and jobs, and the hash that says whether two settings mean the same condition.
//! Refuses to know everything else in a monitor (models, receivers, metadata). Plain data, any thread.

use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::config::{Hold, Monitor, OnlyWhen};

/// An API job that got no frame so long after its start has failed (contracts/condition.md, "Jobs").
const FIRST_FRAME_WITHIN: Duration = Duration::from_secs(5 * 60);

/// The shortest time for which a check stays in the hold window (contracts/condition.md).
const SHORTEST_MEMORY: Duration = Duration::from_secs(10);

/// The settings of one machine. They may change between two steps: the file was edited and the daemon restarted.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// Positive from here.
    pub confidence_threshold: f32,
    /// Negative below.
    pub clear_threshold: f32,
    /// k of the last n checks.
    pub hold: Hold,
    /// Between two alerts.
    pub cooldown: Duration,
    /// Alert again after the cooldown while it still holds.
    pub repeat: bool,
    /// How long it must not hold before the event ends.
    pub clear_after: Duration,
    /// How long an open event outlives its camera.
    pub lost_after: Duration,
    /// Between two checks.
    pub check_interval: Duration,
    /// The job's limit, counted from its first frame.
    pub max_duration: Option<Duration>,
    /// The job completes with its first alert.
    pub stop_on_trigger: bool,
    /// A new job follows at once when the limit ended one.
    pub restart: bool,
    /// The job fails without a frame in this time from its start; None: a configured camera reconnects for ever.
    pub first_frame_within: Option<Duration>,
}

impl Spec {
    /// What a monitor in the file asks for.
    pub fn of(monitor: &Monitor) -> Spec {
        Spec {
            confidence_threshold: monitor.confidence_threshold,
            clear_threshold: monitor.clear_threshold,
            hold: monitor.hold,
            cooldown: monitor.cooldown,
            repeat: monitor.repeat,
            clear_after: monitor.clear_after,
            lost_after: monitor.lost_after,
            check_interval: monitor.check_interval,
            max_duration: monitor.max_duration,
            stop_on_trigger: monitor.stop_on_trigger,
            restart: monitor.restart,
            first_frame_within: None,
        }
    }

    /// The same as a job that the API started: it ends for good, and fails where no frame ever comes.
    pub fn for_api_job(self) -> Spec {
        Spec { restart: false, first_frame_within: Some(FIRST_FRAME_WITHIN), ..self }
    }

    /// How long a check stays in the hold window.
    pub(super) fn memory(&self) -> Duration {
        self.check_interval.saturating_mul(10).max(SHORTEST_MEMORY)
    }
}

/// SHA-256 (lower-case hex) of what a monitor's condition means: condition, model, labels, `min_count`, zone, the
/// descriptions `prompts` and `negatives`, and the candidate.
///
/// When it changes, a machine starts fresh; thresholds, times and receivers may change without that. The order of labels
/// and of further descriptions means nothing, so it changes nothing.
pub fn definition(monitor: &Monitor) -> String {
    let mut labels: Vec<&str> = monitor.labels.iter().map(|label| label.value.as_str()).collect();
    labels.sort_unstable();
    let Monitor { condition, model, min_count, zone, prompts, negatives, .. } = monitor;
    let mut meaning = vec![json!(condition), json!(model.value.as_str()), json!(labels), json!(min_count), json!(zone)];
    // Only where there are any: what was armed before these keys existed must not start fresh.
    if !(prompts.is_empty() && negatives.is_empty()) {
        let sorted = |descriptions: &[String]| {
            let mut sorted = descriptions.to_vec();
            sorted.sort_unstable();
            json!(sorted)
        };
        meaning.extend([sorted(prompts), sorted(negatives)]);
    }
    if let Some(OnlyWhen { model, labels, above }) = &monitor.only_when {
        let mut labels: Vec<&str> = labels.iter().map(|label| label.value.as_str()).collect();
        labels.sort_unstable();
        meaning.push(json!({ "only_when": [model.value.as_str(), labels, above] }));
    }
    // Nobody heard of what it did in the shadow: armed, it begins anew.
    if monitor.shadow {
        meaning.push(json!({ "shadow": true }));
    }
    hex::encode(Sha256::digest(Value::from(meaning).to_string()))
}
