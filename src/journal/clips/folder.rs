//! The folder of the clips' files, `clips` beside the journal.
//!
//! Owns where a clip's file is, and that what a killed recorder left of one becomes whole; refuses to know what is in a file
//! (whoever calls brings the walk over it). Runs on whichever thread calls it.

use std::fs::{self, DirBuilder, File};
use std::io::{self, BufReader, Read, Seek};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Its name, in the state directory.
pub(in crate::journal) const FOLDER: &str = "clips";

/// Where the file of a clip is, in the state directory `dir`, if there is one.
pub fn clip_path(dir: &Path, clip: Uuid) -> PathBuf {
    dir.join(FOLDER).join(format!("{clip}.mp4"))
}

/// The folder of all of them, in the state directory `dir`.
pub fn clips_folder(dir: &Path) -> PathBuf {
    dir.join(FOLDER)
}

/// Makes the folder, durably: rows will rest on it. It shows people: nobody else's, whatever the umask.
pub(in crate::journal) fn make(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o750).create(dir.join(FOLDER))?;
    File::open(dir)?.sync_all()
}

/// The clips whose files are there, and the names of what is no clip's.
pub(super) fn contents(dir: &Path) -> io::Result<(Vec<Uuid>, Vec<PathBuf>)> {
    let (mut clips, mut strangers) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(dir.join(FOLDER))? {
        let path = entry?.path();
        let stem = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".mp4"));
        match stem.and_then(|stem| Uuid::parse_str(stem).ok()) {
            Some(clip) if clip_path(dir, clip) == path => clips.push(clip),
            _ => strangers.push(path),
        }
    }
    Ok((clips, strangers))
}

/// Removes files of clips. One that stays takes space until it is swept.
pub(in crate::journal) fn remove_all(dir: &Path, clips: &[Uuid]) {
    for clip in clips {
        match fs::remove_file(clip_path(dir, *clip)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%clip, %error, "a clip's file could not be removed; it takes space until it is swept");
            }
            _ => {}
        }
    }
}

/// Files that go at once when a journal can't be opened for want of room: their rows say so once it is open.
const FORGOTTEN: usize = 20;

/// Removes the oldest files (their names begin with the time). False: there was none.
pub(in crate::journal) fn forget(dir: &Path) -> bool {
    let (mut clips, _) = contents(dir).unwrap_or_default();
    clips.sort();
    clips.iter().take(FORGOTTEN).filter(|clip| fs::remove_file(clip_path(dir, **clip)).is_ok()).count() > 0
}

/// How far a file is whole, as a walk over it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole {
    /// The end of its last whole fragment.
    pub bytes: u64,
    /// How long these play.
    pub duration: Duration,
}

/// A file that was cut after its last whole fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mended {
    /// What it holds.
    pub whole: Whole,
    /// Of all of it, lower-case hex.
    pub sha256: String,
}

/// Makes the file of a clip whole that nobody records any more: cuts it after its last whole fragment, which `walk` finds,
/// on stable storage. None: there is no file, or no whole fragment in it.
///
/// # Errors
/// The disk's; then the file is left as it is.
pub fn mend(
    dir: &Path,
    clip: Uuid,
    walk: impl FnOnce(&mut BufReader<&File>) -> io::Result<Option<Whole>>,
) -> io::Result<Option<Mended>> {
    let file = match File::options().read(true).write(true).open(clip_path(dir, clip)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some(whole) = walk(&mut BufReader::new(&file))? else { return Ok(None) };
    if file.metadata()?.len() > whole.bytes {
        file.set_len(whole.bytes)?;
    }
    file.sync_all()?;
    Ok(Some(Mended { whole, sha256: clip_hash(&file)? }))
}

/// The SHA-256 of a file, in lower-case hex. Reads all of it.
pub fn clip_hash(mut file: &File) -> io::Result<String> {
    file.rewind()?;
    let (mut digest, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex::encode(digest.finalize())),
            read => digest.update(&buffer[..read]),
        }
    }
}
