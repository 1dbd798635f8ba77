//! The extra `headers` of an endpoint.
//!
//! Owns which ones HTTP takes and which ones are ours; refuses to know when they are sent. Values are never quoted.

use std::collections::BTreeMap;

use toml::de::DeValue;

use super::value::{self, Problem, Read, Value};

/// Headers that we or the HTTP client set.
const OURS: [&str; 18] = [
    // An answer is never unpacked.
    "accept-encoding",
    "connection",
    "content-digest",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "expect",
    "host",
    "idempotency-key",
    "keep-alive",
    "repr-digest",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "x-trio-signature",
];

/// Whole families of ours.
const OUR_PREFIXES: [&str; 2] = ["webhook-", "x-stakeout-"];

/// A table of header names and values.
pub(super) fn read(value: &Value<'_>) -> Read<BTreeMap<String, String>> {
    let DeValue::Table(table) = value.get_ref() else {
        return Err(Problem::wrong_type(value, "a table", "{ \"X-Site\" = \"dock\" }").into());
    };
    let (mut headers, mut problems) = (BTreeMap::new(), Vec::new());
    for (key, value) in table.iter() {
        let name = key.get_ref().as_ref();
        let lower = name.to_ascii_lowercase();
        let mut wrong = |predicate: String, label: &str| problems.push(Problem::new(key.span(), predicate, label));
        if !is_token(name) {
            wrong(format!(" has an invalid name: `{name}`"), "letters, digits and `-`");
        } else if OURS.contains(&lower.as_str()) || OUR_PREFIXES.iter().any(|prefix| lower.starts_with(prefix)) {
            wrong(format!(" can't set `{name}`"), "this one is set by the daemon");
        } else if headers.keys().any(|other: &String| other.eq_ignore_ascii_case(name)) {
            wrong(format!(" sets `{name}` twice"), "upper and lower case make no difference");
        }
        match value::text_like("strings", "{ \"X-Site\" = \"dock\" }")(value) {
            Ok(text) if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && text.trim() == text => {
                headers.insert(name.to_owned(), text);
            }
            Ok(_) => {
                let label = "printable ASCII, no space at either end";
                problems.push(Problem::new(value.span(), format!(" has an invalid value for `{name}`"), label));
            }
            Err(more) => problems.extend(more),
        }
    }
    if problems.is_empty() { Ok(headers) } else { Err(problems) }
}

/// RFC 9110, 5.6.2.
fn is_token(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: &str) -> bool {
        read(&DeValue::parse(&format!("{{ \"{name}\" = \"x\" }}")).unwrap()).is_err()
    }

    #[test]
    fn ours_are_refused_in_any_case() {
        let more = ["webhook-id", "webhook-timestamp", "webhook-signature", "webhook-anything", "x-stakeout-event"];
        for name in OURS.into_iter().chain(more) {
            let capitals =
                name.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect::<Vec<_>>().join("-");
            for spelled in [name.to_owned(), name.to_uppercase(), capitals] {
                assert!(refused(&spelled), "{spelled}");
            }
        }
        for name in ["X-Site", "Authorization", "X-Stakeouts", "Webhook", "Hosts"] {
            assert!(!refused(name), "{name}");
        }
    }
}
