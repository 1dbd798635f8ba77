//! What a player reads first: an HLS playlist over the one file of a clip.
//!
//! Owns its words (RFC 8216, with byte ranges, so that nothing is kept twice); refuses to know files and who may read them.
//! Pure.

use super::mp4::{Span, Whole};
use std::fmt::Write;

/// Byte ranges need version 4, a map without `EXT-X-I-FRAMES-ONLY` 6, fragmented MP4 7 (RFC 8216, 7).
const VERSION: u8 = 7;

/// The playlist of a file. `url` is where it is, as seen from the playlist. While a clip is recorded (`ended` is false)
/// players ask again for what has come.
pub fn hls(url: &str, whole: &Whole, ended: bool) -> String {
    let Whole { init, fragments } = whole;
    // The longest one, rounded (4.3.3.1); a player that waits for nothing still wants a second.
    let target = fragments.iter().map(|it| it.lasts.as_secs_f64().round() as u64).max().unwrap_or(0).max(1);
    let kind = if ended { "VOD" } else { "EVENT" };
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:{VERSION}\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-PLAYLIST-TYPE:{kind}\n\
         #EXT-X-MAP:URI=\"{url}\",BYTERANGE=\"{init}@0\"\n"
    );
    for Span { at, bytes, lasts, .. } in fragments {
        // Writing to a string doesn't fail.
        let _ = write!(text, "#EXTINF:{:.6},\n#EXT-X-BYTERANGE:{bytes}@{at}\n{url}\n", lasts.as_secs_f64());
    }
    if ended {
        text.push_str("#EXT-X-ENDLIST\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn whole(fragments: usize) -> Whole {
        let span = |(at, bytes, ms)| Span { at, bytes, lasts: Duration::from_millis(ms), starts: true };
        let spans = [(700, 1000, 2000), (1700, 400, 1520)].map(span);
        Whole { init: 700, fragments: spans[..fragments].to_vec() }
    }

    #[test]
    fn a_clip_that_has_ended_is_a_recording() {
        insta::assert_snapshot!(hls("clip.mp4?expires=1&signature=x", &whole(2), true), @r#"
        #EXTM3U
        #EXT-X-VERSION:7
        #EXT-X-TARGETDURATION:2
        #EXT-X-PLAYLIST-TYPE:VOD
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
        let going_on = hls("clip.mp4", &whole(1), false);
        assert!(going_on.contains("#EXT-X-PLAYLIST-TYPE:EVENT\n") && !going_on.contains("ENDLIST"), "{going_on}");
        assert!(hls("clip.mp4", &whole(0), false).contains("#EXT-X-TARGETDURATION:1\n"));
    }
}
