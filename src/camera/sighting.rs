//! One look at a camera: whether pictures come, and what they are like.
//!
//! Owns a connection of its own that ends with the look; refuses to remember anything and to try twice. Runs on the
//! caller's thread, for a bounded time.

use std::sync::Arc;
use std::time::Duration;

use super::codec::Codec;
use super::cost::{Cost, Saving};
use super::decoder::Decoder;
use super::file::{self, Pace};
use super::hardware::Report;
use super::packet::{Class, Packet};
use super::policy::{Decision, Facts, Why};
use super::problem::Problem;
use super::rtsp::Rtsp;
use super::settings::{Address, Settings};
use super::source::Source;
use crate::frame::Frame;
use crate::time::{self, Mono};

/// For how long a camera is watched after its first picture: enough to count its pictures and, in most cases, to see two
/// keyframes.
const GLIMPSE: Duration = Duration::from_secs(4);

/// The same when keyframes come rarely: as long as it takes to say what decoding costs.
const GAZE: Duration = Duration::from_secs(12);

const STEP: Duration = Duration::from_millis(200);

/// What was seen.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// What it speaks.
    pub codec: Codec,
    /// Width and height of its first picture, in pixels.
    pub size: (u32, u32),
    /// Pictures a second, by the stream's own clock; None: too few came.
    pub fps: Option<f64>,
    /// The longest interval between two keyframes; None: there were no two.
    pub keyframe_interval: Option<Duration>,
    /// For how long packets were watched, by the stream's own clock.
    pub watched: Duration,
    /// From connecting to the first picture.
    pub first_picture: Duration,
    /// What decoded, and what failed before it.
    pub decoder: Report,
    /// What of it would be decoded while nothing happens, and why.
    pub decision: Decision,
    /// What a keyframe every second would save, where that was measured.
    pub saving: Option<Saving>,
}

/// The first picture, and nothing more.
#[derive(Clone, Debug)]
pub struct Glimpse {
    /// What the camera speaks.
    pub codec: Codec,
    /// What it sees.
    pub frame: Frame,
    /// From connecting to that picture.
    pub took: Duration,
    /// What decoded, and what failed before it.
    pub decoder: Report,
}

/// Looks at the camera: `patience` for the first picture, and some seconds more.
///
/// # Errors
/// Why no picture came; [`Problem::Timeout`] and [`Problem::NoPictures`] after `patience`.
pub fn look(settings: Settings, patience: Duration) -> Result<Sighting, Problem> {
    watch(settings, patience, View::is_enough)?.sighting(patience)
}

/// Looks at the camera until there is a picture, for `patience` at most.
///
/// # Errors
/// As [`look`].
pub fn glimpse(settings: Settings, patience: Duration) -> Result<Glimpse, Problem> {
    let mut view = watch(settings, patience, |view, _| view.first.is_some())?;
    let (codec, decoder) = (view.facts.codec, view.settings.hardware.report());
    let First { after, frame, .. } = view.first(patience)?;
    Ok(Glimpse { codec, frame, took: after, decoder })
}

/// Until it is `enough`, or no more comes.
fn watch(settings: Settings, patience: Duration, enough: impl Fn(&View, Mono) -> bool) -> Result<View, Problem> {
    let settings = Arc::new(settings);
    let mut source: Box<dyn Source> = match &settings.address {
        Address::Rtsp(..) | Address::Secret(..) => Box::new(Rtsp::new(settings.clone())),
        Address::File { path, .. } => Box::new(file::Clip::new(path.clone(), Pace::Full)),
    };
    let began = time::now().mono;
    let mut view = View::new(settings);
    source.open(1)?;
    while !enough(&view, time::now().mono) {
        let more = match source.next(STEP) {
            Ok(Some(packet)) => view.packet(&packet, began).map(|()| true),
            Ok(None) => Ok(true),
            Err(Problem::EndOfClip) => view.end(began).map(|()| false),
            Err(problem) => Err(problem),
        };
        match more {
            Ok(true) => {}
            Ok(false) => break,
            // What was seen was seen.
            Err(_) if view.first.is_some() => break,
            Err(problem) => return Err(problem),
        }
        if view.first.is_none() && time::now().mono.since(began) >= patience {
            break;
        }
    }
    source.close();
    Ok(view)
}

/// What is seen so far.
struct View {
    settings: Arc<Settings>,
    facts: Facts,
    decoder: Option<Decoder>,
    cost: Cost,
    /// Of the stream's clock: the first picture and the newest one.
    shown: Option<(Duration, Duration)>,
    packets: u32,
    first: Option<First>,
}

/// The first picture.
struct First {
    at: Mono,
    /// From connecting.
    after: Duration,
    frame: Frame,
}

impl View {
    fn new(settings: Arc<Settings>) -> View {
        let facts = Facts::of(&settings);
        View { settings, facts, decoder: None, cost: Cost::default(), shown: None, packets: 0, first: None }
    }

    fn packet(&mut self, packet: &Packet, began: Mono) -> Result<(), Problem> {
        self.facts.codec = packet.codec;
        self.facts.cadence.packet(packet);
        self.packets += 1;
        let (first, newest) = self.shown.unwrap_or((packet.pts, packet.pts));
        self.shown = Some((first.min(packet.pts), newest.max(packet.pts)));
        let decoder = match &mut self.decoder {
            Some(decoder) if decoder.codec() == packet.codec => decoder,
            place => place.insert(Decoder::new(packet.codec, &self.settings.hardware)?),
        };
        let wanted = self.first.is_none();
        let before = time::worked();
        let decoded = decoder.decode(packet, |_| wanted)?;
        let took = time::worked().saturating_sub(before);
        self.cost.decoded(packet.class != Class::Delta, packet.pts.saturating_sub(newest), took);
        self.picture(decoded.frames.into_iter().next(), began);
        Ok(())
    }

    /// A clip shorter than a look.
    fn end(&mut self, began: Mono) -> Result<(), Problem> {
        let Some(decoder) = &mut self.decoder else { return Ok(()) };
        let decoded = decoder.drain(|_| true)?;
        self.picture(decoded.frames.into_iter().next(), began);
        Ok(())
    }

    fn picture(&mut self, frame: Option<Frame>, began: Mono) {
        if let (Some(frame), None) = (frame, &self.first) {
            let at = time::now().mono;
            self.first = Some(First { at, after: at.since(began), frame });
        }
    }

    fn watched(&self) -> Duration {
        self.shown.map(|(first, newest)| newest.saturating_sub(first)).unwrap_or_default()
    }

    fn is_enough(&self, now: Mono) -> bool {
        let Some(First { at: since, .. }) = self.first else { return false };
        // A camera's clock may be anything; a clip's packets come faster than its clock runs.
        let watched = self.watched().max(now.since(since));
        let rare = matches!(self.facts.decide(now).why, Why::TooRare { .. });
        let known = self.facts.codec == Codec::Mjpeg || self.facts.cadence.interval().is_some();
        watched >= GAZE || (watched >= GLIMPSE && known && !rare)
    }

    fn first(&mut self, patience: Duration) -> Result<First, Problem> {
        let why = if self.packets == 0 { Problem::Timeout(patience) } else { Problem::NoPictures(patience) };
        self.first.take().ok_or(why)
    }

    fn sighting(mut self, patience: Duration) -> Result<Sighting, Problem> {
        let First { after, frame, .. } = self.first(patience)?;
        let watched = self.watched();
        Ok(Sighting {
            codec: self.facts.codec,
            size: (frame.width, frame.height),
            fps: (!watched.is_zero()).then(|| f64::from(self.packets - 1) / watched.as_secs_f64()),
            keyframe_interval: self.facts.cadence.interval().filter(|_| self.facts.codec != Codec::Mjpeg),
            watched,
            first_picture: after,
            decoder: self.settings.hardware.report(),
            decision: self.facts.decide(time::now().mono),
            saving: self.cost.saving(),
        })
    }
}
