//! The clips of `file://` cameras.
//!
//! Owns whether they are there; refuses to know what a video is (`camera/` tells that when it plays one).

use std::fs::File;

use crate::config::{Camera, Diagnostic, Diagnostics};

/// Tells clips that can't be opened.
pub(super) fn check(cameras: &[Camera], diagnostics: &mut Diagnostics) {
    for camera in cameras.iter().filter(|camera| camera.is_file()) {
        let Ok(path) = camera.url.value.to_file_path() else { continue };
        let opened = File::open(&path).and_then(|file| file.metadata());
        let why = match opened {
            Ok(found) if found.is_file() => continue,
            Ok(_) => "is not a file".to_owned(),
            Err(error) => format!("can't be read: {error}"),
        };
        let title = format!("camera `{}`: `{}` {why}", camera.name, path.display());
        diagnostics.push(Diagnostic::error(title).at(camera.url.at.clone(), "check the path and its permissions"));
    }
}
