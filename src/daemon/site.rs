//! The running daemon as the API sees it.
//!
//! Owns the translation from cameras, machines and senders to the API's words; refuses to decide anything. Asked from
//! tokio's workers, answers from memory.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::crew::Crew;
use super::desks::Desks;
use super::made::Made;
use super::plan::Plans;
use super::roster::Roster;
use super::{decoding, errands, models, subscriptions};
use crate::api::{
    self, CameraState, Errand, Expectation, MonitorState, NoPicture, StreamLine, Subscription, Warning, Watched,
};
use crate::camera;
use crate::condition::Phase;
use crate::config::{self, Config, EndpointUrl, Part, Unfit};
use crate::delivery::HoldReason;
use crate::event::JobReason;
use crate::journal::Origin;
use crate::meter::Reading;
use crate::name::Name;
use crate::payload;
use crate::sender::Report;
use crate::time::Now;
use crate::verdict::rounded;
use crate::watch::{About, Shown, Subject};

/// What is asked from outside while the daemon runs.
pub(super) struct Site {
    /// What is to run.
    pub(super) plans: Plans,
    /// Which box.
    pub(super) device: Arc<str>,
    /// When the daemon did.
    pub(super) started: Now,
    /// Cameras, machines and models.
    pub(super) crew: Arc<Crew>,
    /// The senders.
    pub(super) desks: Arc<Desks>,
}

impl api::Site for Site {
    fn device(&self) -> String {
        self.device.to_string()
    }

    fn uptime(&self, now: Now) -> Duration {
        now.mono.since(self.started.mono)
    }

    fn cameras(&self, now: Now) -> Vec<api::Camera> {
        let plan = self.plans.now();
        let line = |name: &Name, status| api::Camera {
            origin: plan.roster.origin(Part::Camera, name),
            ..camera_line(name, status, now)
        };
        self.crew.each(|lookout| line(lookout.camera.name(), lookout.camera.status()))
    }

    fn monitors(&self, now: Now) -> Vec<api::Monitor> {
        let plan = self.plans.now();
        let line = |shown: &Arc<Mutex<Shown>>| {
            let line = monitor_line(&shown.lock().unwrap_or_else(PoisonError::into_inner), now);
            let origin = plan.roster.origin(Part::Monitor, &line.name);
            let event_id = payload::rule(&self.device, line.name.as_str());
            let alerts = plan.roster.bindings.in_force(&line.name, &plan.config);
            let switched = plan.roster.is_switched(&line.name);
            api::Monitor { origin, event_id, alerts, switched, differs_from_file: switched || alerts > 0, ..line }
        };
        self.crew.shown().iter().map(line).collect()
    }

    fn library(&self) -> Option<api::Library> {
        models::library().filter(|_| !self.crew.models().is_empty())
    }

    fn models(&self) -> Vec<api::Model> {
        self.crew.models().iter().map(|(name, model)| models::line(name, model)).collect()
    }

    fn model_runs(&self) -> Vec<(Name, Reading)> {
        self.crew.models().into_iter().map(|(name, model)| (name, model.runs().read())).collect()
    }

    fn endpoints(&self) -> Vec<Name> {
        self.plans.now().config.endpoints.iter().map(|endpoint| endpoint.name.clone()).collect()
    }

    fn origin_of_endpoint(&self, endpoint: &Name) -> Origin {
        self.plans.now().roster.origin(Part::Endpoint, endpoint)
    }

    fn leads(&self, endpoint: &Name) -> Option<api::Leads> {
        let plan = self.plans.now();
        let made = plan.roster.made(Part::Endpoint, endpoint);
        let own = plan.config.endpoints.iter().find(|known| known.name == *endpoint)?;
        let url = match (&own.url, plan.roster.origin(Part::Endpoint, endpoint)) {
            (EndpointUrl::Secret(_), _) => None,
            (EndpointUrl::Open(_), Origin::File) => Some(own.origin()),
            (EndpointUrl::Open(url), Origin::Api) => Some(config::shown_url(url.value.as_str())),
        };
        let sent_along = u64::from(made.is_some_and(|made| made.body.secret().is_some()));
        let secrets = own.secrets.len() as u64 + sent_along;
        Some(api::Leads { url, format: own.format.as_str().to_owned(), secrets, enabled: own.enabled })
    }

    fn expectations(&self) -> Vec<Expectation> {
        let expected = |monitor: &config::Monitor| {
            let within = monitor.expect_event_within.filter(|_| monitor.enabled)?;
            Some(Expectation { monitor: monitor.name.clone(), within })
        };
        self.plans.now().config.monitors.iter().filter_map(expected).collect()
    }

    fn warnings(&self, now: Now) -> Vec<Warning> {
        let reports = self.desks.reports();
        let down = reports.iter().filter_map(|(endpoint, report)| endpoint_down(endpoint, report));
        let running = self.crew.models();
        let models = running.iter().flat_map(|(name, model)| models::warnings(name, &model.health(), now));
        let monitors = api::Site::monitors(self, now);
        let cameras = self.crew.each(|it| decoding::wakeful(it.camera.name(), &it.camera.status()));
        let plan = self.plans.now();
        down.chain(models)
            .chain(cameras.into_iter().flatten())
            .chain(monitors.iter().filter(|it| plan.roster.job_request(&it.name).is_none()).filter_map(ended))
            .chain(monitors.iter().filter_map(mute))
            .chain(self.crew.shown().iter().filter_map(waiting))
            .chain(plan.roster.idle().map(|(made, why)| idle(&plan.roster, made, why)))
            .chain(plan.binding_warnings())
            .collect()
    }

    fn rules(&self) -> Vec<api::Rule> {
        let rule = |monitor: &config::Monitor| api::Rule {
            monitor: monitor.name.clone(),
            event_id: payload::rule(&self.device, monitor.name.as_str()),
            label: monitor.label.clone(),
        };
        self.plans.now().config.monitors.iter().map(rule).collect()
    }

    fn bindings(&self) -> Vec<api::Binding> {
        self.plans.now().bindings(&self.device)
    }

    fn watched(&self) -> Vec<Watched> {
        let watched = |shown: &Arc<Mutex<Shown>>| {
            let Subject { about, source_url, .. } = &*shown.lock().unwrap_or_else(PoisonError::into_inner).subject;
            Watched {
                monitor: about.monitor.clone(),
                camera: about.camera.clone(),
                condition: about.condition.clone(),
                stream_url: source_url.clone(),
            }
        };
        self.crew.shown().iter().map(watched).collect()
    }

    fn streams(&self) -> Vec<StreamLine> {
        let line =
            |name: &Name, url: &str, state| StreamLine { id: name.clone(), url: url.to_owned(), status: shown(state) };
        self.crew.each(|it| line(it.camera.name(), &it.source_url, it.camera.status().state))
    }

    fn subscriptions(&self) -> Vec<Subscription> {
        subscriptions::all(&self.plans.now(), &self.crew)
    }

    fn webhooks(&self) -> Vec<api::Webhook> {
        self.plans.now().webhooks()
    }

    fn picture(&self, camera: &Name) -> Errand<Vec<u8>, NoPicture> {
        match self.crew.with(camera, |lookout| lookout.camera.mailbox()) {
            Some(mailbox) => Box::pin(errands::picture(mailbox, self.plans.now().config.storage.clone())),
            None => Box::pin(async { Err(NoPicture::None) }),
        }
    }

    fn still(&self, recording: PathBuf, at: Duration) -> Errand<Vec<u8>, NoPicture> {
        Box::pin(errands::still(recording, at, self.plans.now().config.storage.clone()))
    }

    fn check(&self, endpoint: &Name) -> Errand<api::Check, Unfit> {
        let plan = self.plans.now();
        let secret = plan.roster.made(Part::Endpoint, endpoint).and_then(|made| made.body.secret());
        match plan.config.endpoints.iter().find(|known| known.name == *endpoint).cloned() {
            Some(endpoint) => Box::pin(errands::check(plan, endpoint, secret)),
            None => Box::pin(async { Err(Unfit::new("it is no longer there", "GET /v1/endpoints tells which are")) }),
        }
    }
}

/// `[device] id`, or the hostname.
pub fn device_id(config: &Config) -> Arc<str> {
    let hostname = || rustix::system::uname().nodename().to_string_lossy().into_owned();
    config.device.id.clone().unwrap_or_else(hostname).into()
}

fn camera_line(name: &Name, status: camera::Snapshot, now: Now) -> api::Camera {
    api::Camera {
        name: name.clone(),
        origin: Origin::File,
        state: shown(status.state),
        cause: status.cause.map(|problem| problem.to_string()),
        decode: status.decoding.mode.as_str().to_owned(),
        decode_why: status.decoding.why.to_string(),
        packets: status.packets,
        packets_decoded: status.packets_decoded,
        keyframe_interval_s: status.keyframe_interval.map(|interval| interval.as_secs_f64()),
        fps: status.fps,
        last_frame_age_s: status.last_frame.map(|last| now.mono.since(last.mono).as_secs_f64()),
        frames_decoded: status.decoded,
        decoder: status.decoder.running.as_ref().map(ToString::to_string),
        degraded: status.decoder.degraded(),
        decoder_failures: status.decoder.fallen.len() as u64,
        reconnects: status.reconnects,
    }
}

fn shown(state: camera::State) -> CameraState {
    match state {
        camera::State::Connecting => CameraState::Connecting,
        camera::State::Online => CameraState::Online,
        camera::State::Offline => CameraState::Offline,
        camera::State::Ended => CameraState::Ended,
    }
}

fn monitor_line(shown: &Shown, now: Now) -> api::Monitor {
    let Shown { subject, state, last, spared, .. } = shown;
    let counters = state.job().map(|job| job.counters().clone()).unwrap_or_default();
    api::Monitor {
        name: subject.about.monitor.clone(),
        camera: subject.about.camera.clone(),
        model: subject.model.name.clone(),
        state: match state.phase() {
            _ if !subject.enabled => MonitorState::Disabled,
            _ if !state.is_active() => MonitorState::Stopped,
            Phase::Idle => MonitorState::Idle,
            Phase::Waiting { .. } => MonitorState::Waiting,
            Phase::Open(_) => MonitorState::Open,
        },
        open: state.open_id(),
        last_confidence: last.as_ref().map(|(verdict, _)| rounded(verdict.confidence)),
        checks: counters.checks_performed,
        triggers: counters.triggers_fired,
        verdict_errors: counters.verdict_errors,
        spared: *spared,
        cooldown_left_s: state.cooldown_left(now).as_secs_f64(),
        job: state.job().map(|job| api::Job {
            id: job.id(),
            status: job.status(),
            reason: job.ended(),
            elapsed_s: counters.elapsed_ms / 1000,
        }),
        skipped: counters.frames_skipped,
        statistics: api::Statistics::default(),
        origin: Origin::File,
        event_id: String::new(),
        alerts: 0,
        switched: false,
        differs_from_file: false,
        shadow: subject.about.shadow.then(api::Shadow::default),
    }
}

/// The journal has no room for what a monitor has to say before it goes on.
fn waiting(shown: &Arc<Mutex<Shown>>) -> Option<Warning> {
    let Shown { subject, waits, .. } = &*shown.lock().unwrap_or_else(PoisonError::into_inner);
    let About { monitor, camera, .. } = Some(&subject.about).filter(|_| *waits)?;
    Some(Warning::new(
        format!(
            "monitor `{monitor}` does not go on on camera `{camera}`: the journal has no room for what happened to it"
        ),
        "free some space on its disk, or raise `[storage] max_size`; it is tried again by itself",
    ))
}

/// Something that was made over the API, and that nobody sees running.
fn idle(roster: &Roster, Made { part, name, .. }: &Made, why: &Unfit) -> Warning {
    let what = part.as_str();
    let remedy = match roster.is_in_file(*part, name) {
        // It can't be changed while the file has its name.
        true => format!("take this one away with DELETE /v1/{what}s/{name}, or rename the one in the file and restart"),
        false => {
            format!("{}; then restart the daemon, or change it with PUT /v1/{what}s/{name}, or take it away", why.hint)
        }
    };
    Warning::new(format!("{what} `{name}`, which was made over the API, does not run: {}", why.error), remedy)
}

/// A job that ended by itself leaves nobody watching.
fn ended(monitor: &api::Monitor) -> Option<Warning> {
    let job = monitor.job.as_ref().filter(|_| monitor.state == MonitorState::Stopped)?;
    let always = match job.reason? {
        JobReason::ConditionTriggered => "without `stop_on_trigger`",
        JobReason::MaxDurationReached => "with `restart = \"always\"`",
        _ => return None,
    };
    let remedy = format!("`stakeout monitor enable {}` begins a new job; {always} it always goes on", monitor.name);
    Some(Warning::new(format!("monitor `{}` watches no more: its job ended", monitor.name), remedy))
}

/// So many checks are needed before their share without an answer means something.
const TELLING_CHECKS: u64 = 20;

/// A monitor that gets hardly any answers will never alert, and looks as idle as one that has nothing to say.
fn mute(monitor: &api::Monitor) -> Option<Warning> {
    let api::Monitor { name, model, checks, verdict_errors, .. } = monitor;
    if *checks < TELLING_CHECKS || verdict_errors * 10 < checks * 9 {
        return None;
    }
    let what = format!("monitor `{name}` got no answer from model `{model}` in {verdict_errors} of {checks} checks");
    Some(Warning::new(
        what,
        "ask it by hand with `stakeout ask`, then put the condition otherwise or take another model",
    ))
}

/// Why an endpoint gets nothing now. One that said it is gone, the journal tells of.
fn endpoint_down(endpoint: &Name, report: &Report) -> Option<Warning> {
    let what = match report.held {
        Some(HoldReason::EndpointDown) => format!("endpoint `{endpoint}` does not answer; what it is owed is held"),
        Some(HoldReason::Throttled) => format!("endpoint `{endpoint}` asks us to slow down; what it is owed is held"),
        Some(HoldReason::Offline) => format!("this box can't reach endpoint `{endpoint}`; what it is owed is held"),
        // The clock has a warning of its own, and what an operator paused needs none.
        Some(HoldReason::Clock | HoldReason::Paused) => return None,
        None => {
            let advice = report.advice?;
            return Some(Warning::new(format!("endpoint `{endpoint}` does not take what it is sent"), advice));
        }
    };
    Some(Warning::new(what, report.advice.unwrap_or("nothing is lost; look at the receiver and the network")))
}
