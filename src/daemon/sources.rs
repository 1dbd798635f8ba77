//! Streams that clients speak of: which camera one is, and cameras that are made of them.
//!
//! Owns when two addresses are one stream; refuses to know HTTP, what is watched and what a camera is called (`names`).
//! Runs on tokio's threads for blocking calls.

use serde_json::{Map, Value};

use super::made::{Body, Made};
use super::names;
use super::orders::{LONGEST_SECRET, Orders, bad_json, unknown};
use super::plan::Plan;
use super::roster::has;
use super::step::Step;
use crate::api::{Connected, Denied, Stream};
use crate::config::{self, CameraUrl, Part, SecretUrl, Unfit};
use crate::name::Name;
use crate::redact;
use crate::secret::Secret;
use crate::time::{self, Now};

/// What is to be watched.
pub(super) enum Source {
    /// A camera that is there.
    Known(Name),
    /// One that isn't.
    New(Address),
}

/// Where a new camera is.
pub(super) struct Address {
    /// Without the login.
    url: String,
    login: Option<(String, Secret)>,
}

impl Source {
    /// Which one a client means.
    pub(super) fn of(plan: &Plan, stream: &Stream) -> Result<Source, Denied> {
        match stream {
            Stream::At(text) => Source::at(plan, "stream_url", text).map_err(Denied::Bad),
            Stream::Of(camera) if has(&plan.config, Part::Camera, camera) => Ok(Source::Known(camera.clone())),
            Stream::Of(camera) => Err(Denied::Unknown(unknown(&plan.config, Part::Camera, camera))),
        }
    }

    /// A camera by its name, its URL, or its URL without a login; or a stream that nobody has named yet. `key` is how the
    /// client calls it.
    fn at(plan: &Plan, key: &str, text: &Secret) -> Result<Source, Unfit> {
        let (cameras, text) = (&plan.config.cameras, text.expose());
        let is_at = |camera: &&config::Camera, wanted: &str| match &camera.url {
            CameraUrl::Open(url) => url.value.as_str() == wanted,
            CameraUrl::Secret(_) => false,
        };
        if let Some(known) = cameras.iter().find(|camera| camera.name.as_str() == text || is_at(camera, text)) {
            return Ok(Source::Known(known.name.clone()));
        }
        if !(text.starts_with("rtsp://") || text.starts_with("rtsps://")) {
            let known = config::quoted(cameras.iter().map(|camera| camera.name.as_str()));
            let hint = format!("send `rtsp://host/path` or `rtsps://host/path`, or a camera's name: {known}");
            return Err(Unfit::new(format!("`{key}` is neither an RTSP stream nor a camera known here"), hint));
        }
        let SecretUrl { url, login } = SecretUrl::parse(text).map_err(|why| {
            let why = why.to_string();
            let (what, hint) = why.split_once("; ").unwrap_or((&why, "write `rtsp://host/path`"));
            Unfit::new(format!("`{key}` can't be used: {what}"), hint)
        })?;
        if let Some((username, password)) = &login {
            if username.len().max(password.expose().len()) > LONGEST_SECRET {
                let hint = format!("name and password have at most {LONGEST_SECRET} bytes each");
                return Err(Unfit::new(format!("the login of `{key}` is too long"), hint));
            }
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
        let new = |url: url::Url| Source::New(Address { url: url.into(), login });
        Ok(match known {
            Some(known) => Source::Known(known.name.clone()),
            None => new(url),
        })
    }
}

impl Orders {
    /// The camera of a stream, made where there is none. It stays until it is taken away.
    pub(super) fn camera_of(&self, stream: &Secret, label: Option<&str>) -> Result<Connected, Denied> {
        let reader = self.turn();
        let plan = self.foreman.plans.now();
        let mut step = Step::from(&plan.roster);
        match Source::at(&plan, "url", stream).map_err(Denied::Bad)? {
            Source::Known(camera) => {
                let attached = plan.roster.made(Part::Camera, &camera).filter(|made| made.body.attached);
                if let Some(made) = attached {
                    // So far it would have gone with the last monitor that needed it.
                    let body = Body { attached: false, ..made.body.clone() };
                    step.keep(Made { body, ..made.clone() }).map_err(|error| bad_json(&error))?;
                    self.take(step, &reader)?;
                }
                Ok(Connected { camera, is_new: false })
            }
            Source::New(address) => {
                let now = time::now();
                let name = names::of_camera(label, &plan.roster, now)?;
                self.add(&mut step, camera(name.clone(), address, false, now))?;
                self.put_in_force(step, &reader, || self.foreman.crew.with(&name, |_| ()))?;
                Ok(Connected { camera: name, is_new: true })
            }
        }
    }
}

/// A camera at `address`; `attached`: for as long as clients watch it.
pub(super) fn camera(name: Name, address: Address, attached: bool, now: Now) -> Made {
    let Address { url, login } = address;
    let mut section =
        Map::from_iter([("name".to_owned(), Value::from(name.as_str())), ("url".to_owned(), Value::from(url))]);
    let mut secret = None;
    if let Some((username, password)) = login {
        section.insert("username".to_owned(), Value::from(username));
        secret = Some(password.expose().to_owned()).filter(|password| !password.is_empty());
    }
    let body = Body { section, secret, attached, ..Body::default() };
    Made { part: Part::Camera, name, body, made: now.wall, idle: None }
}
