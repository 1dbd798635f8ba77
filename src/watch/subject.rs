//! What a machine is about: one monitor on one camera, with everything that its events say.
//!
//! Owns the fixed facts of a (monitor, camera) pair; refuses to know its state. Plain data.

use serde::{Deserialize, Serialize};

use crate::condition::{self, Spec};
use crate::config::{Camera, Monitor};
use crate::event::{Metadata, ModelIdentity, Priority};
use crate::judge::Question;
use crate::model::{Model, UnknownLabel};
use crate::name::Name;

/// What every event of a machine says and to whom, whatever happened. It is kept in the journal beside the machine's
/// state, so that a monitor that is gone from the file can still say good-bye.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// Which monitor.
    pub monitor: Name,
    /// On which camera.
    pub camera: Name,
    /// Hash of what the condition means: a machine of another definition starts fresh.
    pub definition: String,
    /// The condition, verbatim.
    pub condition: String,
    /// Passed through to receivers.
    pub metadata: Metadata,
    /// Orders delivery.
    pub priority: Priority,
    /// To whom its events are owed.
    pub endpoints: Vec<Name>,
    /// Journaled, but owed to nobody.
    pub shadow: bool,
}

/// A monitor on a camera.
#[derive(Clone, Debug)]
pub struct Subject {
    /// What its events say.
    pub about: About,
    /// What the machine is asked to do.
    pub spec: Spec,
    /// What the model is asked.
    pub question: Question,
    /// The model, as events name it.
    pub model: ModelIdentity,
    /// The camera's URL as receivers may see it.
    pub source_url: String,
    /// Whether it runs at all.
    pub enabled: bool,
}

impl Subject {
    /// `monitor` on `camera`, judged by `model`. Without labels the monitor asks for any label of the model.
    ///
    /// # Errors
    /// A label that the model does not have.
    pub fn new(monitor: &Monitor, camera: &Camera, model: &Model) -> Result<Subject, UnknownLabel> {
        let labels = if monitor.labels.is_empty() {
            model.labels().iter().cloned().enumerate().collect()
        } else {
            let index = |label: &String| Ok((model.label_index(label)?, label.clone()));
            monitor.labels.iter().map(|label| index(&label.value)).collect::<Result<_, UnknownLabel>>()?
        };
        Ok(Subject {
            about: About {
                monitor: monitor.name.clone(),
                camera: camera.name.clone(),
                definition: condition::definition(monitor),
                condition: monitor.condition.clone(),
                metadata: monitor.metadata.clone(),
                priority: monitor.priority,
                endpoints: monitor.endpoints.clone(),
                shadow: monitor.shadow,
            },
            spec: Spec::of(monitor),
            question: Question {
                labels,
                zone: monitor.zone.clone(),
                min_count: monitor.min_count,
                calibration: monitor.calibration.unwrap_or(model.calibration()),
                threshold: monitor.confidence_threshold,
            },
            model: model.identity().clone(),
            source_url: camera.url.value[..url::Position::AfterPath].to_owned(),
            enabled: monitor.enabled,
        })
    }
}
