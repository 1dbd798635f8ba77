//! Downloads of models: from a name to a whole, verified folder, or to none.
//!
//! Owns the order of a download: what is fetched from where, what it is checked against, and the one rename that makes it a
//! model. A download that was cut, changed on the way or killed never becomes one: until everything is verified it is a
//! hidden folder that no search finds, and the next attempt goes on from there. Refuses to know HTTP (`transport`), the
//! catalogue's grammar and the terminal. Runs on the thread that calls it.

mod file;
mod place;
mod problem;
mod recipe;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use url::Url;

use crate::catalogue::{Lock, Locked, Precision};
use crate::egress::Egress;
use crate::model::Manifest;
use crate::name::Name;
use crate::transport::Fetcher;

pub use place::{FileState, replace, state_of};
pub use problem::PullError;

use file::Download;
use place::Place;
use recipe::{Content, Recipe, Wanted};

/// What is to be downloaded.
#[derive(Clone, Debug)]
pub struct Order {
    /// Of the catalogue, or of a folder in `models` whose manifest says where its files are.
    pub name: Name,
    /// Where model folders are; it gets one more.
    pub models: PathBuf,
    /// In place of the hub, or of a web source.
    pub base_url: Option<Url>,
    /// In place of the recommended one.
    pub precision: Option<Precision>,
    /// Whether to take what the source has now, whatever the lock file says.
    pub update: bool,
}

/// What is going on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// A file begins, or goes on.
    Begins {
        /// In the folder.
        path: &'a str,
        /// In bytes, if that was said.
        size: Option<u64>,
        /// So many bytes are here from before.
        have: u64,
    },
    /// So many bytes of it are here.
    Has(u64),
    /// The connection broke; it is taken up again.
    Again {
        /// What happened.
        why: String,
    },
    /// It is here as it should be.
    Done {
        /// In the folder.
        path: &'a str,
        /// In bytes.
        size: u64,
        /// What it was checked against.
        checked: Checked,
    },
}

/// What says that a file is the right one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// The SHA-256 in the manifest or in the catalogue.
    Known,
    /// The SHA-256 in `models.lock`.
    Locked,
    /// The SHA-256 that the source announced.
    Announced,
    /// Nothing: its hash is kept from now on.
    FirstUse,
}

/// How a download ended well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pulled {
    /// Everything was there already.
    AlreadyThere(PathBuf),
    /// It is a model now.
    New(PathBuf),
    /// What was missing in its folder is there now.
    Completed(PathBuf),
}

/// Downloads a model; `tell` hears of every step.
///
/// # Errors
/// No model has come about; what was downloaded so far is kept for the next attempt, unless it was wrong.
pub fn run(order: &Order, egress: &Arc<Egress>, tell: &mut dyn FnMut(Step<'_>)) -> Result<Pulled, PullError> {
    let folder = order.models.join(order.name.as_str());
    // Before anything is made: a wrong name leaves no trace, and what is there already may be on a disk that can't be written.
    if find(order, &folder)?.is_none() {
        return Ok(Pulled::AlreadyThere(folder));
    }
    let mut place = Place::open(&order.models, &order.name)?;
    // And again: whoever had the place until now may have made the model.
    let (lock, recipe) = match find(order, &folder) {
        Ok(Some(found)) => found,
        ended => {
            place.leave();
            return ended.map(|_| Pulled::AlreadyThere(folder));
        }
    };
    let fetched = match fetch(order, &recipe, &lock, &mut place, egress, tell) {
        Ok(fetched) => fetched,
        Err(error) => {
            place.leave();
            return Err(error);
        }
    };
    let source = recipe.source().at(fetched.revision.as_deref().unwrap_or(recipe.source().revision()));
    let hashes: Vec<String> = fetched.files.iter().map(|file| file.sha256.clone()).collect();
    let text = recipe.manifest(&source, &hashes);
    Manifest::parse(&text).map_err(|error| PullError::Manifest { name: order.name.clone(), error })?;
    // The lock first: a kill between the two leaves a lock that the next attempt meets, never a model without one.
    let downloaded: Vec<Locked> = fetched.files.into_iter().filter(|file| !file.url.is_empty()).collect();
    if !downloaded.is_empty() {
        place::take_into_lock(&order.models, downloaded)?;
    }
    match &recipe {
        Recipe::Catalogue { .. } => place.become_model(&text, &folder).map(|()| Pulled::New(folder)),
        Recipe::Folder { missing, .. } => {
            let paths: Vec<&Path> = missing.iter().map(|file| Path::new(&file.path)).collect();
            place.move_into(&paths, &folder).map(|()| Pulled::Completed(folder))
        }
    }
}

/// What is to be done, and what is known from earlier; None: nothing.
fn find(order: &Order, folder: &Path) -> Result<Option<(Lock, Recipe)>, PullError> {
    let lock = place::read_lock(&order.models)?;
    let revision = lock.revision(&order.name).filter(|_| !order.update);
    let recipe = Recipe::find(order, folder, revision)?;
    Ok(recipe.map(|recipe| (lock, recipe)))
}

/// The files of a download, all of them here and verified.
struct Fetched {
    /// In the recipe's order; those that came with this program have no URL.
    files: Vec<Locked>,
    /// Of the hub's repository.
    revision: Option<String>,
}

fn fetch(
    order: &Order,
    recipe: &Recipe,
    lock: &Lock,
    place: &mut Place,
    egress: &Arc<Egress>,
    tell: &mut dyn FnMut(Step<'_>),
) -> Result<Fetched, PullError> {
    let fetcher = Fetcher::new(Arc::clone(egress)).map_err(|error| PullError::Client(error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| PullError::Client(error.to_string()))?;
    let fetched = runtime.block_on(fetch_all(order, recipe, lock, place, &fetcher, tell));
    // Not the destructor: that one waits for name lookups that hang.
    runtime.shutdown_background();
    fetched
}

async fn fetch_all(
    order: &Order,
    recipe: &Recipe,
    lock: &Lock,
    place: &mut Place,
    fetcher: &Fetcher,
    tell: &mut dyn FnMut(Step<'_>),
) -> Result<Fetched, PullError> {
    let (mut files, mut revision): (Vec<Locked>, Option<String>) = (Vec::new(), None);
    for Wanted { path, sha256, content } in recipe.files() {
        // All files of one commit: a branch may move while we download.
        let source = recipe.source().at(revision.as_deref().unwrap_or(recipe.source().revision()));
        let (size, sha256, url) = match content {
            Content::Text(text) => {
                let (size, sha256) = place.put(&path, text)?;
                (size, sha256, String::new())
            }
            Content::At => {
                let url = source.url(order.base_url.as_ref(), &path).ok_or_else(|| PullError::NoUrl(path.clone()))?;
                // Whoever wrote a hash down since then knows better than what came once.
                let remembers = sha256.is_none() && !order.update;
                let locked = lock.find(&order.name, &path).filter(|_| remembers).map(|file| file.sha256.clone());
                let (path, known_from) = (path.as_str(), recipe.known_from());
                let download = Download { fetcher, url: &url, path, expected: sha256, known_from, locked };
                let got = download.run(place, tell).await?;
                revision = revision.or(got.revision);
                (got.size, got.sha256, url.to_string())
            }
        };
        let revision = revision.clone().unwrap_or_default();
        files.push(Locked { model: order.name.clone(), path, url, revision, size, sha256 });
    }
    Ok(Fetched { files, revision })
}
