//! What a player reads first: an HLS playlist over the one file of a clip.
//!
//! Owns its words (RFC 8216, with byte ranges, so that nothing is kept twice); refuses to know files and who may read them.
//! Pure.

use std::fmt::Write;
use std::time::Duration;

/// Byte ranges need version 4, a map without `EXT-X-I-FRAMES-ONLY` 6, fragmented MP4 7 (RFC 8216, 7).
const VERSION: u8 = 7;

/// A whole fragment in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where it begins, in bytes.
    pub at: u64,
    /// How long it is, in bytes.
    pub bytes: u64,
    /// For how long it plays.
    pub duration: Duration,
}

/// The playlist of a file whose init segment is `init` bytes long. `url` is where the file is, as seen from the playlist.
/// While a clip is recorded (`ended` is false) players ask again for what has come.
pub fn hls(url: &str, init: u64, pieces: &[Piece], ended: bool) -> String {
    // The longest one, rounded (4.3.3.1); a player that waits for nothing still wants a second.
    let target = pieces.iter().map(|piece| piece.duration.as_secs_f64().round() as u64).max().unwrap_or(0).max(1);
    let kind = if ended { "VOD" } else { "EVENT" };
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:{VERSION}\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-PLAYLIST-TYPE:{kind}\n\
         #EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"{url}\",BYTERANGE=\"{init}@0\"\n"
    );
    for Piece { at, bytes, duration } in pieces {
        // Writing to a string doesn't fail.
        let _ = write!(text, "#EXTINF:{:.6},\n#EXT-X-BYTERANGE:{bytes}@{at}\n{url}\n", duration.as_secs_f64());
    }
    if ended {
        text.push_str("#EXT-X-ENDLIST\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces() -> [Piece; 2] {
        [(700, 1000, 2000), (1700, 400, 1520)].map(|(at, bytes, ms)| Piece {
            at,
            bytes,
            duration: Duration::from_millis(ms),
        })
    }

    #[test]
    fn a_clip_that_has_ended_is_a_recording() {
        insta::assert_snapshot!(hls("clip.mp4?expires=1&signature=x", 700, &pieces(), true), @r#"
        #EXTM3U
        #EXT-X-VERSION:7
        #EXT-X-TARGETDURATION:2
        #EXT-X-PLAYLIST-TYPE:VOD
        #EXT-X-INDEPENDENT-SEGMENTS
        #EXT-X-MAP:URI="clip.mp4?expires=1&signature=x",BYTERANGE="700@0"
        #EXTINF:2.000000,
        #EXT-X-BYTERANGE:1000@700
        clip.mp4?expires=1&signature=x
        #EXTINF:1.520000,
        #EXT-X-BYTERANGE:400@1700
        clip.mp4?expires=1&signature=x
        #EXT-X-ENDLIST
        "#);
    }

    #[test]
    fn one_that_goes_on_has_no_end() {
        let going_on = hls("clip.mp4", 700, &pieces()[..1], false);
        assert!(going_on.contains("#EXT-X-PLAYLIST-TYPE:EVENT\n") && !going_on.contains("ENDLIST"), "{going_on}");
        assert!(hls("clip.mp4", 700, &[], false).contains("#EXT-X-TARGETDURATION:1\n"));
    }
}
