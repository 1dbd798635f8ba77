//! Encoded pictures in, frames out, at once.
//!
//! Owns a decoder of its own, apart from any connection: what is fed decides what is decoded (a live stream, a lone
//! keyframe, two seconds of the ring once more). Refuses to know where packets come from and who looks at frames. Runs on
//! the caller's thread: a packet's pictures are out before `decode` returns.

use std::collections::VecDeque;
use std::time::Duration;

use super::chain::{Chain, Stopped};
use super::codec::Codec;
use super::glance::Glance;
use super::hardware::{Drain, Failure, Lineup, Rung};
use super::packet::{Class, Packet};
use super::planes::Picture;
use super::problem::Problem;
use super::turn::Turn;
use crate::frame::Frame;
use crate::time::{self, Now};

/// Packets without a picture are forgotten beyond this; H.264 and H.265 reorder at most 16.
const MAX_PENDING: usize = 64;

/// What came out.
#[derive(Debug, Default)]
pub struct Decoded {
    /// Whole pictures, wanted or not.
    pub pictures: u64,
    /// The wanted ones, in the order in which they are shown.
    pub frames: Vec<Frame>,
    /// Keyframes that are not wanted, looked at where they are, each with its arrival.
    pub glances: Vec<(Now, Glance)>,
}

/// A decoder of one codec. It may be fed with packets of any connection, and with the same ones again.
pub struct Decoder {
    codec: Codec,
    /// Which element decodes, and how it is driven.
    rung: Rung,
    /// Where the next one comes from when it fails; None: from nowhere.
    lineup: Option<Lineup>,
    chain: Chain,
    /// What the next packet must continue; None before the first.
    stream: Option<Stream>,
    /// Packets whose pictures are not out yet.
    pending: VecDeque<Pending>,
    /// How much was fed since the latest picture came out.
    silence: Silence,
}

struct Pending {
    pts: Duration,
    arrived: Now,
    keyframe: bool,
}

/// Of a decoder that takes packets and gives nothing for them.
#[derive(Default)]
struct Silence {
    packets: u32,
    spoke: bool,
}

/// So many packets without a picture, some seconds of a camera's, and a hardware decoder counts as failed. More than any
/// of them holds back; sooner than the camera would be given up.
const MAX_SILENCE: u32 = 48;

/// A drain that brings nothing weighs as much as so many packets.
const DRY_DRAIN: u32 = 12;

/// For how long the end of a stream may take to come out.
const END_PATIENCE: Duration = Duration::from_secs(1);

/// For how long a picture is waited for at a time.
const SLICE: Duration = Duration::from_millis(50);

struct Stream {
    connection: u64,
    /// The first picture's time, which frames call zero.
    origin: Duration,
    /// The latest picture fed.
    newest: Duration,
    /// Something was lost: what comes up to the next keyframe refers to what is not there, and no decoder tells.
    broken: bool,
    /// Which way up its pictures are.
    turn: Turn,
}

impl Decoder {
    /// A decoder that waits for a keyframe: the best one that works. Should hardware fail while it runs, the next one takes
    /// over, at the next keyframe at the latest.
    pub fn new(codec: Codec, hardware: impl Into<Lineup>) -> Result<Decoder, Problem> {
        let lineup = hardware.into();
        loop {
            let rung = lineup.next(codec)?;
            match Decoder::build(codec, rung.clone(), Some(lineup.clone())) {
                // It may have worked a moment ago, and all that there are be in use now.
                Err(problem) if lineup.gives_up(codec, &rung, &failure(&problem)) => {}
                decoder => return decoder,
            }
        }
    }

    /// This one and no other.
    pub(super) fn on(codec: Codec, rung: Rung) -> Result<Decoder, Problem> {
        Decoder::build(codec, rung, None)
    }

    fn build(codec: Codec, rung: Rung, lineup: Option<Lineup>) -> Result<Decoder, Problem> {
        let chain = Chain::new(codec, &rung.candidate.description(rung.low_delay))?;
        let (pending, silence) = (VecDeque::new(), Silence::default());
        let decoder = Decoder { codec, rung, lineup, chain, stream: None, pending, silence };
        decoder.chain.start().map_err(|stop| decoder.stopped(stop))?;
        Ok(decoder)
    }

    /// What it decodes.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// The GStreamer element that decodes.
    pub(super) fn element(&self) -> &str {
        &self.rung.candidate.element
    }

    /// From now on it decodes for the camera of this lineup.
    pub(super) fn serve(&mut self, lineup: Lineup) {
        self.lineup = Some(lineup);
        self.silence.spoke = false;
    }

    /// Feeds one packet and takes out what is ready; `wanted` is asked, by arrival, which pictures become frames.
    ///
    /// Packets before the first keyframe of a connection, and between a loss and the next keyframe, are passed over.
    pub fn decode(&mut self, packet: &Packet, wanted: impl Fn(Now) -> bool) -> Result<Decoded, Problem> {
        if self.turns_out_to_reorder(packet) {
            self.replace()?;
        }
        match self.advance(packet, &wanted) {
            Err(problem) => {
                self.fall_back(problem)?;
                self.decode(packet, wanted)
            }
            decoded => decoded,
        }
    }

    fn advance(&mut self, packet: &Packet, wanted: &impl Fn(Now) -> bool) -> Result<Decoded, Problem> {
        let mut decoded = Decoded::default();
        if !self.continues(packet) {
            decoded = self.flush(wanted)?;
            if packet.class == Class::Delta {
                self.stream.iter_mut().for_each(|stream| stream.broken = true);
                return Ok(decoded);
            }
            self.restart(packet)?;
        }
        self.feed(packet)?;
        self.collect(wanted, &mut decoded, Duration::ZERO)?;
        self.heard(1)?;
        Ok(decoded)
    }

    /// Decodes one keyframe by itself, of any camera and connection: nothing of what was fed before shows in it. Its `pts` is
    /// zero, for the connection's first picture isn't known here.
    pub fn lone(&mut self, keyframe: &Packet, wanted: impl Fn(Now) -> bool) -> Result<Decoded, Problem> {
        match self.alone(keyframe, &wanted) {
            Err(problem) => {
                self.fall_back(problem)?;
                self.lone(keyframe, wanted)
            }
            decoded => decoded,
        }
    }

    fn alone(&mut self, keyframe: &Packet, wanted: &impl Fn(Now) -> bool) -> Result<Decoded, Problem> {
        if !self.pending.is_empty() {
            self.flush(&|_| false)?;
        }
        self.restart(keyframe)?;
        if let Some(stream) = &mut self.stream {
            stream.origin = keyframe.pts;
        }
        self.feed(keyframe)?;
        self.flush(wanted)
    }

    fn feed(&mut self, packet: &Packet) -> Result<(), Problem> {
        if let Some(stream) = &mut self.stream {
            stream.newest = stream.newest.max(packet.pts);
        }
        if self.pending.len() >= MAX_PENDING {
            self.pending.pop_front();
        }
        let keyframe = packet.class == Class::Idr;
        self.pending.push_back(Pending { pts: packet.pts, arrived: packet.arrived, keyframe });
        self.chain.push(packet).map_err(|stop| self.stopped(stop))
    }

    /// Takes out the pictures that the decoder holds back for reordering. The next packet must be a keyframe.
    pub fn drain(&mut self, wanted: impl Fn(Now) -> bool) -> Result<Decoded, Problem> {
        match self.flush(&wanted) {
            Err(problem) => self.fall_back(problem).map(|()| Decoded::default()),
            decoded => decoded,
        }
    }

    fn flush(&mut self, wanted: &impl Fn(Now) -> bool) -> Result<Decoded, Problem> {
        let mut decoded = Decoded::default();
        if self.stream.as_ref().is_none_or(|stream| stream.broken) {
            return Ok(decoded);
        }
        match self.rung.drain {
            // The cheapest way that was measured to work: a decoder shows what it has before a still picture.
            Drain::StillFrame => {
                self.chain.show_what_you_have();
                self.collect(wanted, &mut decoded, Duration::ZERO)?;
            }
            Drain::EndOfStream => self.end(wanted, &mut decoded)?,
        }
        self.heard(DRY_DRAIN)?;
        Ok(decoded)
    }

    /// Ends the stream, takes out what comes, and starts anew.
    fn end(&mut self, wanted: &impl Fn(Now) -> bool, decoded: &mut Decoded) -> Result<(), Problem> {
        self.chain.end();
        let until = time::now().mono.plus(END_PATIENCE);
        while !self.chain.is_at_its_end() && time::now().mono < until {
            self.collect(wanted, decoded, SLICE)?;
        }
        self.chain.start_again().map_err(|stop| self.stopped(stop))
    }

    /// After something was fed that weighs `weight`: whether pictures still come. Only asked of hardware: software that
    /// gives no pictures has a stream that holds none.
    fn heard(&mut self, weight: u32) -> Result<(), Problem> {
        self.silence.packets += weight;
        if self.pending.is_empty() || !self.rung.candidate.hardware {
            self.silence.packets = 0;
        }
        if self.silence.packets < MAX_SILENCE { Ok(()) } else { Err(self.failed(&Failure::Silent)) }
    }

    /// The next decoder takes over from one that failed with `problem`, or that is what is wrong.
    fn fall_back(&mut self, problem: Problem) -> Result<(), Problem> {
        match &self.lineup {
            Some(lineup) if lineup.gives_up(self.codec, &self.rung, &failure(&problem)) => self.replace(),
            _ => Err(problem),
        }
    }

    fn replace(&mut self) -> Result<(), Problem> {
        if let Some(lineup) = self.lineup.clone() {
            *self = Decoder::new(self.codec, &lineup)?;
        }
        Ok(())
    }

    /// A picture that is shown before one that came earlier: settings that forgo reordering would show them as they come.
    fn turns_out_to_reorder(&self, packet: &Packet) -> bool {
        let back = |stream: &Stream| {
            stream.connection == packet.connection && packet.class == Class::Delta && packet.pts < stream.newest
        };
        let forgoes = self.rung.low_delay && !self.rung.candidate.low_delay.is_empty();
        let turns_out = forgoes && self.stream.as_ref().is_some_and(back);
        if let Some(lineup) = self.lineup.as_ref().filter(|_| turns_out) {
            lineup.reorders(self.codec);
        }
        turns_out
    }

    /// Whether `packet` goes on where the last one stopped. Only at a keyframe does a step back in time mean a new start:
    /// within a GOP it is reordering.
    fn continues(&self, packet: &Packet) -> bool {
        self.stream.as_ref().is_some_and(|stream| {
            let forward = packet.class == Class::Delta || packet.pts > stream.newest;
            stream.connection == packet.connection && !stream.broken && !packet.after_loss && forward
        })
    }

    fn restart(&mut self, packet: &Packet) -> Result<(), Problem> {
        let same = self.stream.as_ref().filter(|stream| stream.connection == packet.connection);
        let origin = same.map_or(packet.pts, |stream| stream.origin);
        if self.stream.is_some() {
            // Without a new segment every picture after a step back would get one and the same time.
            self.chain.segment().map_err(|stop| self.stopped(stop))?;
        }
        self.pending.clear();
        self.stream = Some(Stream {
            connection: packet.connection,
            origin,
            newest: packet.pts,
            broken: false,
            turn: packet.turn,
        });
        Ok(())
    }

    fn stopped(&self, stop: Stopped) -> Problem {
        match stop {
            Stopped::Refused => Problem::Decoder,
            Stopped::Failed(said) => self.failed(&Failure::Failed(format!("fails: {said}"))),
        }
    }

    fn failed(&self, failure: &Failure) -> Problem {
        // Software of our own choice is all there is: what it can't decode is the stream's fault.
        if self.rung.candidate.hardware || self.lineup.as_ref().is_none_or(Lineup::is_named) {
            let (element, why) = (self.rung.candidate.element.clone(), failure.to_string());
            return Problem::Hardware { element, why };
        }
        Problem::Decoder
    }

    /// Takes out what is ready; the first picture may take as long as `wait`.
    fn collect(
        &mut self,
        wanted: &impl Fn(Now) -> bool,
        decoded: &mut Decoded,
        mut wait: Duration,
    ) -> Result<(), Problem> {
        self.chain.check().map_err(|stop| self.stopped(stop))?;
        while let Some(sample) = self.chain.pull(wait) {
            wait = Duration::ZERO;
            self.silence.packets = 0;
            if let Some(lineup) = self.lineup.as_ref().filter(|_| !std::mem::replace(&mut self.silence.spoke, true)) {
                lineup.runs(self.chain.element(), self.rung.candidate.hardware);
            }
            // Also of pictures that nobody wants: a camera that can't be used must not look like a good one until asked.
            let picture = Picture::of(&sample)?;
            let Some(stream) = &self.stream else { continue };
            let Some(at) = self.pending.iter().position(|it| Some(it.pts) == picture.pts()) else { continue };
            let Some(Pending { pts, arrived, keyframe }) = self.pending.remove(at) else { continue };
            if picture.corrupt() {
                continue;
            }
            decoded.pictures += 1;
            let (turn, since) = (stream.turn, pts.saturating_sub(stream.origin));
            let upright = || Ok(turn.upright(picture.copy(arrived, since, stream.connection)?));
            if wanted(arrived) {
                decoded.frames.push(upright()?);
            } else if keyframe && turn == Turn::None {
                decoded.glances.push((arrived, picture.glance()?));
            } else if keyframe {
                decoded.glances.push((arrived, Glance::at(&upright()?)));
            }
        }
        Ok(())
    }
}

/// What a problem says about the decoder.
pub(super) fn failure(problem: &Problem) -> Failure {
    match problem {
        Problem::Hardware { why, .. } => Failure::Failed(why.clone()),
        Problem::FormatUnsupported(format) => Failure::Format(format.clone()),
        Problem::MissingElement => Failure::Unfit,
        _ => Failure::Silent,
    }
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::super::ingest::{Ingest, Stop};
    use super::super::source::Source;
    use super::*;
    use crate::config::Hardware;

    /// What x264 makes of a moving ball; `raw` are caps, `encoder` properties of x264enc.
    fn packets(connection: u64, frames: u32, raw: &str, encoder: &str) -> Vec<Packet> {
        packets_of(connection, frames, raw, &format!("x264enc speed-preset=ultrafast {encoder}"))
    }

    fn packets_of(connection: u64, frames: u32, raw: &str, encoder: &str) -> Vec<Packet> {
        gstreamer::init().unwrap();
        let tail = Codec::H264.tail();
        let head = format!(
            "videotestsrc pattern=ball num-buffers={frames} ! video/x-raw,framerate=15/1,{raw} ! {encoder} ! {tail}"
        );
        let mut ingest = Ingest::start(&head, |_| (), connection).unwrap();
        let mut packets = Vec::new();
        loop {
            match ingest.next(Duration::from_secs(30)) {
                Ok(packet) => packets.extend(packet),
                Err(Stop::End) => break,
                Err(_) => panic!("{head} does not run"),
            }
        }
        assert_eq!(packets.len(), frames as usize);
        packets
    }

    const SMALL: &str = "format=I420,width=160,height=120";

    fn feed(decoder: &mut Decoder, packets: &[Packet]) -> Vec<Frame> {
        packets.iter().flat_map(|packet| decoder.decode(packet, |_| true).unwrap().frames).collect()
    }

    fn all(decoder: &mut Decoder, packets: &[Packet]) -> Vec<Frame> {
        let mut frames = feed(decoder, packets);
        frames.extend(decoder.drain(|_| true).unwrap().frames);
        frames
    }

    fn keyframes(packets: &[Packet]) -> Vec<usize> {
        (0..packets.len()).filter(|at| packets[*at].class == Class::Idr).collect()
    }

    #[test]
    fn without_b_frames_each_picture_is_out_before_the_next_packet() {
        for encoder in ["x264enc bframes=0 key-int-max=10", "openh264enc gop-size=10"] {
            let packets = packets_of(1, 30, SMALL, encoder);
            let mut decoder = Decoder::new(Codec::H264, &Hardware::Off).unwrap();
            for packet in &packets {
                let decoded = decoder.decode(packet, |_| true).unwrap();
                assert_eq!(decoded.frames.len(), 1, "{encoder}");
                assert_eq!(decoded.frames[0].arrived, packet.arrived);
            }
        }
    }

    /// This camera does not say that it reorders nothing: a strict decoder would hold back a whole picture buffer.
    #[test]
    #[expect(clippy::print_stderr, reason = "a test that is skipped says why")]
    fn a_camera_that_says_nothing_about_reordering_is_not_held_back() {
        let root = std::env::var("STAKEOUT_SHARED").unwrap_or_else(|_| "../shared".to_owned());
        let path = std::path::PathBuf::from(root).join("data/videos/car-detection.mp4");
        if !path.exists() {
            eprintln!("skipped: `{}` is not there", path.display());
            return;
        }
        gstreamer::init().unwrap();
        let mut clip = file::Clip::new(path, file::Pace::Full);
        clip.open(1).unwrap();
        let mut decoder = Decoder::new(Codec::H264, &Hardware::Off).unwrap();
        let mut pictures = Vec::new();
        while pictures.len() < 20 {
            if let Some(packet) = clip.next(Duration::from_secs(1)).unwrap() {
                pictures.push(decoder.decode(&packet, |_| false).unwrap().pictures);
            }
        }
        assert_eq!(pictures, [1; 20]);
    }

    #[test]
    fn a_lone_keyframe_comes_out_with_a_drain() {
        for encoder in ["bframes=0 key-int-max=10", "bframes=3 b-adapt=false key-int-max=10"] {
            let packets = packets(1, 40, SMALL, encoder);
            let mut decoder = Decoder::new(Codec::H264, &Hardware::Off).unwrap();
            for at in keyframes(&packets) {
                let frames = all(&mut decoder, &packets[at..=at]);
                assert_eq!(frames.len(), 1, "{encoder}");
                assert_eq!(frames[0].pts, packets[at].pts - packets[0].pts);
            }
        }
    }

    #[test]
    fn going_back_to_a_keyframe_gives_the_same_pictures_again() {
        for encoder in ["bframes=0 key-int-max=10", "bframes=3 b-adapt=false key-int-max=10"] {
            let packets = packets(1, 40, SMALL, encoder);
            let straight = all(&mut Decoder::new(Codec::H264, &Hardware::Off).unwrap(), &packets);
            assert_eq!(straight.len(), 40);
            let keyframes = keyframes(&packets);
            assert!(keyframes.len() >= 4);
            let mut decoder = Decoder::new(Codec::H264, &Hardware::Off).unwrap();
            for at in &keyframes {
                all(&mut decoder, &packets[*at..=*at]);
            }
            for start in keyframes {
                let again = all(&mut decoder, &packets[start..]);
                let expected: Vec<&Frame> =
                    straight.iter().filter(|frame| frame.pts >= packets[start].pts - packets[0].pts).collect();
                assert_eq!(again.len(), expected.len(), "{encoder} from {start}");
                for (is, should) in again.iter().zip(expected) {
                    assert_eq!(is.pts, should.pts);
                    assert!(is.planes == should.planes, "{encoder} from {start}: another picture at {:?}", is.pts);
                }
            }
        }
    }

    #[test]
    fn a_new_connection_begins_at_zero_and_may_change_the_size() {
        let first = packets(1, 20, SMALL, "bframes=3 key-int-max=10");
        let second = packets(2, 20, "format=I420,width=320,height=240", "bframes=3 key-int-max=10");
        let mut decoder = Decoder::new(Codec::H264, &Hardware::Off).unwrap();
        let mut frames = feed(&mut decoder, &first);
        frames.extend(all(&mut decoder, &second));
        let of = |connection| frames.iter().filter(move |frame| frame.connection == connection);
        assert_eq!((of(1).count(), of(2).count()), (20, 20), "what was held back is not lost at the change");
        assert!(of(2).all(|frame| frame.width == 320));
        for connection in [1, 2] {
            assert!(of(connection).map(|frame| frame.pts).is_sorted_by(|earlier, later| earlier < later));
            assert_eq!(of(connection).next().map(|frame| frame.pts), Some(Duration::ZERO));
        }
    }

    #[test]
    fn joined_in_the_middle_of_a_gop_it_waits_for_the_keyframe() {
        let packets = packets(1, 30, SMALL, "bframes=0 key-int-max=10");
        let frames = all(&mut Decoder::new(Codec::H264, &Hardware::Off).unwrap(), &packets[3..]);
        assert_eq!(frames.len(), 20);
        assert_eq!(frames[0].arrived, packets[10].arrived);
    }

    /// Such streams have one IDR picture at their start and never again.
    #[test]
    fn joined_in_an_intra_refresh_only_whole_pictures_come_out() {
        let packets = packets(1, 90, SMALL, "bframes=0 key-int-max=15 intra-refresh=true");
        let straight = all(&mut Decoder::new(Codec::H264, &Hardware::Off).unwrap(), &packets);
        let joined = all(&mut Decoder::new(Codec::H264, &Hardware::Off).unwrap(), &packets[7..]);
        assert!(joined.len() > 30, "{} pictures", joined.len());
        for frame in joined {
            let same = straight.iter().find(|whole| whole.arrived == frame.arrived).unwrap();
            assert!(same.planes == frame.planes, "a half-built picture at {:?}", frame.pts);
        }
    }

    #[test]
    fn only_wanted_pictures_become_frames() {
        let packets = packets(1, 20, SMALL, "bframes=0 key-int-max=10");
        let from = packets[15].arrived.mono;
        let mut decoder = Decoder::new(Codec::H264, &Hardware::Off).unwrap();
        let (mut pictures, mut frames) = (0, 0);
        for packet in &packets {
            let decoded = decoder.decode(packet, |arrived| arrived.mono >= from).unwrap();
            (pictures, frames) = (pictures + decoded.pictures, frames + decoded.frames.len());
        }
        assert_eq!((pictures, frames), (20, 5));
    }

    #[test]
    fn rubbish_is_no_picture_and_no_end() {
        let mut packets = packets(1, 20, SMALL, "bframes=0 key-int-max=10");
        packets[4].data = vec![0xa5; 300].into();
        packets[5].data = packets[5].data[..packets[5].data.len() / 2].into();
        let frames = all(&mut Decoder::new(Codec::H264, &Hardware::Off).unwrap(), &packets);
        assert!((14..20).contains(&frames.len()), "{} pictures", frames.len());
    }
}
