//! Whether the service may read and write what it has to, and nobody else what they shouldn't.
//!
//! Owns which files these are; refuses to open any: modes and owners say it for a user that we are not.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::reach;
use super::report::{Finding, Report};
use crate::cli::account::{Account, Obstacle, Want, described};
use crate::config::{Config, SecretRef};

const CHECK: &str = "permissions";

pub(super) fn examine(path: &Path, config: &Config, service: &Account, report: &mut Report) -> io::Result<()> {
    if path.exists() {
        report.tell(configuration(path, service))?;
    }
    report.tell(state(&config.storage.path, service))?;
    report.tell(socket(&config.api.socket, service))?;
    for (whose, secret) in reach::secrets(config) {
        report.tell(match secret {
            SecretRef::File(file) => secret_file(&file.value, service),
            SecretRef::Credential(name) => {
                Finding::ok(CHECK, format!("{whose}: systemd hands it over")).of(&name.value)
            }
        })?;
    }
    Ok(())
}

fn configuration(path: &Path, service: &Account) -> Finding {
    if let Err(obstacle) = service.may(path, &[Want::Read]) {
        let remedy = format!("`chgrp {0} {1} && chmod 640 {1}`", service.name, path.display());
        return kept_away(path, service, &obstacle, remedy);
    }
    match mode(path) {
        Some(mode) if mode & 0o002 != 0 => Finding::fail(
            CHECK,
            format!("everybody may change it (mode {mode:o})"),
            format!("`chmod o-w {}`", path.display()),
        ),
        _ => Finding::ok(CHECK, format!("`{}` may read it", service.name)),
    }
    .of(path.display())
}

/// The folder, and what was left in it by somebody who ran the daemon by hand.
fn state(folder: &Path, service: &Account) -> Finding {
    let (name, all) = (&service.name, [Want::Read, Want::Write, Want::Enter]);
    let remedy = format!("`chown -R {name}: {0} && chmod u+rwX -R {0}`", folder.display());
    match service.may(folder, &all) {
        Err(Obstacle::Unknown(at, error)) if error.kind() == io::ErrorKind::NotFound && at == folder => {
            return made_at_the_start(folder, service);
        }
        Err(obstacle) => return kept_away(folder, service, &obstacle, remedy),
        Ok(()) => {}
    }
    // Models may be root's.
    let files = within(folder).filter(|file| file.is_file() || file.ends_with("frames"));
    let strange = |file: PathBuf| {
        let wants = if file.is_dir() { &all[..] } else { &all[..2] };
        Some((service.may(&file, wants).err()?, file))
    };
    match files.chain(cached(folder)).find_map(strange) {
        Some((obstacle, file)) => kept_away(&file, service, &obstacle, remedy),
        None => Finding::ok(CHECK, format!("`{name}` may write there")).of(folder.display()),
    }
}

/// The folders of what is kept for the next start: `cache/text-vectors/<model>`.
fn cached(state: &Path) -> impl Iterator<Item = PathBuf> {
    let cache = state.join("cache");
    let kinds: Vec<PathBuf> = within(&cache).filter(|file| file.is_dir()).collect();
    let models: Vec<PathBuf> = kinds.iter().flat_map(|kind| within(kind)).filter(|file| file.is_dir()).collect();
    [cache].into_iter().filter(|cache| cache.exists()).chain(kinds).chain(models)
}

fn within(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn socket(path: &Path, service: &Account) -> Finding {
    let folder = path.parent().unwrap_or(Path::new("/"));
    match (fs::metadata(path), folder.exists()) {
        (Ok(found), _) => Finding::ok(CHECK, described(&found)).of(path.display()),
        (Err(_), false) => made_at_the_start(folder, service),
        (Err(_), true) => match service.may(folder, &[Want::Write, Want::Enter]) {
            Ok(()) => Finding::ok(CHECK, "the daemon makes it").of(path.display()),
            Err(obstacle) => {
                kept_away(folder, service, &obstacle, format!("`chown {}: {}`", service.name, folder.display()))
            }
        },
    }
}

/// By systemd, or by the daemon if it may.
fn made_at_the_start(folder: &Path, service: &Account) -> Finding {
    let nearest = folder.ancestors().skip(1).find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    let by_systemd = ["/var/lib/stakeout", "/run/stakeout"].map(Path::new).contains(&folder)
        && Path::new("/run/systemd/system").exists();
    let may = by_systemd || service.may(nearest, &[Want::Write, Want::Enter]).is_ok();
    match may {
        true => Finding::ok(CHECK, "not there yet: the first start makes it"),
        false => {
            let remedy = format!("`install -d -o {0} -g {0} -m 750 {1}`", service.name, folder.display());
            Finding::warn(CHECK, format!("not there, and `{}` may not make it", service.name), remedy)
        }
    }
    .of(folder.display())
}

fn secret_file(path: &Path, service: &Account) -> Finding {
    let remedy = format!("`chown {0}: {1} && chmod 600 {1}`", service.name, path.display());
    if let Err(obstacle) = service.may(path, &[Want::Read]) {
        return kept_away(path, service, &obstacle, remedy);
    }
    match mode(path) {
        Some(mode) if mode & 0o004 != 0 => {
            Finding::warn(CHECK, format!("everybody on this machine may read it (mode {mode:o})"), remedy)
        }
        _ => Finding::ok(CHECK, format!("`{}` may read it, not everybody", service.name)),
    }
    .of(path.display())
}

fn mode(path: &Path) -> Option<u32> {
    Some(fs::metadata(path).ok()?.permissions().mode() & 0o777)
}

fn kept_away(path: &Path, service: &Account, obstacle: &Obstacle, remedy: String) -> Finding {
    let own = Account::own();
    let name = &service.name;
    match obstacle {
        Obstacle::Unknown(_, error) if error.kind() == io::ErrorKind::NotFound => {
            Finding::fail(CHECK, "it isn't there", "make it, or correct the path in the configuration")
        }
        Obstacle::Unknown(_, error) if own.uid != 0 && error.kind() == io::ErrorKind::PermissionDenied => {
            Finding::warn(CHECK, format!("`{}` may not look at it", own.name), "run this as root")
        }
        Obstacle::Unknown(at, error) => Finding::fail(CHECK, format!("`{}`: {error}", at.display()), "check its disk"),
        Obstacle::Mode(at, mode) if at == path => {
            Finding::fail(CHECK, format!("the service's user `{name}` may not use it ({mode})"), remedy)
        }
        Obstacle::Mode(at, mode) => {
            let found = format!("the service's user `{name}` may not enter `{}` ({mode})", at.display());
            Finding::fail(CHECK, found, format!("`chmod o+x {}`, or keep it elsewhere", at.display()))
        }
    }
    .of(path.display())
}
