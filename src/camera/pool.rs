//! Decoders that sleeping cameras share.
//!
//! Owns as many decoders for lone keyframes as there are cores, of each codec; refuses to know cameras. A camera's thread
//! borrows one for each of its keyframes and decodes with it itself: keyframes that coincide spread over the cores and
//! queue for them, and a sleeping camera holds no decoder's memory. A decoder that fails is thrown away, nothing else.

use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::codec::Codec;
use super::decoder::{Decoded, Decoder};
use super::hardware::Lineup;
use super::packet::Packet;
use super::problem::Problem;
use crate::time::Now;

/// Nobody waits longer for a decoder: the next keyframe is worth more than this one then. It is what 32 keyframes of
/// 1080p take on one core, and no more packets come in that time than wait at the ingest.
const PATIENCE: Duration = Duration::from_secs(1);

static SHARED: LazyLock<Pool> =
    LazyLock::new(|| Pool::new(std::thread::available_parallelism().map_or(1, std::num::NonZero::get)));

/// Decoders to borrow.
pub(super) struct Pool {
    /// Of each sort, so many at most.
    size: usize,
    shelves: Mutex<Vec<Shelf>>,
    returned: Condvar,
}

/// Decoders of one sort.
struct Shelf {
    codec: Codec,
    /// The GStreamer element in it.
    element: String,
    idle: Vec<Decoder>,
    lent: usize,
}

impl Pool {
    /// This process's.
    pub(super) fn shared() -> &'static Pool {
        &SHARED
    }

    pub(super) fn new(size: usize) -> Pool {
        Pool { size, shelves: Mutex::new(Vec::new()), returned: Condvar::new() }
    }

    /// Decodes one keyframe by itself; its `pts` is zero. None: no decoder was free for too long.
    pub(super) fn lone(
        &self,
        keyframe: &Packet,
        lineup: impl Into<Lineup>,
        wanted: impl Fn(Now) -> bool,
    ) -> Result<Option<Decoded>, Problem> {
        self.lone_within(PATIENCE, keyframe, lineup, wanted)
    }

    fn lone_within(
        &self,
        patience: Duration,
        keyframe: &Packet,
        lineup: impl Into<Lineup>,
        wanted: impl Fn(Now) -> bool,
    ) -> Result<Option<Decoded>, Problem> {
        let (codec, lineup) = (keyframe.codec, lineup.into());
        let element = lineup.next(codec)?.candidate.element;
        let all_lent = |shelves: &mut Vec<Shelf>| shelf(shelves, codec, &element).lent >= self.size;
        let waited = self.returned.wait_timeout_while(self.shelves(), patience, all_lent);
        let (mut shelves, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return Ok(None);
        }
        let shelf = shelf(&mut shelves, codec, &element);
        shelf.lent += 1;
        let idle = shelf.idle.pop();
        drop(shelves);
        // From here on it is on loan, and whatever happens the loan ends.
        let mut loan = Loan { pool: self, codec, element: &element, decoder: None };
        let mut decoder = idle.map_or_else(|| Decoder::new(codec, &lineup), Ok)?;
        decoder.serve(lineup);
        let decoded = decoder.lone(keyframe, wanted)?;
        loan.decoder = Some(decoder);
        Ok(Some(decoded))
    }

    fn shelves(&self) -> MutexGuard<'_, Vec<Shelf>> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shelf<'s>(shelves: &'s mut Vec<Shelf>, codec: Codec, element: &str) -> &'s mut Shelf {
    let at = shelves.iter().position(|shelf| shelf.codec == codec && shelf.element == element);
    let at = at.unwrap_or_else(|| {
        shelves.push(Shelf { codec, element: element.to_owned(), idle: Vec::new(), lent: 0 });
        shelves.len() - 1
    });
    &mut shelves[at]
}

struct Loan<'l> {
    pool: &'l Pool,
    codec: Codec,
    element: &'l str,
    /// None: it failed, and is gone.
    decoder: Option<Decoder>,
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        let mut shelves = self.pool.shelves();
        shelf(&mut shelves, self.codec, self.element).lent -= 1;
        if let Some(decoder) = self.decoder.take() {
            // Another element may have taken over meanwhile.
            let element = decoder.element().to_owned();
            shelf(&mut shelves, self.codec, &element).idle.push(decoder);
        }
        drop(shelves);
        self.pool.returned.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::ingest::{Ingest, Stop};
    use super::super::packet::Class;
    use super::*;
    use crate::config::Hardware;
    use crate::frame::Frame;

    /// Keyframes of a camera, each after one that was left out.
    fn keyframes(pattern: &str, width: u32) -> Vec<Packet> {
        gstreamer::init().unwrap();
        let tail = Codec::H264.tail();
        let text = format!(
            "videotestsrc pattern={pattern} num-buffers=12 ! video/x-raw,format=I420,framerate=15/1,width={width},height=120 \
             ! x264enc speed-preset=ultrafast bframes=2 b-adapt=false key-int-max=3 ! {tail}"
        );
        let mut ingest = Ingest::start(&text, |_| (), 1).unwrap();
        let mut packets = Vec::new();
        loop {
            match ingest.next(Duration::from_secs(30)) {
                Ok(packet) => packets.extend(packet.filter(|packet| packet.class == Class::Idr)),
                Err(Stop::End) => return packets,
                Err(_) => panic!("{text} does not run"),
            }
        }
    }

    fn alone(pool: &Pool, keyframe: &Packet) -> Vec<Frame> {
        pool.lone(keyframe, &Hardware::Off, |_| true).unwrap().unwrap().frames
    }

    #[test]
    fn two_cameras_share_a_decoder_and_get_their_own_pictures() {
        let pool = Pool::new(1);
        let (small, large) = (keyframes("ball", 160), keyframes("smpte", 320));
        assert!(small.len() >= 4 && large.len() >= 4);
        for (small, large) in small.iter().zip(&large) {
            for keyframe in [small, large, large, small] {
                let own = Decoder::new(Codec::H264, &Hardware::Off).unwrap().lone(keyframe, |_| true).unwrap().frames;
                let shared = alone(&pool, keyframe);
                assert_eq!((shared.len(), own.len()), (1, 1));
                assert_eq!((shared[0].arrived, shared[0].pts), (keyframe.arrived, Duration::ZERO));
                assert!(shared[0].planes == own[0].planes, "another picture");
            }
        }
        assert_eq!(pool.shelves()[0].idle.len(), 1);
    }

    #[test]
    fn a_keyframe_that_is_rubbish_costs_nobody_else_anything() {
        let pool = Pool::new(1);
        let good = keyframes("ball", 160);
        let mut bad = good[0].clone();
        bad.data = vec![0xa5; 300].into();
        let (mut cut_off, before) = (keyframes("ball", 160)[0].clone(), alone(&pool, &good[1]));
        cut_off.data = cut_off.data[..cut_off.data.len() / 2].into();
        for (rubbish, most) in [(bad, 0), (cut_off, 1)] {
            let frames = pool.lone(&rubbish, &Hardware::Off, |_| true).map(|decoded| decoded.unwrap().frames.len());
            assert!(frames.clone().is_ok_and(|frames| frames <= most) || frames == Err(Problem::Decoder), "{frames:?}");
            assert!(alone(&pool, &good[1])[0].planes == before[0].planes);
            assert_eq!(pool.shelves()[0].lent, 0);
        }
    }

    #[test]
    fn there_are_no_more_than_so_many_and_nobody_waits_for_ever() {
        let pool = Pool::new(2);
        let keyframes = keyframes("ball", 160);
        let refused = |_: Now| {
            // While one is decoding a second one is lent, and a third one refused.
            let third = |_: Now| {
                let more = pool.lone_within(Duration::ZERO, &keyframes[2], &Hardware::Off, |_| true);
                assert!(more.unwrap().is_none());
                true
            };
            pool.lone_within(Duration::ZERO, &keyframes[1], &Hardware::Off, third).unwrap().is_some()
        };
        assert_eq!(pool.lone(&keyframes[0], &Hardware::Off, refused).unwrap().unwrap().frames.len(), 1);
        std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| alone(&pool, &keyframes[0]).remove(0).planes[0].data.clone())).collect();
            let pictures: BTreeSet<Vec<u8>> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
            assert_eq!(pictures.len(), 1);
        });
        assert!((1..=2).contains(&pool.shelves()[0].idle.len()));
    }
}
