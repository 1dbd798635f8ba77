//! What clients want watched: a monitor of their own, with the camera and the endpoint that it needs, made in one step.
//!
//! Owns what of that there is already, and the names of what is made; refuses to know HTTP and any client's format. Runs on
//! tokio's threads for blocking calls.
//!
//! All parts are one change in the journal: a kill leaves nothing of it, or the next start begins the job.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::orders::Orders;
use super::plan::Plan;
use super::roster::{Body, Made, Roster};
use super::step::Step;
use crate::api::{Commission, Commissioned, Denied};
use crate::config::{self, Api, CameraUrl, Format, Part, SecretRef, SecretUrl, Unfit};
use crate::event::JobStatus;
use crate::journal::Reader;
use crate::name::Name;
use crate::redact;
use crate::secret::Secret;
use crate::time::{self, Now};

/// The limit of a job that names none.
const MAX_DURATION: &str = "10m";

impl Orders {
    /// Begins what is asked for, unless the same runs already.
    pub(super) fn begin(&self, commission: Commission) -> Result<Commissioned, Denied> {
        let reader = self.turn();
        let plan = self.foreman.plans.now();
        let stream = Stream::find(&plan, commission.stream.expose()).map_err(Denied::Bad)?;
        let now = time::now();
        let mut step = Step::from(&plan.roster);
        if let Stream::Known(camera) = &stream {
            for equal in equals(&plan.roster, camera, &commission.request) {
                match self.job_of(&equal) {
                    Some((job, status)) if goes_on(status) => return Ok(Commissioned { job, status, is_new: false }),
                    // It had ended, and this one takes its place.
                    _ => step.forget(Part::Monitor, &equal),
                }
            }
        }
        let camera = match stream {
            Stream::Known(camera) => camera,
            Stream::New(url, login) => {
                let made = camera(&url, login, now)?;
                let name = made.name.clone();
                self.add(&mut step, made)?;
                name
            }
        };
        let endpoint = hook(commission.format, &commission.webhook_url)?;
        if plan.roster.made(Part::Endpoint, &endpoint).is_none_or(|made| made.idle.is_some()) {
            let api = &plan.config.api;
            self.add(&mut step, made_endpoint(&endpoint, commission.format, &commission.webhook_url, api, now))?;
        }
        let monitor = monitor(commission, &camera, &endpoint, plan.config.api.default_model.as_ref(), now)?;
        let name = monitor.name.clone();
        self.add(&mut step, monitor)?;
        self.put_in_force(step, &name, &reader)
    }

    /// The job of a monitor that watches one camera.
    fn job_of(&self, monitor: &Name) -> Option<(Uuid, JobStatus)> {
        self.foreman.crew.shown().iter().find_map(|shown| {
            let shown = shown.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let job = shown.state.job().filter(|_| shown.subject.about.monitor == *monitor)?;
            Some((job.id(), job.status()))
        })
    }

    /// All of it, or nothing.
    fn put_in_force(&self, step: Step, monitor: &Name, reader: &Reader) -> Result<Commissioned, Denied> {
        let parts = step.change.renewed.clone();
        let taken = self.take(step, reader);
        let why = match (taken, self.job_of(monitor)) {
            (Ok(()), Some((job, status))) => return Ok(Commissioned { job, status, is_new: true }),
            (Ok(()), None) => "nobody watches it".to_owned(),
            (Err(Denied::Unfinished(why)), _) => why,
            (Err(denied), _) => return Err(denied),
        };
        let mut back = Step::from(&self.foreman.plans.now().roster);
        // Those that refer to others first.
        parts.iter().rev().for_each(|(part, name)| back.forget(*part, name));
        self.take(back, reader)?;
        let hint = "nothing is left of it; `stakeout status` tells what this box lacks";
        Err(Denied::Conflict(Unfit::new(format!("the job could not begin: {why}"), hint)))
    }
}

/// Clients' monitors on `camera` that were asked for in the same words.
fn equals(roster: &Roster, camera: &Name, request: &Value) -> Vec<Name> {
    let is_equal = |made: &&Made| {
        made.body.request.as_ref() == Some(request)
            && made.body.section.get("camera").and_then(Value::as_str) == Some(camera.as_str())
    };
    roster.all_made().iter().filter(is_equal).map(|made| made.name.clone()).collect()
}

/// What is to be watched.
enum Stream {
    /// A camera that is there.
    Known(Name),
    /// One that isn't: its URL without the login, and the login.
    New(String, Option<(String, Secret)>),
}

impl Stream {
    /// A camera by its name, its URL, or its URL without a login; or a stream that nobody has named yet.
    fn find(plan: &Plan, text: &str) -> Result<Stream, Unfit> {
        let cameras = &plan.config.cameras;
        let is_at = |camera: &&config::Camera, wanted: &str| match &camera.url {
            CameraUrl::Open(url) => url.value.as_str() == wanted,
            CameraUrl::Secret(_) => false,
        };
        if let Some(known) = cameras.iter().find(|camera| camera.name.as_str() == text || is_at(camera, text)) {
            return Ok(Stream::Known(known.name.clone()));
        }
        if !(text.starts_with("rtsp://") || text.starts_with("rtsps://")) {
            let known = config::quoted(cameras.iter().map(|camera| camera.name.as_str()));
            let hint = format!("send `rtsp://host/path` or `rtsps://host/path`, or a camera's name: {known}");
            return Err(Unfit::new("`stream_url` is neither an RTSP stream nor a camera known here", hint));
        }
        let SecretUrl { url, login } = SecretUrl::parse(text).map_err(|why| {
            let why = why.to_string();
            let (what, hint) = why.split_once("; ").unwrap_or((&why, "write `rtsp://host/path`"));
            Unfit::new(format!("`stream_url` can't be used: {what}"), hint)
        })?;
        if let Some((username, password)) = &login {
            redact::conceal_login(username, password);
            // A name without a password is a token.
            if password.expose().is_empty() {
                redact::conceal(&Secret::new(username.as_str()));
            }
        }
        let opens = |camera: &&config::Camera| match &login {
            None => true,
            Some((username, password)) => {
                let made = plan.roster.made(Part::Camera, &camera.name);
                let secret = made.and_then(|made| made.body.secret.as_deref()).unwrap_or_default();
                made.is_some() && camera.username.as_ref() == Some(username) && secret == password.expose()
            }
        };
        let known = cameras.iter().filter(|camera| is_at(camera, url.as_str())).find(opens);
        Ok(known.map_or_else(|| Stream::New(url.into(), login), |known| Stream::Known(known.name.clone())))
    }
}

fn goes_on(status: JobStatus) -> bool {
    matches!(status, JobStatus::Pending | JobStatus::Running)
}

/// A camera for as long as clients watch it.
fn camera(url: &str, login: Option<(String, Secret)>, now: Now) -> Result<Made, Denied> {
    let name = fresh("stream", now)?;
    let mut section = object(json!({"name": name, "url": url}));
    let mut secret = None;
    if let Some((username, password)) = login {
        section.insert("username".to_owned(), Value::from(username));
        secret = Some(password.expose().to_owned()).filter(|password| !password.is_empty());
    }
    Ok(attached(Part::Camera, name, section, secret, now))
}

/// The endpoint of a webhook: always the same name, so that its sequence goes on.
pub(super) fn hook(format: Format, url: &str) -> Result<Name, Denied> {
    let digest = Sha256::new().chain_update(format.as_str()).chain_update([0]).chain_update(url).finalize();
    named(format!("hook-{}", hex::encode(&digest[..8])))
}

/// An endpoint for as long as clients need it.
pub(super) fn made_endpoint(name: &Name, format: Format, url: &str, api: &Api, now: Now) -> Made {
    let mut section = object(json!({"name": name, "url": url, "format": format.as_str()}));
    match &api.webhook_secret {
        Some(SecretRef::File(path)) => {
            section.insert("secret_file".to_owned(), Value::from(path.value.to_string_lossy()));
        }
        Some(SecretRef::Credential(name)) => {
            section.insert("secret_credential".to_owned(), Value::from(name.value.as_str()));
        }
        None => {}
    }
    attached(Part::Endpoint, name.clone(), section, None, now)
}

/// A client's monitor, whose job ends for good.
fn monitor(
    commission: Commission,
    camera: &Name,
    endpoint: &Name,
    model: Option<&Name>,
    now: Now,
) -> Result<Made, Denied> {
    let Commission { monitor: asked, request, .. } = commission;
    let name = fresh("job", now)?;
    let mut section = object(json!({"name": name, "camera": camera, "endpoints": [endpoint]}));
    section.extend(asked);
    if !section.contains_key("model") {
        let Some(model) = model else {
            let hint = "name one as `[api] default_model` in the configuration, or send `\"model\"`";
            return Err(Denied::Bad(Unfit::new("there is no model for jobs", hint)));
        };
        section.insert("model".to_owned(), Value::from(model.as_str()));
    }
    section.insert("restart".to_owned(), Value::from("never"));
    section.entry("max_duration").or_insert_with(|| Value::from(MAX_DURATION));
    let body = Body { section, secret: None, request: Some(request), attached: false };
    Ok(Made { part: Part::Monitor, name, body, made: now.wall, idle: None })
}

fn attached(part: Part, name: Name, section: Map<String, Value>, secret: Option<String>, now: Now) -> Made {
    Made { part, name, body: Body { section, secret, request: None, attached: true }, made: now.wall, idle: None }
}

/// A name that nobody has.
fn fresh(kind: &str, now: Now) -> Result<Name, Denied> {
    named(format!("{kind}-{}", now.new_id().simple()))
}

fn named(text: String) -> Result<Name, Denied> {
    Name::new(&text).map_err(|why| Denied::Bad(Unfit::new(why.to_string(), "report this")))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
