//! The seam: something that delivers encoded pictures.
//!
//! Owns what the camera's loop expects of a connection; refuses to know RTSP, files and GStreamer.

use std::time::Duration;

use super::packet::Packet;
use super::problem::Problem;

/// A camera that can be connected to, again and again. All methods are called from the camera's thread.
pub trait Source: Send {
    /// Begins a connection and does not wait for it; its packets carry `connection`. Ends the one before.
    fn open(&mut self, connection: u64) -> Result<(), Problem>;

    /// Waits for the next packet, not much longer than `wait`; None when none came.
    ///
    /// # Errors
    /// The connection is over; [`Problem::EndOfClip`] when there is no more to come.
    fn next(&mut self, wait: Duration) -> Result<Option<Packet>, Problem>;

    /// Ends the connection, and tells the other side. Does nothing when there is none.
    fn close(&mut self);
}
