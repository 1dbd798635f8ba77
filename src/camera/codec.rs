//! The video codecs that cameras speak.
//!
//! Owns their names and what each needs in a pipeline; refuses to know packets. Plain data.

/// How pictures are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// H.264, AVC.
    H264,
    /// H.265, HEVC.
    H265,
    /// Motion JPEG: every picture on its own.
    Mjpeg,
}

impl Codec {
    /// All that we speak.
    pub const ALL: [Codec; 3] = [Codec::H264, Codec::H265, Codec::Mjpeg];

    /// As RTP calls it (RFC 6184, RFC 7798, RFC 2435).
    pub(super) fn encoding_name(self) -> &'static str {
        match self {
            Codec::H264 => "H264",
            Codec::H265 => "H265",
            Codec::Mjpeg => "JPEG",
        }
    }

    /// The element that makes encoded pictures of RTP packets.
    pub(super) fn depayloader(self) -> &'static str {
        match self {
            Codec::H264 => "rtph264depay",
            Codec::H265 => "rtph265depay",
            Codec::Mjpeg => "rtpjpegdepay",
        }
    }

    /// The media type of encoded pictures, as GStreamer calls it.
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Codec::H264 => "video/x-h264",
            Codec::H265 => "video/x-h265",
            Codec::Mjpeg => "image/jpeg",
        }
    }

    /// What packets hold: one picture each; sizes and profiles travel in the stream itself and may change at any keyframe.
    pub(super) fn caps(self) -> &'static str {
        match self {
            Codec::H264 => "video/x-h264,stream-format=byte-stream,alignment=au",
            Codec::H265 => "video/x-h265,stream-format=byte-stream,alignment=au",
            Codec::Mjpeg => "image/jpeg,parsed=true",
        }
    }

    /// The element that reads sizes and profiles out of the stream.
    pub(super) fn parser(self) -> &'static str {
        match self {
            Codec::H264 => "h264parse",
            Codec::H265 => "h265parse",
            Codec::Mjpeg => "jpegparse",
        }
    }

    /// From encoded pictures to an appsink of its own, one picture a buffer. `async=false`: a sink that waits for preroll can
    /// block its end of stream for ever. `wait-on-eos=false`: one that waits until all is pulled keeps the lock that its change
    /// of state needs; a recording that was read to its end before it played hung for ever.
    pub(super) fn tail(self) -> String {
        let repeated = if self == Codec::Mjpeg { "" } else { " config-interval=-1" };
        let (parser, caps, sink) = (self.parser(), self.caps(), self.sink());
        format!(
            "{parser}{repeated} ! {caps} ! appsink name={sink} sync=false async=false wait-on-eos=false drop=false \
             enable-last-sample=false"
        )
    }

    /// What the tail's sink is called.
    pub(super) fn sink(self) -> &'static str {
        match self {
            Codec::H264 => "h264",
            Codec::H265 => "h265",
            Codec::Mjpeg => "mjpeg",
        }
    }

    /// As operators know it.
    pub fn as_str(self) -> &'static str {
        match self {
            Codec::H264 => "H.264",
            Codec::H265 => "H.265",
            Codec::Mjpeg => "MJPEG",
        }
    }
}
