//! The frames' files beside the database.
//!
//! Owns their names, how they become durable before a row names them, and sweeping; refuses to know pictures and rows.
//! Runs on the thread `journal-writer`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

/// The folder of the frames, in the state directory.
pub(super) const FOLDER: &str = "frames";

/// The folder `frames` of one journal.
pub(super) struct Frames {
    folder: PathBuf,
    fresh: Vec<String>,
}

/// Why a frame was not kept.
#[derive(Debug)]
pub(super) enum FrameError {
    /// Nothing was written, the caller may go on without.
    Write(io::Error),
    /// The disk refused to flush: what it holds is unknown, so no process may go on.
    Sync(io::Error),
}

impl Frames {
    /// The frames of the journal in `dir`; makes the folder, durably, because rows will rest on it.
    pub(super) fn open(dir: &Path) -> io::Result<Frames> {
        let folder = dir.join(FOLDER);
        fs::create_dir_all(&folder)?;
        File::open(dir)?.sync_all()?;
        Ok(Frames { folder, fresh: Vec::new() })
    }

    /// Keeps `jpeg`, flushed, as the event's original (`variant` 0) or a smaller one, and tells its name. The name itself
    /// is durable after [`Frames::sync_names`]. A file that exists is never replaced: bodies rest on it.
    pub(super) fn keep(&mut self, event: Uuid, variant: usize, jpeg: &[u8]) -> Result<String, FrameError> {
        let name = if variant == 0 { format!("{event}.jpg") } else { format!("{event}-{variant}.jpg") };
        let path = self.folder.join(&name);
        if path.exists() {
            return Err(FrameError::Write(io::Error::new(io::ErrorKind::AlreadyExists, format!("`{name}` is taken"))));
        }
        let temporary = self.folder.join(format!("{name}.tmp"));
        let written = File::create(&temporary).and_then(|mut file| file.write_all(jpeg).map(|()| file));
        let renamed = match written {
            Ok(file) => {
                file.sync_all().map_err(FrameError::Sync)?;
                fs::rename(&temporary, &path)
            }
            Err(error) => Err(error),
        };
        if let Err(error) = renamed {
            let _ = fs::remove_file(&temporary);
            return Err(FrameError::Write(error));
        }
        self.fresh.push(name.clone());
        Ok(name)
    }

    /// The names of what was kept since the last call.
    pub(super) fn take_fresh(&mut self) -> Vec<String> {
        std::mem::take(&mut self.fresh)
    }

    /// Makes names durable: once per group, before its commit.
    pub(super) fn sync_names(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }

    /// Removes files that no row names (any more). One that stays takes space until it is swept.
    pub(super) fn remove_all<'a>(&self, names: impl IntoIterator<Item = &'a String>) {
        for name in names {
            match fs::remove_file(self.folder.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(frame = name, %error, "a frame could not be removed; it takes space until it is swept");
                }
                _ => {}
            }
        }
    }

    /// Removes every file that no row names: temporary ones, and frames whose transaction never committed. `is_named` is
    /// asked with the event that a file belongs to and its name; `failed` wraps what the folder says.
    pub(super) fn sweep<E>(
        &self,
        mut is_named: impl FnMut(Uuid, &str) -> Result<bool, E>,
        failed: impl Fn(io::Error) -> E,
    ) -> Result<u64, E> {
        let mut swept = 0;
        for entry in fs::read_dir(&self.folder).map_err(&failed)? {
            let file = entry.map_err(&failed)?.file_name();
            let named = match file.to_str().and_then(|name| Some((event_of(name)?, name))) {
                Some((event, name)) => is_named(event, name)?,
                None => false,
            };
            if !named {
                fs::remove_file(self.folder.join(file)).map_err(&failed)?;
                swept += 1;
            }
        }
        Ok(swept)
    }
}

/// The event that a frame's file belongs to; None for what is no frame.
fn event_of(name: &str) -> Option<Uuid> {
    let stem = name.strip_suffix(".jpg")?;
    Uuid::parse_str(stem.get(..36)?).ok()
}
