//! `/subscriptions/{id}/stats` and `/failed-events`: how the webhooks of one subscription do, whoever shares them.
//!
//! Owns the shape of both answers; refuses to know how they are counted and found (`journal`).

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::Shared;
use super::super::events::limit;
use super::super::refusal::Refusal;
use super::super::status::to_places;
use super::find;
use crate::journal::{Counts, Failed};
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
    let failed = shared.store.read(move |reader| Ok(reader.failed(&monitor, &endpoint, limit)?)).await?;
    Ok(Json(FailedEvents { failed_events: failed.into_iter().map(line).collect() }))
}

/// The body as it was frozen, and what became of it.
fn line(failed: Failed) -> Map<String, Value> {
    let Failed { body, attempts, state, reason, last_status, last_error } = failed;
    let mut line: Map<String, Value> = serde_json::from_str(&body).unwrap_or_default();
    let why = last_error.or_else(|| last_status.map(|status| format!("status {status}"))).or(reason);
    line.insert("error".to_owned(), Value::from(why.unwrap_or_else(|| state.as_str().to_owned())));
    line.insert("attempts".to_owned(), Value::from(attempts));
    line
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::delivery::State;

    #[test]
    fn a_failed_event_is_its_body_with_what_went_wrong() {
        let failed = Failed {
            body: r#"{"request_id": "x", "answer": "Fire.", "metadata": {"z": 1, "a": 2}}"#.to_owned(),
            attempts: 6,
            state: State::SkippedGone,
            reason: Some("exhausted".to_owned()),
            last_status: Some(500),
            last_error: None,
        };
        let told = |failed| Value::from(line(failed)).to_string();
        let expected =
            r#"{"request_id":"x","answer":"Fire.","metadata":{"z":1,"a":2},"error":"status 500","attempts":6}"#;
        assert_eq!(told(failed.clone()), expected, "in the order of the body");
        let refused = Failed { last_error: Some("connection refused".to_owned()), ..failed.clone() };
        assert!(told(refused).contains(r#""error":"connection refused""#));
        let never_tried = Failed { last_status: None, ..failed };
        assert!(told(never_tried.clone()).contains(r#""error":"exhausted""#));
        assert!(told(Failed { reason: None, ..never_tried }).contains(r#""error":"skipped_gone""#));
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
