//! Python with a package of PyPI: installed by the first test that needs it, and kept.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shared::skip;

/// An interpreter that can import `module` out of `package` (`name==version`). None where it can't be had, and then the test
/// is skipped; in CI that is a failure.
pub fn with(package: &str, module: &str) -> Option<PathBuf> {
    let setup = Path::new(env!("CARGO_MANIFEST_DIR")).join(".setup");
    fs::create_dir_all(&setup).unwrap();
    let venv = setup.join(format!("venv-{module}"));
    // Tests are processes, and more than one may be the first.
    let lock = File::create(setup.join(format!("venv-{module}.lock"))).unwrap();
    lock.lock().unwrap();
    let python = venv.join("bin/python");
    let works = || {
        let tried = Command::new(&python).args(["-c", &format!("import {module}")]).output();
        tried.is_ok_and(|output| output.status.success())
    };
    if !works() {
        let _ = Command::new("python3").args(["-m", "venv"]).arg(&venv).output();
        let installed = Command::new(&python).args(["-m", "pip", "install", "--quiet", package]).output();
        if !works() {
            skip(&format!("no Python with pip to install `{package}`: {installed:?}"));
            return None;
        }
    }
    Some(python)
}
