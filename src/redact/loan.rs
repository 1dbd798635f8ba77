//! Secrets that are concealed for a while: those of a definition that a client made, for as long as somebody uses it.
//!
//! Owns whose a secret is that is concealed meanwhile on the same thread; refuses to know what is done with it. What comes
//! back is hidden on for a while, because text that holds it may still be on its way.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use super::changed;

thread_local! {
    static CURRENT: Cell<Option<u64>> = const { Cell::new(None) };
}

static LOANS: AtomicU64 = AtomicU64::new(0);

/// What was concealed during some work. It comes back when this is dropped.
#[derive(Debug)]
pub struct Loan(u64);

impl Loan {
    /// Nothing yet.
    pub fn begin() -> Loan {
        Loan(LOANS.fetch_add(1, Ordering::Relaxed))
    }

    /// Does some work. What it conceals on this thread stays so as long as this loan does, not as long as the process.
    pub fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        let outer = CURRENT.replace(Some(self.0));
        let done = work();
        CURRENT.set(outer);
        done
    }
}

/// Whose it is what is concealed now; None: it stays.
pub(super) fn current() -> Option<u64> {
    CURRENT.get()
}

impl Drop for Loan {
    fn drop(&mut self) {
        changed().give_back(self.0);
    }
}
