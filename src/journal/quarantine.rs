//! Where a damaged journal goes: `journal.corrupt-<n>/`, the last two of them.
//!
//! Owns the order of renaming, so that a kill at any moment leaves something that the next start finishes; never deletes a
//! log whose journal counts. Refuses to read any of it. Runs on the thread that opens.
//!
//! What goes on is complete under the name [`SALVAGED`] before the first file of the damaged one is moved: a file of that
//! name means that everything else is to be moved aside.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::database::FILE;

/// The folders, with their numbers behind.
const FOLDER: &str = "journal.corrupt-";

/// What goes on, beside the damaged one.
pub(super) const SALVAGED: &str = "journal.db.salvaged";

/// So many are kept.
const KEPT: usize = 2;

/// Moves the damaged journal in `dir` aside and puts what was salvaged into its place. Does nothing where nothing was.
pub(super) fn finish(dir: &Path) -> io::Result<()> {
    let salvaged = dir.join(SALVAGED);
    if !salvaged.exists() {
        return Ok(());
    }
    let folder = folder(dir)?;
    // The log first: beside another file it would be taken for that one's.
    for suffix in ["-wal", "-shm", ""] {
        let name = format!("{FILE}{suffix}");
        match fs::rename(dir.join(&name), folder.join(&name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => sync(dir)?,
        }
    }
    if !folder.join(FILE).exists() {
        // There was only a log: the next one gets a folder of its own all the same.
        File::create(folder.join(FILE))?;
    }
    sync(&folder)?;
    fs::rename(salvaged, dir.join(FILE))?;
    sync(dir)?;
    forget(dir, KEPT);
    Ok(())
}

/// The folder for this one: that of a move that was broken off, or a new one.
fn folder(dir: &Path) -> io::Result<PathBuf> {
    let last = numbers(dir).into_iter().max();
    if let Some(last) = last.map(|n| dir.join(format!("{FOLDER}{n}")))
        && !last.join(FILE).exists()
    {
        return Ok(last);
    }
    let folder = dir.join(format!("{FOLDER}{}", last.map_or(1, |n| n + 1)));
    fs::create_dir(&folder)?;
    sync(dir)?;
    Ok(folder)
}

/// Deletes all but the newest `kept`. True: there was something to delete.
pub(super) fn forget(dir: &Path, kept: usize) -> bool {
    let mut numbers = numbers(dir);
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    let old: Vec<u64> = numbers.into_iter().skip(kept).collect();
    for n in &old {
        if let Err(error) = fs::remove_dir_all(dir.join(format!("{FOLDER}{n}"))) {
            tracing::warn!(folder = format!("{FOLDER}{n}"), %error, "an old damaged journal could not be removed");
        }
    }
    !old.is_empty()
}

fn numbers(dir: &Path) -> Vec<u64> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.strip_prefix(FOLDER)?.parse().ok()).collect()
}

fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(dir: &Path, name: &str, text: &str) {
        fs::write(dir.join(name), text).unwrap();
    }

    fn read(dir: &Path, name: &str) -> String {
        fs::read_to_string(dir.join(name)).unwrap_or_default()
    }

    #[test]
    fn all_three_files_move_and_the_last_two_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        for round in ["1", "2", "3"] {
            for name in [FILE, "journal.db-wal", "journal.db-shm", SALVAGED] {
                write(dir, name, round);
            }
            finish(dir).unwrap();
            assert_eq!(read(dir, FILE), round);
            assert!(!dir.join("journal.db-wal").exists());
        }
        assert!(!dir.join("journal.corrupt-1").exists());
        for n in ["2", "3"] {
            let folder = dir.join(format!("journal.corrupt-{n}"));
            assert_eq!([FILE, "journal.db-wal", "journal.db-shm"].map(|name| read(&folder, name)), [n, n, n]);
        }
        assert!(!dir.join("journal.corrupt-4").exists());
    }

    #[test]
    fn a_kill_between_two_steps_is_finished_by_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        fs::create_dir(dir.join("journal.corrupt-1")).unwrap();
        write(&dir.join("journal.corrupt-1"), "journal.db-wal", "log");
        write(dir, FILE, "damaged");
        write(dir, SALVAGED, "goes on");
        finish(dir).unwrap();
        let folder = dir.join("journal.corrupt-1");
        assert_eq!((read(dir, FILE), read(&folder, FILE)), ("goes on".to_owned(), "damaged".to_owned()));
        assert_eq!(read(&folder, "journal.db-wal"), "log");
        finish(dir).unwrap();
        assert_eq!(read(dir, FILE), "goes on", "nothing to finish");
    }
}
