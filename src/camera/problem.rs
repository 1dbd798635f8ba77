//! Why a camera does not work, in words that an operator can act on.
//!
//! Owns the causes, their codes (`status`, metrics) and their texts; refuses to repeat what GStreamer or the camera said,
//! because that may hold a URL or credentials.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::trust::Distrust;

/// Why no pictures come from a camera or a clip. The texts never hold an address or credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Nothing answers at the camera's address.
    #[error("the camera can't be reached; check its address, its cable and its power")]
    Unreachable,
    /// The machine is there, but nothing listens.
    #[error("the camera refuses connections; check the port in its URL and that RTSP is switched on")]
    Refused,
    /// The camera wants other credentials, or any.
    #[error("the camera refuses the login; check its user name and password")]
    Auth,
    /// The camera knows no stream of that path.
    #[error("the camera has no such stream; check the path in its URL")]
    NotFound,
    /// The certificate of an `rtsps://` camera was not believed, or no TLS was spoken.
    #[error("no TLS connection to the camera that can be trusted: {0}")]
    Tls(Distrust),
    /// What it speaks is not the RTSP we know.
    #[error("the camera's answers can't be understood; check that its URL is an RTSP URL")]
    Protocol,
    /// There is no video in the stream that we decode.
    #[error("there is no H.264, H.265 or MJPEG video in the stream; set the camera's stream to one of them")]
    CodecUnsupported,
    /// The same, and what there is.
    #[error("the video in the stream is `{0}`; set the camera's stream to H.264, H.265 or MJPEG")]
    CodecOther(String),
    /// It decodes to samples that we do not read.
    #[error("the pictures are `{0}`, only YUV can be used; set the camera to H.264 High or H.265 Main profile")]
    FormatUnsupported(String),
    /// It streams to others, and has no room for one more.
    #[error("the camera has no room for another viewer; close others, or raise its limit of connections")]
    Busy,
    /// It doesn't stream the way that is configured: over TCP, or over UDP.
    #[error("the camera doesn't stream over {0}; set its `transport` to `auto`")]
    Transport(&'static str),
    /// It streams over UDP, but for so long nothing came.
    #[error("no video came over UDP within {} s; a firewall may be in between: set the camera's `transport` to `auto`", .0.as_secs())]
    NothingOverUdp(Duration),
    /// Connected, but no video packet came for so long.
    #[error("no video came within {} s of connecting; check that the camera streams", .0.as_secs())]
    Timeout(Duration),
    /// Video packets stopped for so long, on a connection that looks alive.
    #[error("no video for {} s on an open connection; check the network and the camera", .0.as_secs())]
    Stalled(Duration),
    /// Packets come, but for so long no picture could be made of them.
    #[error("video comes, but no picture could be decoded for {} s; check the camera's encoder", .0.as_secs())]
    NoPictures(Duration),
    /// The camera ended the stream, or its connection closed.
    #[error("the camera ended the stream; it is tried again, look at the camera if this happens often")]
    Disconnected,
    /// Pictures come, but it is the same one again and again: suspicious, no more.
    #[error("the camera sends the same picture again and again; it is connected anew to see whether that helps")]
    Still,
    /// The same, and a new connection didn't help.
    #[error("the camera sends the same picture again and again, on a new connection too; restart the camera")]
    Frozen,
    /// Far more packets come than any camera sends.
    #[error("the camera sends far more pictures than any camera should; check its frame rate and its firmware")]
    Flood,
    /// A clip is at its end.
    #[error("the clip is at its end")]
    EndOfClip,
    /// A clip cannot be read from the disk.
    #[error("`{}` can't be read: {reason}; check the path and its permissions", .path.display())]
    Unreadable {
        /// As configured.
        path: PathBuf,
        /// From the operating system.
        reason: String,
    },
    /// A file that holds no video that we play.
    #[error("`{}` isn't a video that can be played: {reason}; give an MP4, MOV or Matroska file with H.264, H.265 or MJPEG video", .path.display())]
    NotAVideo {
        /// As configured.
        path: PathBuf,
        /// What is wrong with its content.
        reason: Cow<'static, str>,
    },
    /// A GStreamer plugin is not installed.
    #[error("a GStreamer element is missing; run `stakeout check` to see what to install")]
    MissingElement,
    /// The decoder that the camera is to be decoded with can't be used, or failed.
    #[error("the decoder `{element}` {why}; set `hardware` to \"auto\", or to a decoder that works here")]
    Hardware {
        /// GStreamer's name for it.
        element: String,
        /// Goes on from its name.
        why: String,
    },
    /// The decoder itself failed.
    #[error("the video decoder failed; it is started again")]
    Decoder,
}

impl Problem {
    /// A short word for `status --json` and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Problem::Unreachable => "unreachable",
            Problem::Refused => "refused",
            Problem::Auth => "auth",
            Problem::NotFound => "not_found",
            Problem::Tls(_) => "tls",
            Problem::Protocol => "protocol",
            Problem::CodecUnsupported | Problem::CodecOther(_) => "codec_unsupported",
            Problem::FormatUnsupported(_) => "format_unsupported",
            Problem::Busy => "busy",
            Problem::Transport(_) => "transport",
            Problem::Timeout(_) | Problem::NothingOverUdp(_) => "timeout",
            Problem::Stalled(_) => "stalled",
            Problem::NoPictures(_) => "no_pictures",
            Problem::Disconnected => "eos",
            Problem::Still | Problem::Frozen => "frozen",
            Problem::Flood => "flood",
            Problem::EndOfClip => "end_of_clip",
            Problem::Unreadable { .. } => "unreadable",
            Problem::NotAVideo { .. } => "not_a_video",
            Problem::MissingElement => "missing_element",
            Problem::Hardware { .. } => "hardware",
            Problem::Decoder => "decoder",
        }
    }

    /// What the log calls it: a suspicion and its proof are a line each.
    pub(super) fn line(&self) -> &'static str {
        if *self == Problem::Still { "still" } else { self.code() }
    }

    /// Whether it is how a network that fails looks from here, or what all cameras hang on.
    pub(super) fn is_silence(&self) -> bool {
        matches!(self, Problem::Unreachable | Problem::Timeout(_) | Problem::Stalled(_) | Problem::Disconnected)
    }

    pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
        let reason = match error.kind() {
            std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
            std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
            kind => kind.to_string(),
        };
        Problem::Unreadable { path: path.to_owned(), reason }
    }

    pub(super) fn not_a_video(path: &Path, reason: impl Into<Cow<'static, str>>) -> Problem {
        Problem::NotAVideo { path: path.to_owned(), reason: reason.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_say_what_to_do() {
        assert_eq!(
            Problem::not_a_video(Path::new("x.txt"), "it is neither MP4, MOV nor Matroska").to_string(),
            "`x.txt` isn't a video that can be played: it is neither MP4, MOV nor Matroska; \
             give an MP4, MOV or Matroska file with H.264, H.265 or MJPEG video"
        );
        assert_eq!(
            Problem::Stalled(Duration::from_secs(5)).to_string(),
            "no video for 5 s on an open connection; check the network and the camera"
        );
    }
}
