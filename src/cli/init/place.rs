//! Where the configuration goes, and its secrets beside it.
//!
//! Owns that nothing of an operator's is overwritten unasked, that every file is whole or not there, and whose it is; refuses
//! to know what is in them. Writes at the very end, deaf to Ctrl-C for as long as that takes.

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
                    "`--force` replaces it and keeps it as `….before`; `--config` names another file; \
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

    /// Writes everything, the configuration last. What was written, for people.
    pub(super) fn write(&self, draft: &Draft) -> Result<Vec<String>, Failure> {
        let secrets = draft.secrets();
        let new = secrets.iter().filter(|file| !is_there(file)).collect::<Vec<_>>();
        if let Some(file) = new.iter().find(|file| file.path.exists() && !self.force) {
            let what = format!("`{}` is there, and holds another secret", file.path.display());
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
        let config = self.stage(&self.path, draft.text().as_bytes(), CONFIG_MODE)?;
        staged.iter_mut().try_for_each(|file| file.take_place())?;
        if self.replaces {
            self.keep_before()?;
        }
        let mut config = config;
        if self.replaces { config.take_place() } else { config.take_free_place() }?;
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| failed(folder, &error))?;
        let secret = staged.iter().map(|file| format!("{} (mode {SECRET_MODE:o})", file.path.display()));
        Ok(secret.chain([self.path.display().to_string()]).collect())
    }

    fn make_folder(&self) -> Result<(), Failure> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        if folder.is_dir() {
            return Ok(());
        }
        fs::DirBuilder::new().recursive(true).mode(0o750).create(folder).map_err(|error| failed(folder, &error))?;
        let group = self.owner.as_ref().map(|owner| owner.gid);
        std::os::unix::fs::chown(folder, None, group).map_err(|error| failed(folder, &error))
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

    /// The old configuration gets a second name.
    fn keep_before(&self) -> Result<(), Failure> {
        let mut before = self.path.clone().into_os_string();
        before.push(".before");
        let before = PathBuf::from(before);
        let _ = fs::remove_file(&before);
        fs::hard_link(&self.path, &before).map_err(|error| failed(&before, &error))
    }
}

/// A file that is whole, but not in its place yet. What never gets there goes when this is dropped.
struct Staged {
    beside: PathBuf,
    path: PathBuf,
}

impl Staged {
    fn take_place(&mut self) -> Result<(), Failure> {
        fs::rename(&self.beside, &self.path).map_err(|error| failed(&self.path, &error))
    }

    /// Fails if somebody else was quicker.
    fn take_free_place(&mut self) -> Result<(), Failure> {
        fs::hard_link(&self.beside, &self.path).map_err(|error| failed(&self.path, &error))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.beside);
    }
}

/// A file that isn't secret, whole or not at all.
pub(super) fn save(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let place = Place { path: path.to_owned(), replaces: true, force: true, owner: None };
    place.stage(path, content, CONFIG_MODE)?.take_place()
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
