//! What the tests share with nobody else: the real clips and models beside the repository, and ONNX Runtime. And what
//! becomes of a test that lacks them: it is skipped, with a line that says so, but in CI it fails.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use stakeout::model::Runtime;

/// A file of the shared test data (`STAKEOUT_SHARED`, otherwise `../shared`); None where it is absent, and then the test is skipped.
pub fn shared(path: &str) -> Option<PathBuf> {
    present(place(path))
}

/// The same for what a test can do without.
pub fn shared_if_there(path: &str) -> Option<PathBuf> {
    Some(place(path)).filter(|file| file.exists())
}

/// ONNX Runtime (`ORT_LIB`, otherwise what scripts/setup fetched).
pub fn runtime() -> Option<&'static Runtime> {
    let fetched = || Path::new(env!("CARGO_MANIFEST_DIR")).join(".setup/lib/libonnxruntime.so");
    let library = present(std::env::var_os("ORT_LIB").map_or_else(fetched, PathBuf::from))?;
    Some(Runtime::load(Some(&library)).expect("the library is there, so it loads"))
}

/// Says that this test is skipped: on stderr, and in the file that scripts/test counts (`STAKEOUT_SKIP_LOG`). Fails in CI.
#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
pub fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "no test is skipped in CI: {why}");
    eprintln!("skipped: {why}");
    let Some(log) = std::env::var_os("STAKEOUT_SKIP_LOG") else { return };
    let mut log = std::fs::OpenOptions::new().create(true).append(true).open(log).expect("the log can be written");
    let thread = std::thread::current();
    writeln!(log, "{}: {why}", thread.name().unwrap_or("a test")).expect("the log can be written");
}

fn place(path: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = std::env::var_os("STAKEOUT_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from);
    shared.join("data").join(path)
}

fn present(file: PathBuf) -> Option<PathBuf> {
    if file.exists() {
        return Some(file);
    }
    skip(&format!("`{}` is not here", file.display()));
    None
}
