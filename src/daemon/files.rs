//! How many files, sockets and pipes this process may have open at once.
//!
//! Owns that it is as many as the system grants; refuses to count them. Runs on the main thread, before anything is opened.
//!
//! Systems start programs with a low limit (1,024) for the sake of those that call `select`, which nothing here does.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// As the unit says (`LimitNOFILE`): thousands of cameras and endpoints need no more.
const ENOUGH: u64 = 65_536;

/// Raises the limit as far as the system lets anybody.
pub(super) fn raise_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(ENOUGH, |maximum| maximum.min(ENOUGH));
    if current.is_none_or(|current| current >= wanted) {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }) {
        tracing::warn!(%error, "the limit of open files stays low; raise `LimitNOFILE`");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_low_limit_is_raised_as_far_as_it_goes() {
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        let most = maximum.map_or(ENOUGH, |maximum| maximum.min(ENOUGH));
        // By one only: other tests may run in this process.
        setrlimit(Resource::Nofile, Rlimit { current: Some(most - 1), maximum }).unwrap();
        raise_limit();
        assert_eq!(getrlimit(Resource::Nofile), Rlimit { current: Some(most), maximum });
    }
}
