//! `--config`: which file, and what it says.
//!
//! Owns where the file is looked for; refuses to know what is in it.

use std::path::{Path, PathBuf};

use super::exit::{Exit, Failure};
use crate::config::{self, Parsed};

/// Where the service reads it.
pub(super) const DEFAULT: &str = "/etc/stakeout/stakeout.toml";

/// What makes the service read it, also where the package has started it already: an active unit reads its configuration only
/// at a restart.
pub(super) const TAKE_EFFECT: &str = "systemctl enable stakeout && systemctl restart stakeout";

const VARIABLE: &str = "STAKEOUT_CONFIG";

/// The option that names the configuration file.
#[derive(clap::Args)]
pub(super) struct ConfigFile {
    /// Configuration file [default: $STAKEOUT_CONFIG, then /etc/stakeout/stakeout.toml]
    #[arg(long, value_name = "FILE", display_order = 900)]
    config: Option<PathBuf>,
}

impl ConfigFile {
    /// The file that counts.
    pub(super) fn path(&self) -> PathBuf {
        self.named().unwrap_or_else(|| DEFAULT.into())
    }

    fn named(&self) -> Option<PathBuf> {
        let variable = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
        self.config.clone().or(variable)
    }

    /// Reads it. Its warnings are the caller's to print.
    pub(super) fn load(&self) -> Result<Parsed, Failure> {
        let path = self.path();
        let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
        config::parse(&text, &path.display().to_string()).map_err(|wrong| Failure::configuration(&wrong))
    }
}

impl ConfigFile {
    /// For commands that need no configuration: the defaults, unless a file is named or there is one at the usual place.
    pub(super) fn load_or_default(&self) -> Result<Parsed, Failure> {
        match self.named() {
            None if is_missing(Path::new(DEFAULT)) => {
                config::parse("", DEFAULT).map_err(|wrong| Failure::configuration(&wrong))
            }
            _ => self.load(),
        }
    }
}

/// Surely not there. One that can't be looked at may say where the models are, so it isn't passed over in silence.
fn is_missing(path: &Path) -> bool {
    path.try_exists().is_ok_and(|exists| !exists)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Configuration, format_args!("cannot read the configuration `{}`: {error}", path.display()))
        .hint("name another file with `--config` or STAKEOUT_CONFIG; `stakeout config` prints one to start from")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_surely_not_there_is_missing() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("stakeout.toml");
        assert!(is_missing(&file));
        std::fs::write(&file, "").unwrap();
        assert!(!is_missing(&file));
        // The system answers with an error, as it does where a folder may not be entered.
        assert!(!is_missing(&file.join("below a file")));
    }
}
