//! What cameras need before the first one is opened: GStreamer, and the clips of `file://` cameras.
//!
//! Owns that what is missing is told; refuses to know how a video is played. No network camera is tried: one that is away
//! is normal.

use super::advice;
use crate::camera::{self, Clip, Distrust, Problem};
use crate::config::{Camera, CameraUrl, Diagnostic, Diagnostics};

/// Tells GStreamer elements that are not installed, and clips that can't be played.
pub(super) fn check(cameras: &[Camera], diagnostics: &mut Diagnostics) {
    if cameras.is_empty() {
        return;
    }
    if let Err(error) = camera::init() {
        diagnostics.push(told(&error.to_string()));
        return;
    }
    if cameras.iter().any(speaks_tls) && !camera::tls_installed() {
        diagnostics.push(told(&Distrust::NotInstalled.to_string()));
    }
    let missing = camera::missing_elements();
    missing.iter().for_each(|element| diagnostics.push(told(&element.to_string())));
    if !missing.is_empty() {
        return;
    }
    for camera in cameras.iter().filter(|camera| camera.is_file()) {
        let CameraUrl::Open(url) = &camera.url else { continue };
        let Ok(path) = url.value.to_file_path() else { continue };
        if let Err(problem) = Clip::open(&path) {
            let text = problem.to_string();
            let (what, advice) = advice(&text, "; ");
            let title = format!("camera `{}`: {what}", camera.name);
            let diagnostic = Diagnostic::error(title).at(url.at.clone(), advice);
            diagnostics.push(diagnostic.may_heal(!matches!(problem, Problem::NotAVideo { .. })));
        }
    }
}

/// Of a secret URL nothing is known here: its camera says so when it connects.
fn speaks_tls(camera: &Camera) -> bool {
    matches!(&camera.url, CameraUrl::Open(url) if url.value.scheme() == "rtsps")
}

/// Something about the machine, not about a line of the file.
fn told(text: &str) -> Diagnostic {
    let (what, advice) = advice(text, "; ");
    Diagnostic::error(what).help(advice).may_heal(true)
}
