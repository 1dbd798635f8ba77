//! What is said between us and a camera before its first packet.
//!
//! Owns the answers to the questions that `rtspsrc` asks: which track is wanted, whether a request may go out, what was
//! wrong with a certificate. Refuses to decide what becomes of the connection (`rtsp`), which reads the notes.
//!
//! The callbacks run on the thread on which `rtspsrc` speaks RTSP, while it speaks; none runs while packets stream. They
//! note something and return. The bus can't replace them: it only tells, these are asked.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gio::TlsCertificateFlags;
use gstreamer as gst;
use gstreamer::glib::{self, value::FromValue};
use gstreamer::prelude::*;

use super::codec::Codec;
use super::trust::Distrust;
use crate::secret::Secret;

/// Requests until the camera has described its streams: OPTIONS and DESCRIBE, each perhaps twice, because the first one is
/// answered by the question for a login.
const UNTIL_DESCRIBED: u32 = 4;
/// Whoever asks for a login after this one of them has refused it once or twice. `rtspsrc` would say it eight times, and
/// that locks accounts.
const LAST_LOGIN: u32 = 3;
/// And from then on: SETUP, PLAY, PAUSE and TEARDOWN. Keep-alives don't come through here.
const AFTERWARDS: u32 = 8;

/// What was noted of one connection.
#[derive(Default)]
struct Notes {
    described: bool,
    requests: u32,
    track: Option<Codec>,
    /// Video that we don't speak.
    other_video: Option<String>,
    moved_to: Option<String>,
    distrust: Option<Distrust>,
    /// While `rtspsrc` may not have it.
    withheld: Option<Secret>,
}

/// One connection's dialogue.
pub(super) struct Dialogue {
    /// Where it was begun: requests to anywhere else don't go out.
    location: String,
    notes: Mutex<Notes>,
}

impl Dialogue {
    /// Answers `camera`, an `rtspsrc` that was sent to `location`, from now on.
    pub(super) fn attend(camera: &gst::Element, location: String) -> Arc<Dialogue> {
        let dialogue = Arc::new(Dialogue { location, notes: Mutex::default() });
        let heard = dialogue.clone();
        camera.connect("select-stream", false, move |question| {
            let caps = told::<gst::Caps>(question, 2);
            Some(caps.is_some_and(|caps| heard.wants(&caps)).to_value())
        });
        let heard = dialogue.clone();
        camera.connect("before-send", false, move |question| {
            let camera = told::<gst::Element>(question, 0);
            let may = heard.may_send(camera.as_ref().and_then(|camera| camera.property("location")));
            camera.iter().for_each(|camera| heard.watch_password(camera));
            Some(may.to_value())
        });
        let heard = dialogue.clone();
        camera.connect("accept-certificate", false, move |question| {
            let found = told(question, 3).unwrap_or(TlsCertificateFlags::GENERIC_ERROR);
            heard.notes().distrust = Some(Distrust::of(found));
            Some(false.to_value())
        });
        dialogue
    }

    /// The track that was asked for.
    pub(super) fn track(&self) -> Option<Codec> {
        self.notes().track
    }

    /// Video that was there but isn't spoken by us, as RTP calls it.
    pub(super) fn other_video(&self) -> Option<String> {
        self.notes().other_video.clone()
    }

    /// Where the camera says that it is instead.
    pub(super) fn moved_to(&self) -> Option<String> {
        self.notes().moved_to.clone()
    }

    /// Why its certificate wasn't believed.
    pub(super) fn distrust(&self) -> Option<Distrust> {
        self.notes().distrust
    }

    /// Whether it came so far that RTSP could be spoken.
    pub(super) fn began(&self) -> bool {
        self.notes().requests > 0
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first video track of a codec that we speak; never a second one, sound or metadata: what isn't set up is neither
    /// sent nor decoded.
    fn wants(&self, caps: &gst::CapsRef) -> bool {
        let mut notes = self.notes();
        (notes.described, notes.requests) = (true, if notes.described { notes.requests } else { 0 });
        let Some(offer) = caps.structure(0) else { return false };
        if offer.get::<&str>("media") != Ok("video") || notes.track.is_some() {
            return false;
        }
        let name = offer.get::<&str>("encoding-name").unwrap_or_default();
        notes.track = Codec::ALL.into_iter().find(|codec| name.eq_ignore_ascii_case(codec.encoding_name()));
        if notes.track.is_none() {
            notes.other_video.get_or_insert_with(|| known_as(name));
        }
        notes.track.is_some()
    }

    fn may_send(&self, location: Option<String>) -> bool {
        let mut notes = self.notes();
        // A description may name another location, and still means this camera.
        if let Some(elsewhere) = location.filter(|at| !notes.described && *at != self.location) {
            notes.moved_to = Some(elsewhere);
            return false;
        }
        notes.requests += 1;
        notes.requests <= if notes.described { AFTERWARDS } else { UNTIL_DESCRIBED }
    }

    /// Takes the password from `camera` for a while: it is asked for it anew only where the last one was refused. What it
    /// has said already it may say again, to a camera that hangs up with its refusal.
    fn watch_password(&self, camera: &gst::Element) {
        let mut notes = self.notes();
        if !notes.described && notes.requests == LAST_LOGIN {
            notes.withheld = camera.property::<Option<String>>("user-pw").map(Secret::new);
            camera.set_property("user-pw", None::<&str>);
        } else if notes.described
            && let Some(password) = notes.withheld.take()
        {
            // Some let a login run out.
            camera.set_property("user-pw", password.expose());
        }
    }
}

/// An argument of a question.
fn told<T: for<'v> FromValue<'v> + 'static>(question: &[glib::Value], at: usize) -> Option<T> {
    question.get(at)?.get_owned().ok()
}

/// An encoding as operators know it; otherwise as RTP calls it, which is the camera's word: shown as far as it is a name.
fn known_as(encoding: &str) -> String {
    match encoding.to_ascii_uppercase().as_str() {
        "MP4V-ES" => "MPEG-4".to_owned(),
        "MPV" => "MPEG-2".to_owned(),
        "H263" | "H263-1998" | "H263-2000" => "H.263".to_owned(),
        name => name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(20).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialogue() -> Dialogue {
        gst::init().unwrap();
        Dialogue { location: "rtsp://cam:554/a".to_owned(), notes: Mutex::default() }
    }

    fn offer(media: &str, encoding: &str) -> gst::Caps {
        gst::Caps::builder("application/x-rtp").field("media", media).field("encoding-name", encoding).build()
    }

    #[test]
    fn only_the_first_video_that_we_speak_is_wanted() {
        let dialogue = dialogue();
        let offers = [
            ("audio", "PCMU"),
            ("video", "MP4V-ES"),
            ("application", "VND.ONVIF.METADATA"),
            ("video", "H265"),
            ("video", "H264"),
        ];
        let wanted = offers.map(|(media, encoding)| dialogue.wants(&offer(media, encoding)));
        assert_eq!(wanted, [false, false, false, true, false]);
        assert_eq!((dialogue.track(), dialogue.other_video()), (Some(Codec::H265), Some("MPEG-4".to_owned())));
    }

    #[test]
    fn what_a_camera_calls_its_video_is_shown_only_as_far_as_it_is_a_name() {
        assert_eq!(known_as("vp8"), "VP8");
        assert_eq!(known_as("x`; rm\u{1b}[0m rtsp://a:b@c"), "XRM0MRTSPABC");
    }

    #[test]
    fn a_login_is_not_tried_again_and_again() {
        let dialogue = dialogue();
        let may_send = || dialogue.may_send(Some(dialogue.location.clone()));
        assert!((0..4).all(|_| may_send()), "OPTIONS, DESCRIBE, each with and without a login");
        assert!(!may_send());
        dialogue.wants(&offer("video", "H264"));
        assert!((0..8).all(|_| may_send()), "SETUP, PLAY, PAUSE, TEARDOWN");
        assert!(!may_send());
    }

    #[test]
    fn a_login_that_was_refused_is_asked_for_in_vain() {
        let dialogue = dialogue();
        let camera = gst::ElementFactory::make("rtspsrc").property("user-pw", "right").build().unwrap();
        let password = || {
            dialogue.may_send(Some(dialogue.location.clone()));
            dialogue.watch_password(&camera);
            camera.property::<Option<String>>("user-pw")
        };
        let right = Some("right".to_owned());
        assert_eq!([password(), password(), password(), password()], [right.clone(), right.clone(), None, None]);
        dialogue.wants(&offer("video", "H264"));
        assert_eq!([password(), password()], [right.clone(), right], "a login that ran out may be renewed");
    }

    #[test]
    fn nothing_is_said_to_another_place() {
        let dialogue = dialogue();
        assert!(!dialogue.may_send(Some("rtsp://other/a".to_owned())));
        assert_eq!(dialogue.moved_to().as_deref(), Some("rtsp://other/a"));
        assert!(!dialogue.began());
    }

    #[test]
    fn a_description_may_name_the_camera_as_it_sees_itself() {
        let dialogue = dialogue();
        dialogue.wants(&offer("video", "H264"));
        assert!(dialogue.may_send(Some("rtsp://192.168.1.108/a".to_owned())));
        assert_eq!(dialogue.moved_to(), None);
    }
}
