//! Where secrets come from: files and systemd credentials.
//!
//! Owns reading them, that each one is concealed from then on ([`redact`]), and that no core dump holds them; refuses to
//! know what they are for. Runs on the thread that starts the daemon, and wherever a secret is read again.

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use zeroize::Zeroizing;

use crate::config::SecretRef;
use crate::redact;
use crate::secret::Secret;

/// No secret is longer than this, in bytes.
const MAX_LEN: usize = 64 * 1024;

/// Why a secret can't be had. No message holds any of its content.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file is not there.
    #[error("`{0}` does not exist: create it with nothing but the secret in it")]
    Missing(PathBuf),
    /// The file is not ours to read.
    #[error("`{0}` is not readable for this user: give it to the user of the service, with mode 600")]
    Denied(PathBuf),
    /// The file can't be read for another reason.
    #[error("`{0}` can't be read ({1}): check the path")]
    Unreadable(PathBuf, io::Error),
    /// Nothing is in it.
    #[error("`{0}` is empty: write the secret into it")]
    Empty(PathBuf),
    /// It is not UTF-8, or far too long.
    #[error("`{0}` does not look like a secret: it must be one piece of text of at most 64 KiB")]
    NotText(PathBuf),
    /// Not started by systemd, or without credentials.
    #[error(
        "there is no credential `{0}`, because `$CREDENTIALS_DIRECTORY` is not set: \
         add `LoadCredential={0}:/path/to/file` to the unit, or name a file instead"
    )]
    NoCredentials(String),
    /// systemd gave us others, but not this one.
    #[error("there is no credential `{0}`: add `LoadCredential={0}:/path/to/file` to the unit")]
    MissingCredential(String),
    /// It would lead out of the directory.
    #[error("`{0}` is not the name of a credential: use the name before the colon in `LoadCredential=`")]
    CredentialName(String),
}

/// Reads a secret. Newlines at its end do not belong to it. From now on no text of this process shows it.
///
/// # Errors
/// It is missing, unreadable, empty or no text.
pub fn read(reference: &SecretRef) -> Result<Secret, SecretError> {
    let secret = read_with(reference, env::var_os("CREDENTIALS_DIRECTORY"))?;
    redact::conceal(&secret);
    Ok(secret)
}

/// From now on this process leaves no core dump, which would hold every secret. `prlimit --core=unlimited --pid` takes it
/// back: only the soft limit is lowered.
pub fn leave_no_core() {
    let limit = Rlimit { current: Some(0), ..getrlimit(Resource::Core) };
    // Lowering one's own limit is always allowed.
    let _ = setrlimit(Resource::Core, limit);
}

/// The file's mode, if others than its owner and group can read the secret.
pub fn exposed_mode(reference: &SecretRef) -> Option<u32> {
    let SecretRef::File(path) = reference else {
        return None;
    };
    let mode = path.value.metadata().ok()?.permissions().mode() & 0o777;
    (mode & 0o004 != 0).then_some(mode)
}

fn read_with(reference: &SecretRef, credentials: Option<OsString>) -> Result<Secret, SecretError> {
    match reference {
        SecretRef::File(path) => read_file(&path.value),
        SecretRef::Credential(name) => {
            let name = &name.value;
            if name.contains('/') || name == "." || name == ".." {
                return Err(SecretError::CredentialName(name.clone()));
            }
            let directory = credentials.ok_or_else(|| SecretError::NoCredentials(name.clone()))?;
            match read_file(&Path::new(&directory).join(name)) {
                Err(SecretError::Missing(_)) => Err(SecretError::MissingCredential(name.clone())),
                read => read,
            }
        }
    }
}

fn read_file(path: &Path) -> Result<Secret, SecretError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => SecretError::Missing(path.into()),
        io::ErrorKind::PermissionDenied => SecretError::Denied(path.into()),
        _ => SecretError::Unreadable(path.into(), error),
    };
    // All at once, so that growing the buffer leaves no copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_LEN + 1));
    File::open(path).map_err(failed)?.take(MAX_LEN as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > MAX_LEN {
        return Err(SecretError::NotText(path.into()));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| SecretError::NotText(path.into()))?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(SecretError::Empty(path.into())),
        text => Ok(Secret::new(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::Located;

    fn file(path: &Path) -> SecretRef {
        SecretRef::File(Located { value: path.to_owned(), at: 0..0 })
    }

    fn credential(name: &str) -> SecretRef {
        SecretRef::Credential(Located { value: name.to_owned(), at: 0..0 })
    }

    #[test]
    fn newlines_at_the_end_do_not_belong_to_a_secret_and_nothing_else_is_cut() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        for (content, secret) in [("hunter2", "hunter2"), ("hunter2\n", "hunter2"), (" a\nb \r\n", " a\nb ")] {
            fs::write(&path, content).unwrap();
            assert_eq!(read(&file(&path)).unwrap().expose(), secret);
        }
    }

    #[test]
    fn a_secret_that_was_read_is_shown_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        fs::write(&path, "read-and-concealed\n").unwrap();
        assert_eq!(redact::redacted("read-and-concealed"), "read-and-concealed", "not known yet");
        read(&file(&path)).unwrap();
        assert_eq!(redact::redacted("read-and-concealed"), "***");
    }

    #[test]
    fn errors_name_the_file_and_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let shown = |path: &Path| {
            let error = read(&file(path)).unwrap_err().to_string();
            error.replace(dir.path().to_str().unwrap(), "DIR")
        };
        let path = dir.path().join("cam.pass");
        assert_eq!(shown(&path), "`DIR/cam.pass` does not exist: create it with nothing but the secret in it");
        fs::write(&path, "\n").unwrap();
        assert_eq!(shown(&path), "`DIR/cam.pass` is empty: write the secret into it");
        let no_text =
            "`DIR/cam.pass` does not look like a secret: it must be one piece of text of at most 64 KiB".to_owned();
        fs::write(&path, b"\xff\xfe").unwrap();
        assert_eq!(shown(&path), no_text);
        fs::write(&path, vec![b'x'; MAX_LEN + 1]).unwrap();
        assert_eq!(shown(&path), no_text);
        assert_eq!(shown(dir.path()), "`DIR` can't be read (Is a directory (os error 21)): check the path");
    }

    #[test]
    fn credentials_come_from_the_directory_that_systemd_names() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("cam"), "hunter2\n").unwrap();
        let directory = Some(dir.path().as_os_str().to_owned());
        assert_eq!(read_with(&credential("cam"), directory.clone()).unwrap().expose(), "hunter2");
        let told = |name, directory| read_with(&credential(name), directory).unwrap_err().to_string();
        assert_eq!(
            told("ops", directory.clone()),
            "there is no credential `ops`: add `LoadCredential=ops:/path/to/file` to the unit"
        );
        assert_eq!(
            told("ops", None),
            "there is no credential `ops`, because `$CREDENTIALS_DIRECTORY` is not set: \
             add `LoadCredential=ops:/path/to/file` to the unit, or name a file instead"
        );
        assert_eq!(
            told("../cam", directory),
            "`../cam` is not the name of a credential: use the name before the colon in `LoadCredential=`"
        );
    }

    #[test]
    fn a_secret_that_everybody_can_read_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        fs::write(&path, "hunter2").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(exposed_mode(&file(&path)), Some(0o644));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(exposed_mode(&file(&path)), None);
    }
}
