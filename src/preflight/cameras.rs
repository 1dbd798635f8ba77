//! What cameras need before the first one is opened: GStreamer, decoders that work, and the clips of `file://` cameras.
//!
//! Owns that what is missing is told; refuses to know how a video is played. No network camera is tried: one that is away
//! is normal.

use super::advice;
use crate::camera::{self, Clip, Codec, Distrust, Lineup, Problem, Unusable};
use crate::config::{self, Camera, CameraUrl, Diagnostic, Diagnostics, Hardware};

/// Tells GStreamer elements that are not installed, decoders that don't work, and clips that can't be played.
pub(super) fn check(cameras: &[Camera], diagnostics: &mut Diagnostics) {
    if cameras.is_empty() {
        return;
    }
    if let Err(error) = camera::init() {
        diagnostics.push(told(Diagnostic::error, &error.to_string()));
        return;
    }
    if cameras.iter().any(speaks_tls) && !camera::tls_installed() {
        diagnostics.push(told(Diagnostic::error, &Distrust::NotInstalled.to_string()));
    }
    let missing = camera::missing_elements();
    for element in &missing {
        let severity = if element.only_for.is_some() { Diagnostic::warning } else { Diagnostic::error };
        diagnostics.push(told(severity, &element.to_string()));
    }
    if missing.iter().any(|element| element.only_for.is_none()) {
        return;
    }
    if cameras.iter().any(|camera| camera.hardware.value == Hardware::Auto) {
        hardware_that_fails(diagnostics);
    }
    for camera in cameras {
        if let Hardware::Element(element) = &camera.hardware.value {
            named_decoder(camera, element, diagnostics);
        }
        if camera.is_file() {
            clip(camera, diagnostics);
        }
    }
}

/// Of a secret URL nothing is known here: its camera says so when it connects.
fn speaks_tls(camera: &Camera) -> bool {
    matches!(&camera.url, CameraUrl::Open(url) if url.value.scheme() == "rtsps")
}

/// Everything is tried now, where nobody waits for pictures. Only H.264 must work: what a camera speaks is not known before
/// it has answered.
fn hardware_that_fails(diagnostics: &mut Diagnostics) {
    let lineup = Lineup::from(&Hardware::Auto);
    if let Err(problem) = lineup.works(Codec::H264) {
        diagnostics.push(told(Diagnostic::error, &problem.to_string()));
    }
    // What is missing for them was told as a warning.
    let _ = lineup.works(Codec::H265).and(lineup.works(Codec::Mjpeg));
    for fallen in lineup.report().fallen {
        let what = format!("the decoder `{}` {}: the next one decodes in its place", fallen.element, fallen.why);
        let advice = "mend its driver, or write `hardware = \"off\"` for every camera";
        diagnostics.push(Diagnostic::warning(what).help(advice));
    }
}

/// Nothing else is used in its place, so it must work.
fn named_decoder(camera: &Camera, element: &str, diagnostics: &mut Diagnostics) {
    let Err(unusable) = camera::named(element) else { return };
    let heals = !matches!(unusable, Unusable::NoDecoder(_));
    let (what, advice) = match unusable {
        Unusable::NotInstalled(here) => ("is not installed".to_owned(), format!("decoders here: {}", quoted(&here))),
        Unusable::NoDecoder(here) => {
            ("is no decoder of what cameras speak".to_owned(), format!("decoders here: {}", quoted(&here)))
        }
        Unusable::Needs(companion) => {
            (format!("needs `{companion}`, which is not installed"), "install it, or write \"auto\"".to_owned())
        }
        Unusable::Fails(failure) => (failure.to_string(), "mend its driver, or write \"auto\"".to_owned()),
    };
    let title = format!("camera `{}`: the decoder `{element}` {what}", camera.name);
    diagnostics.push(Diagnostic::error(title).at(camera.hardware.at.clone(), advice).may_heal(heals));
}

fn quoted(names: &[String]) -> String {
    config::quoted(names.iter().map(String::as_str))
}

fn clip(camera: &Camera, diagnostics: &mut Diagnostics) {
    let CameraUrl::Open(url) = &camera.url else { return };
    let Ok(path) = url.value.to_file_path() else { return };
    if let Err(problem) = Clip::open(&path) {
        let text = problem.to_string();
        let (what, advice) = advice(&text, "; ");
        let title = format!("camera `{}`: {what}", camera.name);
        let diagnostic = Diagnostic::error(title).at(url.at.clone(), advice);
        diagnostics.push(diagnostic.may_heal(!matches!(problem, Problem::NotAVideo { .. })));
    }
}

/// Something about the machine, not about a line of the file.
fn told(severity: impl Fn(String) -> Diagnostic, text: &str) -> Diagnostic {
    let (what, advice) = advice(text, "; ");
    severity(what.to_owned()).help(advice).may_heal(true)
}
