//! Webhooks of clients, as at AIOZ Stream: each is an endpoint of its own, which every clip of the box is told to.
//!
//! Owns what is kept of one beside its endpoint, the section that it comes to, and to whose clips it listens; refuses to know
//! HTTP and how an endpoint is put in force (`orders`). Runs on tokio's threads for blocking calls.
//!
//! Endpoint and webhook are one row of the journal: a kill leaves both of them or none.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::made::{Body, Made};
use super::names;
use super::orders::{Orders, bad_json};
use super::plan::Plan;
use super::roster::Roster;
use super::step::Step;
use crate::api::{self, Denied, Hooking, Moments, Registrar, Said};
use crate::config::{Config, Format, Part, Unfit};
use crate::name::Name;
use crate::time::{self, Wall};

/// What a webhook is called whose client calls it nothing, as at AIOZ.
const UNNAMED: &str = "default-name-webhook";

/// What is kept of a webhook beside its endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Webhook {
    /// What its client knows it by.
    pub(super) id: Uuid,
    /// What its client calls it.
    title: String,
    /// When it was made or last changed.
    changed: Wall,
}

impl Hooking for Orders {
    fn hook(&self, said: Said) -> Result<Uuid, Denied> {
        let reader = self.turn();
        let plan = self.foreman.plans.now();
        let now = time::now();
        let id = now.new_id();
        let name = names::of_webhook(id)?;
        let moments = some(said.moments(Moments::default()))?;
        let Some(url) = said.url else {
            let hint = "add `\"url\": \"https://your-app.example/clips\"`";
            return Err(Denied::Bad(Unfit::new("`url` is missing, or empty", hint)));
        };
        let webhook = Webhook { id, title: said.title.unwrap_or_else(|| UNNAMED.to_owned()), changed: now.wall };
        let body = Body { section: section(&name, &url, moments), webhook: Some(webhook), ..Body::default() };
        let mut step = Step::from(&plan.roster);
        self.add(&mut step, Made { part: Part::Endpoint, name, body, made: now.wall, idle: None })?;
        self.take(step, &reader)?;
        Ok(id)
    }

    fn rehook(&self, id: Uuid, said: Said) -> Result<(), Denied> {
        let reader = self.turn();
        let plan = self.foreman.plans.now();
        let (before, webhook) = plan.roster.webhook(id).ok_or_else(|| gone(id))?;
        let moments = some(said.moments(moments(&before.body)))?;
        let url = said.url.as_deref().unwrap_or_else(|| url(&before.body));
        let title = said.title.unwrap_or_else(|| webhook.title.clone());
        let webhook = Some(Webhook { id, title, changed: time::now().wall });
        let body = Body { section: section(&before.name, url, moments), webhook, ..before.body.clone() };
        let sends_the_same = body.section == before.body.section;
        let made = Made { body, ..before.clone() };
        let mut step = Step::from(&plan.roster);
        match sends_the_same {
            // Nothing of what runs changes, and what is on its way arrives.
            true => step.keep(made).map_err(|error| bad_json(&error))?,
            false => self.add(&mut step, Made { idle: None, ..made })?,
        }
        self.take(step, &reader)
    }

    fn unhook(&self, id: Uuid) -> Result<(), Denied> {
        let endpoint = self.foreman.plans.now().roster.webhook(id).map(|(made, _)| made.name.clone());
        self.remove(Part::Endpoint, &endpoint.ok_or_else(|| gone(id))?)
    }
}

impl Roster {
    /// The webhook of that id, with its endpoint.
    fn webhook(&self, id: Uuid) -> Option<(&Made, &Webhook)> {
        let mut all = self.all_made().iter().filter_map(|made| Some((made, made.body.webhook.as_ref()?)));
        all.find(|(_, webhook)| webhook.id == id)
    }
}

impl Plan {
    /// All webhooks, as clients are told of them.
    pub(super) fn webhooks(&self) -> Vec<api::Webhook> {
        let told = |made: &Made| {
            let Webhook { id, title, changed } = made.body.webhook.clone()?;
            let (endpoint, url, moments) = (made.name.clone(), url(&made.body).to_owned(), moments(&made.body));
            Some(api::Webhook { id, endpoint, title, url, moments, made: made.made, changed })
        };
        self.roster.all_made().iter().filter_map(told).collect()
    }
}

/// Lets the endpoints of webhooks hear of all that is recorded, whoever defined what records.
pub(super) fn apply<'m>(made: impl Iterator<Item = &'m Made>, config: &mut Config) {
    let webhooks = made.filter(|made| made.body.webhook.is_some()).map(|made| &made.name);
    let running = |name: &&Name| config.endpoints.iter().any(|endpoint| endpoint.name == **name);
    let webhooks: Vec<Name> = webhooks.filter(running).cloned().collect();
    for monitor in config.monitors.iter_mut().filter(|monitor| monitor.clip.is_some()) {
        let more: Vec<_> = webhooks.iter().filter(|webhook| !monitor.endpoints.contains(webhook)).cloned().collect();
        monitor.endpoints.extend(more);
    }
}

/// The section of a webhook's endpoint.
fn section(name: &Name, url: &str, moments: Moments) -> Map<String, Value> {
    let events: Vec<_> = moments.events().into_iter().map(|kind| kind.as_str()).collect();
    let Value::Object(section) = json!({
        "name": name, "url": url, "format": Format::Aioz.as_str(), "retry": "aioz", "events": events,
        // A medium's life is told in order, as far as nothing has to be told twice.
        "concurrency": 1,
    }) else {
        return Map::new();
    };
    section
}

fn url(body: &Body) -> &str {
    body.section.get("url").and_then(Value::as_str).unwrap_or_default()
}

fn moments(body: &Body) -> Moments {
    let events = body.section.get("events").and_then(Value::as_array);
    Moments::of(|kind| events.is_some_and(|events| events.iter().any(|event| event == kind.as_str())))
}

/// At least one of them: nothing would ever come of none.
fn some(moments: Moments) -> Result<Moments, Denied> {
    if moments != Moments::default() {
        return Ok(moments);
    }
    let hint = "let at least one of `file_received`, `encoding_started`, `partial_finished`, `encoding_finished` and \
                `encoding_failed` be `true`";
    Err(Denied::Bad(Unfit::new("a webhook that is told of nothing says nothing", hint)))
}

fn gone(id: Uuid) -> Denied {
    Denied::Unknown(Unfit::new(format!("there is no webhook `{id}`"), "GET /api/webhooks lists all there are"))
}

#[cfg(test)]
mod tests;
