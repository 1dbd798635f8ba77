//! The body of `endpoint.check`: a message that an operator sends to see whether an endpoint works.
//!
//! Owns what it is in each format: in ours and in AIOZ's an event of its own type (keys and order as in
//! contracts/payloads.md), for Slack and by mail a message to people, for PagerDuty the end of an incident that there never
//! was. Receivers of the other formats would act on whatever comes, so there it is nothing. It is no event: nothing is
//! journaled or owed, so its epoch is the nil UUID and its sequence 0, and receivers that count sequences are not misled.
//! Pure.

use serde::Serialize;
use uuid::Uuid;

use super::{aioz, email, json, pagerduty, slack};
use crate::config::Format;
use crate::name::Name;
use crate::time::Now;

/// The type that receivers see.
pub const CHECK: &str = "endpoint.check";

/// What the receiver reads in it.
const MESSAGE: &str = "This is a check of the endpoint. Nothing happened.";

#[derive(Serialize)]
struct Envelope<T> {
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: String,
    data: T,
}

#[derive(Serialize)]
struct CheckData<'a> {
    event_id: Uuid,
    device: &'a str,
    epoch: Uuid,
    sequence: u64,
    observed_at: String,
    clock: &'static str,
    endpoint: &'a str,
    message: &'static str,
}

/// The body of a check of `endpoint` with that id, sent by `device` at `now`. None: the format has none, because its
/// receivers act on whatever comes.
pub fn check(format: Format, id: Uuid, device: &str, endpoint: &Name, now: Now) -> Option<String> {
    match format {
        Format::Stakeout => Some(in_our_format(id, device, endpoint, now)),
        Format::Aioz => Some(aioz::check(id, device, MESSAGE, now)),
        Format::Slack => Some(slack::check(device, endpoint, MESSAGE)),
        Format::Pagerduty => Some(pagerduty::check(id)),
        Format::Email => Some(email::check(device, endpoint, MESSAGE)),
        Format::TrioLiveMonitor | Format::TrioStream | Format::Videodb | Format::Upload => None,
    }
}

fn in_our_format(id: Uuid, device: &str, endpoint: &Name, now: Now) -> String {
    let data = CheckData {
        event_id: id,
        device,
        epoch: Uuid::nil(),
        sequence: 0,
        observed_at: now.wall.to_string(),
        clock: if now.synced { "synced" } else { "estimated" },
        endpoint: endpoint.as_str(),
        message: MESSAGE,
    };
    json(&Envelope { kind: CHECK, timestamp: now.wall.to_string(), data })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Mono, Wall};

    #[test]
    fn endpoint_check_to_the_letter() {
        let now = Now { mono: Mono(5), wall: Wall(1_769_423_700_120), synced: true };
        let body = check(Format::Stakeout, Uuid::from_u128(1), "dock-box-01", &Name::new("ops").unwrap(), now);
        assert_eq!(
            body.unwrap(),
            concat!(
                r#"{"type":"endpoint.check","timestamp":"2026-01-26T10:35:00.120Z","data":{"#,
                r#""event_id":"00000000-0000-0000-0000-000000000001","device":"dock-box-01","#,
                r#""epoch":"00000000-0000-0000-0000-000000000000","sequence":0,"#,
                r#""observed_at":"2026-01-26T10:35:00.120Z","clock":"synced","#,
                r#""endpoint":"ops","message":"This is a check of the endpoint. Nothing happened."}}"#,
            )
        );
    }

    #[test]
    fn a_check_in_aiozs_format_is_of_no_medium() {
        let now = Now { mono: Mono(5), wall: Wall(1_769_423_700_120), synced: true };
        let body = check(Format::Aioz, Uuid::from_u128(1), "dock-box-01", &Name::new("ops").unwrap(), now);
        assert_eq!(
            body.unwrap(),
            concat!(
                r#"{"type":"endpoint.check","emitted_at":"2026-01-26T10:35:00.120000Z","#,
                r#""media_id":"00000000-0000-0000-0000-000000000001","media_type":"video","qualities":"","#,
                r#""title":"This is a check of the endpoint. Nothing happened.","status":"done","#,
                r#""user_id":"dock-box-01"}"#,
            )
        );
    }
}
