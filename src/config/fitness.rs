//! Which settings of an endpoint go with which format.
//!
//! Owns that a setting that would change nothing is told; refuses to know what the settings do.

use super::read::Section;
use super::settings::{Format, FrameChoice, FrameRule, Located};

/// Settings that belong to one format only.
const BELONGING: [(&str, Format); 8] = [
    ("routing_key_file", Format::Pagerduty),
    ("routing_key_credential", Format::Pagerduty),
    ("username", Format::Email),
    ("password_file", Format::Email),
    ("password_credential", Format::Email),
    ("from", Format::Email),
    ("to", Format::Email),
    ("bandwidth", Format::Upload),
];

/// Settings of requests over HTTP.
const OF_HTTP: [&str; 3] = ["url_file", "url_credential", "headers"];

/// Settings of signatures.
const OF_SIGNATURES: [&str; 2] = ["secret_file", "secret_credential"];

/// Tells settings of other formats. Those of `format` are read by whoever knows them.
pub(super) fn strangers(section: &mut Section<'_, '_>, format: Format) {
    for (key, owner) in BELONGING.into_iter().filter(|(_, owner)| *owner != format) {
        let predicate = format!(" belongs to the format `{}`", owner.as_str());
        section.out_of_place(key, predicate, format!("leave it out, or write `format = \"{}\"`", owner.as_str()));
    }
    if format == Format::Email {
        OF_HTTP.into_iter().for_each(|key| section.out_of_place(key, " is of no use for mail", "leave it out"));
    }
    if !format.is_signed() {
        for key in OF_SIGNATURES {
            let predicate = format!(" would sign nothing: the format `{}` knows no signatures", format.as_str());
            section.out_of_place(key, predicate, "leave it out");
        }
    }
}

/// Tells a `frame` that the format can't follow.
pub(super) fn frame(
    section: &mut Section<'_, '_>,
    format: Format,
    written: Option<Located<FrameChoice>>,
) -> FrameChoice {
    let Some(written) = written else { return FrameChoice::Inline };
    let name = format.as_str();
    match (format.frame(), written.value) {
        (FrameRule::Always, FrameChoice::None) => {
            let what = format!("the format `{name}` always has the frame");
            section.problem(written.at, what, "leave it out, or take another format");
        }
        (FrameRule::Never, FrameChoice::Inline) => {
            let what = format!("the format `{name}` has no place for a frame");
            section.problem(written.at, what, "leave it out, or take another format");
        }
        _ => {}
    }
    written.value
}
