//! Which version of the schema a journal has, found out without SQLite: that makes a log and its index where there is none,
//! and a journal of a newer release is to be left as it is, to the byte.
//!
//! Owns the two places where SQLite keeps the version: the database's header, and its first page in the log, whose format is
//! SQLite's promise (fileformat2). Refuses to say what is damaged: who opens it finds out. Runs on the thread that opens.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::database::FILE;

/// What a database begins with.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// Where `user_version` is on the first page, big-endian.
const PLACE: usize = 60;

/// Bytes of the log's header, and of that before each page.
const LOG_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// The last bit says in which order the words of checksums are read.
const LOG_MAGIC: u32 = 0x377f_0682;

/// The version of the journal in `dir`, as its log has it. None: there is no journal, or none that SQLite made.
pub(super) fn of(dir: &Path) -> Option<i64> {
    let mut header = [0; 100];
    File::open(dir.join(FILE)).and_then(|mut file| file.read_exact(&mut header)).ok()?;
    if !header.starts_with(MAGIC) {
        return None;
    }
    let in_log = File::open(dir.join(format!("{FILE}-wal"))).ok().and_then(|log| in_log(BufReader::new(log)));
    Some(in_log.unwrap_or_else(|| signed(&header)))
}

/// The version on the newest committed first page of a log; None: it holds none, or ends before.
fn in_log(mut log: impl Read) -> Option<i64> {
    let mut header = [0; LOG_HEADER];
    log.read_exact(&mut header).ok()?;
    let big_endian = word(&header, 0) == LOG_MAGIC + 1;
    let page_size = word(&header, 8) as usize;
    if word(&header, 0) & !1 != LOG_MAGIC || !(512..=65_536).contains(&page_size) {
        return None;
    }
    let mut sum = Checksum { big_endian, sums: (0, 0) };
    if !sum.add(&header[..24]).is(word(&header, 24), word(&header, 28)) {
        return None;
    }
    let (mut page, mut committed, mut pending) = (vec![0; page_size], None, None);
    while let Some(frame) = frame(&mut log, &mut page).ok().filter(|frame| frame[8..16] == header[16..24]) {
        if !sum.add(&frame[..8]).add(&page).is(word(&frame, 16), word(&frame, 20)) {
            break;
        }
        if word(&frame, 0) == 1 {
            pending = Some(signed(&page));
        }
        // Only the last page of a transaction says how large the database is then.
        if word(&frame, 4) != 0 {
            committed = pending;
        }
    }
    committed
}

/// The header of the next page, which is read into `page`.
fn frame(log: &mut impl Read, page: &mut [u8]) -> io::Result<[u8; FRAME_HEADER]> {
    let mut header = [0; FRAME_HEADER];
    log.read_exact(&mut header)?;
    log.read_exact(page)?;
    Ok(header)
}

/// SQLite's, over all that came so far.
struct Checksum {
    big_endian: bool,
    sums: (u32, u32),
}

impl Checksum {
    fn add(&mut self, bytes: &[u8]) -> &mut Checksum {
        let (words, _) = bytes.as_chunks::<4>();
        let read = if self.big_endian { u32::from_be_bytes } else { u32::from_le_bytes };
        for pair in words.as_chunks::<2>().0 {
            self.sums.0 = self.sums.0.wrapping_add(read(pair[0])).wrapping_add(self.sums.1);
            self.sums.1 = self.sums.1.wrapping_add(read(pair[1])).wrapping_add(self.sums.0);
        }
        self
    }

    fn is(&self, first: u32, second: u32) -> bool {
        self.sums == (first, second)
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |four| u32::from_be_bytes(*four))
}

fn signed(page: &[u8]) -> i64 {
    i64::from(word(page, PLACE).cast_signed())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rusqlite::Connection;

    use super::*;
    use crate::journal::database::{VERSION, connect, open_for_writing};

    /// What SQLite itself says of these files, on a copy.
    fn oracle(database: &[u8], log: &[u8]) -> i64 {
        let dir = files(database, log);
        let connection = Connection::open(dir.path().join(FILE)).unwrap();
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    }

    fn files(database: &[u8], log: &[u8]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), database).unwrap();
        fs::write(dir.path().join(format!("{FILE}-wal")), log).unwrap();
        dir
    }

    #[test]
    fn it_is_what_sqlite_says_however_much_of_the_log_is_there() {
        let dir = tempfile::tempdir().unwrap();
        drop(open_for_writing(dir.path()).unwrap());
        assert_eq!(of(dir.path()), Some(VERSION));
        // Stays open for as long as the log is to be there.
        let connection = connect(dir.path()).unwrap();
        connection.execute_batch("PRAGMA user_version = 41; CREATE TABLE more (x)").unwrap();
        connection.execute_batch("BEGIN; PRAGMA user_version = 42; INSERT INTO more VALUES (1); COMMIT").unwrap();
        let read = |suffix: &str| fs::read(dir.path().join(format!("{FILE}{suffix}"))).unwrap();
        let (database, log) = (read(""), read("-wal"));
        let mut seen = Vec::new();
        for length in (0..=log.len()).step_by(103).chain([log.len()]) {
            let copy = files(&database, &log[..length]);
            let said = of(copy.path()).unwrap();
            assert_eq!(said, oracle(&database, &log[..length]), "the first {length} bytes of the log");
            seen.push(said);
        }
        seen.dedup();
        assert_eq!(seen, [VERSION, 41, 42]);
        for at in (0..log.len()).step_by(499) {
            let mut damaged = log.clone();
            damaged[at] ^= 0x10;
            assert_eq!(of(files(&database, &damaged).path()).unwrap(), oracle(&database, &damaged), "byte {at}");
        }
    }

    #[test]
    fn what_sqlite_did_not_make_has_none() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(of(dir.path()), None);
        fs::write(dir.path().join(FILE), [7; 4096]).unwrap();
        assert_eq!(of(dir.path()), None);
    }
}
