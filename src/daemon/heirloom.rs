//! What a definition that is changed takes over from the one before: its secret, which nobody can read back and send again.
//!
//! Owns when that may be; refuses to know HTTP and the journal. Pure.
//!
//! A camera's password goes to wherever its URL leads, so it is taken over only where that and the user stay the same:
//! whoever may give orders need not be one who may read our secrets.

use serde_json::{Map, Value};
use url::Url;

use super::made::Body;
use crate::config::{Part, Unfit};

/// The secret of a definition of `part` with this `section` that comes without one, in the place of `old`.
///
/// # Errors
/// The old one can't be used here, and must not be lost without a word.
pub(super) fn secret(part: Part, section: &Map<String, Value>, old: &Body) -> Result<Option<String>, Unfit> {
    let Some(secret) = &old.secret else { return Ok(None) };
    let is_the_same = match part {
        Part::Camera => section.get("username") == old.section.get("username") && place(section) == place(&old.section),
        Part::Endpoint | Part::Monitor => true,
    };
    if is_the_same {
        return Ok(Some(secret.clone()));
    }
    let what = "the camera has a password, which doesn't go to another place or user unasked";
    Err(Unfit::new(what, "send `password` again, or `\"password\": null` for none"))
}

/// Where a camera is: scheme, host and port.
fn place(section: &Map<String, Value>) -> Option<(String, String, Option<u16>)> {
    let url = Url::parse(section.get("url")?.as_str()?).ok()?;
    Some((url.scheme().to_owned(), url.host_str()?.to_owned(), url.port()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn section(value: Value) -> Map<String, Value> {
        let Value::Object(section) = value else { panic!() };
        section
    }

    fn of(part: Part, old: Value, new: Value) -> Option<Option<String>> {
        let old = Body { section: section(old), secret: Some("s".to_owned()), ..Body::default() };
        secret(part, &section(new), &old).ok()
    }

    #[test]
    fn an_endpoint_stays_signed_and_a_password_goes_nowhere_else() {
        let kept = Some(Some("s".to_owned()));
        assert_eq!(of(Part::Endpoint, json!({"url": "https://a/1"}), json!({"url": "https://b/2"})), kept);
        let camera = |url: &str, user: &str| json!({"url": url, "username": user, "decode": "all"});
        let old = camera("rtsp://10.0.0.1/1", "viewer");
        for (url, user, may) in [
            ("rtsp://10.0.0.1/2", "viewer", true),
            ("rtsp://10.0.0.1/1", "admin", false),
            ("rtsp://10.0.0.2/1", "viewer", false),
            ("rtsp://10.0.0.1:555/1", "viewer", false),
            ("rtsps://10.0.0.1/1", "viewer", false),
        ] {
            let given = of(Part::Camera, old.clone(), camera(url, user));
            assert_eq!(given, if may { kept.clone() } else { None }, "{url} {user}");
        }
        assert_eq!(of(Part::Camera, old, json!({"url": "rtsp://10.0.0.1/1"})), None, "nobody logs in there any more");
        let none = Body::default();
        assert_eq!(secret(Part::Camera, &section(camera("rtsp://h/", "u")), &none), Ok(None));
    }
}
