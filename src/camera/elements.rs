//! The GStreamer elements that cameras need.
//!
//! Owns their list, the Debian packages they come from, and GStreamer's start; refuses to know what is built of them.

use std::fmt;

use gstreamer as gst;

use super::chatter;
use super::codec::Codec;

/// An element that is not installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// GStreamer's name for it.
    pub element: &'static str,
    /// The Debian or Ubuntu package that has it.
    pub package: &'static str,
    /// Only cameras that speak this codec need it, which is not known before one has answered. None: nothing goes without.
    pub only_for: Option<Codec>,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the GStreamer element `{}` is missing", self.element)?;
        if let Some(codec) = self.only_for {
            write!(f, ", so that no {} can be watched", codec.as_str())?;
        }
        write!(f, "; install `{}`", self.package)
    }
}

const CORE: &str = "libgstreamer1.0-0";
const BASE: &str = "gstreamer1.0-plugins-base";
const GOOD: &str = "gstreamer1.0-plugins-good";
const BAD: &str = "gstreamer1.0-plugins-bad";
const LIBAV: &str = "gstreamer1.0-libav";

/// H.264 counts as needed by all: it is what cameras speak. Hardware decoders are no part of this: they are used if they
/// are there, and their absence is told by those who name one.
const NEEDED: [Missing; 14] = [
    always("filesrc", CORE),
    always("appsink", BASE),
    always("rtspsrc", GOOD),
    always("rtph264depay", GOOD),
    always("qtdemux", GOOD),
    always("matroskademux", GOOD),
    always("h264parse", BAD),
    always("avdec_h264", LIBAV),
    only_for(Codec::H265, "rtph265depay", GOOD),
    only_for(Codec::H265, "h265parse", BAD),
    only_for(Codec::H265, "avdec_h265", LIBAV),
    only_for(Codec::Mjpeg, "rtpjpegdepay", GOOD),
    only_for(Codec::Mjpeg, "jpegparse", BAD),
    only_for(Codec::Mjpeg, "jpegdec", GOOD),
];

const fn always(element: &'static str, package: &'static str) -> Missing {
    Missing { element, package, only_for: None }
}

const fn only_for(codec: Codec, element: &'static str, package: &'static str) -> Missing {
    Missing { element, package, only_for: Some(codec) }
}

/// GStreamer could not be started.
#[derive(Debug, thiserror::Error)]
#[error("GStreamer can't be started: {0}; reinstall `libgstreamer1.0-0`")]
pub struct InitError(String);

/// Starts GStreamer: once, before anything else of this module; further calls do nothing.
pub fn init() -> Result<(), InitError> {
    chatter::listen();
    gst::init().map_err(|error| InitError(error.to_string()))
}

/// Which GStreamer it is: `GStreamer 1.22.0`.
pub fn version() -> String {
    gst::version_string().to_string()
}

/// The needed elements that are not installed. Needs [`init`].
pub fn missing_elements() -> Vec<Missing> {
    NEEDED.into_iter().filter(|needed| gst::ElementFactory::find(needed.element).is_none()).collect()
}

/// The codecs for which everything is installed: no camera shall fail for want of what another one speaks. Needs [`init`].
pub(super) fn spoken() -> impl Iterator<Item = Codec> {
    let missing = missing_elements();
    Codec::ALL.into_iter().filter(move |codec| missing.iter().all(|missing| missing.only_for != Some(*codec)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_element_names_its_package_and_who_needs_it() {
        let text = |element| NEEDED.iter().find(|needed| needed.element == element).unwrap().to_string();
        assert_eq!(text("avdec_h264"), "the GStreamer element `avdec_h264` is missing; install `gstreamer1.0-libav`");
        assert_eq!(
            text("h265parse"),
            "the GStreamer element `h265parse` is missing, so that no H.265 can be watched; \
             install `gstreamer1.0-plugins-bad`"
        );
    }

    #[test]
    fn everything_is_spoken_where_everything_is_installed() {
        init().unwrap();
        assert_eq!(spoken().collect::<Vec<_>>(), Codec::ALL);
    }
}
