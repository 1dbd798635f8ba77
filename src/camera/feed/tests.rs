//! The feed, with packets that x264 makes of drawn pictures, on a driven clock.
//!
//! Owns the rig; refuses to know connections.

use std::collections::BTreeSet;
use std::ops::Range;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use super::*;
use crate::camera::hardware::Lineup;
use crate::camera::ingest::{Ingest, Stop};
use crate::camera::mailbox::{Asker, Demand};
use crate::camera::policy::Why;
use crate::camera::settings::Address;
use crate::frame::{Frame, Motion};

const WIDTH: u32 = 160;
const HEIGHT: u32 = 120;

/// Pictures a tenth of a second apart.
const STEP: Duration = Duration::from_millis(100);

/// A grey wall; on some of the pictures a bright square walks by, or a lorry stands right before the camera.
struct Film {
    scale: u32,
    frames: u32,
    walking: Range<u32>,
    lorry: bool,
}

impl Film {
    fn of(frames: u32, walking: Range<u32>) -> Film {
        Film { scale: 1, frames, walking, lorry: false }
    }

    fn quiet(frames: u32) -> Film {
        Film::of(frames, 0..0)
    }

    fn picture(&self, nth: u32) -> Vec<u8> {
        let (width, height) = (WIDTH * self.scale, HEIGHT * self.scale);
        let left = (nth * 7 % 110) * self.scale;
        let lit = |x: u32, y: u32| {
            let inside = (left..left + 50 * self.scale).contains(&x) && (height / 4..height * 3 / 4).contains(&y);
            inside && self.walking.contains(&nth)
        };
        let luma = (0..width * height).map(|at| (at % width, at / width));
        let wall = |x: u32| 60 + (x / (4 * self.scale)) as u8;
        let planks = |x: u32, y: u32| if (x / 20 + y / 20).is_multiple_of(2) { 200 } else { 30 };
        let luma = luma.map(|(x, y)| match self.lorry {
            true if self.walking.contains(&nth) && x > width / 8 => planks(x, y),
            false if lit(x, y) => 220,
            _ => wall(x),
        });
        luma.chain(std::iter::repeat_n(128, (width * height / 2) as usize)).collect()
    }

    /// What x264 makes of it. Every packet arrives a tenth of a second after the one before.
    fn packets(&self, encoder: &str) -> Vec<Packet> {
        gst::init().unwrap();
        let (width, height, tail) = (WIDTH * self.scale, HEIGHT * self.scale, Codec::H264.tail());
        let text = format!(
            "appsrc name=film format=time caps=video/x-raw,format=I420,width={width},height={height},framerate=10/1 \
             ! x264enc speed-preset=ultrafast option-string=scenecut=0{encoder} ! {tail}"
        );
        let project = |pipeline: &gst::Pipeline| {
            let film: gst_app::AppSrc = pipeline.by_name("film").unwrap().downcast().unwrap();
            film.set_max_bytes(u64::MAX);
            for nth in 0..self.frames {
                let mut buffer = gst::Buffer::from_slice(self.picture(nth));
                buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(u64::from(nth) * 100));
                film.push_buffer(buffer).unwrap();
            }
            film.end_of_stream().unwrap();
        };
        let mut ingest = Ingest::start(&text, project, 1).unwrap();
        let mut packets: Vec<Packet> = Vec::new();
        loop {
            match ingest.next(Duration::from_secs(30)) {
                Ok(packet) => packets.extend(packet),
                Err(Stop::End) => break,
                Err(_) => panic!("{text} does not run"),
            }
        }
        assert_eq!(packets.len(), self.frames as usize);
        let start = packets[0].pts;
        for (nth, packet) in (0..).zip(&mut packets) {
            packet.arrived = Now::in_clip(STEP * (1000 + nth));
            packet.pts -= start;
            packet.dts = STEP * nth;
        }
        packets
    }
}

const SIMPLE: &str = " bframes=0 key-int-max=10";
const REORDERED: &str = " bframes=3 b-adapt=false key-int-max=10";

/// Every picture of a stream, decoded from end to end.
fn straight(packets: &[Packet]) -> Vec<Frame> {
    let mut decoder = Decoder::new(Codec::H264, Lineup::default()).unwrap();
    let mut frames: Vec<Frame> =
        packets.iter().flat_map(|packet| decoder.decode(packet, |_| true).unwrap().frames).collect();
    frames.extend(decoder.drain(|_| true).unwrap().frames);
    frames
}

struct Rig {
    mailbox: Arc<Mailbox>,
    board: Arc<Board>,
    feed: Feed,
    /// After each packet.
    modes: Vec<Mode>,
    frames: Vec<Frame>,
    passed: u64,
}

impl Rig {
    fn new(decode: Decode) -> Rig {
        Rig::with(decode, Some(Duration::from_secs(2)))
    }

    fn with(decode: Decode, notice_within: Option<Duration>) -> Rig {
        let address = Address::File { path: Default::default(), repeat: false };
        let settings = Arc::new(Settings { decode, notice_within, ..Settings::at(address) });
        let (mailbox, board) = (Arc::new(Mailbox::default()), Arc::new(Board::default()));
        mailbox.demand(Demand { burst: 16, ..Demand::newest_from(Mono(0)) });
        let feed = Feed::new(settings, mailbox.clone(), board.clone());
        Rig { mailbox, board, feed, modes: Vec::new(), frames: Vec::new(), passed: 0 }
    }

    /// Plays packets while the watch loop takes what there is.
    fn play(&mut self, packets: &[Packet]) {
        for packet in packets {
            self.feed.packet(packet.clone(), packet.arrived).unwrap();
            self.modes.push(self.board.snapshot().decoding.mode);
            self.take();
        }
    }

    fn finish(&mut self) {
        self.feed.finish(Now::in_clip(Duration::from_secs(9999))).unwrap();
        self.take();
    }

    fn take(&mut self) {
        let mail = self.mailbox.take();
        self.frames.extend(mail.frames);
        self.passed += mail.passed;
    }

    fn why(&self) -> Why {
        self.board.snapshot().decoding.why
    }

    /// The pictures that were handed over, by their number in the film.
    fn shown(&self) -> Vec<u32> {
        self.frames.iter().map(|frame| ((frame.pts.as_millis() + 50) / 100) as u32).collect()
    }

    /// Each is what a decoder that sees everything makes of it, and none came twice.
    fn assert_true_to(&self, packets: &[Packet]) {
        let whole = straight(packets);
        let mut seen = BTreeSet::new();
        for frame in &self.frames {
            assert!(seen.insert(frame.arrived.mono), "{:?} came twice", frame.pts);
            let same = whole.iter().find(|other| other.arrived == frame.arrived).unwrap();
            assert_eq!(frame.pts, same.pts);
            assert!(frame.planes == same.planes, "another picture at {:?}", frame.pts);
        }
    }
}

#[test]
fn asleep_only_keyframes_are_decoded() {
    for (encoder, keyframes) in [(SIMPLE, 19), (REORDERED, 19)] {
        let packets = Film::quiet(200).packets(encoder);
        let mut rig = Rig::new(Decode::Auto);
        rig.play(&packets);
        // What the decoder holds back when it goes comes out at once: the newest wins.
        let drained = if encoder == SIMPLE { 0 } else { 2 };
        let expected: Vec<u32> = (0..10 - drained).chain((10..200).step_by(10)).collect();
        assert_eq!(rig.modes[..10], [Mode::Awake; 10], "until it is known how often keyframes come");
        assert_eq!(rig.modes[10..], [Mode::Keyframes; 190]);
        let mut shown = rig.shown();
        shown.sort_unstable();
        assert_eq!(shown, expected, "{encoder}");
        rig.assert_true_to(&packets);
        let status = rig.board.snapshot();
        assert_eq!((status.packets, status.packets_decoded), (200, 10 + keyframes));
        assert_eq!((rig.why(), status.keyframe_interval), (Why::Quiet, Some(Duration::from_secs(1))));
        assert!(rig.frames[1..].iter().all(|frame| frame.motion == Motion::Still));
    }
}

#[test]
fn a_wake_brings_the_beginning_of_what_moves_whatever_its_place_in_the_gop() {
    for encoder in [SIMPLE, REORDERED] {
        for begins in [121, 124, 129, 130] {
            let packets = Film::of(170, begins..170).packets(encoder);
            let mut rig = Rig::new(Decode::Auto);
            rig.play(&packets);
            rig.finish();
            let woke = rig.modes.iter().rposition(|mode| *mode == Mode::Keyframes).unwrap() + 1;
            assert_eq!(packets[woke].class, Class::Idr);
            assert_eq!(rig.why(), Why::Moved);
            let shown: BTreeSet<u32> = rig.shown().into_iter().collect();
            assert!(!shown.contains(&119) && (121..167).all(|nth| shown.contains(&nth)), "{begins}: {shown:?}");
            rig.assert_true_to(&packets);
            let late = rig.frames.iter().filter(|frame| frame.arrived.mono <= packets[woke].arrived.mono);
            assert!(late.filter(|frame| frame.pts >= STEP * begins).all(|frame| frame.motion != Motion::Still));
            // Where pictures are reordered the decoder's last ones come out at once, twice: the newest wins.
            assert!(rig.passed <= if encoder == SIMPLE { 0 } else { 4 }, "{}", rig.passed);
        }
    }
}

/// It fills the picture from one keyframe to the next and stands still: all that is ever seen to change is between the two.
#[test]
fn a_lorry_right_before_the_camera_wakes_it_when_it_comes_and_when_it_leaves() {
    let lorry = Film { lorry: true, ..Film::of(250, 124..200) };
    let packets = lorry.packets(SIMPLE);
    let mut rig = Rig::new(Decode::Auto);
    rig.play(&packets);
    let woke: Vec<usize> = (11..250).filter(|nth| rig.modes[nth - 1] != rig.modes[*nth]).collect();
    assert_eq!(woke[0], 130, "{woke:?}");
    assert!(woke[1] >= 180 && rig.modes[woke[1]] == Mode::Keyframes && woke[2] == 200, "{woke:?}");
    let slept_through: Vec<u32> = rig
        .frames
        .iter()
        .zip(rig.shown())
        .filter(|(frame, _)| frame.motion == Motion::SleptThrough)
        .map(|(_, nth)| nth)
        .collect();
    assert!((121..=130).all(|nth| slept_through.contains(&nth)), "{slept_through:?}");
    rig.assert_true_to(&packets);
}

/// With a second between the checks, and room for few.
#[test]
fn a_wake_spaces_what_it_brings() {
    let packets = Film::of(135, 121..135).packets(" bframes=0 key-int-max=20");
    let mut rig = Rig::new(Decode::Auto);
    rig.play(&packets[..=120]);
    rig.frames.clear();
    let (from, every) = (packets[120].arrived.mono.plus(STEP * 5), STEP * 5);
    rig.mailbox.demand(Demand { every, burst: 16, ..Demand::newest_from(from) });
    let again = Film::of(161, 121..161).packets(" bframes=0 key-int-max=20");
    rig.play(&again[121..=140]);
    assert_eq!(rig.shown(), [125, 130, 135, 140]);
    assert_eq!(rig.passed, 16, "the others were decoded, too");
}

#[test]
fn it_falls_asleep_when_all_has_been_quiet_for_a_while() {
    let packets = Film::of(250, 124..150).packets(SIMPLE);
    let mut rig = Rig::new(Decode::Auto);
    rig.play(&packets);
    let modes = &rig.modes;
    assert_eq!((modes[129], modes[130], modes[249]), (Mode::Keyframes, Mode::Awake, Mode::Keyframes));
    let flips = modes.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert_eq!(flips, 3, "awake, asleep, awake, asleep");
    let asleep = modes.iter().rposition(|mode| *mode == Mode::Awake).unwrap();
    assert!(asleep >= 149 + 49, "asleep after {asleep}");
    rig.assert_true_to(&packets);
}

#[test]
fn a_demand_keeps_it_awake_and_hands_over_nothing_that_was_there_before() {
    for encoder in [SIMPLE, REORDERED] {
        let packets = Film::quiet(200).packets(encoder);
        let mut rig = Rig::new(Decode::Auto);
        let quiet = Demand { burst: 16, ..Demand::newest_from(Mono(0)) };
        rig.play(&packets[..55]);
        rig.mailbox.demand(Demand { awake: true, ..quiet });
        rig.play(&packets[55..75]);
        assert_eq!((rig.modes[54], rig.modes[55], rig.why()), (Mode::Keyframes, Mode::Awake, Why::Demanded));
        rig.mailbox.demand(quiet);
        rig.play(&packets[75..]);
        rig.finish();
        assert_eq!((rig.modes[123], rig.modes[124]), (Mode::Awake, Mode::Keyframes), "5 s after 74");
        let shown: BTreeSet<u32> = rig.shown().into_iter().collect();
        assert!((56..120).all(|nth| shown.contains(&nth)), "{encoder}: {shown:?}");
        rig.assert_true_to(&packets);
    }
}

#[test]
fn who_asks_a_sleeping_camera_gets_its_last_keyframe_and_does_not_wake_it() {
    let packets = Film::quiet(60).packets(SIMPLE);
    let mut rig = Rig::new(Decode::Auto);
    rig.play(&packets[..55]);
    let shown = rig.frames.len();
    let (tell, told) = crossbeam_channel::bounded(1);
    rig.mailbox.ask(Asker::new(move |frame| tell.send(frame.arrived).unwrap()));
    rig.play(&packets[55..56]);
    let keyframe = packets[..56].iter().rfind(|packet| packet.class == Class::Idr).unwrap();
    assert_ne!(packets[55].class, Class::Idr, "it did not wait for the next one");
    assert_eq!(told.try_recv(), Ok(keyframe.arrived));
    assert_eq!((rig.modes[55], rig.frames.len()), (Mode::Keyframes, shown), "the watch loop notices nothing");
    rig.play(&packets[56..]);
    rig.assert_true_to(&packets);
}

#[test]
fn without_keyframes_to_sleep_on_everything_is_decoded() {
    for encoder in
        [" bframes=0 key-int-max=10 intra-refresh=true", ":open-gop=1 bframes=2 b-adapt=false key-int-max=10"]
    {
        for decode in [Decode::Auto, Decode::Keyframes] {
            let packets = Film::quiet(120).packets(encoder);
            assert!(packets.iter().filter(|packet| packet.class == Class::Idr).count() <= 2, "{encoder}");
            let mut rig = Rig::new(decode);
            rig.play(&packets);
            rig.finish();
            assert_eq!((rig.modes[119], rig.why()), (Mode::All, Why::NotAlone), "{encoder}");
            let least = if decode == Decode::Auto { 118 } else { 90 };
            assert!(rig.frames.len() >= least, "{encoder}: {} pictures", rig.frames.len());
        }
    }
}

#[test]
fn keyframes_that_come_too_rarely_are_not_slept_on() {
    let packets = Film::quiet(120).packets(" bframes=0 key-int-max=40");
    let mut rig = Rig::new(Decode::Auto);
    rig.play(&packets);
    assert_eq!(rig.frames.len(), 120);
    let (interval, within) = (Duration::from_secs(4), Duration::from_secs(2));
    assert_eq!((rig.modes[119], rig.why()), (Mode::All, Why::TooRare { interval, within }));
    let mut patient = Rig::with(Decode::Auto, Some(interval));
    patient.play(&packets);
    assert_eq!(patient.frames.len(), 40 + 2);
}

#[test]
fn what_is_configured_is_done_whatever_moves() {
    let packets = Film::of(150, 50..150).packets(SIMPLE);
    for (decode, notice_within, expected) in [
        (Decode::All, Some(Duration::from_secs(2)), 150),
        (Decode::Keyframes, Some(Duration::from_secs(2)), 15),
        (Decode::Auto, None, 15),
    ] {
        let mut rig = Rig::with(decode, notice_within);
        rig.play(&packets);
        rig.finish();
        assert_eq!(rig.frames.len(), expected, "{decode:?}");
        rig.assert_true_to(&packets);
    }
}

#[test]
fn keyframes_in_quick_succession_are_thinned_out_and_caught_up_with() {
    let packets = Film::of(170, 124..170).packets(" bframes=0 key-int-max=2");
    let mut rig = Rig::new(Decode::Auto);
    rig.play(&packets);
    let asleep: Vec<u32> = rig.shown().into_iter().filter(|nth| (10..120).contains(nth)).collect();
    assert!(asleep.windows(2).all(|pair| pair[1] - pair[0] == 8), "{asleep:?}");
    let shown: BTreeSet<u32> = rig.shown().into_iter().collect();
    assert!((124..170).all(|nth| shown.contains(&nth)), "{shown:?}");
    rig.assert_true_to(&packets);
}

#[test]
fn a_camera_that_changes_its_size_while_asleep_goes_on() {
    let mut packets = Film::quiet(60).packets(SIMPLE);
    for packet in (Film { scale: 2, ..Film::of(60, 35..60) }).packets(SIMPLE) {
        let later = STEP * 60;
        packets.push(Packet { pts: packet.pts + later, arrived: packet.arrived.plus(later), ..packet });
    }
    let mut rig = Rig::new(Decode::Auto);
    rig.play(&packets);
    assert!(rig.frames.iter().all(|frame| frame.width == if frame.pts < STEP * 60 { WIDTH } else { WIDTH * 2 }));
    assert!((96..120).all(|nth| rig.shown().contains(&nth)));
    rig.assert_true_to(&packets);
}

#[test]
fn another_connection_begins_anew() {
    let packets = Film::quiet(45).packets(SIMPLE);
    let mut rig = Rig::new(Decode::Auto);
    rig.play(&packets);
    rig.feed.disconnected();
    let before = rig.frames.len();
    let later = |packet: &Packet| Packet { connection: 2, arrived: packet.arrived.plus(STEP * 500), ..packet.clone() };
    let next: Vec<Packet> = packets[3..].iter().map(later).collect();
    rig.play(&next);
    let shown: Vec<u32> = rig.shown()[before..].to_vec();
    assert_eq!(shown, (0..10).chain([10, 20, 30]).collect::<Vec<u32>>(), "its first picture is zero");
    assert!(rig.frames[before..].iter().all(|frame| frame.connection == 2));
}

#[test]
fn what_is_slept_through_is_told_apart_from_what_fails() {
    let packets = Film::quiet(40).packets(SIMPLE);
    let mut rig = Rig::new(Decode::Auto);
    rig.play(&packets[..31]);
    let slept = rig.feed.packet(packets[31].clone(), packets[31].arrived).unwrap();
    assert!(!slept.tried && slept.pictures == 0 && slept.fingerprint.is_none());
    let mut broken = packets[31].clone();
    (broken.class, broken.pts, broken.data) = (Class::Idr, STEP * 40, vec![0, 0, 0, 1, 0x65, 9, 9].into());
    broken.arrived = broken.arrived.plus(STEP * 9);
    let failed = rig.feed.packet(broken, Now::in_clip(STEP * 1040)).unwrap();
    assert!(failed.tried && failed.pictures == 0);
    let again: Packet = Packet { pts: STEP * 50, arrived: Now::in_clip(STEP * 1050), ..packets[30].clone() };
    let seen = rig.feed.packet(again, Now::in_clip(STEP * 1050)).unwrap();
    assert_eq!(seen.pictures, 1, "the decoder is fine again");
    assert!(seen.fingerprint.is_some() && !seen.uniform);
}

#[test]
fn what_is_slept_through_right_before_the_end_is_seen() {
    for encoder in [SIMPLE, REORDERED] {
        for is_loss in [true, false] {
            let packets = Film::of(128, 122..128).packets(encoder);
            let mut rig = Rig::new(Decode::Auto);
            rig.play(&packets);
            assert_eq!((rig.modes[127], rig.shown().last()), (Mode::Keyframes, Some(&120)));
            let before = rig.frames.len();
            if is_loss {
                rig.feed.lost(packets[127].arrived);
                rig.take();
            } else {
                rig.finish();
            }
            rig.feed.disconnected();
            let mut shown = rig.shown()[before..].to_vec();
            shown.sort_unstable();
            assert_eq!(shown, (121..128).collect::<Vec<u32>>(), "{encoder}");
            let newest = packets[127].arrived.mono;
            let earlier = rig.frames[before..].iter().filter(|frame| frame.arrived.mono < newest);
            assert!(earlier.filter(|frame| frame.motion == Motion::SleptThrough).count() == 6, "each in its turn");
            rig.assert_true_to(&packets);
        }
    }
}

#[test]
fn a_wake_between_keyframes_brings_what_came_before_in_its_turn() {
    let packets = Film::quiet(60).packets(SIMPLE);
    let mut rig = Rig::new(Decode::Auto);
    rig.play(&packets[..55]);
    let before = rig.frames.len();
    rig.mailbox.demand(Demand { awake: true, burst: 16, ..Demand::newest_from(Mono(0)) });
    rig.play(&packets[55..57]);
    assert_eq!(rig.shown()[before..], [51, 52, 53, 54, 55, 56]);
    let motions: Vec<Motion> = rig.frames[before..].iter().map(|frame| frame.motion).collect();
    assert_eq!(motions, [[Motion::SleptThrough; 4].as_slice(), &[Motion::Still; 2]].concat());
}

#[test]
fn a_wake_gives_signs_of_life_and_dozing_off_is_no_failure() {
    let packets = Film::of(200, 121..131).packets(SIMPLE);
    let mut rig = Rig::new(Decode::Auto);
    rig.play(&packets[..130]);
    let before = rig.board.last_beat();
    rig.play(&packets[130..131]);
    assert!(rig.board.last_beat() > before);
    for packet in &packets[131..] {
        let seen = rig.feed.packet(packet.clone(), packet.arrived).unwrap();
        assert_eq!(seen.tried, seen.pictures > 0);
    }
    assert_eq!(rig.board.snapshot().decoding.mode, Mode::Keyframes);
}

/// The numbers in the film of what comes out of a tap.
fn recorded(tap: &crate::camera::Tap) -> Vec<u128> {
    std::iter::from_fn(|| tap.next().ok()).map(|packet| (packet.pts.as_millis() + 50) / 100).collect()
}

fn arrived(packet: &Packet, more: Duration) -> Packet {
    Packet { arrived: packet.arrived.plus(more), connection: packet.connection + 1, ..packet.clone() }
}

#[test]
fn who_records_gets_what_was_held_and_then_everything_whatever_is_decoded() {
    let packets = Film::quiet(80).packets(SIMPLE);
    let from = |nth: usize| packets[nth].arrived.mono;
    for decode in [Decode::All, Decode::Auto, Decode::Keyframes] {
        let mut rig = Rig::new(decode);
        rig.mailbox.hold(Duration::from_secs(3));
        rig.feed.tend();
        rig.play(&packets[..60]);
        let tap = rig.mailbox.tap(from(37));
        assert_eq!(recorded(&tap), [] as [u128; 0], "the camera's thread hasn't come by yet");
        rig.feed.tend();
        rig.play(&packets[60..]);
        assert_eq!(recorded(&tap), (30..80).collect::<Vec<_>>(), "{decode:?}");
        drop(tap);
        rig.play(&packets[79..]);
        assert!(rig.feed.pipes.is_empty(), "nobody listens");
    }
}

#[test]
fn what_a_camera_saw_last_is_recorded_though_it_is_gone_and_goes_on_when_it_is_back() {
    let packets = Film::quiet(40).packets(SIMPLE);
    let mut rig = Rig::new(Decode::All);
    rig.mailbox.hold(Duration::from_secs(3));
    rig.feed.tend();
    rig.play(&packets);
    rig.feed.lost(packets[39].arrived);
    rig.feed.disconnected();
    let gone = packets[39].arrived.plus(Duration::from_secs(30));
    let [cut, later] = [packets[32].arrived, gone].map(|from| rig.mailbox.tap(from.mono));
    rig.feed.tend();
    assert_eq!(recorded(&cut), (30..40).collect::<Vec<_>>());
    let again: Vec<Packet> = packets[..5].iter().map(|packet| arrived(packet, Duration::from_secs(60))).collect();
    rig.play(&again);
    assert_eq!([recorded(&cut), recorded(&later)], [[0, 1, 2, 3, 4]; 2], "what was long ago shows nothing of an alert");
}

#[test]
fn a_camera_wakes_as_it_would_if_nothing_were_recorded() {
    let packets = Film::of(150, 104..112).packets(REORDERED);
    let mut rigs = [Duration::ZERO, Duration::from_secs(8)].map(|pre_roll| {
        let mut rig = Rig::new(Decode::Auto);
        rig.mailbox.hold(pre_roll);
        rig.feed.tend();
        rig.play(&packets);
        rig.finish();
        rig
    });
    rigs[1].assert_true_to(&packets);
    let [without, with] = &mut rigs;
    assert!(with.modes.contains(&Mode::Keyframes), "it slept");
    assert!(with.frames.iter().any(|frame| frame.motion == Motion::SleptThrough), "and woke");
    assert_eq!((&with.modes, with.shown(), with.passed), (&without.modes, without.shown(), without.passed));
}
