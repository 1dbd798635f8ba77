//! A part that was made over the API, and what the journal keeps of it.
//!
//! Owns what such a part is beside its section: its secret, who asked for it, and whom it is for; refuses to know which there
//! are (`roster`). Plain data.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::webhooks::Webhook;
use crate::api::Request;
use crate::config::{self, Api, Config, Defined, Part, SecretRef, Unfit};
use crate::journal::Definition;
use crate::name::Name;
use crate::secret::Secret;
use crate::time::Wall;

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
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Body {
    /// The keys and values of its section.
    pub(super) section: Map<String, Value>,
    /// What came with it and is never shown: the key of an endpoint, the password of a camera.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) secret: Option<String>,
    /// What a client asked for whose monitor this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) request: Option<Request>,
    /// Made along with a client's monitor: it is for such monitors only, and goes with the last of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) attached: bool,
    /// What a client made as a webhook for clips.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) webhook: Option<Webhook>,
}

impl Body {
    /// What came with it.
    pub(super) fn secret(&self) -> Option<Secret> {
        self.secret.as_deref().map(Secret::new)
    }
}

impl Made {
    /// What it says, read beside `config`.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(super) fn define(&self, config: &Config) -> Result<Defined, Unfit> {
        tracing::trace!(kind = self.part.as_str(), name = %self.name, "a definition is read");
        config::define(self.part, &self.section(&config.api), config)
    }

    /// The section that it comes to: the webhooks of clients are signed with what the file says now.
    pub(super) fn section(&self, api: &Api) -> Cow<'_, Map<String, Value>> {
        let signing = match &api.webhook_secret {
            _ if !self.is_hook() => None,
            Some(SecretRef::File(path)) => Some(("secret_file", path.value.to_string_lossy().into_owned())),
            Some(SecretRef::Credential(name)) => Some(("secret_credential", name.value.clone())),
            None => None,
        };
        let mut section = Cow::Borrowed(&self.body.section);
        if let Some((key, value)) = signing {
            section.to_mut().insert(key.to_owned(), Value::from(value));
        }
        section
    }

    /// Whether it is a webhook of clients.
    fn is_hook(&self) -> bool {
        self.part == Part::Endpoint && (self.body.attached || self.body.webhook.is_some())
    }

    /// Of a monitor: it sends to some endpoints only.
    pub(super) fn chooses(&self) -> bool {
        self.body.section.contains_key("endpoints")
    }

    /// The row that keeps it.
    ///
    /// # Errors
    /// It can't be written as JSON.
    pub(super) fn row(&self) -> Result<Definition, serde_json::Error> {
        let body = serde_json::to_string(&self.body)?;
        Ok(Definition { kind: self.part.as_str().to_owned(), name: self.name.clone(), body, made: self.made })
    }

    /// Why nobody may change it under its name; None: one may. Its client was told what it is, and asks for the same again.
    pub(super) fn unchangeable(&self) -> Option<Unfit> {
        let Made { part, name, body, .. } = self;
        let (whose, hint) = match &body.request {
            Some(Request::Job(_)) => {
                ("a client's job", "end it with DELETE /jobs/{job_id}, and ask for another one".to_owned())
            }
            Some(Request::Subscription(_)) => (
                "a client's subscription",
                format!("take it away with DELETE /subscriptions/{name}, and subscribe again"),
            ),
            None => match &body.webhook {
                Some(Webhook { id, .. }) => ("a client's webhook", format!("change it with PUT /api/webhooks/{id}")),
                None if *part == Part::Endpoint && body.attached => (
                    "the webhook of clients, and goes with the last of what they asked for",
                    "ask for another webhook where that was asked for, or make an endpoint of another name".to_owned(),
                ),
                None => return None,
            },
        };
        Some(Unfit::new(format!("{} `{name}` is {whose}", part.as_str()), hint))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_clients_asked_for_is_theirs_to_change() {
        let made = |part, request, attached| {
            let body = Body { request, attached, ..Body::default() };
            let name = Name::new("m").unwrap();
            Made { part, name, body, made: Wall(0), idle: None }.unchangeable().map(|why| why.hint)
        };
        let job = made(Part::Monitor, Some(Request::Job(json!({}))), false).unwrap();
        let subscription = made(Part::Monitor, Some(Request::Subscription(json!({}))), false).unwrap();
        assert!(job.contains("/jobs/") && subscription.contains("DELETE /subscriptions/m"), "{job} {subscription}");
        assert!(made(Part::Endpoint, None, true).is_some());
        for (part, attached) in [(Part::Monitor, false), (Part::Endpoint, false), (Part::Camera, true)] {
            assert_eq!(made(part, None, attached), None);
        }
    }
}
