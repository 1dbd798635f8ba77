//! What is asked, and what counts as an answer.
//!
//! Owns the questions in their order; refuses to try an answer out (`probe`). What was given is held to the same.

use std::path::Path;

use url::Url;
use zeroize::Zeroizing;

use super::dialogue::Dialogue;
use super::draft::{Camera, Draft, Endpoint, Watch};
use super::given::{self, Given};
use super::place::Place;
use super::probe;
use super::watchable::{self, Watchable};
use crate::catalogue;
use crate::cli::exit::{Exit, Failure};
use crate::cli::keygen;
use crate::config::{self, Format, SecretUrl};
use crate::model;
use crate::name::Name;
use crate::redact;
use crate::secret::Secret;
use crate::sign::Key;

/// A URL as it was read: without its login, whether it is a secret, the login.
type CameraUrl = (Url, bool, Option<(String, Secret)>);

/// `before`: the name that was typed the last time.
pub(super) fn camera(dialogue: &Dialogue, given: &Given, before: Option<Name>) -> Result<Camera, Failure> {
    let usual = before.as_ref().map_or("camera", Name::as_str);
    let name = dialogue.text(given.camera_name.clone(), "Name of the camera", usual, name)?;
    let text = match &given.camera_url_file {
        Some(file) => Some(content(file)?.expose().to_owned()),
        None => given.camera_url.clone(),
    };
    let read = text.map(|text| camera_url(&text, &name).map_err(|why| usage("the camera's URL", &why))).transpose()?;
    let prompt = "Its URL, for example rtsp://10.0.0.21/stream1";
    let (url, is_secret, login) = dialogue.text(read, prompt, "", |text| camera_url(text, &name))?;
    let login = match (login, &given.camera_username, &given.camera_password_file) {
        (Some(_), Some(_), _) => return Err(usage("the camera's URL", "it has a login of its own; leave one out")),
        (Some(login), None, _) => Some(login),
        (None, Some(username), Some(file)) => Some((username.clone(), content(file)?)),
        (None, ..) if url.scheme() == "file" => None,
        (None, ..) => ask_for_login(dialogue)?,
    };
    if let Some((username, password)) = &login {
        redact::conceal_login(username, password);
    }
    if is_secret {
        redact::conceal_url(&url);
    }
    Ok(Camera { name, url, is_secret, login })
}

fn ask_for_login(dialogue: &Dialogue) -> Result<Option<(String, Secret)>, Failure> {
    let username = dialogue.text(None, "User name (Enter: no login)", "", |text| Ok(text.to_owned()))?;
    if username.is_empty() {
        return Ok(None);
    }
    let password = dialogue.secret(None, "Password")?;
    Ok((!password.expose().is_empty()).then_some((username, password)))
}

/// What stands before the `@` is taken out; what is a secret all the same goes into a file.
fn camera_url(text: &str, name: &Name) -> Result<CameraUrl, String> {
    let section = |url: &str| format!("[[camera]]\nname = \"{name}\"\nurl = {}\n", toml::Value::String(url.to_owned()));
    if !text.starts_with("rtsp") {
        accepted(&section(text))?;
        return Url::parse(text).map(|url| (url, false, None)).map_err(|why| why.to_string());
    }
    let SecretUrl { url, login } = SecretUrl::parse(text).map_err(|why| why.to_string())?;
    let is_secret = accepted(&section(url.as_str())).is_err();
    let login = login.filter(|(username, password)| !username.is_empty() && !password.expose().is_empty());
    Ok((url, is_secret, login))
}

/// What the configuration would say to it.
fn accepted(text: &str) -> Result<(), String> {
    config::parse(text, "it").map(drop).map_err(|wrong| {
        let (errors, hints) = wrong.plain_errors();
        errors.into_iter().chain(hints).collect::<Vec<_>>().join("; ")
    })
}

/// `before`: the name that was typed the last time.
pub(super) fn endpoint(
    dialogue: &Dialogue,
    given: &Given,
    before: Option<Name>,
    place: &Place,
) -> Result<Endpoint, Failure> {
    let usual = before.as_ref().map_or("ops", Name::as_str);
    let name = dialogue.text(given.endpoint_name.clone(), "Name of the endpoint, where events go", usual, name)?;
    let format = format(dialogue, given)?;
    let given_secret = given.endpoint_secret_file.as_deref().map(content).transpose()?;
    let given_url = match &given.endpoint_url_file {
        Some(file) => Some(content(file)?),
        None => given.endpoint_url.clone().map(Secret::new),
    };
    if format == Format::Pagerduty {
        let key = dialogue.secret(given_secret, "Integration key")?;
        redact::conceal(&key);
        return Ok(Endpoint { name, format, url: None, secret: Some(key), is_new: false });
    }
    if format == Format::Slack {
        let url = dialogue.secret(given_url, "Webhook URL")?;
        redact::conceal(&url);
        return Ok(Endpoint { name, format, url: Some(url), secret: None, is_new: false });
    }
    let given_url = given_url.map(|url| endpoint_url(url.expose(), &name, format)).transpose();
    let given_url = given_url.map_err(|why| usage("the endpoint's URL", &why))?;
    let read = |text: &str| endpoint_url(text, &name, format);
    let url = dialogue.text(given_url, "Its URL, for example https://your-app.example/hooks/stakeout", "", read)?;
    let (secret, is_new) = signing_secret(dialogue, given_secret, &name, place)?;
    Ok(Endpoint { name, format, url: Some(Secret::new(url)), secret: Some(secret), is_new })
}

fn format(dialogue: &Dialogue, given: &Given) -> Result<Format, Failure> {
    if let Some(format) = given.endpoint_format {
        return Ok(format);
    }
    let formats: Vec<Format> = given::formats().collect();
    let names: Vec<&str> = formats.iter().map(|format| format.as_str()).collect();
    let chosen = dialogue.choose(
        "How are events written? (mail and uploads are set up by hand: `stakeout config`)",
        &names,
        0,
    )?;
    Ok(formats.get(chosen).copied().unwrap_or(Format::Stakeout))
}

fn endpoint_url(text: &str, name: &Name, format: Format) -> Result<String, String> {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let (url, format) = (quoted(text), quoted(format.as_str()));
    accepted(&format!("[[endpoint]]\nname = \"{name}\"\nurl = {url}\nformat = {format}\n")).map(|()| text.to_owned())
}

/// The receiver's, or the one that is there, or a new one (then: true).
fn signing_secret(
    dialogue: &Dialogue,
    given: Option<Secret>,
    name: &Name,
    place: &Place,
) -> Result<(Secret, bool), Failure> {
    let answer = dialogue.secret(given, "The secret that its receiver has already (Enter: a new one is made)")?;
    let (secret, is_new) = match (answer.expose(), place.kept(&format!("{name}.secret"))) {
        ("", Some(kept)) => {
            dialogue.remark(&format!("the secret in `{name}.secret` is kept"));
            (kept, false)
        }
        ("", None) => (Secret::new(Zeroizing::clone(&keygen::make()?).as_str()), true),
        _ => (answer, false),
    };
    redact::conceal(&secret);
    Key::new(secret.expose()).map_err(|why| Failure::new(Exit::Usage, format_args!("the secret: {why}")))?;
    Ok((secret, is_new))
}

/// None: there is nobody who could judge.
pub(super) fn watch(dialogue: &Dialogue, given: &Given, draft: &Draft) -> Result<Option<Watch>, Failure> {
    let storage = probe::parsed(draft)?.storage.path;
    let all = watchable::all(&storage);
    let Some(model) = model(dialogue, given, &all, &storage)? else {
        crate::cli::print::say(
            "warning: there is no model here that could judge, so nothing will be watched yet\n\
             hint: `stakeout models list` shows what can be had; write a [[monitor]] when there is one",
        );
        return Ok(None);
    };
    let mut labels = Vec::new();
    let (mut condition, mut negatives) = (given.condition.clone().unwrap_or_default(), given.negatives.clone());
    if model.family.reads() {
        let default = model.question();
        condition = dialogue.text(given.condition.clone(), "What is asked, in plain words", default, some)?;
        if model.wants_negatives() && negatives.is_empty() {
            negatives.push(dialogue.text(None, "What is there otherwise", "an empty place", some)?);
        }
    } else {
        let given = given_labels(given, model)?;
        let prompt = format!("What is looked for, of {}", model.few_labels());
        labels = dialogue.text(given, &prompt, model.likely_label(), |text| model.labels(text))?;
    }
    let camera = draft.camera.as_ref().map_or("camera", |camera| camera.name.as_str());
    let what = labels.first().map_or("watch", String::as_str);
    let (model, model_path) = (model.name.clone(), model.path_for_service.clone());
    Ok(Some(Watch { name: named_after(what, camera), model, model_path, condition, labels, negatives }))
}

/// Whether the model that was given is here and has the labels that were given: before anything is tried.
pub(super) fn given_model(given: &Given, draft: &Draft) -> Result<(), Failure> {
    let Some(name) = &given.model else { return Ok(()) };
    let storage = probe::parsed(draft)?.storage.path;
    let all = watchable::all(&storage);
    let model = named(name, &all, &storage)?;
    if model.family.reads() { Ok(()) } else { given_labels(given, model).map(drop) }
}

fn given_labels(given: &Given, model: &Watchable) -> Result<Option<Vec<String>>, Failure> {
    if given.labels.is_empty() {
        return Ok(None);
    }
    model.labels(&given.labels.join(",")).map(Some).map_err(|why| usage(&format!("model `{}`", model.name), &why))
}

fn model<'m>(
    dialogue: &Dialogue,
    given: &Given,
    all: &'m [Watchable],
    storage: &Path,
) -> Result<Option<&'m Watchable>, Failure> {
    if let Some(name) = &given.model {
        return named(name, all, storage).map(Some);
    }
    if all.is_empty() {
        return Ok(None);
    }
    let lines: Vec<String> = all.iter().map(Watchable::line).collect();
    Ok(all.get(dialogue.choose("Who judges?", &lines, watchable::likely(all))?))
}

fn named<'m>(name: &Name, all: &'m [Watchable], storage: &Path) -> Result<&'m Watchable, Failure> {
    all.iter().find(|model| model.name == *name).ok_or_else(|| {
        let failure = Failure::new(Exit::Usage, format_args!("there is no model `{name}` that can be used"));
        let here = match config::quoted(all.iter().map(|model| model.name.as_str())) {
            none if none.is_empty() => format!("there is none in {}", model::searched(storage)),
            here => format!("here are: {here}"),
        };
        let failure = failure.hint(format_args!("{here}; `stakeout models list` says what is wrong with others"));
        match catalogue::find(name.as_str()) {
            Some(_) => failure.hint(format_args!("`stakeout models pull {name}` downloads it")),
            None => failure,
        }
    })
}

fn name(text: &str) -> Result<Name, String> {
    Name::new(text).map_err(|why| why.to_string())
}

fn some(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() { Err("some words".to_owned()) } else { Ok(text.to_owned()) }
}

/// `person-at-dock`, whatever the two are called.
fn named_after(what: &str, camera: &str) -> Name {
    let tidy = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.' { c } else { '-' };
    let text: String = format!("{what}-at-{camera}").chars().map(tidy).take(crate::name::MAX_LEN).collect();
    Name::new(&text).or_else(|_| Name::new("watch")).expect("a constant that is a name")
}

fn content(file: &Path) -> Result<Secret, Failure> {
    let text = std::fs::read_to_string(file).map(Zeroizing::new);
    let text = text.map_err(|error| Failure::new(Exit::Usage, format_args!("`{}`: {error}", file.display())))?;
    match text.trim_end() {
        "" => Err(Failure::new(Exit::Usage, format_args!("`{}` is empty", file.display()))),
        secret => Ok(Secret::new(secret)),
    }
}

fn usage(what: &str, why: &str) -> Failure {
    let (why, hint) = why.split_once("; ").unwrap_or((why, "see `stakeout init --help`"));
    Failure::new(Exit::Usage, format_args!("{what}: {why}")).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_taken_out_of_a_url_and_a_secret_url_is_known() {
        let camera_url = |text: &str| camera_url(text, &Name::new("yard").unwrap());
        let (url, is_secret, login) = camera_url("rtsp://viewer:p%40ss-word@10.0.0.21/stream1").unwrap();
        assert_eq!((url.as_str(), is_secret), ("rtsp://10.0.0.21/stream1", false));
        let (username, password) = login.unwrap();
        assert_eq!((username.as_str(), password.expose()), ("viewer", "p@ss-word"));
        let (_, is_secret, login) = camera_url("rtsp://10.0.0.21/live?password=hunter2-init").unwrap();
        assert!(is_secret && login.is_none());
        assert!(camera_url("file:///clips/yard.mp4").is_ok());
        for wrong in ["", "10.0.0.21", "http://10.0.0.21/", "rtsp://", "rtsp://a b/"] {
            assert!(camera_url(wrong).is_err_and(|why| !why.contains("`camera`")), "{wrong}");
        }
    }

    #[test]
    fn an_endpoint_is_held_to_what_the_configuration_takes() {
        let endpoint_url = |text: &str, format| endpoint_url(text, &Name::new("hook").unwrap(), format);
        assert!(endpoint_url("https://ops.example/hook", Format::Stakeout).is_ok());
        assert!(endpoint_url("http://127.0.0.1:8080/hook", Format::Videodb).is_ok());
        for wrong in ["", "ops.example", "http://ops.example/hook", "ftp://x/"] {
            let why = endpoint_url(wrong, Format::Stakeout).unwrap_err();
            assert!(why.contains("endpoint `hook`"), "{why}");
        }
    }

    #[test]
    fn a_monitor_is_named_after_what_it_looks_for() {
        assert_eq!(named_after("person", "dock").as_str(), "person-at-dock");
        assert_eq!(named_after("cell phone", "dock").as_str(), "cell-phone-at-dock");
        assert_eq!(named_after("+", "x").as_str(), "watch");
        assert_eq!(named_after(&"x".repeat(80), "dock").as_str().len(), 64);
    }
}
