//! The end of the process over what only a start can mend.
//!
//! Owns the last line of the log; refuses to tidy up: systemd starts the daemon again, which goes on from the journal. On
//! whichever thread finds out.

/// Ends the process; `why` it can't go on, and what follows.
pub(super) fn end(why: &str) -> ! {
    tracing::error!("{why}: ending, the next start goes on from the journal");
    std::process::abort();
}
