//! Vectors of descriptions on disk, so that a text model need not be loaded for words that it has read before.
//!
//! Owns the files `<cache>/text-vectors/<model>/<prompt>`: little-endian f32, then the SHA-256 of those bytes and
//! the prompt. A cache: what is missing, short, wrong or another prompt's is made again, and what can't be written is made again the next time. Nothing is left in
//! the state folder of another user: a command that root gives would shut the service out of its own. Runs on the thread of whoever asks.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

/// The vectors of one text model.
#[derive(Debug)]
pub(super) struct Store {
    cache: PathBuf,
    folder: PathBuf,
}

/// So many vectors of one model are kept; a site has a few.
const MOST: usize = 1000;
const DIGEST: usize = 32;

impl Store {
    /// Below `cache`, for the model that `identity` tells from all others: everything that a vector depends on.
    pub(super) fn new(cache: &Path, identity: &[&str]) -> Store {
        let key = hex::encode(Sha256::digest(identity.join("\n")));
        Store { cache: cache.to_owned(), folder: cache.join("text-vectors").join(key) }
    }

    /// The vector of `prompt`, if a whole one of `width` numbers is there.
    pub(super) fn read(&self, prompt: &str, width: usize) -> Option<Vec<f32>> {
        let bytes = fs::read(self.file(prompt)).ok()?;
        let (numbers, digest) = bytes.split_at_checked(width * size_of::<f32>())?;
        if sum(numbers, prompt) != digest {
            return None;
        }
        let vector: Vec<f32> = numbers.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        vector.iter().all(|number| number.is_finite()).then_some(vector)
    }

    /// Keeps the vector of `prompt`. A failure costs only time: the vector is made again after the next start.
    pub(super) fn save(&self, prompt: &str, vector: &[f32]) {
        if let Err(error) = self.write(prompt, vector) {
            tracing::debug!(folder = %self.folder.display(), %error, "the vector of a description isn't kept");
        }
    }

    fn write(&self, prompt: &str, vector: &[f32]) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(size_of_val(vector) + DIGEST);
        vector.iter().for_each(|number| bytes.extend(number.to_le_bytes()));
        let sum = sum(&bytes, prompt);
        bytes.extend(sum);
        if !is_ours(&self.cache)? {
            return Err(io::Error::other("the state folder is another user's"));
        }
        fs::create_dir_all(&self.folder)?;
        if fs::read_dir(&self.folder)?.count() >= MOST {
            return Err(io::Error::other("there are too many already"));
        }
        // No flush: after a power cut a file may be empty, which its digest tells.
        let new = self.folder.join(fresh());
        let kept = fs::write(&new, &bytes).and_then(|()| fs::rename(&new, self.file(prompt)));
        kept.inspect_err(|_| drop(fs::remove_file(&new)))
    }

    fn file(&self, prompt: &str) -> PathBuf {
        self.folder.join(hex::encode(Sha256::digest(prompt)))
    }
}

/// Whether the state folder, in which `cache` lies, is there and belongs to whoever we are.
fn is_ours(cache: &Path) -> io::Result<bool> {
    let state = cache.parent().unwrap_or(cache);
    Ok(fs::metadata(state)?.uid() == rustix::process::geteuid().as_raw())
}

/// Of a vector's bytes and what it is the vector of: the width is fixed, so that one can't pass for a part of the other.
fn sum(numbers: &[u8], prompt: &str) -> [u8; DIGEST] {
    Sha256::new().chain_update(numbers).chain_update(prompt).finalize().into()
}

/// A name that nobody else writes to: `check` and the daemon, or two models of one text half, may save at the same time.
fn fresh() -> String {
    static SAVED: AtomicU64 = AtomicU64::new(0);
    format!("new-{}-{}", std::process::id(), SAVED.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_comes_back_only_whole_and_to_its_own_model() {
        let state = tempfile::tempdir().unwrap();
        let cache = state.path().join("cache");
        let store = Store::new(&cache, &["text", "tokenizer"]);
        assert_eq!(store.read("a cat", 2), None);
        store.save("a cat", &[0.5, -0.5]);
        assert_eq!(store.read("a cat", 2), Some(vec![0.5, -0.5]));
        assert_eq!(store.read("a cat", 1), None, "another width");
        assert_eq!(store.read("a cat", usize::MAX / 4), None);
        assert_eq!(store.read("a dog", 2), None);
        assert_eq!(Store::new(&cache, &["text", "another"]).read("a cat", 2), None);
        assert_eq!(store.folder.read_dir().unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn nothing_is_left_in_another_users_folder_nor_one_made() {
        let state = tempfile::tempdir().unwrap();
        Store::new(&state.path().join("missing/cache"), &["m"]).save("a cat", &[0.5, -0.5]);
        if std::os::unix::fs::chown(state.path(), Some(64_991), None).is_ok() {
            Store::new(&state.path().join("cache"), &["m"]).save("a cat", &[0.5, -0.5]);
        }
        assert_eq!(state.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn a_vector_under_another_prompts_name_is_not_believed() {
        let state = tempfile::tempdir().unwrap();
        let cache = state.path().join("cache");
        let store = Store::new(&cache, &["m"]);
        store.save("a cat", &[0.5, -0.5]);
        fs::copy(store.file("a cat"), store.file("a dog")).unwrap();
        assert_eq!(store.read("a dog", 2), None);
        assert!(store.read("a cat", 2).is_some());
    }

    #[test]
    fn several_that_save_at_once_keep_what_is_theirs() {
        let state = tempfile::tempdir().unwrap();
        let cache = state.path().join("cache");
        let store = Store::new(&cache, &["m"]);
        std::thread::scope(|scope| {
            for writer in 0..4_u8 {
                let store = &store;
                scope.spawn(move || {
                    (0..20).for_each(|nth| store.save(&format!("{writer} {nth}"), &[f32::from(writer); 64]));
                });
            }
        });
        for writer in 0..4_u8 {
            for nth in 0..20 {
                assert_eq!(store.read(&format!("{writer} {nth}"), 64), Some(vec![f32::from(writer); 64]));
            }
        }
    }

    #[test]
    fn what_is_damaged_is_made_again() {
        let state = tempfile::tempdir().unwrap();
        let cache = state.path().join("cache");
        let store = Store::new(&cache, &["m"]);
        store.save("a cat", &[0.5, -0.5]);
        let file = store.file("a cat");
        let whole = fs::read(&file).unwrap();
        for length in 0..whole.len() {
            fs::write(&file, &whole[..length]).unwrap();
            assert_eq!(store.read("a cat", 2), None, "{length} bytes");
        }
        for index in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[index] ^= 1;
            fs::write(&file, flipped).unwrap();
            assert_eq!(store.read("a cat", 2), None, "byte {index}");
        }
        store.save("a cat", &[f32::NAN, 0.5]);
        assert_eq!(store.read("a cat", 2), None, "no numbers");
        store.save("a cat", &[0.5, -0.5]);
        assert!(store.read("a cat", 2).is_some());
    }

    #[test]
    fn where_nothing_can_be_written_nothing_fails() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let store = Store::new(file.path(), &["m"]);
        store.save("a cat", &[0.5]);
        assert_eq!(store.read("a cat", 1), None);
    }
}
