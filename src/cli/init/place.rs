//! Where the configuration goes, and its secrets beside it.
//!
//! Owns that nothing of an operator's is overwritten unasked and that what is replaced is kept, that every file is whole or
//! not there, and whose it is; refuses to know what is in them. Writes at the very end, deaf to Ctrl-C for as long as that takes.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::Access;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::draft::{Draft, SecretFile};
use crate::cli::account::{Account, SERVICE};
use crate::cli::exit::Failure;
use crate::secret::Secret;

/// Read and written by the service alone.
const SECRET_MODE: u32 = 0o600;

/// Root writes it, the service reads it.
const CONFIG_MODE: u32 = 0o640;

/// Root's; the service may enter.
const FOLDER_MODE: u32 = 0o750;

/// What lies there now.
pub(super) struct Written {
    /// For people: new files.
    pub(super) files: Vec<String>,
    /// What was there before, under names of its own.
    pub(super) kept: Vec<PathBuf>,
}

/// A place for a configuration.
pub(super) struct Place {
    path: PathBuf,
    /// What is there now goes.
    replaces: bool,
    force: bool,
    /// Whom secrets are given to: the service's user, where we can and there is one.
    owner: Option<Account>,
}

impl Place {
    /// Looks whether `path` is free, or holds nothing that anybody would miss.
    pub(super) fn find(path: &Path, force: bool) -> Result<Place, Failure> {
        let replaces = match fs::read_to_string(path) {
            Ok(text) if force || says_nothing(&text) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(denied(path)),
            Err(error) if !force => return Err(failed(path, &error)),
            Err(_) => true,
            Ok(_) => {
                let what = format!("`{}` is there, and says something", path.display());
                return Err(Failure::plain(what).hint(
                    "`--force` replaces it and keeps it beside (`….before`); `--config` names another file; \
                     `stakeout config` shows how to write on",
                ));
            }
        };
        let folder = path.ancestors().skip(1).find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
        rustix::fs::access(folder, Access::WRITE_OK).map_err(|_| denied(folder))?;
        let owner = Account::own().is_root().then(|| Account::named(SERVICE)).flatten();
        Ok(Place { path: path.to_owned(), replaces, force, owner })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A secret that is there already.
    pub(super) fn kept(&self, name: &str) -> Option<Secret> {
        let text = fs::read_to_string(self.path.with_file_name(name)).ok()?;
        Some(text.trim_end()).filter(|text| !text.is_empty()).map(Secret::new)
    }

    /// Writes everything, the configuration last.
    ///
    /// # Errors
    /// Nothing was written, or the hint says what was.
    pub(super) fn write(&self, draft: &Draft) -> Result<Written, Failure> {
        let secrets = draft.secrets();
        let new = secrets.iter().filter(|file| !is_there(file)).collect::<Vec<_>>();
        let replaced = new.iter().map(|file| file.path.as_path()).filter(|path| path.exists()).collect::<Vec<_>>();
        if let (Some(path), false) = (replaced.first(), self.force) {
            let what = format!("`{}` is there, and holds another secret", path.display());
            return Err(
                Failure::plain(what).hint("take another name, move the file away, or replace it with `--force`")
            );
        }
        let _deaf = deaf();
        self.make_folder()?;
        let mut staged = Vec::new();
        for SecretFile { path, content } in new.iter().copied() {
            staged.push(self.stage(path, content.expose().as_bytes(), SECRET_MODE)?);
        }
        let mut config = self.stage(&self.path, draft.text().as_bytes(), CONFIG_MODE)?;
        let replaced = self.replaces.then_some(self.path.as_path()).into_iter().chain(replaced);
        let kept = replaced.map(keep_before).collect::<Result<Vec<_>, _>>()?;
        for file in &mut staged {
            file.take_place().map_err(|error| unfinished(&file.path, &error))?;
        }
        let placed = if self.replaces { config.take_place() } else { config.take_free_place() };
        placed.map_err(|error| unfinished(&self.path, &error))?;
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| unflushed(folder, &error))?;
        let secret = staged.iter().map(|file| format!("{} (mode {SECRET_MODE:o})", file.path.display()));
        Ok(Written { files: secret.chain([self.path.display().to_string()]).collect(), kept })
    }

    /// With those above it that are missing: the service has to pass through each.
    fn make_folder(&self) -> Result<(), Failure> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let missing: Vec<&Path> = folder.ancestors().take_while(|folder| !folder.is_dir()).collect();
        let group = self.owner.as_ref().map(|owner| owner.gid);
        let make = |folder: &Path| {
            fs::DirBuilder::new().mode(0o700).create(folder)?;
            std::os::unix::fs::chown(folder, None, group)?;
            // Whatever the umask says.
            fs::set_permissions(folder, Permissions::from_mode(FOLDER_MODE))
        };
        missing.into_iter().rev().try_for_each(|folder| make(folder).map_err(|error| failed(folder, &error)))
    }

    /// A whole file beside its place.
    fn stage(&self, path: &Path, content: &[u8], mode: u32) -> Result<Staged, Failure> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let beside = path.with_file_name(format!(".{name}.init-{}", std::process::id()));
        let write = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(SECRET_MODE).open(&beside)?;
            let staged = Staged { beside: beside.clone(), path: path.to_owned() };
            file.write_all(content)?;
            if let Some(owner) = &self.owner {
                let user = (mode == SECRET_MODE).then_some(owner.uid);
                std::os::unix::fs::fchown(&file, user, Some(owner.gid))?;
            }
            file.set_permissions(Permissions::from_mode(mode))?;
            file.sync_all()?;
            Ok(staged)
        };
        write().map_err(|error| failed(path, &error))
    }
}

/// What is there gets a second name, one that is free: `.before`, `.before-2`, …
fn keep_before(path: &Path) -> Result<PathBuf, Failure> {
    let named = |number: usize| {
        let mut before = path.as_os_str().to_owned();
        before.push(if number == 1 { ".before".to_owned() } else { format!(".before-{number}") });
        PathBuf::from(before)
    };
    at_a_free_place(named, |before| fs::hard_link(path, before)).map_err(|error| failed(path, &error))
}

/// Puts something at the first of these places at which nothing is yet.
fn at_a_free_place(place: impl Fn(usize) -> PathBuf, put: impl Fn(&Path) -> io::Result<()>) -> io::Result<PathBuf> {
    let mut number = 1;
    loop {
        let path = place(number);
        match put(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error),
        }
    }
}

/// A file that is whole, but not in its place yet. What never gets there goes when this is dropped.
struct Staged {
    beside: PathBuf,
    path: PathBuf,
}

impl Staged {
    fn take_place(&mut self) -> io::Result<()> {
        fs::rename(&self.beside, &self.path)
    }

    /// Fails if somebody else was quicker.
    fn take_free_place(&mut self) -> io::Result<()> {
        fs::hard_link(&self.beside, &self.path)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.beside);
    }
}

/// A picture, whole or not at all: at `path`, whatever is there.
pub(super) fn save(path: &Path, content: &[u8]) -> Result<(), Failure> {
    beside(path).stage(path, content, CONFIG_MODE)?.take_place().map_err(|error| failed(path, &error))
}

/// The same where nothing is yet: at `path`, or beside it as `…-2`, `…-3`. Where it is.
pub(super) fn save_beside(path: &Path, content: &[u8]) -> Result<PathBuf, Failure> {
    let staged = beside(path).stage(path, content, CONFIG_MODE)?;
    let (stem, extension) = (path.file_stem().unwrap_or_default(), path.extension().unwrap_or_default());
    let named = |number: usize| match number {
        1 => path.to_owned(),
        _ => path.with_file_name(format!("{}-{number}.{}", stem.display(), extension.display())),
    };
    at_a_free_place(named, |path| fs::hard_link(&staged.beside, path)).map_err(|error| failed(path, &error))
}

fn beside(path: &Path) -> Place {
    Place { path: path.to_owned(), replaces: true, force: true, owner: None }
}

/// Only comments and empty sections, as the package's own.
fn says_nothing(text: &str) -> bool {
    let is_empty = |value: &toml::Value| value.as_table().is_some_and(toml::Table::is_empty);
    text.parse::<toml::Table>().is_ok_and(|table| table.values().all(is_empty))
}

fn is_there(file: &SecretFile) -> bool {
    fs::read_to_string(&file.path).is_ok_and(|text| text.trim_end() == file.content.expose())
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::plain(format_args!("`{}`: {error}", path.display()))
        .hint("nothing was written; check the folder and its disk")
}

/// Files take their places one after the other.
fn unfinished(path: &Path, error: &io::Error) -> Failure {
    Failure::plain(format_args!("`{}`: {error}", path.display())).hint(
        "secrets may be in their places already, the configuration is as it was; check the folder and its disk, then run this \
         again",
    )
}

fn unflushed(folder: &Path, error: &io::Error) -> Failure {
    Failure::plain(format_args!("`{}` can't be flushed: {error}", folder.display()))
        .hint("everything is written, but may not outlast a power cut; check the disk")
}

fn denied(path: &Path) -> Failure {
    Failure::plain(format_args!("this user may not write `{}`", path.display()))
        .hint("run this as root, or name another place with `--config`")
}

/// From here to its end this process doesn't end by Ctrl-C, a hang-up or SIGTERM: it is a matter of milliseconds.
fn deaf() -> Option<(tokio::runtime::Runtime, Vec<Signal>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let entered = runtime.enter();
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let signals = kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect();
    drop(entered);
    Some((runtime, signals))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_empty_sections_say_nothing() {
        assert!(says_nothing(crate::config::MANUAL));
        assert!(says_nothing("") && says_nothing("# x\n[storage]\n"));
        assert!(!says_nothing("[storage]\nmax_size = \"1GiB\"\n"));
        assert!(!says_nothing("[[camera]]\n"), "somebody began to write");
        assert!(!says_nothing("name = "), "what can't be read may be worth something");
    }

    #[test]
    fn what_says_something_is_kept_unless_forced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stakeout.toml");
        assert!(!Place::find(&path, false).unwrap().replaces);
        fs::write(&path, "[device]\nid = \"box\"\n").unwrap();
        assert!(Place::find(&path, false).is_err());
        assert!(Place::find(&path, true).unwrap().replaces);
    }

    #[test]
    fn what_is_there_is_kept_under_a_name_that_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stakeout.toml");
        for (text, name) in [("first", "stakeout.toml.before"), ("second", "stakeout.toml.before-2")] {
            fs::write(folder.path().join("new"), text).unwrap();
            fs::rename(folder.path().join("new"), &path).unwrap();
            assert_eq!(keep_before(&path).unwrap(), folder.path().join(name));
            assert_eq!(fs::read_to_string(folder.path().join(name)).unwrap(), text);
        }
        assert_eq!(fs::read_to_string(folder.path().join("stakeout.toml.before")).unwrap(), "first");
        assert!(keep_before(&folder.path().join("missing")).is_err());
    }

    #[test]
    fn a_staged_file_that_is_given_up_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let place = Place { path: path.clone(), replaces: false, force: false, owner: None };
        drop(place.stage(&path, b"x", SECRET_MODE).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        place.stage(&path, b"x", SECRET_MODE).unwrap().take_free_place().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, SECRET_MODE);
        assert!(place.stage(&path, b"y", SECRET_MODE).unwrap().take_free_place().is_err(), "it isn't free any more");
        assert_eq!(fs::read(&path).unwrap(), b"x");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
