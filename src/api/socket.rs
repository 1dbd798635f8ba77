//! The unix socket: made so that nobody else can connect, taken over only from a daemon that is gone.
//!
//! Owns the file; refuses to know HTTP. [`Socket::bind`] runs on the thread that starts the
//! daemon, before tokio.

use std::fs::Permissions;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

/// The owner and the group, nobody else.
const MODE: u32 = 0o660;

/// Why the API can't be offered.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody answers there.
    #[error(
        "another daemon answers at `{}`; stop it (`systemctl stop stakeout`) or give this one an `[api] socket` of its own",
        .0.display()
    )]
    InUse(PathBuf),
    /// A file that we did not make.
    #[error("`{}` exists and is not a socket; move it away, or choose another `[api] socket`", .0.display())]
    NotASocket(PathBuf),
    /// The folder or the socket.
    #[error("the API's socket `{}`: {source}; check that its folder belongs to the daemon's user", path.display())]
    Io {
        /// What could not be made.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The TCP listener.
    #[error("the API can't listen at `{address}`: {source}; choose another `[api] listen`, or end who listens there")]
    Tcp {
        /// What was asked for.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// Anybody could call.
    #[error("the API would listen at `{0}` for everybody without a token; set `[api] token_file`")]
    Open(SocketAddr),
}

/// A socket that is bound: clients can connect, and wait until [`super::serve`] answers.
pub struct Socket {
    listener: StdListener,
    file: SocketFile,
}

impl Socket {
    /// Makes the socket at `path`, and its folder. One that a dead daemon left is replaced.
    ///
    /// # Errors
    /// Another daemon answers there, something else than a socket is there, or the file system refuses.
    pub fn bind(path: &Path) -> Result<Socket, BindError> {
        let failed = |source| BindError::Io { path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        check_vacant(path)?;
        // Bound beside its place and moved there: nobody can connect before the mode is right.
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let beside = SocketFile(beside.into());
        remove(&beside.0).map_err(failed)?;
        let listener = StdListener::bind(&beside.0).map_err(failed)?;
        std::fs::set_permissions(&beside.0, Permissions::from_mode(MODE)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        std::fs::rename(&beside.0, path).map_err(failed)?;
        Ok(Socket { listener, file: SocketFile(path.to_owned()) })
    }

    /// Hands the socket to tokio; the file goes with the second value.
    pub(super) fn listen(self) -> io::Result<(UnixListener, SocketFile)> {
        Ok((UnixListener::from_std(self.listener)?, self.file))
    }
}

/// The file of a socket, removed when dropped.
pub(super) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.0) {
            tracing::debug!(path = %self.0.display(), %error, "the API's socket stays behind");
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Nothing is at `path`, or a socket at which nobody answers.
fn check_vacant(path: &Path) -> Result<(), BindError> {
    let failed = |source| BindError::Io { path: path.to_owned(), source };
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(found) if !found.file_type().is_socket() => return Err(BindError::NotASocket(path.to_owned())),
        Ok(_) => {}
    }
    match StdStream::connect(path) {
        Ok(_) => Err(BindError::InUse(path.to_owned())),
        Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) => Ok(()),
        // A socket whose queue is full belongs to somebody who is alive.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(BindError::InUse(path.to_owned())),
        Err(error) => Err(failed(error)),
    }
}
