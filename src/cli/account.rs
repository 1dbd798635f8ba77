//! The user that the service runs as, and what that user may do with a file.
//!
//! Owns the reading of `/etc/passwd`, `/etc/group` and mode bits (access lists are not seen); refuses to become that user.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::settings;

/// As the package calls it.
pub(super) const SERVICE: &str = "stakeout";

/// A user of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Those that list the user as a member.
    groups: Vec<u32>,
}

/// What is to be done with a file; the bit of the mode, for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    Enter = 1,
    Write = 2,
    Read = 4,
}

impl Account {
    /// Whom the daemon runs as that reads `config`: the package's user if it is the service's; else the owner of its state,
    /// or whoever we are.
    pub(super) fn of_service(config: &Path, state: &Path) -> Account {
        if let (true, Some(service)) = (config == Path::new(settings::DEFAULT), Account::named(SERVICE)) {
            return service;
        }
        let owner = fs::metadata(state).ok().map(|folder| Account::of(folder.uid(), folder.gid()));
        owner.unwrap_or_else(Account::own)
    }

    /// Who runs this command.
    pub(super) fn own() -> Account {
        Account::of(rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
    }

    /// By name, if there is one.
    pub(super) fn named(name: &str) -> Option<Account> {
        let users = fs::read_to_string("/etc/passwd").ok()?;
        let (name, uid, gid) = users.lines().filter_map(user).find(|(found, ..)| *found == name)?;
        Some(Account { name: name.to_owned(), uid, gid, groups: groups(name) })
    }

    fn of(uid: u32, gid: u32) -> Account {
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        match users.lines().filter_map(user).find(|(_, found, _)| *found == uid) {
            Some((name, uid, gid)) => Account { name: name.to_owned(), uid, gid, groups: groups(name) },
            None => Account { name: format!("user {uid}"), uid, gid, groups: Vec::new() },
        }
    }

    pub(super) fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// Whether it may do so with `path`, by the modes of the file and of all folders on the way. The error: what is in the way.
    pub(super) fn may(&self, path: &Path, wants: &[Want]) -> Result<(), Obstacle> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let folders: Vec<&Path> = path.ancestors().skip(1).collect();
        for folder in folders.into_iter().rev() {
            self.passes(folder, &[Want::Enter])?;
        }
        self.passes(&path, wants)
    }

    fn passes(&self, path: &Path, wants: &[Want]) -> Result<(), Obstacle> {
        let file = fs::metadata(path).map_err(|error| Obstacle::Unknown(path.to_owned(), error))?;
        let shift = match () {
            () if self.uid == file.uid() => 6,
            () if self.gid == file.gid() || self.groups.contains(&file.gid()) => 3,
            () => 0,
        };
        let allowed = |want: &Want| self.uid == 0 || file.mode() >> shift & *want as u32 != 0;
        if wants.iter().all(allowed) { Ok(()) } else { Err(Obstacle::Mode(path.to_owned(), described(&file))) }
    }
}

/// What keeps an account from a file.
#[derive(Debug)]
pub(super) enum Obstacle {
    /// It can't be looked at: it isn't there, or we may not.
    Unknown(PathBuf, io::Error),
    /// Its mode, or that of a folder on the way: which, and its mode and owner.
    Mode(PathBuf, String),
}

/// `mode 600, root:root`
pub(super) fn described(file: &fs::Metadata) -> String {
    let owner = Account::of(file.uid(), file.gid()).name;
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let group = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, id) = (fields.next()?, fields.nth(1)?.parse::<u32>().ok()?);
        (id == file.gid()).then(|| name.to_owned())
    });
    let group = group.unwrap_or_else(|| file.gid().to_string());
    format!("mode {:o}, {owner}:{group}", file.mode() & 0o7777)
}

/// A line of `/etc/passwd`: name, user id, group id.
fn user(line: &str) -> Option<(&str, u32, u32)> {
    let mut fields = line.split(':');
    Some((fields.next()?, fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?))
}

fn groups(name: &str) -> Vec<u32> {
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let member = |line: &str| {
        let mut fields = line.split(':');
        let (id, members) = (fields.nth(2)?.parse().ok()?, fields.next()?);
        members.split(',').any(|member| member == name).then_some(id)
    };
    groups.lines().filter_map(member).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn account(uid: u32, gid: u32) -> Account {
        Account { name: "somebody".to_owned(), uid, gid, groups: vec![7] }
    }

    #[test]
    fn modes_say_who_may_do_what() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let file = dir.path().join("f");
        fs::write(&file, "").unwrap();
        let (uid, gid) = {
            let file = fs::metadata(&file).unwrap();
            (file.uid(), file.gid())
        };
        let may = |who: &Account, mode, wants: &[Want]| {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            who.passes(&file, wants).is_ok()
        };
        let (other, same_group) = (account(uid + 1, gid + 1), account(uid + 1, gid));
        assert!(!may(&other, 0o600, &[Want::Read]) && may(&other, 0o604, &[Want::Read]));
        assert!(!may(&same_group, 0o604, &[Want::Read]), "the group's bits count, not the others'");
        assert!(may(&same_group, 0o640, &[Want::Read]) && !may(&same_group, 0o640, &[Want::Read, Want::Write]));
        assert!(may(&account(0, 0), 0o000, &[Want::Read, Want::Write]), "root may all");
    }

    #[test]
    fn a_folder_on_the_way_is_in_the_way() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let stranger = account(fs::metadata(&file).unwrap().uid() + 1, 64_000);
        let Err(Obstacle::Mode(at, _)) = stranger.may(&file, &[Want::Read]) else { panic!("it may") };
        assert_eq!(at, dir.path());
        let absent = stranger.may(Path::new("/no-such-file"), &[Want::Read]);
        assert!(matches!(absent, Err(Obstacle::Unknown(..))));
    }

    #[test]
    fn users_are_known_by_name() {
        assert_eq!(Account::named("root").map(|root| (root.uid, root.gid)), Some((0, 0)));
        assert_eq!(Account::named("nobody-of-that-name"), None);
        assert_eq!(user("daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin"), Some(("daemon", 1, 1)));
    }
}
