//! The set that is to run: the file, what was made over the API beside it, and what was switched.
//!
//! Owns how the three make one configuration, and what wins; refuses to run anything, to write anything down, and to know
//! HTTP. Plain data: a change makes another roster, which takes the old one's place once it is in the journal.
//!
//! Names in the file win. What no longer fits the file is kept, not run, and warned of ([`Roster::idle`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::bindings::Bindings;
use super::made::{Body, Made};
use super::webhooks;
use crate::api::Request;
use crate::config::{self, Config, Defined, Part, Unfit};
use crate::journal::{Definition, Origin};
use crate::name::Name;
use crate::redact::{self, Loan};
use crate::time::Wall;

/// The kind of a [`Definition`] that says whether a monitor runs, whatever else says otherwise.
const SWITCH: &str = "switch";

/// The file and what differs from it. Cheap to clone.
#[derive(Clone)]
pub(super) struct Roster {
    file: Arc<Config>,
    /// Those that others refer to first.
    made: Arc<Vec<Made>>,
    /// What those say that run: read once, however often a configuration is made of it.
    read: Arc<BTreeMap<Key, Defined>>,
    /// Their secrets are hidden as long as they are kept.
    loans: Arc<BTreeMap<Key, Arc<Loan>>>,
    /// Monitors that were enabled or disabled by hand.
    switches: BTreeMap<Name, bool>,
    /// Webhooks that clients bound monitors to.
    pub(super) bindings: Bindings,
}

/// Under which a part is found.
type Key = (Part, Name);

/// What a definition was checked with, so that it can run.
pub(super) type Admit<'a> = dyn FnMut(&Config, &Defined, &Body) -> Result<(), Unfit> + 'a;

impl Roster {
    /// The file with what the journal keeps beside it. `admit` is asked about each part, those that others refer to first; what
    /// it refuses is idle.
    pub(super) fn read(file: Arc<Config>, definitions: Vec<Definition>, admit: &mut Admit<'_>) -> Roster {
        let (mut made, mut switches, mut loans) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        let mut bindings = Bindings::default();
        for definition in definitions {
            if bindings.take(&definition) {
                continue;
            }
            match taken(definition) {
                Some(Taken::Part(part, loan)) => {
                    loans.insert((part.part, part.name.clone()), Arc::new(loan));
                    made.push(*part);
                }
                Some(Taken::Switch(monitor, enabled)) => drop(switches.insert(monitor, enabled)),
                None => {}
            }
        }
        made.sort_by_key(|made| made.part);
        // Grows with each of them, so that none is read twice.
        let (mut beside, attached) = ((*file).clone(), attached(&made));
        let mut read = BTreeMap::new();
        for made in &mut made {
            let key = (made.part, made.name.clone());
            let mut examine = || examine(&file, made, &beside, admit);
            let examined = match loans.get(&key) {
                Some(loan) => loan.during(examine),
                None => examine(),
            };
            match examined {
                Ok(defined) => {
                    add(&mut beside, made, &defined, &attached);
                    read.insert(key, defined);
                    made.idle = None;
                }
                Err(unfit) => made.idle = Some(unfit),
            }
        }
        Roster { file, made: Arc::new(made), read: Arc::new(read), loans: Arc::new(loans), switches, bindings }
    }

    /// Everything that is to run, as if all of it stood in one file.
    pub(super) fn config(&self) -> Config {
        self.config_without(None)
    }

    /// The same as if that one weren't there: what is to take its place is read beside it.
    pub(super) fn beside(&self, part: Part, name: &Name) -> Config {
        self.config_without(Some((part, name.clone())))
    }

    fn config_without(&self, left_out: Option<Key>) -> Config {
        let (mut config, attached) = ((*self.file).clone(), attached(&self.made));
        for made in self.made.iter() {
            let key = (made.part, made.name.clone());
            if let Some(defined) = self.read.get(&key).filter(|_| left_out.as_ref() != Some(&key)) {
                add(&mut config, made, defined, &attached);
            }
        }
        for monitor in &mut config.monitors {
            monitor.enabled = self.switches.get(&monitor.name).copied().unwrap_or(monitor.enabled);
        }
        self.bindings.apply(&mut config);
        webhooks::apply(self.made.iter(), &mut config);
        config
    }

    /// Adds `made`, which says what was `defined`, or puts it in the place of what had its name. `loan` are its secrets.
    pub(super) fn put(&mut self, made: Made, defined: Defined, loan: Loan) {
        let all = Arc::make_mut(&mut self.made);
        Arc::make_mut(&mut self.read).insert((made.part, made.name.clone()), defined);
        Arc::make_mut(&mut self.loans).insert((made.part, made.name.clone()), Arc::new(loan));
        match all.iter().position(|other| other.part == made.part && other.name == made.name) {
            Some(index) => all[index] = made,
            None => {
                let index = all.partition_point(|other| other.part <= made.part);
                all.insert(index, made);
            }
        }
    }

    /// What `made` says is kept otherwise: nothing of what runs changes.
    pub(super) fn keep(&mut self, made: Made) {
        let kept = Arc::make_mut(&mut self.made);
        if let Some(other) = kept.iter_mut().find(|other| other.part == made.part && other.name == made.name) {
            *other = made;
        }
    }

    /// What `before` has of that name, which didn't run, is there again, and doesn't run.
    pub(super) fn restore(&mut self, made: &Made, before: &Roster) {
        let key = (made.part, made.name.clone());
        Arc::make_mut(&mut self.read).remove(&key);
        if let Some(loan) = before.loans.get(&key) {
            Arc::make_mut(&mut self.loans).insert(key, loan.clone());
        }
        self.keep(made.clone());
    }

    /// Takes that one away.
    pub(super) fn forget(&mut self, part: Part, name: &Name) {
        self.forget_definition(part, name);
        if part == Part::Monitor {
            self.switches.remove(name);
        }
    }

    /// Takes that definition away, but not its switch: something else takes its place.
    pub(super) fn forget_definition(&mut self, part: Part, name: &Name) {
        Arc::make_mut(&mut self.made).retain(|made| made.part != part || made.name != *name);
        Arc::make_mut(&mut self.read).remove(&(part, name.clone()));
        Arc::make_mut(&mut self.loans).remove(&(part, name.clone()));
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

    /// What a client asked for whose job this monitor runs.
    pub(super) fn job_request(&self, monitor: &Name) -> Option<&Value> {
        match self.made(Part::Monitor, monitor)?.body.request.as_ref()? {
            Request::Job(request) => Some(request),
            Request::Subscription(_) => None,
        }
    }

    /// How many were made.
    pub(super) fn count(&self) -> usize {
        self.made.len()
    }

    /// What was made and doesn't run, and why.
    pub(super) fn idle(&self) -> impl Iterator<Item = (&Made, &Unfit)> {
        self.made.iter().filter_map(|made| Some((made, made.idle.as_ref()?)))
    }

    /// What should run and can't because something it refers to is gone, and why.
    pub(super) fn misfit(&self) -> Option<(&Made, Unfit)> {
        let config = self.config();
        let known = |names: &[Name], there: &BTreeSet<&Name>| names.iter().all(|name| there.contains(name));
        let cameras = config.cameras.iter().map(|camera| &camera.name).collect();
        let endpoints = config.endpoints.iter().map(|endpoint| &endpoint.name).collect();
        self.made.iter().find_map(|made| {
            let Defined::Monitor(monitor) = self.read.get(&(made.part, made.name.clone()))? else { return None };
            let fits = known(&monitor.cameras, &cameras) && (!made.chooses() || known(&monitor.endpoints, &endpoints));
            if fits { None } else { Some((made, made.define(&config).err()?)) }
        })
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
        match self.read.get(&(Part::Monitor, monitor.clone())) {
            Some(Defined::Monitor(monitor)) => Some(monitor.enabled),
            _ => self.file.monitors.iter().find(|it| it.name == *monitor).map(|it| it.enabled),
        }
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

/// What a row of the journal keeps.
enum Taken {
    Part(Box<Made>, Loan),
    Switch(Name, bool),
}

fn taken(Definition { kind, name, body, made }: Definition) -> Option<Taken> {
    if kind == SWITCH {
        let enabled = serde_json::from_str::<Value>(&body).ok().and_then(|body| body["enabled"].as_bool());
        return enabled.map(|enabled| Taken::Switch(name, enabled));
    }
    // Other kinds are others' to know.
    let part = Part::parse(&kind)?;
    let body: Body = serde_json::from_str(&body).unwrap_or_default();
    // From the first moment on, whether it runs or not.
    let loan = Loan::begin();
    loan.during(|| body.secret().iter().for_each(redact::conceal));
    let idle = Some(Unfit::new("it was not looked at", ""));
    Some(Taken::Part(Box::new(Made { part, name, body, made, idle }), loan))
}

fn examine(file: &Config, made: &Made, beside: &Config, admit: &mut Admit<'_>) -> Result<Defined, Unfit> {
    if has(file, made.part, &made.name) {
        return Err(taken_by_file(made.part, &made.name));
    }
    let defined = made.define(beside)?;
    admit(beside, &defined, &made.body)?;
    Ok(defined)
}

/// The endpoints that are for clients' monitors only.
fn attached(made: &[Made]) -> BTreeSet<Name> {
    let attached = made.iter().filter(|made| made.part == Part::Endpoint && made.body.attached);
    attached.map(|made| made.name.clone()).collect()
}

/// Adds what `made` says to `config`. A monitor that chooses no endpoints sends to all that there are, but for those that
/// are `attached` to others.
fn add(config: &mut Config, made: &Made, defined: &Defined, attached: &BTreeSet<Name>) {
    let mut defined = defined.clone();
    if let Defined::Monitor(monitor) = &mut defined
        && !made.chooses()
    {
        let all = config.endpoints.iter().map(|endpoint| &endpoint.name);
        monitor.endpoints = all.filter(|endpoint| !attached.contains(endpoint)).cloned().collect();
    }
    config::add(config, defined);
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
