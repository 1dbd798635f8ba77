//! What a machine is about: one monitor on one camera, with everything that its events say.
//!
//! Owns the fixed facts of a (monitor, camera) pair; refuses to know its state. Plain data.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::condition::{self, Spec};
use crate::config::{Camera, Clip, Gate, Monitor};
use crate::event::{Metadata, ModelIdentity, Priority};
use crate::journal::Origin;
use crate::judge::Question;
use crate::model::{Asked, Model, QuestionError};
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
    /// It only rehearses: its events are journaled, but owed to nobody and said to nobody.
    pub shadow: bool,
    /// Who made the monitor.
    #[serde(default)]
    pub origin: Origin,
    /// What a client asked for, where its jobs are a client's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Value>,
}

/// A monitor on a camera.
#[derive(Clone, Debug)]
pub struct Subject {
    /// What its events say.
    pub about: About,
    /// What the machine is asked to do.
    pub spec: Spec,
    /// How what the model says is judged.
    pub question: Question,
    /// What a model that reads is asked.
    pub asked: Option<Asked>,
    /// The model, as events name it.
    pub model: ModelIdentity,
    /// The camera's URL as receivers may see it.
    pub source_url: String,
    /// What the monitor calls its events.
    pub label: String,
    /// How long a picture in which nothing moves may go unchecked; None: every frame that is due is checked.
    pub recheck: Option<Duration>,
    /// How much of an alert is recorded; None: nothing.
    pub clip: Option<Clip>,
    /// Whether it runs at all.
    pub enabled: bool,
}

impl Subject {
    /// `monitor` on `camera`, judged by `model`; receivers see `source_url`.
    ///
    /// # Errors
    /// What the model can't be asked.
    pub fn new(
        monitor: &Monitor,
        camera: &Camera,
        model: &Model,
        source_url: String,
    ) -> Result<Subject, QuestionError> {
        let (question, asked) = model.question(monitor)?;
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
                origin: Origin::File,
                request: None,
            },
            spec: Spec::of(monitor),
            question,
            asked,
            model: model.identity().clone(),
            source_url,
            label: monitor.label.clone(),
            recheck: (monitor.gate == Gate::Motion).then_some(monitor.recheck),
            // Nobody hears of what happens in the shadow.
            clip: monitor.clip.filter(|_| !monitor.shadow),
            enabled: monitor.enabled,
        })
    }
    /// The same, of a monitor that was made over the API. With a `request` its job is a client's: it ends for good, and fails
    /// where no frame ever comes (contracts/condition.md, "Jobs").
    pub fn made_by_api(mut self, request: Option<Value>) -> Subject {
        if request.is_some() {
            self.spec = self.spec.for_api_job();
        }
        self.about.origin = Origin::Api;
        self.about.request = request;
        self
    }
}
