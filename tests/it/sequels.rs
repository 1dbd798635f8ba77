//! An event that stays open is recorded on, with the built binary: over a restart, a kill, and a camera that changes what it
//! sends.

use std::path::{Path, PathBuf};

use stakeout::journal::{ClipRow, ClipState};
use uuid::Uuid;

use crate::appliance::Appliance;
use crate::camera::make_clip;
use crate::filmed::{clips, endpoint};
use crate::receiver::{Answer, Receiver};
use crate::rtsp::Server;
use crate::shared::runtime;

fn yard() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/yard.mp4")
}

/// A box on which one event begins, which never ends.
fn watching(url: &str, more: &str, ops: &Receiver) -> Appliance {
    Appliance::new(&format!(
        "[[camera]]\nname = \"yard\"\nurl = \"{url}\"\n{more}\n\
         [[monitor]]\nname = \"zone\"\ncamera = \"yard\"\nmodel = \"yard-classifier\"\nlabels = [\"person_in_zone\"]\n\
         condition = \"Is a person inside the marked zone?\"\nhold = \"1 of 1\"\ncheck_interval = \"100ms\"\n\
         clear_after = \"1h\"\ncooldown = \"1h\"\nclip = {{ before = \"2s\", after = \"1s\", max = \"10m\" }}\n{}",
        endpoint("ops", "stakeout", ops),
    ))
}

/// The clips, once so many are there, of which the last has a file; the oldest first.
fn recorded(appliance: &Appliance, count: usize) -> Vec<ClipRow> {
    appliance.until(&format!("clip {count} is recorded"), |it| {
        let mut rows = clips(it);
        rows.reverse();
        let going = rows.last().is_some_and(|last| last.state == ClipState::Recording && last.bytes > 0);
        (rows.len() == count && going).then_some(rows)
    })
}

/// The alert that all of them show.
fn alert(rows: &[ClipRow]) -> Uuid {
    assert!(rows.iter().all(|row| row.alerts.len() == 1 && row.alerts == rows[0].alerts), "{rows:?}");
    rows[0].alerts[0]
}

#[test]
fn an_open_event_is_recorded_on_after_a_restart_and_after_a_kill() {
    if runtime().is_none() {
        return;
    }
    let ops = Receiver::start(|_, _| Answer::status(200));
    let mut appliance = watching(&format!("file://{}", yard().display()), "loop = true", &ops);
    appliance.start();
    recorded(&appliance, 1);
    appliance.stop();
    assert_eq!(clips(&appliance).len(), 1, "nothing begins while the daemon stops");
    appliance.start();
    recorded(&appliance, 2);
    appliance.kill();
    appliance.start();
    let rows = recorded(&appliance, 3);
    alert(&rows);
    appliance.until("the one that was killed is settled", |it| (clips(it)[1].state == ClipState::Ready).then_some(()));
    appliance.stop();
    assert!(clips(&appliance).iter().all(|row| row.state == ClipState::Ready), "{:?}", clips(&appliance));
}

#[test]
fn an_open_event_is_recorded_on_by_a_camera_that_changes_what_it_sends() {
    if runtime().is_none() {
        return;
    }
    let ops = Receiver::start(|_, _| Answer::status(200));
    let folder = tempfile::tempdir().unwrap();
    let other = make_clip(&folder, "other.mp4", 300, "width=320,height=240,framerate=15/1", "key-int-max=15 bframes=0");
    let server = Server::start(&yard(), 0, &["--other", other.to_str().unwrap()]);
    let mut appliance = watching(server.url.as_str(), "", &ops);
    appliance.start();
    recorded(&appliance, 1);
    server.signal("-HUP");
    let rows = recorded(&appliance, 2);
    assert_eq!((rows[0].state, rows[0].alerts.len()), (ClipState::Ready, 1));
    alert(&rows);
    let gap = rows[1].started_us.unwrap() - rows[0].ended_us.unwrap();
    assert!(gap < 2_000_000, "nothing but what can't be decoded is missing: {gap} us");
    appliance.stop();
    assert_eq!(clips(&appliance).len(), 2);
}
