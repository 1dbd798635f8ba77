//! One file of a download: from where an earlier attempt ended to bytes that are known to be right.
//!
//! Owns going on, trying again and checking; refuses to know what the file is for.

use std::io::Write;
use std::time::Duration;

use url::Url;

use super::place::{Note, Place, hash};
use super::{Checked, PullError, Step};
use crate::time::Boot;
use crate::transport::{Announced, Coming, FetchError, Fetcher};

/// A connection that breaks is taken up again so often in a row without a single new byte.
const ATTEMPTS: u32 = 5;
/// Before the first of them; twice as long before each further one.
const PAUSE: Duration = Duration::from_millis(500);
/// Of the disk, so much is left alone: the journal lies on the same one, and has more to lose.
pub(super) const RESERVE: u64 = 256 << 20;

/// Whether the disk has still room is looked up again after so many bytes.
const LOOK: u64 = 16 << 20;

/// A file to download.
pub(super) struct Download<'a> {
    pub fetcher: &'a Fetcher,
    pub url: &'a Url,
    /// In the model's folder.
    pub path: &'a str,
    /// The SHA-256 that is known beforehand, …
    pub expected: Option<String>,
    /// … and from where.
    pub known_from: &'static str,
    /// The one in the lock file.
    pub locked: Option<String>,
}

/// A file that is here, and right.
pub(super) struct Got {
    pub size: u64,
    pub sha256: String,
    pub revision: Option<String>,
}

impl Download<'_> {
    /// Downloads it into `place`.
    pub(super) async fn run(&self, place: &mut Place, tell: &mut dyn FnMut(Step<'_>)) -> Result<Got, PullError> {
        if let Some(got) = self.whole_before(place) {
            tell(Step::Done { path: self.path, size: got.size, checked: self.checked_by(place.note(self.path)) });
            return Ok(got);
        }
        if self.is_complete(place) {
            return self.verify(place, tell);
        }
        let (mut fruitless, mut begun) = (0, false);
        // A server that begins anew each time must get further than ever before, or it would go on for ever.
        let mut most = self.have(place);
        loop {
            match self.attempt(place, &mut begun, tell).await {
                Ok(()) => return self.verify(place, tell),
                Err(PullError::Fetch { error, path }) => {
                    let have = self.have(place);
                    fruitless = if have > most { 0 } else { fruitless + 1 };
                    most = most.max(have);
                    // A server that never answered is told at once; one that broke off is worth some patience.
                    if !begun || !error.may_pass() {
                        return Err(PullError::Fetch { error, path });
                    }
                    if fruitless >= ATTEMPTS {
                        return Err(PullError::Interrupted { path, error, have });
                    }
                    tell(Step::Again { why: error.to_string() });
                    tokio::time::sleep(PAUSE * 2_u32.pow(fruitless)).await;
                }
                // Of a file without an end, no part brings the end nearer: the next attempt would meet the full disk at once.
                Err(error @ PullError::NoSpace { .. }) if place.note(self.path).is_none_or(|it| it.size.is_none()) => {
                    place.discard(self.path)?;
                    return Err(error);
                }
                Err(other) => return Err(other),
            }
        }
    }

    fn have(&self, place: &Place) -> u64 {
        std::fs::metadata(place.part(self.path)).map_or(0, |part| part.len())
    }

    /// An earlier attempt had it whole, from the same place.
    fn whole_before(&self, place: &Place) -> Option<Got> {
        let note = place.note(self.path).filter(|note| note.url == self.url.as_str())?;
        let whole = note.whole.as_ref()?;
        let (size, sha256) = hash(&place.part(self.path)).ok()?;
        let fits = sha256 == *whole && [&self.expected, &self.locked].into_iter().flatten().all(|hash| *hash == sha256);
        fits.then(|| Got { size, sha256, revision: note.revision.clone() })
    }

    /// An earlier attempt had all of it and couldn't look at it any more; there is a hash that tells.
    fn is_complete(&self, place: &Place) -> bool {
        let note = place.note(self.path).filter(|note| note.url == self.url.as_str());
        note.is_some_and(|note| note.sha256.is_some() && note.size == Some(self.have(place)))
    }

    /// Until the answer ends.
    async fn attempt(
        &self,
        place: &mut Place,
        begun: &mut bool,
        tell: &mut dyn FnMut(Step<'_>),
    ) -> Result<(), PullError> {
        let failed = |error| PullError::Fetch { path: self.path.to_owned(), error };
        let note = place.note(self.path).filter(|note| note.url == self.url.as_str()).cloned().unwrap_or_default();
        // Without a hash that will tell, or the server's word for a part that is surely on the disk, a part is worth nothing.
        let has_hash = [&note.sha256, &self.expected, &self.locked].into_iter().any(Option::is_some);
        let resumable = has_hash || (note.validator.is_some() && note.boot == Some(Boot::current().0));
        let have = if resumable { self.have(place) } else { 0 };
        let mut coming = self.fetcher.get(self.url, have, note.validator.as_deref()).await.map_err(failed)?;
        if coming.from > 0 && is_another(&note, &coming.announced) {
            coming = self.fetcher.get(self.url, 0, None).await.map_err(failed)?;
        }
        *begun = true;
        self.take(coming, place, tell).await
    }

    async fn take(
        &self,
        mut coming: Coming,
        place: &mut Place,
        tell: &mut dyn FnMut(Step<'_>),
    ) -> Result<(), PullError> {
        let Announced { size, sha256, revision } = coming.announced.clone();
        let mut have = coming.from;
        if size.is_none() && sha256.is_none() && self.expected.is_none() && !coming.has_end {
            return Err(PullError::Unmeasured { path: self.path.to_owned() });
        }
        let file = place.append(self.path, have)?;
        let (validator, boot) = (coming.validator.clone(), Some(Boot::current().0));
        let note = Note { url: self.url.to_string(), validator, boot, size, sha256, revision, whole: None };
        place.set_note(self.path, note)?;
        self.fits(size.map_or(0, |size| size.saturating_sub(have)), place)?;
        tell(Step::Begins { path: self.path, size, have });
        let part = place.part(self.path);
        while let Some(bytes) = coming.chunk().await.map_err(|error| self.broke(error))? {
            let bytes = bytes.as_ref();
            (&file).write_all(bytes).map_err(|error| self.not_written(error, size, have, place))?;
            have += bytes.len() as u64;
            // A server that said nothing of the size must not fill the disk, and others write to it, too.
            if have % LOOK < bytes.len() as u64 {
                self.fits(1, place)?;
            }
            if let Some(size) = size.filter(|size| have > *size) {
                place.discard(self.path)?;
                return Err(PullError::TooLong { path: self.path.to_owned(), size });
            }
            tell(Step::Has(have));
        }
        if let Some(size) = size.filter(|size| have < *size) {
            let why = format!("it ended after {have} of {size} bytes");
            return Err(self.broke(FetchError::Broken { why }));
        }
        file.sync_all().map_err(PullError::disk(&part))
    }

    fn broke(&self, error: FetchError) -> PullError {
        PullError::Fetch { path: self.path.to_owned(), error }
    }

    fn fits(&self, needed: u64, place: &Place) -> Result<(), PullError> {
        match place.free() {
            Some(free) if needed.saturating_add(RESERVE) > free && needed > 0 => {
                Err(self.no_space(needed, free, place))
            }
            _ => Ok(()),
        }
    }

    fn no_space(&self, needed: u64, free: u64, place: &Place) -> PullError {
        PullError::NoSpace { path: self.path.to_owned(), needed, free, folder: place.folder().to_owned() }
    }

    fn not_written(&self, error: std::io::Error, size: Option<u64>, have: u64, place: &Place) -> PullError {
        if error.kind() != std::io::ErrorKind::StorageFull {
            return PullError::Disk { at: place.part(self.path), error };
        }
        self.no_space(size.unwrap_or(have).saturating_sub(have), place.free().unwrap_or(0), place)
    }

    /// What is verified is what is on the disk.
    fn verify(&self, place: &mut Place, tell: &mut dyn FnMut(Step<'_>)) -> Result<Got, PullError> {
        let part = place.part(self.path);
        let (size, actual) = hash(&part).map_err(PullError::disk(&part))?;
        let note = place.note(self.path).cloned().unwrap_or_default();
        let again = "try again; if that ends the same way, the server is not to be trusted";
        let changed = "if the source has changed and you trust it, `--update` takes the new file in";
        for (expected, by, advice) in [
            (&self.expected, self.known_from, again),
            (&note.sha256, "the source", again),
            (&self.locked, "models.lock", changed),
        ] {
            if let Some(expected) = expected.as_ref().filter(|expected| **expected != actual) {
                place.discard(self.path)?;
                let (path, expected) = (self.path.to_owned(), expected.clone());
                return Err(PullError::Hash { path, actual, expected, by, advice });
            }
        }
        let checked = self.checked_by(Some(&note));
        let revision = note.revision.clone();
        place.set_note(self.path, Note { whole: Some(actual.clone()), ..note })?;
        tell(Step::Done { path: self.path, size, checked });
        Ok(Got { size, sha256: actual, revision })
    }

    fn checked_by(&self, note: Option<&Note>) -> Checked {
        match (&self.expected, &self.locked, note.and_then(|note| note.sha256.as_ref())) {
            (Some(_), _, _) => Checked::Known,
            (None, Some(_), _) => Checked::Locked,
            (None, None, Some(_)) => Checked::Announced,
            (None, None, None) => Checked::FirstUse,
        }
    }
}

/// Whether what is announced now is another file than the one whose part is here.
fn is_another(note: &Note, announced: &Announced) -> bool {
    fn differ<T: PartialEq>(one: &Option<T>, other: &Option<T>) -> bool {
        matches!((one, other), (Some(one), Some(other)) if one != other)
    }
    differ(&note.sha256, &announced.sha256) || differ(&note.size, &announced.size)
}
