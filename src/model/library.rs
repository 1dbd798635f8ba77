//! A loaded shared library as a file: which one it is, and what version of ONNX Runtime.
//!
//! Owns the looking at files; refuses to load anything. Nothing here fails: what can't be found out is not told.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The file that was loaded as `asked`, which the loader may have searched for. None where the system doesn't tell.
pub(super) fn loaded(asked: &Path) -> Option<PathBuf> {
    if asked.is_absolute() {
        return None;
    }
    mapped(&fs::read_to_string("/proc/self/maps").ok()?)
}

/// Of a process's memory map, the file that is an ONNX Runtime.
fn mapped(maps: &str) -> Option<PathBuf> {
    let mut files = maps.lines().filter_map(|line| line.find('/').map(|at| Path::new(&line[at..])));
    let is_onnxruntime = |file: &&Path| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        name == "libonnxruntime.so" || name.starts_with("libonnxruntime.so.")
    };
    files.find(is_onnxruntime).map(Path::to_owned)
}

/// ONNX Runtime's linker script gives all that it exports this version: `VERS_1.31.1`.
const MARK: &[u8] = b"VERS_";

/// The names of an ELF file's symbols, and with them the mark, stand near its beginning.
const NEAR: u64 = 8 << 20;

/// The version of the ONNX Runtime in `file`: ort checks it, but doesn't hand it out.
pub(super) fn version(file: &Path) -> Option<String> {
    let mut beginning = Vec::new();
    File::open(file).ok()?.take(NEAR).read_to_end(&mut beginning).ok()?;
    marked(&beginning)
}

fn marked(bytes: &[u8]) -> Option<String> {
    let finder = bytes.windows(MARK.len()).enumerate().filter(|(_, window)| *window == MARK);
    let word = |at: usize| bytes[at + MARK.len()..].iter().take_while(|b| b.is_ascii_digit() || **b == b'.');
    let words = finder.map(|(at, _)| word(at).map(|b| char::from(*b)).collect::<String>());
    words.into_iter().find(|word| word.matches('.').count() == 2 && !word.starts_with('.') && !word.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_stands_among_the_symbols() {
        assert_eq!(marked(b"\0VERS_\0OrtGetApiBase\0VERS_1.\0VERS_1.31.1\0libdl.so"), Some("1.31.1".to_owned()));
        assert_eq!(marked(b"\0GLIBC_2.2.5\0VERS_"), None);
    }

    #[test]
    fn the_loaded_file_is_found() {
        let maps = "7f00-7f01 r-xp 00000000 fe:00 1234   /usr/lib/libc.so.6\n\
                    7f02-7f03 r--p 00000000 fe:00 1235   /opt/my models/libonnxruntime.so.1.22.1\n\
                    7f04-7f05 rw-p 00000000 00:00 0      [heap]\n";
        assert_eq!(mapped(maps), Some(PathBuf::from("/opt/my models/libonnxruntime.so.1.22.1")));
        assert_eq!(mapped("7f00-7f01 r-xp 0 fe:00 1   /usr/lib/libonnxruntime_providers_shared.so\n"), None);
    }
}
