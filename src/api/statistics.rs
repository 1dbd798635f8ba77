//! The statistics of an endpoint or a monitor (contracts/delivery.md, "Check, statistics, metrics").
//!
//! Owns their names and how many places they have; refuses to know how they are counted (`journal`). Plain data.

use serde::{Deserialize, Serialize};

use super::lines::Utc;
use super::status::to_places;
use crate::journal::Counts;

/// How deliveries stand, and how they did within the last 24 hours. Restarts and purges change none of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// Deliveries accepted for an endpoint, events of a monitor, within the last 24 hours.
    pub events_24h: u64,
    /// Delivered within the last 24 hours.
    pub delivered_24h: u64,
    /// Of those that ended within the last 24 hours, 0 to 1; 1 when none did. What is held has not ended.
    pub delivery_success_rate: f64,
    /// Dead letters that no operator dropped.
    pub dlq_count: u64,
    /// Deliveries that are held.
    pub held: u64,
    /// Deliveries that wait for their first or next attempt.
    pub pending: u64,
    /// How long the oldest that is still owed has waited; null when nothing is, or no clock can tell.
    pub oldest_pending_age_s: Option<f64>,
    /// Mean time from acceptance to 2xx within the last 24 hours; 0 when there is none.
    pub avg_latency_ms: f64,
    /// 95th percentile of the same, right to about an eighth.
    pub p95_latency_ms: f64,
    /// The last 2xx.
    pub last_success: Option<Utc>,
    /// What the last attempt that failed said.
    pub last_error: Option<String>,
    /// When that was.
    pub last_error_at: Option<Utc>,
    /// The latest attempt failed: `last_error` is a current one.
    pub failing: bool,
}

impl Default for Statistics {
    fn default() -> Statistics {
        Counts { success_rate: 1.0, ..Counts::default() }.into()
    }
}

impl From<Counts> for Statistics {
    fn from(counts: Counts) -> Statistics {
        let (last_error_at, last_error) = counts.last_error.map(|error| (Utc(error.at), error.text)).unzip();
        Statistics {
            events_24h: counts.events_24h,
            delivered_24h: counts.delivered_24h,
            delivery_success_rate: to_places(counts.success_rate, 4),
            dlq_count: counts.dead,
            held: counts.held,
            pending: counts.pending,
            oldest_pending_age_s: counts.oldest.map(|age| to_places(age.as_secs_f64(), 1)),
            avg_latency_ms: to_places(counts.avg_latency_ms, 1),
            p95_latency_ms: to_places(counts.p95_latency_ms, 1),
            last_success: counts.last_success.map(Utc),
            last_error,
            last_error_at,
            failing: counts.failing,
        }
    }
}
