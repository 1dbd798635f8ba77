//! A tap: everything that a camera sends from some moment on, for whoever records it.
//!
//! Owns the way from the camera's thread to another one, bounded in bytes; refuses to know what is done with packets. The
//! camera's thread never waits: a tap that nobody empties is closed, once and for all.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use super::packet::Packet;
use super::ring;
use crate::time::Mono;

/// Beyond what the ring hands over at the start, a tap holds as much as ten seconds of a 4K camera: a disk may stand still
/// for so long.
const ROOM: usize = 20 * 1024 * 1024;

/// Where the packets come out. Dropping it closes the tap.
#[derive(Debug)]
pub struct Tap {
    packets: Receiver<Packet>,
    held: Arc<AtomicUsize>,
}

/// Why nothing comes out of a tap just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Dry {
    /// More may come.
    #[error("the camera sends nothing")]
    NotNow,
    /// The camera is stopped, or too much waited in the tap.
    #[error("the camera was stopped, or what it sends was not written away in time; look at the disk")]
    Closed,
}

/// Where the packets go in.
#[derive(Debug)]
pub(super) struct Pipe {
    packets: Sender<Packet>,
    held: Arc<AtomicUsize>,
    max_bytes: usize,
    /// What comes out first arrived then, or earlier.
    pub(super) from: Mono,
}

/// A tap for what a camera sends, beginning with a keyframe at or before `from`; `pre_roll` is what its ring holds.
pub(super) fn tap(from: Mono, pre_roll: Duration) -> (Pipe, Tap) {
    let (sender, receiver) = crossbeam_channel::unbounded();
    let held = Arc::<AtomicUsize>::default();
    let max_bytes = ring::max_bytes(pre_roll) + ROOM;
    (Pipe { packets: sender, held: held.clone(), max_bytes, from }, Tap { packets: receiver, held })
}

impl Tap {
    /// Of a camera that has sent just these, and may send more.
    #[cfg(test)]
    pub(crate) fn of(packets: &[Packet]) -> Tap {
        let (pipe, tap) = tap(Mono(0), Duration::ZERO);
        assert!(packets.iter().all(|packet| pipe.offer(packet)));
        // It stays open for as long as the test lasts.
        std::mem::forget(pipe);
        tap
    }

    /// The next packet, if there is one.
    ///
    /// # Errors
    /// There is none.
    pub fn next(&self) -> Result<Packet, Dry> {
        let packet =
            self.packets.try_recv().map_err(|error| if error.is_empty() { Dry::NotNow } else { Dry::Closed })?;
        self.held.fetch_sub(packet.data.len(), Ordering::Relaxed);
        Ok(packet)
    }
}

impl Pipe {
    /// Hands a packet over. False: nobody wants it, or too much waits; the pipe is to be dropped.
    pub(super) fn offer(&self, packet: &Packet) -> bool {
        let bytes = packet.data.len();
        // Counted before it can be taken out.
        let waiting = self.held.fetch_add(bytes, Ordering::Relaxed);
        waiting + bytes <= self.max_bytes && self.packets.send(packet.clone()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::super::codec::Codec;
    use super::super::packet::Class;
    use super::super::turn::Turn;
    use super::*;
    use crate::time::Now;

    fn packet(bytes: usize) -> Packet {
        Packet {
            codec: Codec::H264,
            data: vec![0; bytes].into(),
            pts: Duration::ZERO,
            dts: Duration::ZERO,
            class: Class::Idr,
            after_loss: false,
            turn: Turn::None,
            arrived: Now::in_clip(Duration::ZERO),
            connection: 1,
        }
    }

    #[test]
    fn what_goes_in_comes_out_and_who_stops_listening_is_noticed() {
        let (pipe, tap) = tap(Mono(0), Duration::ZERO);
        assert!(pipe.offer(&packet(3)) && pipe.offer(&packet(4)));
        let next = || tap.next().map(|packet| packet.data.len());
        assert_eq!([next(), next(), next()], [Ok(3), Ok(4), Err(Dry::NotNow)]);
        drop(tap);
        assert!(!pipe.offer(&packet(1)));
    }

    #[test]
    fn a_tap_that_nobody_empties_is_closed_behind_a_whole_packet() {
        let (pipe, tap) = tap(Mono(0), Duration::ZERO);
        let taken = std::iter::repeat_with(|| pipe.offer(&packet(1 << 20))).take_while(|taken| *taken).count();
        assert_eq!(taken, 28, "8 MiB of the ring, and 20");
        drop(pipe);
        assert_eq!(std::iter::repeat_with(|| tap.next()).take_while(Result::is_ok).count(), 28);
        assert_eq!(tap.next().err(), Some(Dry::Closed));
    }

    #[test]
    fn what_was_taken_out_makes_room() {
        let (pipe, tap) = tap(Mono(0), Duration::ZERO);
        for _ in 0..100 {
            assert!(pipe.offer(&packet(5 << 20)));
            assert!(tap.next().is_ok());
        }
    }
}
