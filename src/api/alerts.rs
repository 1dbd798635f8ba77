//! `/v1/alerts`: monitors bound to webhooks and WebSocket connections of clients, in the shape of VideoDB's alerts.
//!
//! Owns what a client may ask for there and how an alert is told; refuses to know how a binding is kept and put in force (the
//! daemon does, as an [`Alerting`]) and how a connection hears (`channels`).

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::Shared;
use super::channels::{Heard, Unheard};
use super::definitions::{Body, By, Denied, carry_out};
use super::lines::Utc;
use super::refusal::Refusal;
use super::status::MonitorState;
use crate::config;
use crate::name::Name;
use crate::time::{Wall, now};

/// Keeps bindings of monitors to webhooks, and puts them in force. Every method may block, and returns once what it did is on
/// stable storage and in force.
pub trait Alerting: Send + Sync + 'static {
    /// Owes the alerts of a monitor to that URL, too, from now on. Whether it is new; one that there is stays as it is.
    ///
    /// # Errors
    /// Nothing has changed, but for [`Denied::Unfinished`].
    fn bind(&self, monitor: &Name, callback_url: &str) -> Result<bool, Denied>;

    /// Puts a binding in force, or keeps it only.
    ///
    /// # Errors
    /// As [`Alerting::bind`].
    fn switch_alert(&self, alert: &Name, enabled: bool) -> Result<(), Denied>;

    /// Takes a binding away.
    ///
    /// # Errors
    /// As [`Alerting::bind`].
    fn unbind(&self, alert: &Name) -> Result<(), Denied>;
}

/// A monitor, as clients of alerts know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub monitor: Name,
    /// Its id on this device, for ever ([`crate::payload::rule`]).
    pub event_id: String,
    /// What it calls its events.
    pub label: String,
}

/// A monitor that is bound to a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Its id ([`alert_id`]).
    pub id: Name,
    /// Which monitor.
    pub monitor: Name,
    /// As its id on this device.
    pub event_id: String,
    /// As the client gave it.
    pub callback_url: String,
    /// Whether it is to be in force.
    pub enabled: bool,
    /// When it was made.
    pub made: Wall,
    /// Why it can't be in force.
    pub problem: Option<String>,
}

/// An alert at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertLine {
    /// What enables, disables and deletes it.
    pub alert_id: Name,
    /// Of the monitor, as in what is sent.
    pub event_id: String,
    /// Its name.
    pub monitor: Name,
    /// What it calls its events; null where there is no such monitor any more.
    pub label: Option<String>,
    /// Where they are sent, without what may be a secret; null: nowhere.
    pub callback_url: Option<String>,
    /// The connection that hears them; null: none.
    pub ws_connection_id: Option<Name>,
    /// As it was switched.
    pub status: AlertStatus,
    /// Why nothing comes of it although it is enabled; null: something does.
    pub problem: Option<String>,
    /// When it was made.
    pub created_at: Utc,
}

/// Whether an alert is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertStatus {
    /// It is.
    Enabled,
    /// It is kept, and nothing more.
    Disabled,
}

/// All alerts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alerts {
    /// By their ids.
    pub alerts: Vec<AlertLine>,
}

const HINT: &str = "send a JSON object with `event_id`, and `callback_url` or `ws_connection_id`";

/// In bytes.
const LONGEST_URL: usize = 2048;

/// Names an alert: always the same, so that the same words are the same alert. `to` is a URL or a connection's id.
pub fn alert_id(monitor: &Name, to: &str) -> Name {
    let digest = Sha256::new().chain_update(monitor.as_str()).chain_update([0]).chain_update(to).finalize();
    Name::new(&format!("alert-{}", hex::encode(&digest[..8]))).expect("letters, digits and a dash")
}

pub(super) async fn list(State(shared): State<Shared>) -> Json<Alerts> {
    Json(Alerts { alerts: lines(&shared) })
}

pub(super) async fn create(State(shared): State<Shared>, ConnectInfo(by): By, body: Body) -> Result<Response, Refusal> {
    let Json(body) = body.map_err(|rejection| Refusal::bad_request(rejection.body_text(), HINT))?;
    let Asked { event, callback_url, connection } = Asked::read(&body)?;
    let monitor = find(&shared.site.rules(), &event)?.monitor;
    let to = callback_url.as_deref().or(connection.as_deref()).unwrap_or_default();
    let id = alert_id(&monitor, to);
    let mut is_new = false;
    if let Some(connection) = connection {
        is_new = hear(&shared, &id, &connection, &monitor)?;
    }
    if let Some(url) = callback_url {
        let what = format!("bind monitor `{monitor}` to a webhook");
        let bound = carry_out(&shared, (by, what), move |registrar| registrar.bind(&monitor, &url)).await;
        if bound.is_err() && is_new {
            shared.channels.callers().unbind(&id);
        }
        is_new = bound?;
    }
    tracing::info!(alert = %id, is_new, "an alert was asked for over the API");
    let code = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((code, Json(line(&shared, &id)?)).into_response())
}

pub(super) async fn enable(shared: State<Shared>, by: By, id: Path<String>) -> Result<Json<AlertLine>, Refusal> {
    switch(shared, by, id, true).await
}

pub(super) async fn disable(shared: State<Shared>, by: By, id: Path<String>) -> Result<Json<AlertLine>, Refusal> {
    switch(shared, by, id, false).await
}

async fn switch(
    State(shared): State<Shared>,
    ConnectInfo(by): By,
    Path(id): Path<String>,
    enabled: bool,
) -> Result<Json<AlertLine>, Refusal> {
    let id = line(&shared, &known(&id)?)?.alert_id;
    if is_kept(&shared, &id) {
        let (alert, what) = (id.clone(), format!("{} alert `{id}`", if enabled { "enable" } else { "disable" }));
        carry_out(&shared, (by, what), move |registrar| registrar.switch_alert(&alert, enabled)).await?;
    }
    shared.channels.callers().switch(&id, enabled);
    tracing::info!(alert = %id, enabled, "an alert was switched");
    Ok(Json(line(&shared, &id)?))
}

pub(super) async fn delete(
    State(shared): State<Shared>,
    ConnectInfo(by): By,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    let id = line(&shared, &known(&id)?)?.alert_id;
    if is_kept(&shared, &id) {
        let (alert, what) = (id.clone(), format!("take away alert `{id}`"));
        carry_out(&shared, (by, what), move |registrar| registrar.unbind(&alert)).await?;
    }
    shared.channels.callers().unbind(&id);
    tracing::info!(alert = %id, "an alert was taken away");
    Ok(StatusCode::NO_CONTENT)
}

/// What a client wants.
struct Asked {
    event: String,
    callback_url: Option<String>,
    connection: Option<String>,
}

impl Asked {
    /// Nulls and empty texts are as good as nothing: VideoDB's clients send all keys. Others are ignored.
    fn read(body: &Map<String, Value>) -> Result<Asked, Refusal> {
        let text = |key: &str| match body.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
            Some(_) => Err(Refusal::bad_request(format!("`{key}` is no text"), HINT)),
        };
        let (event, callback_url, connection) = (text("event_id")?, text("callback_url")?, text("ws_connection_id")?);
        let Some(event) = event else {
            return Err(Refusal::bad_request("`event_id` is missing", "GET /v1/monitors tells each monitor's"));
        };
        if callback_url.is_none() && connection.is_none() {
            return Err(Refusal::bad_request("neither `callback_url` nor `ws_connection_id` is there", HINT));
        }
        if callback_url.as_ref().is_some_and(|url| url.len() > LONGEST_URL) {
            return Err(Refusal::bad_request("`callback_url` is too long", format!("{LONGEST_URL} bytes at most")));
        }
        Ok(Asked { event, callback_url, connection })
    }
}

/// A monitor by its event id or its name.
fn find(rules: &[Rule], event: &str) -> Result<Rule, Refusal> {
    let by_id = rules.iter().find(|rule| rule.event_id == event);
    if let Some(rule) = by_id.or_else(|| rules.iter().find(|rule| rule.monitor.as_str() == event)) {
        return Ok(rule.clone());
    }
    let known = match rules {
        [] => "there is no monitor at all".to_owned(),
        _ => format!("monitors known here: {}", config::quoted(rules.iter().map(|rule| rule.monitor.as_str()))),
    };
    let hint = format!("send the `event_id` or the name of a monitor, as GET /v1/monitors tells them; {known}");
    Err(Refusal::not_found(format!("there is no monitor with the event id `{}`", shortened(event)), hint))
}

fn hear(shared: &Shared, id: &Name, connection: &str, monitor: &Name) -> Result<bool, Refusal> {
    let bound = Name::new(connection)
        .map_err(|_| Unheard::Gone)
        .and_then(|connection| shared.channels.bind(id, &connection, monitor));
    bound.map_err(|unheard| match unheard {
        Unheard::Gone => Refusal::not_found(
            format!("{unheard}: `{}`", shortened(connection)),
            "the first message at /v1/ws tells `connection_id`, which holds as long as the connection is open",
        ),
        Unheard::Full => Refusal::new(StatusCode::CONFLICT, unheard.to_string(), "delete some, or open another one"),
    })
}

/// What somebody sent us, in an answer.
fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}

/// One that can't be a name is nobody's.
fn known(id: &str) -> Result<Name, Refusal> {
    Name::new(id).map_err(|_| unknown(id))
}

fn unknown(id: &str) -> Refusal {
    let hint = "GET /v1/alerts lists all there are; one that is bound to a WebSocket connection goes with it";
    Refusal::not_found(format!("there is no alert `{}`", shortened(id)), hint)
}

fn is_kept(shared: &Shared, id: &Name) -> bool {
    shared.site.bindings().iter().any(|binding| binding.id == *id)
}

fn line(shared: &Shared, id: &Name) -> Result<AlertLine, Refusal> {
    lines(shared).into_iter().find(|line| line.alert_id == *id).ok_or_else(|| unknown(id.as_str()))
}

/// All there are: those that are kept, with the connections that hear them too, and those of connections alone.
fn lines(shared: &Shared) -> Vec<AlertLine> {
    let (rules, mut heard) = (shared.site.rules(), shared.channels.callers().heard());
    let rule = |monitor: &Name| rules.iter().find(|rule| rule.monitor == *monitor);
    let mut lines = BTreeMap::new();
    for Binding { id, monitor, event_id, callback_url, enabled, made, problem } in shared.site.bindings() {
        let line = AlertLine {
            alert_id: id.clone(),
            event_id,
            label: rule(&monitor).map(|rule| rule.label.clone()),
            monitor,
            callback_url: Some(config::shown_url(&callback_url)),
            ws_connection_id: heard.remove(&id).map(|heard| heard.connection),
            status: AlertStatus::from(enabled),
            problem,
            created_at: Utc(made),
        };
        lines.insert(id, line);
    }
    for (id, Heard { connection, monitor, enabled, made }) in heard {
        let rule = rule(&monitor);
        let line = AlertLine {
            alert_id: id.clone(),
            event_id: rule.map_or_else(
                || crate::payload::rule(&shared.site.device(), monitor.as_str()),
                |rule| rule.event_id.clone(),
            ),
            label: rule.map(|rule| rule.label.clone()),
            problem: rule.is_none().then(|| no_monitor(&monitor)),
            monitor,
            callback_url: None,
            ws_connection_id: Some(connection),
            status: AlertStatus::from(enabled),
            created_at: Utc(made),
        };
        lines.insert(id, line);
    }
    let disabled: BTreeSet<Name> = monitors_that_are_disabled(shared);
    let told = |line: AlertLine| {
        let is_disabled = disabled.contains(&line.monitor);
        let disabled = || is_disabled.then(|| disabled_monitor(&line.monitor));
        AlertLine { problem: line.problem.clone().or_else(disabled), ..line }
    };
    lines.into_values().map(told).collect()
}

fn monitors_that_are_disabled(shared: &Shared) -> BTreeSet<Name> {
    let monitors = shared.site.monitors(now()).into_iter();
    monitors.filter(|monitor| monitor.state == MonitorState::Disabled).map(|monitor| monitor.name).collect()
}

/// What an alert of a monitor that looks at nothing says of itself.
fn disabled_monitor(monitor: &Name) -> String {
    format!("monitor `{monitor}` is disabled; POST /v1/monitors/{monitor}/enable")
}

/// What an alert of a monitor that is gone says of itself.
pub fn no_monitor(monitor: &Name) -> String {
    format!("there is no monitor `{monitor}`")
}

impl From<bool> for AlertStatus {
    fn from(enabled: bool) -> AlertStatus {
        if enabled { AlertStatus::Enabled } else { AlertStatus::Disabled }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    #[test]
    fn the_same_words_are_the_same_alert_and_others_another_one() {
        let id = alert_id(&name("zone"), "https://app.example/hook");
        assert_eq!(id, alert_id(&name("zone"), "https://app.example/hook"));
        assert!(id.as_str().strip_prefix("alert-").is_some_and(|hex| hex.len() == 16));
        let others =
            [alert_id(&name("zone"), "https://app.example/hook2"), alert_id(&name("zon"), "ehttps://app.example/hook")];
        assert!(others.iter().all(|other| *other != id));
    }

    #[test]
    fn a_monitor_is_found_by_its_id_and_by_its_name() {
        let rule = |monitor: &str, id: &str| Rule { monitor: name(monitor), event_id: id.into(), label: String::new() };
        let rules = [rule("zone", "event-1"), rule("event-1", "event-2")];
        let found = |event: &str| find(&rules, event).map(|rule| rule.monitor.to_string());
        assert_eq!((found("zone").unwrap(), found("event-2").unwrap()), ("zone".to_owned(), "event-1".to_owned()));
        assert_eq!(found("event-1").unwrap(), "zone", "an id before a name");
        let refusal = found("nobody").unwrap_err();
        assert_eq!((refusal.status, &*refusal.error), (404, "there is no monitor with the event id `nobody`"));
        assert!(refusal.hint.contains("GET /v1/monitors") && refusal.hint.contains("`zone`"), "{}", refusal.hint);
        assert!(find(&[], &"x".repeat(9999)).unwrap_err().error.len() < 200);
    }

    #[test]
    fn what_is_asked_for_is_an_event_and_at_least_one_who_is_told() {
        let asked = |body: Value| {
            let Value::Object(body) = body else { panic!() };
            Asked::read(&body).map(|it| (it.callback_url, it.connection)).map_err(|refusal| refusal.error)
        };
        let url = "https://app.example/hook";
        let both = json!({"event_id": "e", "callback_url": url, "ws_connection_id": "ws-1", "colour": "red"});
        assert_eq!(asked(both), Ok((Some(url.to_owned()), Some("ws-1".to_owned()))));
        let one = json!({"event_id": "e", "callback_url": "", "ws_connection_id": "ws-1"});
        assert_eq!(asked(one), Ok((None, Some("ws-1".to_owned()))));
        for (body, told) in [
            (json!({}), "`event_id` is missing"),
            (json!({"event_id": 7, "callback_url": url}), "`event_id` is no text"),
            (json!({"event_id": "e", "callback_url": null}), "neither `callback_url` nor `ws_connection_id` is there"),
            (
                json!({"event_id": "e", "callback_url": format!("{url}{}", "x".repeat(2048))}),
                "`callback_url` is too long",
            ),
        ] {
            assert_eq!(asked(body).unwrap_err(), told);
        }
    }
}
