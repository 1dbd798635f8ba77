//! The GStreamer elements that cameras need.
//!
//! Owns their list, the Debian packages they come from, and GStreamer's start; refuses to know what is built of them.

use std::fmt;

use super::chatter;

/// An element that is not installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// GStreamer's name for it.
    pub element: &'static str,
    /// The Debian or Ubuntu package that has it.
    pub package: &'static str,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the GStreamer element `{}` is missing; install `{}`", self.element, self.package)
    }
}

const NEEDED: [Missing; 8] = [
    Missing { element: "filesrc", package: "libgstreamer1.0-0" },
    Missing { element: "appsink", package: "gstreamer1.0-plugins-base" },
    Missing { element: "rtspsrc", package: "gstreamer1.0-plugins-good" },
    Missing { element: "rtph264depay", package: "gstreamer1.0-plugins-good" },
    Missing { element: "qtdemux", package: "gstreamer1.0-plugins-good" },
    Missing { element: "matroskademux", package: "gstreamer1.0-plugins-good" },
    Missing { element: "h264parse", package: "gstreamer1.0-plugins-bad" },
    Missing { element: "avdec_h264", package: "gstreamer1.0-libav" },
];

/// GStreamer could not be started.
#[derive(Debug, thiserror::Error)]
#[error("GStreamer can't be started: {0}; reinstall `libgstreamer1.0-0`")]
pub struct InitError(String);

/// Starts GStreamer: once, before anything else of this module; further calls do nothing.
pub fn init() -> Result<(), InitError> {
    chatter::listen();
    gstreamer::init().map_err(|error| InitError(error.to_string()))
}

/// The needed elements that are not installed. Needs [`init`].
pub fn missing_elements() -> Vec<Missing> {
    NEEDED.into_iter().filter(|needed| gstreamer::ElementFactory::find(needed.element).is_none()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_element_names_its_package() {
        let text = NEEDED[7].to_string();
        assert_eq!(text, "the GStreamer element `avdec_h264` is missing; install `gstreamer1.0-libav`");
    }
}
