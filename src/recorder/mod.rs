//! Recording: what cameras send becomes files.
//!
//! Owns the thread `recorder`, one for the box, and the files that it is writing; refuses to know events, the journal and
//! when anything is to be recorded: it takes orders ([`Order`]) and says what became of them ([`Told`]).
//!
//! ```text
//! orders ──► recorder ◄── taps of cameras (bounded in bytes; a camera never waits)
//!               ├─ timeline ─► cutter ─► append + fdatasync ─► clips/<id>.mp4
//!               └─ told ─► clerk
//! ```
//!
//! A disk that stands still stops this thread and nothing else: taps fill up and are closed, and what has been written
//! stays.

mod clip;
mod run;
mod shelf;
mod timeline;

use std::io;
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::Sender;
use uuid::Uuid;

use crate::camera::Tap;
use crate::name::Name;
pub use crate::recording::Order;
use crate::time::{self, Mono};

/// Orders that wait while the disk stands still; more are refused.
const WAITING: usize = 256;

/// What became of an order. In this order for each clip: `Begun`, any number of `Fragment`, and one of `Ready` and `Failed`,
/// which may be the only one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The clip has a file, and its init segment is durable.
    Begun {
        /// Which one.
        clip: Uuid,
        /// When its first picture arrived, in microseconds since 1970 by the wall clock of then.
        started_us: i64,
        /// The file's name in the folder.
        file: String,
    },
    /// So much of it is durable and can be played.
    Fragment {
        /// Which one.
        clip: Uuid,
        /// Of the whole file.
        bytes: u64,
    },
    /// It is whole, and durable.
    Ready {
        /// Which one.
        clip: Uuid,
        /// As in `Begun`.
        started_us: i64,
        /// When its last picture ends.
        ended_us: i64,
        /// Of the file.
        bytes: u64,
        /// Of the file, 64 lower-case hexadecimal digits.
        sha256: String,
        /// For how long it plays; longer than what was recorded by nothing, shorter where the camera was away at its end.
        duration: Duration,
        /// It shows all that came before this; earlier than its end was ordered, where it ended early.
        reached: Mono,
    },
    /// Nothing of it can be played. A file that it has is for whoever hears of this to take away.
    Failed {
        /// Which one.
        clip: Uuid,
        /// In an operator's words, with what to do.
        why: String,
    },
}

/// Who writes down what became of clips. Called from the thread `recorder`, which waits for it.
pub trait Clerk: Send {
    /// Something became of a clip.
    fn told(&mut self, told: Told);
}

/// The cameras that are running. Called from the thread `recorder`.
pub trait Cameras: Send {
    /// What `camera` sends, from the last keyframe at or before `from` on; None: there is no such camera.
    fn record(&self, camera: &Name, from: Mono) -> Option<Tap>;
}

/// What the thread hears.
enum Message {
    Order(Order),
    /// Somebody wants to know that it has heard all that was said before.
    Heard(Sender<()>),
}

/// The running thread. Dropping it ends all clips where they are, and waits for that.
pub struct Recorder {
    orders: Option<Sender<Message>>,
    thread: Option<JoinHandle<()>>,
}

/// Starts the thread. `folder` is made when the first clip begins; `has_room` is asked, on the thread, whether clips may grow.
/// While they may not, they wait a little for older ones to go, and then end where they are.
///
/// # Errors
/// The operating system gives no thread.
pub fn spawn(
    folder: PathBuf,
    has_room: impl Fn() -> bool + Send + 'static,
    cameras: impl Cameras + 'static,
    clerk: impl Clerk + 'static,
) -> io::Result<Recorder> {
    let (orders, taken) = crossbeam_channel::bounded(WAITING);
    let run = run::Run::new(taken, folder, Box::new(has_room), Box::new(cameras), Box::new(clerk));
    let thread = std::thread::Builder::new().name("recorder".into()).spawn(move || run.run())?;
    Ok(Recorder { orders: Some(orders), thread: Some(thread) })
}

impl Recorder {
    /// Gives an order and does not wait. False: the disk has stood still for so long that too many wait already.
    pub fn order(&self, order: Order) -> bool {
        self.orders.as_ref().is_some_and(|orders| orders.try_send(Message::Order(order)).is_ok())
    }

    /// Waits, until `deadline`, until every order that was given has been taken to its camera: from then on no camera that
    /// stops takes anything away from a clip.
    pub fn hear(&self, deadline: Mono) {
        let (reply, heard) = crossbeam_channel::bounded(1);
        let left = || deadline.since(time::now().mono);
        if self.orders.as_ref().is_some_and(|orders| orders.send_timeout(Message::Heard(reply), left()).is_ok()) {
            let _ = heard.recv_timeout(left());
        }
    }

    /// Ends all clips where they are, and waits for that until `deadline`: a thread that hangs on its disk (false) is left to
    /// the end of the process, and the next start settles its clips.
    pub fn end_by(mut self, deadline: Mono) -> bool {
        self.orders = None;
        let is_finished = |thread: &JoinHandle<()>| thread.is_finished();
        while !self.thread.as_ref().is_none_or(is_finished) && time::now().mono < deadline {
            std::thread::park_timeout(Duration::from_millis(5));
        }
        let ended = self.thread.as_ref().is_none_or(is_finished);
        if !ended {
            self.thread = None;
        }
        ended
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by its own thread.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
