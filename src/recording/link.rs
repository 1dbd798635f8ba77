//! Links to clips that open without a token until they expire.
//!
//! Owns what is signed (`<id>.<expires>`, HMAC-SHA256, base64 for URLs), how a link reads, and until when it opens its clip: a
//! link that could not be delivered in time, or that a box without a clock made, is good for as long after its clip was
//! delivered. Refuses to know who serves it and where the key is kept. Pure: the time is an argument. The key is wiped from memory when dropped and never printed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use url::Url;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::time::Wall;

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;

/// What signs links. Cheap to clone.
#[derive(Clone)]
pub struct Key(Arc<Zeroizing<[u8; KEY_BYTES]>>);

impl Key {
    /// Of random bytes.
    pub fn new(random: [u8; KEY_BYTES]) -> Key {
        Key(Arc::new(Zeroizing::new(random)))
    }

    fn mac(&self, clip: Uuid, expires: i64) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&**self.0).expect("HMAC takes keys of any length");
        mac.update(format!("{clip}.{expires}").as_bytes());
        mac
    }

    /// The signature of a link to `clip` that opens it until `expires`, in seconds since 1970.
    pub fn signature(&self, clip: Uuid, expires: i64) -> String {
        URL_SAFE_NO_PAD.encode(self.mac(clip, expires).finalize().into_bytes())
    }

    /// The path of a link to a piece of `clip` that is good until `expires`, with what it carries.
    pub fn path(&self, clip: Uuid, piece: Piece, expires: Wall) -> String {
        let expires = expires.unix_seconds();
        format!("/clips/{clip}/{}?expires={expires}&signature={}", piece.file(), self.signature(clip, expires))
    }

    /// Whether what a link says opens `clip` at `now`; `expires` and `signature` are what stands in its query. How long the
    /// comparison takes tells nothing.
    ///
    /// # Errors
    /// It doesn't.
    pub fn check(&self, clip: Uuid, expires: &str, signature: &str, now: Wall) -> Result<(), NoWay> {
        // As it is written by us, so that nothing reads two ways.
        let seconds = expires.parse::<i64>().ok().filter(|seconds| seconds.to_string() == expires);
        let (Some(seconds), Ok(given)) = (seconds, URL_SAFE_NO_PAD.decode(signature)) else {
            return Err(NoWay::Forged);
        };
        self.mac(clip, seconds).verify_slice(&given).map_err(|_| NoWay::Forged)?;
        if now.unix_seconds() < seconds { Ok(()) } else { Err(NoWay::Expired) }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// Why a link opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoWay {
    /// We never wrote it so.
    #[error("the link is not one of this box's, or was changed; use it as it was sent")]
    Forged,
    /// It was good once.
    #[error("the link has expired; ask whoever runs the box for another one")]
    Expired,
}

/// What of a clip a link leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// The playlist for players (HLS).
    Playlist,
    /// The file.
    Movie,
    /// A picture.
    Thumbnail,
    /// A page that plays it.
    Player,
}

impl Piece {
    /// The last part of its path.
    pub fn file(self) -> &'static str {
        match self {
            Piece::Playlist => "index.m3u8",
            Piece::Movie => "clip.mp4",
            Piece::Thumbnail => "thumbnail.jpg",
            Piece::Player => "player",
        }
    }
}

/// Makes links to clips.
#[derive(Clone, Debug)]
pub struct Links {
    base: Option<Url>,
    key: Key,
    /// How long one opens its clip.
    expiry: Duration,
}

impl Links {
    /// Below `base` (`[api] public_url`), or else beginning with a slash; each is good for `expiry`.
    pub fn new(base: Option<Url>, key: Key, expiry: Duration) -> Links {
        Links { base, key, expiry }
    }

    /// A link that is made at `now`, which may be wrong: see [`Links::check`].
    pub fn to(&self, clip: Uuid, piece: Piece, now: Wall) -> String {
        let base = self.base.as_ref().map(|base| base.as_str().trim_end_matches('/')).unwrap_or_default();
        format!("{base}{}", self.key.path(clip, piece, now.plus(self.expiry)))
    }

    /// As [`Key::check`], but for a link that has expired: it opens its clip until that has been over for as long as links are
    /// good. `over`: since when nobody is owed an alert of it any more; None: somebody is.
    ///
    /// # Errors
    /// The link opens nothing.
    pub fn check(
        &self,
        clip: Uuid,
        (expires, signature): (&str, &str),
        over: Option<Wall>,
        now: Wall,
    ) -> Result<(), NoWay> {
        match self.key.check(clip, expires, signature, now) {
            Err(NoWay::Expired) if over.is_none_or(|over| now < over.plus(self.expiry)) => Ok(()),
            checked => checked,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Wall = Wall(1_769_423_700_500);

    fn key() -> Key {
        Key::new(std::array::from_fn(|n| n as u8))
    }

    fn clip() -> Uuid {
        Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001)
    }

    fn parts(link: &str) -> (String, String) {
        let url = Url::parse(link).unwrap();
        let value = |name| url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
        (value("expires"), value("signature"))
    }

    /// Computed with Python's hmac and base64.
    #[test]
    fn a_signature_is_the_same_everywhere() {
        assert_eq!(key().signature(clip(), 1_769_423_701), "2N-pv7sqOiDjK1zCdMZp5kkrG2myAXF5rKxf3Ti2DfQ");
    }

    #[test]
    fn a_link_opens_its_clip_until_it_expires() {
        for base in ["https://box.example", "https://box.example/", "http://10.0.0.5:8787/stakeout"] {
            let links = Links::new(Some(Url::parse(base).unwrap()), key(), Duration::from_secs(60));
            let link = links.to(clip(), Piece::Player, NOW);
            let beginning = format!("{}/clips/{}/player?expires=", base.trim_end_matches('/'), clip());
            assert!(link.starts_with(&beginning), "{link}");
            let (expires, signature) = parts(&link);
            assert_eq!(expires, "1769423760");
            let at = |seconds| key().check(clip(), &expires, &signature, NOW.plus(Duration::from_secs(seconds)));
            assert_eq!((at(0), at(59)), (Ok(()), Ok(())));
            assert_eq!((at(60), at(1 << 40)), (Err(NoWay::Expired), Err(NoWay::Expired)));
        }
    }

    #[test]
    fn a_link_that_came_late_or_of_a_wrong_time_opens_its_clip_for_as_long_after_that_was_delivered() {
        let links = Links::new(Some(Url::parse("https://box.example").unwrap()), key(), Duration::from_secs(60));
        let at = |seconds| NOW.plus(Duration::from_secs(seconds));
        let in_2000 = Wall(946_684_800_000);
        for made in [NOW, in_2000] {
            let (expires, signature) = parts(&links.to(clip(), Piece::Player, made));
            let check = |over, seconds| links.check(clip(), (&expires, &signature), over, at(seconds));
            assert_eq!((check(None, 61), check(None, 1 << 40)), (Ok(()), Ok(())), "somebody may not have it yet");
            assert_eq!((check(Some(at(1000)), 1059), check(Some(at(1000)), 1060)), (Ok(()), Err(NoWay::Expired)));
            assert_eq!(check(Some(at(0)), 59), Ok(()));
            let forged = links.check(clip(), (&expires, &signature[1..]), None, at(0));
            assert_eq!(forged, Err(NoWay::Forged), "whatever is owed");
        }
        let (expires, signature) = parts(&links.to(clip(), Piece::Player, NOW));
        assert_eq!(links.check(clip(), (&expires, &signature), Some(in_2000), at(59)), Ok(()), "as it says");
    }

    #[test]
    fn a_link_that_was_changed_opens_nothing() {
        let (later, signature) = (1_769_500_000_i64, key().signature(clip(), 1_769_500_000));
        let check = |clip, expires: &str, signature: &str| key().check(clip, expires, signature, NOW);
        let text = later.to_string();
        assert_eq!(check(clip(), &text, &signature), Ok(()));
        assert_eq!(check(Uuid::nil(), &text, &signature), Err(NoWay::Forged), "another clip");
        for expires in ["1769500001", "+1769500000", "01769500000", " 1769500000", "", "1e9", "99999999999999999999"] {
            assert_eq!(check(clip(), expires, &signature), Err(NoWay::Forged), "{expires}");
        }
        for n in 0..signature.len() {
            let mut changed = signature.clone().into_bytes();
            changed[n] = if changed[n] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(check(clip(), &text, &changed), Err(NoWay::Forged), "{changed}");
            assert_eq!(check(clip(), &text, &signature[..n]), Err(NoWay::Forged), "the first {n}");
        }
        let other = Key::new([7; KEY_BYTES]).signature(clip(), later);
        assert_eq!(check(clip(), &text, &other), Err(NoWay::Forged), "another box's");
        assert_eq!(format!("{:?}", key()), "Key(…)");
    }
}
