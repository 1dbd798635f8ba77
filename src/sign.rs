//! Signatures: two ways to prove that a body is ours, and the receiver's side of both.
//!
//! Owns what is signed with which bytes (contracts/payloads.md, "Signatures"); refuses to know where secrets come from
//! (`secrets`), when a request is signed (`sender/`) and how headers travel. Pure: the time and the random bytes are
//! arguments. Key material is wiped from memory when dropped and never printed.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The prefix of a Standard Webhooks secret; base64 follows.
pub const PREFIX: &str = "whsec_";

/// How many random bytes [`new_secret`] wants: Standard Webhooks allows 24 to 64.
pub const SECRET_BYTES: usize = 32;

/// Why a secret cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSecret {
    /// Nothing in it.
    #[error("the secret is empty: put one into its file, `stakeout keygen` makes one")]
    Empty,
    /// `whsec_` promises base64.
    #[error(
        "what follows `whsec_` in the secret is not base64: copy it again, or make a new one with `stakeout keygen`"
    )]
    NotBase64,
}

/// One secret, ready to sign with.
pub struct Key {
    /// The whole secret string: the key of `X-Trio-Signature`.
    whole: Zeroizing<Vec<u8>>,
    /// The key of `webhook-signature`.
    decoded: Zeroizing<Vec<u8>>,
}

impl Key {
    /// Reads a secret: `whsec_` and base64, or any other text, whose bytes then are the key of both signatures.
    pub fn new(secret: &str) -> Result<Key, InvalidSecret> {
        let decoded = match secret.strip_prefix(PREFIX) {
            Some(encoded) => STANDARD.decode(encoded).map_err(|_| InvalidSecret::NotBase64)?,
            None => secret.as_bytes().to_vec(),
        };
        if decoded.is_empty() {
            return Err(InvalidSecret::Empty);
        }
        Ok(Key { whole: Zeroizing::new(secret.as_bytes().to_vec()), decoded: Zeroizing::new(decoded) })
    }

    /// Over the exact bytes of the body.
    fn trio(&self, body: &[u8]) -> Hmac<Sha256> {
        hmac(&self.whole, &[body])
    }

    /// Over `id.timestamp.body`.
    fn standard(&self, message: Message<'_>, body: &[u8]) -> Hmac<Sha256> {
        let timestamp = message.timestamp.to_string();
        hmac(&self.decoded, &[message.id.as_bytes(), b".", timestamp.as_bytes(), b".", body])
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac
}

/// What Standard Webhooks signs beside the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// `webhook-id`: the event's id, without dots.
    pub id: &'a str,
    /// `webhook-timestamp`: unix seconds of this attempt.
    pub timestamp: i64,
}

/// The values of the signature headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signatures {
    /// `X-Trio-Signature`: lower-case hex.
    pub trio: String,
    /// `webhook-signature`: `v1,<base64>` for each secret, newest first, separated by spaces.
    pub standard: String,
}

/// Signs `body` with `keys`, newest first. None without a key: the endpoint is unsigned.
///
/// While two keys are in use, `X-Trio-Signature`, which holds one value, keeps the older one, so that receivers can switch
/// first.
pub fn sign(keys: &[Key], message: Message<'_>, body: &[u8]) -> Option<Signatures> {
    let oldest = keys.last()?;
    let standard = |key: &Key| format!("v1,{}", STANDARD.encode(key.standard(message, body).finalize().into_bytes()));
    Some(Signatures {
        trio: hex::encode(oldest.trio(body).finalize().into_bytes()),
        standard: keys.iter().map(standard).collect::<Vec<_>>().join(" "),
    })
}

/// Why a signature was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// Neither form.
    #[error(
        "this is no signature: give the value of `X-Trio-Signature` (64 hex digits) or of `webhook-signature` (`v1,…`)"
    )]
    Unreadable,
    /// `webhook-signature` covers more than the body.
    #[error("`webhook-signature` also covers `webhook-id` and `webhook-timestamp`: give both of them")]
    MessageNeeded,
    /// It was made with another secret or over another body.
    #[error(
        "the signature does not match: compare the secret, and make sure that the body is exactly the bytes that arrived"
    )]
    Mismatch,
}

/// Checks a signature as a receiver does, in constant time: `signature` is the value of either header, `message` is needed
/// for `webhook-signature`. Any of `keys` may have made it. The age of `message.timestamp` is the receiver's business.
pub fn verify(keys: &[Key], signature: &str, message: Option<Message<'_>>, body: &[u8]) -> Result<(), Unverified> {
    let signature = signature.trim();
    let matches = if signature.len() == 64 && signature.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        let given = hex::decode(signature).map_err(|_| Unverified::Unreadable)?;
        keys.iter().any(|key| key.trio(body).verify_slice(&given).is_ok())
    } else {
        let given: Vec<Vec<u8>> = standard_signatures(signature)?;
        let message = message.ok_or(Unverified::MessageNeeded)?;
        let made_by = |key: &Key| given.iter().any(|given| key.standard(message, body).verify_slice(given).is_ok());
        keys.iter().any(made_by)
    };
    if matches { Ok(()) } else { Err(Unverified::Mismatch) }
}

/// The `v1` entries of a `webhook-signature`; other versions are passed over, as the specification asks.
fn standard_signatures(header: &str) -> Result<Vec<Vec<u8>>, Unverified> {
    let entries = header.split_whitespace().filter_map(|entry| entry.strip_prefix("v1,"));
    let decoded: Vec<_> = entries.filter_map(|encoded| STANDARD.decode(encoded).ok()).collect();
    if decoded.is_empty() { Err(Unverified::Unreadable) } else { Ok(decoded) }
}

/// A new secret in the form that every Standard Webhooks library reads, made of bytes from the system's random source.
pub fn new_secret(random: &[u8; SECRET_BYTES]) -> Zeroizing<String> {
    let mut secret = Zeroizing::new(String::with_capacity(PREFIX.len() + SECRET_BYTES.div_ceil(3) * 4));
    secret.push_str(PREFIX);
    STANDARD.encode_string(random, &mut secret);
    secret
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(secret: &str) -> Key {
        Key::new(secret).unwrap()
    }

    #[test]
    fn the_vectors_of_standard_webhooks() {
        let signed = |secret: &str, id, timestamp, body: &str| {
            sign(&[key(secret)], Message { id, timestamp }, body.as_bytes()).unwrap().standard
        };
        assert_eq!(
            signed(
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#
            ),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
        assert_eq!(
            signed(
                "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
                "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
                1_649_367_553,
                r#"{"email":"test@example.com","username":"test_user"}"#
            ),
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="
        );
    }

    #[test]
    fn the_vectors_of_others_for_hex_hmac_of_the_body() {
        let trio = |secret: &str, body: &str| {
            sign(&[key(secret)], Message { id: "x", timestamp: 0 }, body.as_bytes()).unwrap().trio
        };
        assert_eq!(
            trio("It's a Secret to Everybody", "Hello, World!"),
            "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        );
        assert_eq!(
            trio("convoy-webhook-secret", r#"{"event":"charge.success","amount":1000,"currency":"NGN"}"#),
            "244449b7f48cbc2709060c9dcdc2b3aa47a78f540430579015c579fb12defbb4"
        );
        // RFC 4231, test case 2.
        assert_eq!(
            trio("Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn a_whsec_secret_keys_the_trio_signature_with_the_whole_string() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let signed = sign(&[key(secret)], Message { id: "x", timestamp: 0 }, b"body").unwrap();
        let expected = hmac(secret.as_bytes(), &[b"body"]).finalize().into_bytes();
        assert_eq!(signed.trio, hex::encode(expected));
    }

    #[test]
    fn during_rotation_the_list_has_both_and_trio_keeps_the_older() {
        let message = Message { id: "id", timestamp: 7 };
        let alone = |secret: &str| sign(&[key(secret)], message, b"body").unwrap();
        let both = sign(&[key("new"), key("old")], message, b"body").unwrap();
        assert_eq!(both.trio, alone("old").trio);
        assert_eq!(both.standard, format!("{} {}", alone("new").standard, alone("old").standard));
        for receiver in ["new", "old"] {
            verify(&[key(receiver)], &both.standard, Some(message), b"body").unwrap();
        }
    }

    #[test]
    fn no_key_no_signature() {
        assert_eq!(sign(&[], Message { id: "id", timestamp: 7 }, b"body"), None);
    }

    #[test]
    fn what_a_secret_may_not_be() {
        assert_eq!(Key::new("").unwrap_err(), InvalidSecret::Empty);
        assert_eq!(Key::new("whsec_").unwrap_err(), InvalidSecret::Empty);
        assert_eq!(Key::new("whsec_***").unwrap_err(), InvalidSecret::NotBase64);
        assert_eq!(format!("{:?}", key("hunter2")), "Key(…)");
    }

    #[test]
    fn what_verify_says() {
        let keys = [key("secret")];
        let message = Message { id: "id", timestamp: 7 };
        let signed = sign(&keys, message, b"body").unwrap();
        assert_eq!(verify(&keys, &signed.trio, None, b"body"), Ok(()));
        assert_eq!(verify(&keys, &format!(" {}\n", signed.trio.to_uppercase()), None, b"body"), Ok(()));
        assert_eq!(verify(&keys, &signed.trio, None, b"bodY"), Err(Unverified::Mismatch));
        assert_eq!(verify(&keys, &signed.standard, None, b"body"), Err(Unverified::MessageNeeded));
        assert_eq!(verify(&keys, &format!("v1a,AAAA {}", signed.standard), Some(message), b"body"), Ok(()));
        let late = Some(Message { timestamp: 8, ..message });
        assert_eq!(verify(&keys, &signed.standard, late, b"body"), Err(Unverified::Mismatch));
        assert_eq!(verify(&keys, "v2,AAAA", Some(message), b"body"), Err(Unverified::Unreadable));
        assert_eq!(verify(&keys, "", Some(message), b"body"), Err(Unverified::Unreadable));
        assert_eq!(verify(&[key("other")], &signed.trio, None, b"body"), Err(Unverified::Mismatch));
    }

    #[test]
    fn a_new_secret_is_read_back() {
        let secret = new_secret(&[7; SECRET_BYTES]);
        assert_eq!(secret.as_str(), "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=");
        assert_eq!(key(&secret).decoded.as_slice(), [7; SECRET_BYTES]);
    }

    proptest! {
        #[test]
        fn a_flipped_bit_fails_both(body in proptest::collection::vec(any::<u8>(), 1..200), at in any::<usize>(), bit in 0_u8..8) {
            let keys = [key("secret")];
            let message = Message { id: "0190-id", timestamp: 1_700_000_000 };
            let signed = sign(&keys, message, &body).unwrap();
            let mut flipped = body.clone();
            let at = at % flipped.len();
            flipped[at] ^= 1_u8 << bit;
            for signature in [&signed.trio, &signed.standard] {
                prop_assert_eq!(verify(&keys, signature, Some(message), &body), Ok(()));
                prop_assert_eq!(verify(&keys, signature, Some(message), &flipped), Err(Unverified::Mismatch));
            }
        }
    }
}
