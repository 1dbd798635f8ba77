//! Vectors of descriptions on disk, so that a text model need not be loaded for words that it has read before.
//!
//! Owns the files `<cache>/text-vectors/<model>/<prompt>`: little-endian f32, then the SHA-256 of those bytes. A cache: what
//! is missing, short or wrong is made again, and what can't be written is made again the next time. Runs on the thread of
//! whoever asks.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The vectors of one text model.
#[derive(Debug)]
pub(super) struct Store {
    folder: PathBuf,
}

/// So many vectors of one model are kept; a site has a few.
const MOST: usize = 1000;
const DIGEST: usize = 32;

impl Store {
    /// Below `cache`, for the model that `identity` tells from all others: everything that a vector depends on.
    pub(super) fn new(cache: &Path, identity: &[&str]) -> Store {
        let key = hex::encode(Sha256::digest(identity.join("\n")));
        Store { folder: cache.join("text-vectors").join(key) }
    }

    /// The vector of `prompt`, if a whole one of `width` numbers is there.
    pub(super) fn read(&self, prompt: &str, width: usize) -> Option<Vec<f32>> {
        let bytes = fs::read(self.file(prompt)).ok()?;
        let (numbers, digest) = bytes.split_at_checked(width * size_of::<f32>())?;
        if Sha256::digest(numbers).as_slice() != digest {
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
        let digest = Sha256::digest(&bytes);
        bytes.extend(digest.as_slice());
        fs::create_dir_all(&self.folder)?;
        if fs::read_dir(&self.folder)?.count() >= MOST {
            return Err(io::Error::other("there are too many already"));
        }
        // No flush: after a power cut a file may be empty, which its digest tells.
        let (file, new) = (self.file(prompt), self.folder.join("new"));
        fs::write(&new, &bytes)?;
        fs::rename(new, file)
    }

    fn file(&self, prompt: &str) -> PathBuf {
        self.folder.join(hex::encode(Sha256::digest(prompt)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_comes_back_only_whole_and_to_its_own_model() {
        let cache = tempfile::tempdir().unwrap();
        let store = Store::new(cache.path(), &["text", "tokenizer"]);
        assert_eq!(store.read("a cat", 2), None);
        store.save("a cat", &[0.5, -0.5]);
        assert_eq!(store.read("a cat", 2), Some(vec![0.5, -0.5]));
        assert_eq!(store.read("a cat", 1), None, "another width");
        assert_eq!(store.read("a cat", usize::MAX / 4), None);
        assert_eq!(store.read("a dog", 2), None);
        assert_eq!(Store::new(cache.path(), &["text", "another"]).read("a cat", 2), None);
        assert!(!store.folder.join("new").exists());
    }

    #[test]
    fn what_is_damaged_is_made_again() {
        let cache = tempfile::tempdir().unwrap();
        let store = Store::new(cache.path(), &["m"]);
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
