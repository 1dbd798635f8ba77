//! What a process tells the next one: that it read what makes no sense.
//!
//! Owns the file that says so, and how often; refuses to judge the journal (`soundness` does). A file of its own, because
//! the database cannot be trusted with it. Runs on the thread that opens and on `journal-writer`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Its name in the state directory. It holds how often in a row, as a number.
const FILE: &str = "suspect";

/// Notes it once more. Errors are only logged: the process ends anyway.
pub(super) fn note(dir: &Path) {
    let times = times(dir) + 1;
    let written = || -> io::Result<()> {
        let mut file = File::create(dir.join(FILE))?;
        write!(file, "{times}")?;
        file.sync_all()?;
        File::open(dir)?.sync_all()
    };
    if let Err(error) = written() {
        tracing::error!(%error, "the next start cannot be told of it");
    }
}

/// How often in a row processes ended over it; 0: the last one had nothing to say.
pub(super) fn times(dir: &Path) -> u32 {
    match fs::read_to_string(dir.join(FILE)) {
        Ok(text) => text.trim().parse().unwrap_or(1),
        Err(_) => 0,
    }
}

/// It is settled.
pub(super) fn clear(dir: &Path) {
    let _ = fs::remove_file(dir.join(FILE));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_until_it_is_settled() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(times(dir.path()), 0);
        note(dir.path());
        assert_eq!(times(dir.path()), 1);
        note(dir.path());
        assert_eq!(times(dir.path()), 2);
        clear(dir.path());
        assert_eq!(times(dir.path()), 0);
    }
}
