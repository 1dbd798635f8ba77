//! Others on the same state directory: a second daemon, and a reader that never ends.

use std::process::Command;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::appliance::Appliance;
use crate::receiver::{Answer, Receiver};

/// A box that has something to say ten times a second, whatever it sees.
fn chatty(receiver: &Receiver) -> Appliance {
    Appliance::new(&format!(
        "[[camera]]\nname = \"yard\"\nurl = \"file://{}/tests/data/yard.mp4\"\nloop = true\n\
         [[monitor]]\nname = \"anything\"\ncamera = \"yard\"\ncondition = \"Is there anything?\"\n\
         model = \"yard-classifier\"\nlabels = [\"person\"]\nconfidence_threshold = 0.0001\nclear_threshold = 0.0\n\
         check_interval = \"50ms\"\ncooldown = \"0ms\"\n\
         [[endpoint]]\nname = \"ops\"\nurl = \"{}\"\nsecret_file = \"HERE/ops.secret\"\n",
        env!("CARGO_MANIFEST_DIR"),
        receiver.url(),
    ))
}

#[test]
fn a_second_daemon_says_so_and_ends_and_the_first_goes_on() {
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let mut appliance = chatty(&receiver);
    appliance.start();
    // Its own socket: only the state directory is shared.
    let config = std::fs::read_to_string(appliance.config()).unwrap().replace("stakeout.sock", "second.sock");
    let second = appliance.folder.path().join("second.toml");
    std::fs::write(&second, config).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_stakeout")).args(["run", "--config"]).arg(second).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    let state = appliance.folder.path().join("state");
    let expected = format!(
        "error: the journal in `{}` is in use: another stakeout daemon runs; stop it (`systemctl stop stakeout`) or give \
         this one a `[storage] path` of its own",
        state.display()
    );
    assert_eq!((output.status.code(), told.trim_end()), (Some(1), expected.as_str()));
    let before = receiver.arrived().len();
    receiver.wait_for(before + 5);
    appliance.stop();
}

#[test]
fn a_reader_that_holds_the_log_back_loses_nothing_and_the_log_shrinks_when_it_goes() {
    /// `journal_size_limit`.
    const LIMIT: u64 = 1 << 20;
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let mut appliance = chatty(&receiver);
    appliance.start();
    receiver.wait_for(1);
    let state = appliance.folder.path().join("state");
    let log = || std::fs::metadata(state.join("journal.db-wal")).unwrap().len();
    let reader = Connection::open_with_flags(state.join("journal.db"), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    reader.busy_timeout(Duration::from_secs(60)).unwrap();
    let count = |reader: &Connection| -> usize {
        reader.query_row("SELECT count(*) FROM event", [], |row| row.get::<_, i64>(0)).unwrap() as usize
    };
    reader.execute_batch("BEGIN").unwrap();
    let seen = count(&reader);
    appliance.until("a log beyond its limit", |_| (log() > 2 * LIMIT).then_some(()));
    assert_eq!(count(&reader), seen, "one state for as long as it reads");
    let listed = appliance.events().len();
    assert!(listed > seen);
    drop(reader);
    appliance.until("a log within its limit", |_| (log() <= LIMIT).then_some(()));
    appliance.until("what was accepted meanwhile", |_| (receiver.arrived().len() >= listed).then_some(()));
    appliance.stop();
}
