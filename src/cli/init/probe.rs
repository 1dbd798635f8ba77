//! Whether the answers work: one picture of the camera, a signed check of the endpoint, a look of the model at that picture.
//!
//! Owns what is said of it; refuses to know how any of it is done: `check --live` does the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::draft::{Draft, Endpoint, Watch};
use super::place;
use crate::camera::{self, Address, Login, Settings};
use crate::cli::exit::Failure;
use crate::cli::models::tried::advised;
use crate::cli::{checked, endpoint, print};
use crate::config::{self, Config, Defined};
use crate::credentials::Credentials;
use crate::frame::Frame;
use crate::model::Runtime;
use crate::picture::{self, Scaler};
use crate::preflight::{self, Folders, Opened};
use crate::sign::Key;
use crate::transport::Tls;
use crate::trial::Trial;

/// For the first picture: slow cameras need 8 s to connect, and then a keyframe.
const PATIENCE: Duration = Duration::from_secs(15);

/// Tries things out, or doesn't.
pub(super) struct Probe {
    tries: bool,
    /// What the camera saw.
    frame: Option<Frame>,
}

/// What the draft says so far.
///
/// # Errors
/// Answers that contradict each other: what was given can't be used.
pub(super) fn parsed(draft: &Draft) -> Result<Config, Failure> {
    let parsed =
        config::parse(&draft.text(), "the answers").map_err(|wrong| Failure::configuration(&wrong).misused())?;
    Ok(parsed.config)
}

impl Probe {
    pub(super) fn new(tries: bool) -> Probe {
        Probe { tries, frame: None }
    }

    pub(super) fn camera(&mut self, draft: &Draft) -> Result<(), Failure> {
        let config = parsed(draft)?;
        self.frame = None;
        let (Some(asked), Some(camera)) = (&draft.camera, config.cameras.first()) else { return Ok(()) };
        if !self.tries {
            return Ok(());
        }
        let name = &camera.name;
        camera::init().map_err(advised)?;
        if let Some(missing) = camera::missing_elements().into_iter().find(|missing| missing.only_for.is_none()) {
            return Err(advised(missing));
        }
        let (username, password) = asked.login.clone().unzip();
        let address = match asked.is_secret {
            false => Address::of(&asked.url, username, password, false),
            true => {
                let login = username.zip(password).map(|(username, password)| Login { username, password });
                Address::Secret(asked.url.clone(), login)
            }
        };
        print::say(&format!("looking at camera `{name}` …"));
        let seen = camera::glimpse(Settings::of(camera, &config.monitors, address), PATIENCE);
        let seen = seen.map_err(|problem| advised(format_args!("camera `{name}` does not work: {problem}")))?;
        let (codec, width, height) = (seen.codec.as_str(), seen.frame.width, seen.frame.height);
        let took = seen.took.as_millis();
        print::say(&format!("camera `{name}`: works ({codec} {width}x{height}, first picture after {took} ms)"));
        self.frame = Some(seen.frame);
        Ok(())
    }

    /// Saves what the camera saw at `to`, or where nothing lies yet. A configuration that works is worth more than a picture
    /// that can't be saved.
    pub(super) fn save_picture(&self, draft: &Draft, to: Option<&Path>) {
        let (Some(frame), Some(camera), Ok(config)) = (&self.frame, &draft.camera, parsed(draft)) else { return };
        let (width, quality) = (config.storage.snapshot_width, config.storage.snapshot_quality);
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        let write = |jpeg: Vec<u8>| match to.map(|to| absolute(to.to_owned())) {
            Some(place) => place::save(&place, &jpeg).map(|()| place),
            None => place::save_beside(&absolute(PathBuf::from(format!("{}.jpg", camera.name))), &jpeg),
        };
        let saved = picture::jpeg(&mut Scaler::default(), frame, width, quality)
            .map_err(|error| error.to_string())
            .and_then(|jpeg| write(jpeg).map_err(|failure| failure.to_string()));
        print::say(&match saved {
            Ok(place) => format!("the camera's first picture is saved as `{}`", place.display()),
            // The hint of a failure says that nothing was written; by now the configuration is.
            Err(why) => {
                let why = why.lines().next().unwrap_or_default();
                format!(
                    "warning: the camera's first picture is not saved: {why}\nhint: `stakeout snapshot` takes another"
                )
            }
        });
    }

    pub(super) fn endpoint(&self, draft: &Draft) -> Result<(), Failure> {
        let config = parsed(draft)?;
        let (Some(asked), Some(endpoint)) = (&draft.endpoint, config.endpoints.first()) else { return Ok(()) };
        let credentials = credentials(asked, endpoint, &config)?;
        if !self.tries {
            return Ok(());
        }
        let name = &endpoint.name;
        let checked = match endpoint::send(&config, endpoint, &credentials, Tls::default())? {
            Ok(checked) => checked,
            Err(why) => {
                print::say(&format!("endpoint `{name}` was not tried: {why}"));
                return Ok(());
            }
        };
        let status = checked.attempt.outcome.status();
        if asked.is_new && matches!(status, Some(401 | 403)) {
            print::say(&format!("endpoint `{name}`: reached; it refuses the new secret, which it doesn't know yet"));
            return Ok(());
        }
        if let Some(failure) = checked::failure(endpoint, &credentials, &checked) {
            return Err(failure.plainly());
        }
        let took = checked.attempt.took.as_millis();
        print::say(&format!("endpoint `{name}`: works (answered after {took} ms)"));
        checked::warnings(endpoint, &credentials, &checked).iter().for_each(|warning| print::say(warning));
        Ok(())
    }

    /// Whether the model loads and understands, and what it says of the picture.
    pub(super) fn watch(&self, draft: &mut Draft) -> Result<(), Failure> {
        let config = parsed(draft)?;
        let (Some(Watch { model, .. }), Some(monitor)) = (&draft.watch, config.monitors.first()) else { return Ok(()) };
        if !self.tries {
            return Ok(());
        }
        let opened = preflight::open(
            &Defined::Monitor(monitor.clone()),
            None,
            &config,
            &BTreeMap::new(),
            &mut Folders::default(),
        );
        let opened = opened.map_err(|unfit| Failure::plain(unfit.error).hint(unfit.hint))?;
        let Opened::Monitor(mut models) = opened else { return Ok(()) };
        let (loaded, frame) = (models.remove(model), &self.frame);
        if let (Some(loaded), Some(frame)) = (loaded, frame) {
            let mut trial = Trial::new(loaded);
            let ready = trial.question(monitor).map_err(advised)?;
            let (verdict, took) = trial.explained(frame, &ready).map_err(advised)?;
            let took = took.whole().as_millis();
            let (answer, confidence) = (verdict.answer.as_str(), verdict.confidence);
            print::say(&format!(
                "model `{model}` says of this picture: {answer}, {confidence:.2} ({}; {took} ms)",
                verdict.explanation
            ));
        }
        draft.onnxruntime = draft.onnxruntime.take().or_else(library_of_a_checkout);
        Ok(())
    }
}

/// What opens the way to it.
fn credentials(asked: &Endpoint, endpoint: &config::Endpoint, config: &Config) -> Result<Credentials, Failure> {
    let url = match (&asked.url, &endpoint.url) {
        (_, config::EndpointUrl::Open(url)) => url.value.clone(),
        (Some(url), config::EndpointUrl::Secret(_)) => {
            config::secret_destination(endpoint, 0..0, url.expose(), &config.egress).map_err(|told| {
                let told: Vec<String> = told.into_iter().map(|one| one.title).collect();
                Failure::plain(told.join("; ")).misused().hint("copy it anew from where the webhook was made")
            })?
        }
        (None, config::EndpointUrl::Secret(_)) => {
            return Err(Failure::plain("there is no URL").misused().hint("give one"));
        }
    };
    let mut credentials = Credentials::signing(url, Vec::new());
    match (&asked.secret, endpoint.format.is_signed()) {
        (Some(secret), true) => credentials.keys.push(Key::new(secret.expose()).map_err(advised)?),
        (Some(key), false) => credentials.routing_key = Some(key.clone()),
        (None, _) => {}
    }
    Ok(credentials)
}

/// The library that was found in the current folder, where the service wouldn't look.
fn library_of_a_checkout() -> Option<PathBuf> {
    let (path, here) = (Runtime::loaded()?.path().to_owned(), std::env::current_dir().ok()?);
    path.starts_with(here.join(".setup")).then_some(path)
}
