//! The set that is to run: the file, what was made over the API beside it, and what was switched.
//!
//! Owns how the three make one configuration, and what wins; refuses to run anything, to write anything down, and to know
//! HTTP. Plain data: a change makes another roster, which takes the old one's place once it is in the journal.
//!
//! Names in the file win. What no longer fits the file is kept, not run, and warned of ([`Roster::idle`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::bindings::Bindings;
use crate::config::{self, Config, Defined, Part, Unfit};
use crate::journal::{Definition, Origin};
use crate::name::Name;
use crate::redact;
use crate::secret::Secret;
use crate::time::Wall;

/// The kind of a [`Definition`] that says whether a monitor runs, whatever else says otherwise.
const SWITCH: &str = "switch";

/// The file and what differs from it.
#[derive(Clone)]
pub(super) struct Roster {
    file: Arc<Config>,
    made: Vec<Made>,
    /// Monitors that were enabled or disabled by hand.
    switches: BTreeMap<Name, bool>,
    /// Webhooks that clients bound monitors to.
    pub(super) bindings: Bindings,
}

/// Something that was made over the API.
#[derive(Clone)]
pub(super) struct Made {
    /// What it is.
    pub(super) part: Part,
    /// Unique among its kind.
    pub(super) name: Name,
    /// As it was sent.
    pub(super) body: Body,
    /// When.
    pub(super) made: Wall,
    /// Why it doesn't run.
    pub(super) idle: Option<Unfit>,
}

/// What is kept of it in the journal.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Body {
    /// The keys and values of its section.
    pub(super) section: Map<String, Value>,
    /// What came with it and is never shown: the key of an endpoint, the password of a camera.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) secret: Option<String>,
    /// What a client asked for whose job this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) request: Option<Value>,
    /// Made along with a client's monitor: it is for such monitors only, and goes with the last of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) attached: bool,
}

impl Body {
    /// What came with it.
    pub(super) fn secret(&self) -> Option<Secret> {
        self.secret.as_deref().map(Secret::new)
    }
}

/// What a definition was checked with, so that it can run.
pub(super) type Admit<'a> = dyn FnMut(&Config, &Defined, &Body) -> Result<(), Unfit> + 'a;

impl Roster {
    /// The file with what the journal keeps beside it. `admit` is asked about each part, those that others refer to first; what
    /// it refuses is idle.
    pub(super) fn read(file: Arc<Config>, definitions: Vec<Definition>, admit: &mut Admit<'_>) -> Roster {
        let mut roster = Roster { file, made: Vec::new(), switches: BTreeMap::new(), bindings: Bindings::default() };
        for definition in definitions {
            roster.take(definition);
        }
        roster.made.sort_by_key(|made| made.part);
        for index in 0..roster.made.len() {
            roster.made[index].idle = roster.examine(index, admit).err();
        }
        roster
    }

    fn take(&mut self, definition: Definition) {
        if self.bindings.take(&definition) {
            return;
        }
        let Definition { kind, name, body, made } = definition;
        if kind == SWITCH {
            let enabled = serde_json::from_str::<Value>(&body).ok().and_then(|body| body["enabled"].as_bool());
            self.switches.extend(enabled.map(|enabled| (name, enabled)));
            return;
        }
        // Other kinds are others' to know.
        let Some(part) = Part::parse(&kind) else { return };
        let damaged = || Body { section: Map::new(), secret: None, request: None, attached: false };
        let body: Body = serde_json::from_str(&body).unwrap_or_else(|_| damaged());
        // From the first moment on, whether it runs or not.
        body.secret().iter().for_each(redact::conceal);
        self.made.push(Made { part, name, body, made, idle: Some(Unfit::new("it was not looked at", "")) });
    }

    fn examine(&self, index: usize, admit: &mut Admit<'_>) -> Result<(), Unfit> {
        let Made { part, name, body, .. } = &self.made[index];
        if self.is_in_file(*part, name) {
            return Err(taken_by_file(*part, name));
        }
        let beside = self.config();
        let defined = config::define(*part, &body.section, &beside)?;
        admit(&beside, &defined, body)
    }

    /// Everything that is to run, as if all of it stood in one file.
    pub(super) fn config(&self) -> Config {
        let mut config = (*self.file).clone();
        for made in self.made.iter().filter(|made| made.idle.is_none()) {
            // Whoever made this roster has seen to it that it fits: `examine`, `misfit`.
            if let Ok(mut defined) = config::define(made.part, &made.body.section, &config) {
                if let Defined::Monitor(monitor) = &mut defined
                    && !made.body.section.contains_key("endpoints")
                {
                    monitor.endpoints.retain(|endpoint| !self.is_attached(Part::Endpoint, endpoint));
                }
                config::add(&mut config, defined);
            }
        }
        for monitor in &mut config.monitors {
            monitor.enabled = self.switches.get(&monitor.name).copied().unwrap_or(monitor.enabled);
        }
        self.bindings.apply(&mut config);
        config
    }

    /// The same with `made`, in the place of what had its name.
    pub(super) fn with(&self, made: Made) -> Roster {
        let mut roster = self.clone();
        let before = roster.made.iter().position(|other| other.part == made.part && other.name == made.name);
        match before {
            Some(index) => roster.made[index] = made,
            None => roster.made.push(made),
        }
        roster.made.sort_by_key(|made| made.part);
        roster
    }

    /// The same without that one.
    pub(super) fn without(&self, part: Part, name: &Name) -> Roster {
        let mut roster = self.without_definition(part, name);
        if part == Part::Monitor {
            roster.switches.remove(name);
        }
        roster
    }

    /// The same without that definition, but with its switch: something else takes its place.
    pub(super) fn without_definition(&self, part: Part, name: &Name) -> Roster {
        let mut roster = self.clone();
        roster.made.retain(|made| made.part != part || made.name != *name);
        roster
    }

    /// The same with a monitor that runs, or doesn't.
    pub(super) fn switched(&self, monitor: &Name, enabled: bool) -> Roster {
        let mut roster = self.clone();
        roster.switches.remove(monitor);
        if roster.is_enabled_as_defined(monitor) != Some(enabled) {
            roster.switches.insert(monitor.clone(), enabled);
        }
        roster
    }

    /// What was made under that name.
    pub(super) fn made(&self, part: Part, name: &Name) -> Option<&Made> {
        self.made.iter().find(|made| made.part == part && made.name == *name)
    }

    /// Everything that was made, those that others refer to first.
    pub(super) fn all_made(&self) -> &[Made] {
        &self.made
    }

    /// Whether it is for clients' monitors only.
    pub(super) fn is_attached(&self, part: Part, name: &Name) -> bool {
        self.made(part, name).is_some_and(|made| made.body.attached)
    }

    /// Whether its jobs are a client's.
    pub(super) fn is_a_clients(&self, monitor: &Name) -> bool {
        self.made(Part::Monitor, monitor).is_some_and(|made| made.body.request.is_some())
    }

    /// How many were made.
    pub(super) fn count(&self) -> usize {
        self.made.len()
    }

    /// What was made and doesn't run, and why.
    pub(super) fn idle(&self) -> impl Iterator<Item = (&Made, &Unfit)> {
        self.made.iter().filter_map(|made| Some((made, made.idle.as_ref()?)))
    }

    /// What should run and can't because of a change of something else, and why.
    pub(super) fn misfit(&self) -> Option<(&Made, Unfit)> {
        let config = self.config();
        let running = self.made.iter().filter(|made| made.idle.is_none());
        running.filter_map(|made| Some((made, config::define(made.part, &made.body.section, &config).err()?))).next()
    }

    /// Whether the file has that name.
    pub(super) fn is_in_file(&self, part: Part, name: &Name) -> bool {
        has(&self.file, part, name)
    }

    /// Who made it.
    pub(super) fn origin(&self, part: Part, name: &Name) -> Origin {
        let is_made = self.made(part, name).is_some() && !self.is_in_file(part, name);
        if is_made { Origin::Api } else { Origin::File }
    }

    /// Whether a monitor was switched by hand to what its definition doesn't say.
    pub(super) fn is_switched(&self, monitor: &Name) -> bool {
        self.switches.contains_key(monitor)
    }

    fn is_enabled_as_defined(&self, monitor: &Name) -> Option<bool> {
        let unswitched = Roster { switches: BTreeMap::new(), ..self.clone() };
        unswitched.config().monitors.into_iter().find(|it| it.name == *monitor).map(|it| it.enabled)
    }

    /// What was switched although nobody has that name.
    pub(super) fn stale_switches(&self) -> Vec<(String, Name)> {
        let known =
            |monitor: &Name| self.is_in_file(Part::Monitor, monitor) || self.made(Part::Monitor, monitor).is_some();
        self.switches.keys().filter(|monitor| !known(monitor)).map(switch_key).collect()
    }

    /// The row that says how a monitor is switched; None: as it is defined.
    pub(super) fn switch_row(&self, monitor: &Name, at: Wall) -> Option<Definition> {
        let enabled = self.switches.get(monitor)?;
        let body = json!({ "enabled": enabled }).to_string();
        Some(Definition { kind: SWITCH.to_owned(), name: monitor.clone(), body, made: at })
    }
}

/// Where the journal keeps how a monitor is switched.
pub(super) fn switch_key(monitor: &Name) -> (String, Name) {
    (SWITCH.to_owned(), monitor.clone())
}

/// The file has that name already.
pub(super) fn taken_by_file(part: Part, name: &Name) -> Unfit {
    let what = part.as_str();
    Unfit::new(
        format!("{what} `{name}` stands in the configuration file"),
        "give this one another name, or change the file",
    )
}

/// Whether `config` has a part of that name.
pub(super) fn has(config: &Config, part: Part, name: &Name) -> bool {
    match part {
        Part::Camera => config.cameras.iter().any(|camera| camera.name == *name),
        Part::Endpoint => config.endpoints.iter().any(|endpoint| endpoint.name == *name),
        Part::Monitor => config.monitors.iter().any(|monitor| monitor.name == *name),
    }
}

impl Made {
    /// The row that keeps it.
    ///
    /// # Errors
    /// It can't be written as JSON.
    pub(super) fn row(&self) -> Result<Definition, serde_json::Error> {
        let body = serde_json::to_string(&self.body)?;
        Ok(Definition { kind: self.part.as_str().to_owned(), name: self.name.clone(), body, made: self.made })
    }
}
