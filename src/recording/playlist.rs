//! What a player reads first: an HLS playlist over the one file of a clip.
//!
//! Owns its words (RFC 8216, with byte ranges, so that nothing is kept twice); refuses to know files and who may read them.
//! Pure.

use std::fmt::Write;
use std::time::Duration;

use super::mp4::{Span, Whole};

/// Byte ranges need version 4, a map without `EXT-X-I-FRAMES-ONLY` 6, fragmented MP4 7 (RFC 8216, 7).
const VERSION: u8 = 7;

/// No segment lasts longer, in seconds: none that is there, and none that will be, because this may not change while a
/// player reads (6.2.1). Fragments take two seconds and a bit; so often players ask for more.
const TARGET_S: u64 = 6;

/// Whether there is enough of a clip that is still recorded for players to begin with: a target's worth. Chromium, which is
/// given less, plays that and then nothing more (seen with 156).
pub fn is_enough(whole: &Whole) -> bool {
    whole.lasts() >= Duration::from_secs(TARGET_S)
}

/// The playlist of a file. `url` is where it is, as seen from the playlist. While a clip is recorded (`ended` is false)
/// players ask again for what has come, and find it behind what they know: what was said before never changes.
///
/// A fragment may last longer than [`TARGET_S`], where the camera was away: then its last picture stands for less time than
/// in the file, and players are told that the time behind it doesn't follow from the one before.
pub fn hls(url: &str, whole: &Whole, ended: bool) -> String {
    let Whole { init, fragments } = whole;
    // From its beginning: what grows is evidence first, and only then live.
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:{VERSION}\n#EXT-X-TARGETDURATION:{TARGET_S}\n#EXT-X-PLAYLIST-TYPE:EVENT\n\
         #EXT-X-START:TIME-OFFSET=0\n#EXT-X-MAP:URI=\"{url}\",BYTERANGE=\"{init}@0\"\n"
    );
    let mut is_torn = false;
    for Span { at, bytes, lasts, .. } in fragments {
        if is_torn {
            text.push_str("#EXT-X-DISCONTINUITY\n");
        }
        is_torn = *lasts > Duration::from_secs(TARGET_S);
        let lasts = (*lasts).min(Duration::from_secs(TARGET_S)).as_secs_f64();
        // Writing to a string doesn't fail.
        let _ = write!(text, "#EXTINF:{lasts:.6},\n#EXT-X-BYTERANGE:{bytes}@{at}\n{url}\n");
    }
    if ended {
        text.push_str("#EXT-X-ENDLIST\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Fragments that last so many milliseconds each.
    fn whole(lasts: &[u64]) -> Whole {
        let mut whole = Whole { init: 700, fragments: Vec::new() };
        for ms in lasts {
            let (at, lasts) = (whole.bytes(), Duration::from_millis(*ms));
            whole.fragments.push(Span { at, bytes: 1000, lasts, starts: true });
        }
        whole
    }

    #[test]
    fn a_clip_that_has_ended_is_a_list_of_ranges() {
        insta::assert_snapshot!(hls("clip.mp4?expires=1&signature=x", &whole(&[2000, 1520]), true), @r#"
        #EXTM3U
        #EXT-X-VERSION:7
        #EXT-X-TARGETDURATION:6
        #EXT-X-PLAYLIST-TYPE:EVENT
        #EXT-X-START:TIME-OFFSET=0
        #EXT-X-MAP:URI="clip.mp4?expires=1&signature=x",BYTERANGE="700@0"
        #EXTINF:2.000000,
        #EXT-X-BYTERANGE:1000@700
        clip.mp4?expires=1&signature=x
        #EXTINF:1.520000,
        #EXT-X-BYTERANGE:1000@1700
        clip.mp4?expires=1&signature=x
        #EXT-X-ENDLIST
        "#);
    }

    #[test]
    fn a_pause_of_the_camera_is_not_played_through() {
        let text = hls("clip.mp4", &whole(&[2000, 61_000, 2000]), true);
        let (before, behind) = text.split_once("#EXT-X-DISCONTINUITY\n").expect(&text);
        assert!(before.ends_with("#EXTINF:6.000000,\n#EXT-X-BYTERANGE:1000@1700\nclip.mp4\n"), "{text}");
        assert!(behind.starts_with("#EXTINF:2.000000,\n"), "{text}");
    }

    proptest! {
        #[test]
        fn a_playlist_only_grows_and_keeps_to_its_target(lasts in prop::collection::vec(1u64..100_000, 1..20)) {
            for so_far in 0..=lasts.len() {
                let (now, all) = (hls("clip.mp4", &whole(&lasts[..so_far]), false), hls("clip.mp4", &whole(&lasts), true));
                prop_assert!(!now.contains("ENDLIST"), "{}", now);
                prop_assert!(all.starts_with(&now), "{}\nbecame\n{}", now, all);
            }
            let all = hls("clip.mp4", &whole(&lasts), true);
            let value = |line: &str| line.split([':', ',']).nth(1).unwrap_or_default().parse::<f64>().unwrap_or(f64::NAN);
            let target = all.lines().find(|line| line.starts_with("#EXT-X-TARGETDURATION")).map(value).unwrap();
            for line in all.lines().filter(|line| line.starts_with("#EXTINF")) {
                prop_assert!(value(line).round() <= target, "{} is more than {}", line, target);
            }
        }
    }
}
