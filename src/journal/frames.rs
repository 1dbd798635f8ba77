//! The frames' files beside the database.
//!
//! Owns their names, how they become durable before a row names them, how much they take, and sweeping; refuses to know
//! pictures and rows. Runs on the thread `journal-writer`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use uuid::Uuid;

/// The folder of the frames, in the state directory.
pub(super) const FOLDER: &str = "frames";

/// The folder `frames` of one journal.
pub(super) struct Frames {
    folder: PathBuf,
    fresh: Vec<String>,
    /// Bytes that the files take.
    taken: u64,
    /// Bytes that they may take.
    room: u64,
    /// Bytes of them that the disk has left for frames; None: as many as there is room for.
    left: Option<u64>,
    /// The last original was refused and that was said: a full disk must not fill the log too.
    refusing: bool,
    /// The disk itself was full since this was asked last.
    disk_was_full: bool,
}

/// Why a frame was not kept.
#[derive(Debug)]
enum FrameError {
    /// Nothing was written, the event goes on without.
    Write(io::Error),
    /// The disk failed to flush: what it holds is unknown, so no process may go on.
    Sync(io::Error),
}

impl FrameError {
    /// Some file systems find the room only when they flush: that is a full disk, not a broken one.
    fn of_flush(error: io::Error) -> FrameError {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FrameError::Write(error),
            _ => FrameError::Sync(error),
        }
    }
}

impl Frames {
    /// The frames of the journal in `dir`; makes the folder, durably, because rows will rest on it.
    pub(super) fn open(dir: &Path) -> io::Result<Frames> {
        let folder = dir.join(FOLDER);
        // Pictures of people: nobody else's, whatever the umask.
        fs::DirBuilder::new().recursive(true).mode(0o750).create(&folder)?;
        File::open(dir)?.sync_all()?;
        Ok(Frames {
            folder,
            fresh: Vec::new(),
            taken: 0,
            room: u64::MAX,
            left: None,
            refusing: false,
            disk_was_full: false,
        })
    }

    /// From now on the files may take `room` bytes; what there is counts.
    pub(super) fn bound(&mut self, room: u64) -> io::Result<()> {
        self.room = room;
        self.taken = fs::read_dir(&self.folder)?.map(|entry| Ok(entry?.metadata()?.len())).sum::<io::Result<u64>>()?;
        Ok(())
    }

    /// Frames go when they take more than this: what is written next needs some room, too.
    pub(super) fn excess(&self) -> u64 {
        self.taken.saturating_sub(self.room - self.room / 8)
    }

    /// Bytes that nobody misses: what is left, but for what is written next.
    pub(super) fn spare(&self) -> u64 {
        (self.room - self.room / 8).saturating_sub(self.taken)
    }

    /// Bytes of a file.
    pub(super) fn size(&self, name: &str) -> u64 {
        fs::metadata(self.folder.join(name)).map_or(0, |file| file.len())
    }

    /// From now on frames may take so many bytes more: the disk is full. None: it no longer is.
    pub(super) fn leave(&mut self, left: Option<u64>) {
        self.left = left;
    }

    /// Whether the disk had no room for a frame since this was asked last.
    pub(super) fn take_disk_was_full(&mut self) -> bool {
        std::mem::take(&mut self.disk_was_full)
    }

    /// Keeps `jpeg`, flushed, as the event's original (`variant` 0) or a smaller one, and tells its name; None when it
    /// cannot be written, which is logged when it begins. The name itself is durable after [`Frames::sync_names`]. A file
    /// that exists is never replaced: bodies rest on it. Errors: the disk failed to flush, so no process may go on.
    pub(super) fn keep(&mut self, event: Uuid, variant: usize, jpeg: &[u8]) -> io::Result<Option<String>> {
        let name = if variant == 0 { format!("{event}.jpg") } else { format!("{event}-{variant}.jpg") };
        match self.write(&name, jpeg) {
            Ok(()) => {
                self.taken += jpeg.len() as u64;
                self.left = self.left.map(|left| left.saturating_sub(jpeg.len() as u64));
                self.fresh.push(name.clone());
                self.refusing &= variant > 0;
                Ok(Some(name))
            }
            Err(FrameError::Write(error)) => {
                self.disk_was_full |= error.kind() == io::ErrorKind::StorageFull;
                if !std::mem::replace(&mut self.refusing, true) {
                    tracing::error!(
                        id = %event, %error,
                        "a frame cannot be kept; events go on without their frames: free some space on the journal's \
                         disk, or raise `[storage] max_size`"
                    );
                }
                Ok(None)
            }
            Err(FrameError::Sync(error)) => Err(error),
        }
    }

    /// Writes a file whole or not at all.
    fn write(&self, name: &str, jpeg: &[u8]) -> Result<(), FrameError> {
        if self.taken.saturating_add(jpeg.len() as u64) > self.room {
            let why = format!("the frames take all of the {} bytes that `[storage] max_size` leaves them", self.room);
            return Err(FrameError::Write(io::Error::new(io::ErrorKind::QuotaExceeded, why)));
        }
        if self.left.is_some_and(|left| jpeg.len() as u64 > left) {
            let why = "what the disk has left is kept for events";
            return Err(FrameError::Write(io::Error::new(io::ErrorKind::QuotaExceeded, why)));
        }
        let path = self.folder.join(name);
        if path.exists() {
            return Err(FrameError::Write(io::Error::new(io::ErrorKind::AlreadyExists, format!("`{name}` is taken"))));
        }
        let temporary = self.folder.join(format!("{name}.tmp"));
        let written = File::create(&temporary)
            .and_then(|mut file| file.write_all(jpeg).map(|()| file))
            .map_err(FrameError::Write)
            .and_then(|file| file.sync_all().map_err(FrameError::of_flush))
            .and_then(|()| fs::rename(&temporary, &path).map_err(FrameError::Write));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
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
    pub(super) fn remove_all<'a>(&mut self, names: impl IntoIterator<Item = &'a String>) {
        for name in names {
            let path = self.folder.join(name);
            let bytes = self.size(name);
            match fs::remove_file(path) {
                Ok(()) => self.taken = self.taken.saturating_sub(bytes),
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(frame = name, %error, "a frame could not be removed; it takes space until it is swept");
                }
                Err(_) => {}
            }
        }
    }

    /// Removes every file that no row names: temporary ones, and frames whose transaction never committed. `is_named` is
    /// asked with the event that a file belongs to and its name; `failed` wraps what the folder says. What cannot be removed
    /// (a folder `lost+found`) stays.
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
                match fs::remove_file(self.folder.join(&file)) {
                    Ok(()) => swept += 1,
                    Err(error) => {
                        tracing::warn!(file = %file.display(), %error, "what is no frame could not be removed")
                    }
                }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: io::ErrorKind) -> FrameError {
        FrameError::of_flush(kind.into())
    }

    #[test]
    fn a_disk_that_is_full_when_it_flushes_is_not_a_broken_disk() {
        assert!(matches!(error(io::ErrorKind::StorageFull), FrameError::Write(_)));
        assert!(matches!(error(io::ErrorKind::QuotaExceeded), FrameError::Write(_)));
        assert!(matches!(error(io::ErrorKind::Other), FrameError::Sync(_)));
        let broken = io::Error::from_raw_os_error(5);
        assert!(matches!(FrameError::of_flush(broken), FrameError::Sync(_)), "EIO");
    }

    #[test]
    fn what_is_there_counts_and_what_goes_makes_room() {
        let dir = tempfile::tempdir().unwrap();
        let mut frames = Frames::open(dir.path()).unwrap();
        frames.bound(10).unwrap();
        let [first, second] = [1, 2].map(Uuid::from_u128);
        let kept = frames.keep(first, 0, b"six by").unwrap().unwrap();
        assert_eq!(frames.keep(second, 0, b"large").unwrap(), None);
        assert!(frames.keep(second, 1, b"tiny").unwrap().is_some());

        let mut again = Frames::open(dir.path()).unwrap();
        again.bound(10).unwrap();
        assert_eq!(again.keep(second, 2, b"x").unwrap(), None);
        again.remove_all([&kept]);
        assert!(again.keep(second, 0, b"large").unwrap().is_some());
    }
}
