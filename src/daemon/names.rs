//! What is made for clients is called something.
//!
//! Owns these names, and that nobody has them yet; refuses to know what they name. Pure.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::roster::Roster;
use crate::api::Denied;
use crate::config::{Format, Part, Unfit};
use crate::name::{MAX_LEN, Name};
use crate::time::Now;

/// A name that nobody has.
pub(super) fn fresh(kind: &str, now: Now) -> Result<Name, Denied> {
    named(&format!("{kind}-{}", now.new_id().simple()))
}

/// The endpoint of a webhook: always the same name, so that its sequence goes on.
pub(super) fn of_hook(format: Format, url: &str) -> Result<Name, Denied> {
    let digest = Sha256::new().chain_update(format.as_str()).chain_update([0]).chain_update(url).finalize();
    named(&format!("hook-{}", hex::encode(&digest[..8])))
}

/// The endpoint of a webhook that has an id.
pub(super) fn of_webhook(id: Uuid) -> Result<Name, Denied> {
    named(&format!("webhook-{id}"))
}

/// A name that no camera has, after `label` if that has anything that a name may have.
pub(super) fn of_camera(label: Option<&str>, roster: &Roster, now: Now) -> Result<Name, Denied> {
    let Some(wanted) = label.and_then(slug) else { return fresh("stream", now) };
    let is_taken = |name: &Name| roster.is_in_file(Part::Camera, name) || roster.made(Part::Camera, name).is_some();
    let mut name = named(&wanted)?;
    for number in 2_u32.. {
        if !is_taken(&name) {
            break;
        }
        name = named(&format!("{wanted}-{number}"))?;
    }
    Ok(name)
}

fn named(text: &str) -> Result<Name, Denied> {
    Name::new(text).map_err(|why| Denied::Bad(Unfit::new(why.to_string(), "report this")))
}

/// What stands behind a name that is taken.
const LONGEST_NUMBER: usize = "-99999".len();

/// `loading-dock` for `Loading Dock`; None where nothing is left.
fn slug(label: &str) -> Option<String> {
    let mut slug = String::new();
    for c in label.chars() {
        match c.to_ascii_lowercase() {
            c if c.is_ascii_alphanumeric() => slug.push(c),
            c @ ('_' | '.') if !slug.is_empty() => slug.push(c),
            _ if slug.is_empty() || slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    slug.truncate(MAX_LEN - LONGEST_NUMBER);
    slug.truncate(slug.trim_end_matches('-').len());
    Some(slug).filter(|slug| !slug.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_becomes_a_name() {
        for (label, name) in [
            ("dock", Some("dock")),
            ("Loading Dock — East (2)", Some("loading-dock-east-2")),
            ("  ../..//etc ", Some("etc")),
            ("cam_3.left", Some("cam_3.left")),
            ("Tür", Some("t-r")),
            ("東", None),
            ("--", None),
        ] {
            assert_eq!(slug(label).as_deref(), name, "{label:?}");
        }
        let longest = slug(&"ab ".repeat(100)).unwrap();
        assert!(
            longest.len() + LONGEST_NUMBER <= MAX_LEN && Name::new(&format!("{longest}-2000")).is_ok(),
            "{longest}"
        );
    }
}
