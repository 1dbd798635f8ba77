//! Whether a decoder works here.
//!
//! Owns tiny streams of every codec (made by `scripts/trial-streams`), what must come out of them, and what was found out:
//! once a process, because trying a decoder that hangs costs seconds. Refuses to prefer anything. A trial runs on a thread
//! of its own, which is given up when it takes too long.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::super::codec::Codec;
use super::super::decoder::{Decoder, failure};
use super::super::packet::{Class, Packet};
use super::super::turn::Turn;
use super::choose::Candidate;
use super::lineup::Rung;
use crate::frame::Frame;
use crate::time::{self, Now};

/// Drivers that wait for a device give up later than this, or never.
const PATIENCE: Duration = Duration::from_secs(5);

const SIZE: (u32, u32) = (320, 192);

/// How a decoder is made to give out what it holds back: a keyframe that stands alone, above all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drain {
    /// Told that a still picture follows. Cheapest; the decoder goes on.
    StillFrame,
    /// Told that the stream ends, and started again.
    EndOfStream,
}

/// Why a decoder can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The parts don't fit each other.
    #[error("can't be put into a pipeline")]
    Unfit,
    /// It broke. In GStreamer's words of a stream of our own, so they hold no address.
    #[error("{0}")]
    Failed(String),
    /// Something else came out than pictures that we read.
    #[error("gives pictures that can't be used (`{0}`)")]
    Format(String),
    /// Nothing came out.
    #[error("gives no pictures")]
    Silent,
    /// What came out is not what went in.
    #[error("gives wrong pictures")]
    Wrong,
    /// Pictures come, but only when others follow.
    #[error("holds back a keyframe until others follow")]
    HoldsBack,
    /// It was given up.
    #[error("does not answer")]
    Hangs,
}

/// What is known of decoders so far, by codec and element.
static FOUND: Mutex<BTreeMap<Key, Arc<OnceLock<Found>>>> = Mutex::new(BTreeMap::new());

type Key = (&'static str, String);
type Found = Result<Drain, Failure>;

/// Whether `candidate` decodes `codec` here, and how it is drained. Takes milliseconds, [`PATIENCE`] at most; nothing from
/// the second time on.
///
/// # Errors
/// Why it can't be used.
pub fn trial(codec: Codec, candidate: &Candidate) -> Result<Drain, Failure> {
    let key = (codec.as_str(), candidate.element.clone());
    let found = FOUND.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone();
    // Who wants the same one meanwhile waits: it would only be tried a second time. Others go on.
    found.get_or_init(|| on_a_thread(codec, candidate.clone())).clone()
}

fn on_a_thread(codec: Codec, candidate: Candidate) -> Result<Drain, Failure> {
    let (tell, told) = crossbeam_channel::bounded(1);
    let work = move || {
        // Nobody hears it when the trial took too long.
        let _ = tell.send(attempt(codec, &candidate));
    };
    let spawned = std::thread::Builder::new().name("decoder-trial".to_owned()).spawn(work);
    spawned.map_err(|error| Failure::Failed(error.to_string()))?;
    told.recv_timeout(PATIENCE).unwrap_or(Err(Failure::Hangs))
}

fn attempt(codec: Codec, candidate: &Candidate) -> Result<Drain, Failure> {
    let decoder = |drain| {
        let rung = Rung { candidate: candidate.clone(), drain, low_delay: true };
        Decoder::on(codec, rung).map_err(|problem| failure(&problem))
    };
    let mut failed = Failure::Silent;
    for drain in [Drain::StillFrame, Drain::EndOfStream] {
        match is_drained(&mut decoder(drain)?, codec) {
            Ok(true) => return Ok(drain),
            Ok(false) => {}
            // Some take it for a fault when a stream ends without a picture.
            Err(why) => failed = why,
        }
    }
    match run(&mut decoder(Drain::StillFrame)?, codec) {
        Ok(0) => Err(failed),
        Ok(_) => Err(Failure::HoldsBack),
        Err(why) => Err(why),
    }
}

/// Whether each lone keyframe comes out of it, and a whole stream after them.
fn is_drained(decoder: &mut Decoder, codec: Codec) -> Result<bool, Failure> {
    let pictures = lone_keyframes(decoder, codec)?;
    if pictures.iter().any(|frame| !is_right(frame)) {
        return Err(Failure::Wrong);
    }
    let all = pictures.len() == KEYFRAMES;
    Ok(all
        && run(decoder, codec)? + decoder.drain(|_| true).map_err(|problem| failure(&problem))?.frames.len() == UNITS)
}

/// Twice: a decoder that was drained must go on.
const KEYFRAMES: usize = 2;

fn lone_keyframes(decoder: &mut Decoder, codec: Codec) -> Result<Vec<Frame>, Failure> {
    let mut frames = Vec::new();
    for second in 0..KEYFRAMES as u64 {
        let Some(keyframe) = packets(codec, Duration::from_secs(second)).into_iter().next() else { break };
        frames.extend(decoder.decode(&keyframe, |_| true).map_err(|problem| failure(&problem))?.frames);
        frames.extend(decoder.drain(|_| true).map_err(|problem| failure(&problem))?.frames);
    }
    Ok(frames)
}

/// How many pictures come of a whole stream while it is fed.
fn run(decoder: &mut Decoder, codec: Codec) -> Result<usize, Failure> {
    let mut pictures = 0;
    for packet in packets(codec, Duration::from_secs(10)) {
        pictures += decoder.decode(&packet, |_| true).map_err(|problem| failure(&problem))?.frames.len();
    }
    Ok(pictures)
}

/// Dark on the left, bright on the right.
fn is_right(frame: &Frame) -> bool {
    let Some(luma) = frame.planes.first().filter(|_| (frame.width, frame.height) == SIZE) else { return false };
    let at = |x: usize| luma.data.get(luma.stride * 96 + x).copied().unwrap_or_default();
    at(40) < 80 && at(280) > 150
}

const UNITS: usize = 4;

/// A stream of [`UNITS`] pictures that begins at `start`.
fn packets(codec: Codec, start: Duration) -> Vec<Packet> {
    let units: Vec<&[u8]> = match codec {
        Codec::H264 => units(include_bytes!("trial.h264"), &[0, 0, 0, 1, 0x09]),
        Codec::H265 => units(include_bytes!("trial.h265"), &[0, 0, 0, 1, 0x46, 0x01]),
        Codec::Mjpeg => vec![include_bytes!("trial.jpg"); UNITS],
    };
    (0u32..).zip(units).map(|(index, unit)| packet(codec, unit, index, start, time::now())).collect()
}

fn packet(codec: Codec, unit: &[u8], index: u32, start: Duration, arrived: Now) -> Packet {
    let alone = index == 0 || codec == Codec::Mjpeg;
    let pts = start + Duration::from_millis(66) * index;
    let class = if alone { Class::Idr } else { Class::Delta };
    Packet {
        codec,
        data: unit.into(),
        pts,
        dts: pts,
        class,
        turn: Turn::default(),
        after_loss: false,
        arrived,
        connection: 1,
    }
}

/// Cut in front of every `delimiter`, which each picture begins with.
fn units<'a>(stream: &'a [u8], delimiter: &[u8]) -> Vec<&'a [u8]> {
    let starts: Vec<usize> =
        stream.windows(delimiter.len()).enumerate().filter(|(_, at)| *at == delimiter).map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain([stream.len()]);
    starts.iter().zip(ends).filter_map(|(start, end)| stream.get(*start..end)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::choose::choose;
    use super::super::inventory::Inventory;
    use super::*;
    use crate::config::Hardware;

    fn tried(codec: Codec, element: &str) -> Result<Drain, Failure> {
        gstreamer::init().unwrap();
        let choice = choose(codec, &Hardware::Element(element.to_owned()), Inventory::installed());
        trial(codec, &choice.candidates[0])
    }

    #[test]
    fn software_gives_the_right_pictures_and_every_lone_keyframe() {
        for (codec, element) in [(Codec::H264, "avdec_h264"), (Codec::H265, "avdec_h265"), (Codec::Mjpeg, "jpegdec")] {
            assert_eq!(tried(codec, element), Ok(Drain::StillFrame), "{element}");
        }
    }

    /// It gives each picture with the next one, and none of these events changes that.
    #[test]
    fn a_decoder_that_needs_a_second_picture_for_the_first_is_found_out() {
        assert_eq!(tried(Codec::H264, "openh264dec"), Err(Failure::HoldsBack));
    }

    #[test]
    fn the_end_of_the_stream_drains_a_decoder_again_and_again() {
        gstreamer::init().unwrap();
        for (codec, element) in [(Codec::H264, "avdec_h264"), (Codec::H265, "avdec_h265"), (Codec::Mjpeg, "jpegdec")] {
            let mut choice = choose(codec, &Hardware::Element(element.to_owned()), Inventory::installed());
            let candidate = choice.candidates.remove(0);
            let mut decoder =
                Decoder::on(codec, Rung { candidate, drain: Drain::EndOfStream, low_delay: true }).unwrap();
            assert_eq!(is_drained(&mut decoder, codec), Ok(true), "{element}");
        }
    }

    #[test]
    fn what_is_no_decoder_of_this_codec_fails() {
        gstreamer::init().unwrap();
        // It hands on what it gets, and the caps behind it say that this must be pictures.
        let candidate = |element: &str| Candidate {
            element: element.to_owned(),
            hardware: true,
            settings: Vec::new(),
            low_delay: Vec::new(),
            before: "h264parse",
            after: "video/x-raw",
        };
        let refused = trial(Codec::H264, &candidate("identity")).unwrap_err();
        assert!(matches!(&refused, Failure::Failed(_) | Failure::Unfit), "{refused}");
        assert_eq!(trial(Codec::H264, &candidate("nosuchdec")), Err(Failure::Unfit));
        let again = trial(Codec::H264, &candidate("identity")).unwrap_err();
        assert_eq!(again, refused, "it is remembered");
    }
}
