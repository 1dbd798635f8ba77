//! `/subscriptions/{id}/stats` and `/failed-events`: how the webhooks of one subscription do, whoever shares them.
//!
//! Owns the shape of both answers; refuses to know how they are counted and found (`journal`).

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::Shared;
use super::super::events::limit;
use super::super::refusal::Refusal;
use super::super::status::to_places;
use super::find;
use crate::journal::{Counts, Failed};
use crate::name::Name;
use crate::time::now;

/// How its webhooks stand, and how they did within the last 24 hours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::api) struct Stats {
    /// Alerts within the last 24 hours.
    events_24h: u64,
    /// Of the deliveries that ended within the last 24 hours, 0 to 1; 1 when none did.
    delivery_success_rate: f64,
    /// What could not be delivered, and no operator dropped.
    dlq_count: u64,
    /// Mean time from acceptance to 2xx within the last 24 hours; 0 when there is none.
    avg_latency_ms: f64,
    /// 95th percentile of the same.
    p95_latency_ms: f64,
}

/// What could not be delivered.
#[derive(Serialize)]
pub(in crate::api) struct FailedEvents {
    /// The newest first.
    failed_events: Vec<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct FailedQuery {
    /// At most so many, 1 to 1000; 100 unless given.
    limit: Option<u32>,
}

pub(in crate::api) async fn stats(
    State(shared): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<Stats>, Refusal> {
    let monitor = find(&shared, &id)?.id;
    let counts = shared.store.read(|reader| Ok(reader.monitor_counts(now())?)).await?;
    let counts = counts.into_iter().find(|it| it.monitor == monitor).map(|it| it.counts);
    Ok(Json(counts.unwrap_or_else(|| Counts { success_rate: 1.0, ..Counts::default() }).into()))
}

impl From<Counts> for Stats {
    fn from(counts: Counts) -> Stats {
        Stats {
            events_24h: counts.owed_24h,
            delivery_success_rate: to_places(counts.success_rate, 4),
            dlq_count: counts.dead,
            avg_latency_ms: to_places(counts.avg_latency_ms, 1),
            p95_latency_ms: to_places(counts.p95_latency_ms, 1),
        }
    }
}

pub(in crate::api) async fn failed_events(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    query: Result<Query<FailedQuery>, QueryRejection>,
) -> Result<Json<FailedEvents>, Refusal> {
    let Query(query) =
        query.map_err(|rejection| Refusal::bad_request(rejection.body_text(), "failed events take `limit`"))?;
    let (limit, subscription) = (limit(query.limit)?, find(&shared, &id)?);
    let Some(endpoint) = subscription.endpoint else { return Ok(Json(FailedEvents { failed_events: Vec::new() })) };
    let monitor = subscription.id;
    let failed = shared.store.read({
        let monitor = monitor.clone();
        move |reader| Ok(reader.failed(&monitor, &endpoint, limit)?)
    });
    let failed_events = failed.await?.into_iter().map(|failed| line(&monitor, failed)).collect();
    Ok(Json(FailedEvents { failed_events }))
}

/// The body as it was frozen; where it had to make room, what is still known of it.
fn line(monitor: &Name, failed: Failed) -> Map<String, Value> {
    let Failed { event_id, camera, body, attempts, state, reason, last_status, last_error } = failed;
    let known = || {
        let stream_id = camera.as_ref().map_or("", Name::as_str);
        [("request_id", json!(event_id)), ("stream_id", json!(stream_id)), ("subscription_id", json!(monitor))]
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    };
    let frozen = body.and_then(|body| serde_json::from_str(&body).ok());
    let mut line: Map<String, Value> = frozen.unwrap_or_else(known);
    let why = last_error.or_else(|| last_status.map(|status| format!("status {status}"))).or(reason);
    line.insert("error".to_owned(), Value::from(why.unwrap_or_else(|| state.as_str().to_owned())));
    line.insert("attempts".to_owned(), Value::from(attempts));
    line
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::delivery::State;

    fn failed() -> Failed {
        Failed {
            event_id: Uuid::from_u128(7),
            camera: Some(Name::new("dock").unwrap()),
            body: Some(r#"{"request_id": "x", "answer": "Fire.", "metadata": {"z": 1, "a": 2}}"#.to_owned()),
            attempts: 6,
            state: State::Dead,
            reason: Some("exhausted".to_owned()),
            last_status: Some(500),
            last_error: None,
        }
    }

    #[test]
    fn a_failed_event_is_its_body_with_what_went_wrong() {
        let told = |failed| Value::from(line(&Name::new("fire").unwrap(), failed)).to_string();
        let told_of_body =
            r#"{"request_id":"x","answer":"Fire.","metadata":{"z":1,"a":2},"error":"status 500","attempts":6}"#;
        assert_eq!(told(failed()), told_of_body, "in the order of the body");
        let tombstone = Failed { body: None, last_status: None, reason: None, state: State::DroppedQuota, ..failed() };
        let told_of_tombstone = json!({
            "request_id": Uuid::from_u128(7), "stream_id": "dock", "subscription_id": "fire", "error": "dropped_quota",
            "attempts": 6,
        });
        assert_eq!(told(tombstone), told_of_tombstone.to_string());
        let refused = Failed { last_error: Some("connection refused".to_owned()), ..failed() };
        assert!(told(refused).contains(r#""error":"connection refused""#));
    }

    #[test]
    fn where_nothing_ended_the_rate_is_1_and_no_figure_is_null() {
        let stats = Stats::from(Counts { success_rate: 1.0, ..Counts::default() });
        let told = json!({
            "events_24h": 0, "delivery_success_rate": 1.0, "dlq_count": 0, "avg_latency_ms": 0.0, "p95_latency_ms": 0.0,
        });
        assert_eq!(serde_json::to_value(stats).unwrap(), told);
    }
}
