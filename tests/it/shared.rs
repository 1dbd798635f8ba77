//! What the tests share with nobody else: the real clips and models beside the repository, and ONNX Runtime.

use std::path::{Path, PathBuf};

use stakeout::model::Runtime;

/// A file of the shared test data (`STAKEOUT_SHARED`, otherwise `../shared`); None, with a line that says so, where it is absent.
pub fn shared(path: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = std::env::var_os("STAKEOUT_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from);
    let file = shared.join("data").join(path);
    present(file)
}

/// ONNX Runtime (`ORT_LIB`, otherwise what scripts/setup fetched).
pub fn runtime() -> Option<&'static Runtime> {
    let fetched = || Path::new(env!("CARGO_MANIFEST_DIR")).join(".setup/lib/libonnxruntime.so");
    let library = present(std::env::var_os("ORT_LIB").map_or_else(fetched, PathBuf::from))?;
    Some(Runtime::load(Some(&library)).expect("the library is there, so it loads"))
}

#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
fn present(file: PathBuf) -> Option<PathBuf> {
    if file.exists() {
        return Some(file);
    }
    eprintln!("skipped: `{}` is not here", file.display());
    None
}
