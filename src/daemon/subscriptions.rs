//! Clients' subscriptions, as they are told to them.
//!
//! Owns what is told of one and whether it watches; refuses to make and to change any (`commissions`). On whichever thread
//! asks.

use std::sync::PoisonError;

use serde_json::{Map, Value, json};

use super::crew::Crew;
use super::made::Made;
use super::plan::Plan;
use crate::api::{Request, Subscription, SubscriptionStatus, Utc};
use crate::config::Monitor;
use crate::name::Name;
use crate::verdict::rounded;

/// All there are, the oldest first.
pub(super) fn all(plan: &Plan, crew: &Crew) -> Vec<Subscription> {
    let ended = ended(crew);
    let line = |made: &Made| match &made.body.request {
        Some(Request::Subscription(Value::Object(said))) => {
            let monitor = plan.config.monitors.iter().find(|it| it.name == made.name && made.idle.is_none());
            Some(line(made, said.clone(), monitor, ended.contains(&made.name)))
        }
        _ => None,
    };
    let mut all: Vec<_> = plan.roster.all_made().iter().filter_map(line).flatten().collect();
    all.sort_by_key(|subscription| subscription.created_at.0);
    all
}

/// Monitors whose job has ended.
fn ended(crew: &Crew) -> Vec<Name> {
    let over = crew.shown().into_iter().filter_map(|shown| {
        let shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
        (!shown.state.is_active()).then(|| shown.subject.about.monitor.clone())
    });
    over.collect()
}

/// What its client said, with what it comes to where it runs.
fn line(made: &Made, mut said: Map<String, Value>, monitor: Option<&Monitor>, is_over: bool) -> Option<Subscription> {
    let name = |value: &Value| value.as_str().and_then(|text| Name::new(text).ok());
    let section = &made.body.section;
    let mut text = |key: &str| said.remove(key).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
    let (question, webhook_url) = (text("condition"), text("webhook_url"));
    let (threshold, cooldown) = (said.remove("confidence_threshold"), said.remove("cooldown"));
    Some(Subscription {
        id: made.name.clone(),
        stream_id: section.get("camera").and_then(name)?,
        question,
        webhook_url,
        confidence_threshold: match monitor {
            Some(monitor) => Some(rounded(monitor.confidence_threshold)),
            None => threshold.and_then(|threshold| threshold.as_f64()),
        },
        cooldown_seconds: match monitor {
            Some(monitor) => Some(monitor.cooldown.as_secs_f64()),
            None => cooldown.and_then(|cooldown| cooldown.as_f64()),
        },
        metadata: said.remove("metadata").unwrap_or_else(|| json!({})),
        status: match monitor {
            None => SubscriptionStatus::Unfit,
            Some(monitor) if !monitor.enabled => SubscriptionStatus::Paused,
            Some(_) if is_over => SubscriptionStatus::Ended,
            Some(_) => SubscriptionStatus::Active,
        },
        created_at: Utc(made.made),
        endpoint: section.get("endpoints").and_then(|endpoints| name(endpoints.get(0)?)),
        request: said,
    })
}
