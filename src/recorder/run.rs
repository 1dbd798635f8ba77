//! The thread's loop: orders, and some times a second a look at every clip.
//!
//! Owns the clips that are being recorded; refuses to know what is in them. Runs on the thread `recorder`.

use std::path::PathBuf;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::clip::{Clip, Desk};
use super::{Cameras, Clerk, Message, Order};
use crate::time;

/// Packets wait in their taps for so long: nobody is in a hurry, and a look costs little.
const ROUND: Duration = Duration::from_millis(200);
/// Nothing is recorded: only an order wakes us.
const IDLE: Duration = Duration::from_secs(3600);

/// What the thread works with.
pub(super) struct Run {
    orders: Receiver<Message>,
    folder: PathBuf,
    has_room: HasRoom,
    cameras: Box<dyn Cameras>,
    clerk: Box<dyn Clerk>,
    clips: Vec<Clip>,
}

/// Whether the disk has room for clips.
pub(super) type HasRoom = Box<dyn Fn() -> bool + Send>;

impl Run {
    pub(super) fn new(
        orders: Receiver<Message>,
        folder: PathBuf,
        has_room: HasRoom,
        cameras: Box<dyn Cameras>,
        clerk: Box<dyn Clerk>,
    ) -> Run {
        Run { orders, folder, has_room, cameras, clerk, clips: Vec::new() }
    }

    pub(super) fn run(mut self) {
        loop {
            let wait = if self.clips.is_empty() { IDLE } else { ROUND };
            let mut asked = None;
            match self.orders.recv_timeout(wait) {
                Ok(Message::Order(order)) => self.carry_out(order),
                Ok(Message::Heard(reply)) => asked = Some(reply),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.look();
            // Nobody waits for it any more when the other end is gone.
            let _ = asked.map(|reply| reply.try_send(()));
        }
        // What cameras had still to say when they stopped.
        self.look();
        let Run { folder, cameras, has_room, clerk, clips, .. } = &mut self;
        let mut desk = Desk { folder, cameras: &**cameras, has_room, clerk: &mut **clerk };
        clips.iter_mut().for_each(|clip| clip.end(&mut desk));
    }

    /// Takes what has come for every clip.
    fn look(&mut self) {
        let now = time::now().mono;
        let Run { folder, cameras, has_room, clerk, clips, .. } = self;
        let mut desk = Desk { folder, cameras: &**cameras, has_room, clerk: &mut **clerk };
        clips.retain_mut(|clip| clip.goes_on(now, &mut desk));
    }

    fn carry_out(&mut self, order: Order) {
        match order {
            Order::Begin { clip, camera, from, until } => self.clips.push(Clip::new(clip, camera, (from, until))),
            Order::Until { clip, until } => {
                // One that has ended meanwhile was told.
                self.clips.iter_mut().filter(|other| other.id == clip).for_each(|clip| clip.until = until);
            }
        }
    }
}
