//! The check of an endpoint: one message as a delivery would be, and, of signed ones, one that its receiver should refuse.
//!
//! Owns what is sent and what is found out; refuses to journal or count anything, and to know how it is shown. Made in the
//! task of whoever asks.

use std::time::Duration;

use super::outlet::Outlet;
use super::parcel::{Occasion, Parcel, Unfit, parcel};
use crate::config::Endpoint;
use crate::credentials::Credentials;
use crate::delivery::{Attempt, Outcome};
use crate::payload;
use crate::time::{Now, now};
use crate::transport::{Request, Way};

/// What a check found.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What became of the right one.
    pub attempt: Attempt,
    /// Its way.
    pub way: Way,
    /// How far the receiver's clock is ahead of ours, in seconds, as far as its `Date` tells.
    pub skew_s: Option<i64>,
    /// Names of the headers that were sent, in that order.
    pub headers: Vec<String>,
    /// What became of the one with a wrong signature. None: none was sent, because the endpoint is unsigned or did not
    /// take the right one.
    pub forged: Option<Outcome>,
}

impl Checked {
    /// Whether the receiver tells a wrong signature from a right one, if that was found out.
    pub fn verifies(&self) -> Option<bool> {
        match self.forged.as_ref()? {
            Outcome::Status { status: 200..=299, .. } => Some(false),
            Outcome::Status { .. } => Some(true),
            _ => None,
        }
    }
}

/// There is nothing to send that would mean nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the format `{0}` has no message for trying out: its receivers act on whatever comes; let a clip trigger instead"
)]
pub struct Uncheckable(&'static str);

/// Checks `endpoint` as `device`, with its `credentials`. Takes twice the endpoint's timeout at most.
///
/// # Errors
/// Nothing was sent: [`Uncheckable`].
pub async fn check(
    endpoint: &Endpoint,
    credentials: &Credentials,
    outlet: &Outlet,
    device: &str,
) -> Result<Checked, Uncheckable> {
    let right = message(endpoint, credentials, device, now()).ok_or(Uncheckable(endpoint.format.as_str()))?;
    let headers = match &right {
        Ok(Parcel::Request(request)) => request.headers.iter().map(|(name, _)| name.clone()).collect(),
        _ => Vec::new(),
    };
    let (attempt, way) = outlet.trace(right).await;
    let skew_s = way.date.map(|theirs| theirs.as_second() - now().wall.unix_seconds());
    let mut checked = Checked { attempt, way, skew_s, headers, forged: None };
    if checked.attempt.outcome.is_success() && !credentials.keys.is_empty() {
        // With an id of its own: a receiver that knows the first one would rightly answer 2xx without looking further.
        let wrong = message(endpoint, credentials, device, now().plus(Duration::from_millis(1)));
        if let Some(Ok(Parcel::Request(mut request))) = wrong {
            forge(&mut request);
            checked.forged = Some(outlet.send(Ok(Parcel::Request(request))).await.outcome);
        }
    }
    Ok(checked)
}

/// None: the format has none.
fn message(endpoint: &Endpoint, credentials: &Credentials, device: &str, now: Now) -> Option<Result<Parcel, Unfit>> {
    let id = now.new_id();
    let body = payload::check(endpoint.format, id, device, &endpoint.name, now)?.into_bytes();
    let occasion = Occasion {
        kind: payload::CHECK,
        event: id,
        delivery: id,
        attempt: 1,
        sequence: 0,
        observed: now.wall,
        fresh_connection: false,
    };
    Some(parcel(endpoint, credentials, &occasion, body, now))
}

/// Makes every signature a wrong one of the right form.
fn forge(request: &mut Request) {
    for (name, value) in &mut request.headers {
        if name == "X-Trio-Signature" || name == "webhook-signature" {
            *value = value.split(' ').map(with_another_digit).collect::<Vec<_>>().join(" ");
        }
    }
}

/// Another first digit of hex, or of the base64 behind `v1,`.
fn with_another_digit(signature: &str) -> String {
    let at = signature.find(',').map_or(0, |comma| comma + 1);
    let (before, digits) = signature.split_at(at);
    let other = if digits.starts_with('0') { '1' } else { '0' };
    format!("{before}{other}{}", digits.get(1..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::{Key, Message, verify};
    use crate::transport::Method;

    #[test]
    fn a_forged_signature_has_the_right_form_and_is_wrong() {
        let keys = [Key::new("new").unwrap(), Key::new("old").unwrap()];
        let message = Message { id: "1", timestamp: 2 };
        for body in 0..50 {
            let body = [body];
            let signed = crate::sign::sign(&keys, message, &body).unwrap();
            let headers = vec![
                ("X-Trio-Signature".to_owned(), signed.trio.clone()),
                ("webhook-signature".to_owned(), signed.standard.clone()),
                ("webhook-id".to_owned(), "1".to_owned()),
            ];
            let url = "http://127.0.0.1".parse().unwrap();
            let mut request =
                Request { method: Method::Post, url, headers, body: body.to_vec(), fresh_connection: false };
            forge(&mut request);
            for (index, right) in [signed.trio, signed.standard].iter().enumerate() {
                let forged = &request.headers[index].1;
                assert_eq!(forged.len(), right.len());
                assert_eq!(verify(&keys, right, Some(message), &body), Ok(()));
                assert_eq!(verify(&keys, forged, Some(message), &body), Err(crate::sign::Unverified::Mismatch));
            }
            assert_eq!(request.headers[2].1, "1");
        }
    }
}
