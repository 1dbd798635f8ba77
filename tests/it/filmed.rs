//! Clips of alerts, with the built binary: recorded, told and found again, and whole after a kill at any moment.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use stakeout::journal::{ClipFilter, ClipRow, ClipState, Reader, clip_path, clips_folder};
use stakeout::recording::mp4;
use stakeout::time;
use url::Url;
use uuid::Uuid;

use crate::appliance::Appliance;
use crate::receiver::{Answer, Arrived, Receiver};
use crate::shared::runtime;

/// A box that looks at the drawn yard, where somebody is in the zone from 7.333 s on.
fn yard(monitors: &str, endpoints: &str) -> Appliance {
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/yard.mp4");
    let appliance = Appliance::new(&format!(
        "[[camera]]\nname = \"yard\"\nurl = \"file://{}\"\nloop = true\n{monitors}{endpoints}",
        clip.display(),
    ));
    appliance.edit("[api]\n", "[api]\npublic_url = \"https://box.example/here/\"\n");
    appliance
}

fn monitor(name: &str, more: &str) -> String {
    format!(
        "[[monitor]]\nname = \"{name}\"\ncamera = \"yard\"\nmodel = \"yard-classifier\"\nlabels = [\"person_in_zone\"]\n\
         condition = \"Is a person inside the marked zone?\"\nhold = \"1 of 1\"\ncheck_interval = \"100ms\"\n\
         clear_after = \"500ms\"\n{more}"
    )
}

pub fn endpoint(name: &str, format: &str, receiver: &Receiver) -> String {
    format!(
        "[[endpoint]]\nname = \"{name}\"\nformat = \"{format}\"\nurl = \"{}\"\nsecret_file = \"HERE/ops.secret\"\n\
         concurrency = 1\n",
        receiver.url()
    )
}

pub fn state(appliance: &Appliance) -> PathBuf {
    appliance.folder.path().join("state")
}

pub fn clips(appliance: &Appliance) -> Vec<ClipRow> {
    let reader = Reader::open(&state(appliance)).unwrap();
    reader.clips(&ClipFilter { limit: 1000, ..ClipFilter::default() }).unwrap()
}

pub fn bodies(receiver: &Receiver) -> Vec<Value> {
    receiver.arrived().iter().map(|arrived: &Arrived| serde_json::from_slice(&arrived.body).unwrap()).collect()
}

fn of_kind(receiver: &Receiver, kind: &str) -> Option<Value> {
    bodies(receiver).into_iter().find(|body| body["type"] == kind)
}

fn opens(appliance: &Appliance, link: &str, piece: &str, clip: Uuid) -> bool {
    let beginning = format!("https://box.example/here/clips/{clip}/{piece}?");
    assert!(link.starts_with(&beginning), "{link}");
    let query: Vec<(String, String)> = Url::parse(link).unwrap().query_pairs().into_owned().collect();
    let key = Reader::open(&state(appliance)).unwrap().link_key().unwrap().unwrap();
    key.check(clip, &query[0].1, &query[1].1, time::now().wall).is_ok()
}

#[test]
fn an_alert_is_recorded_and_everybody_is_told_where() {
    if runtime().is_none() {
        return;
    }
    let [ops, media, board] = [(); 3].map(|()| Receiver::start(|_, _| Answer::status(200)));
    let endpoints =
        endpoint("ops", "stakeout", &ops) + &endpoint("media", "aioz", &media) + &endpoint("board", "videodb", &board);
    let once = "cooldown = \"1h\"\nclip = { before = \"2s\", after = \"1s\", max = \"1m\" }\n";
    let both = monitor("zone", once) + &monitor("trial", &format!("{once}shadow = true\n"));
    let mut appliance = yard(&both, &endpoints);
    appliance.start();
    let ready = appliance.until("the clip is ready", |_| of_kind(&ops, "clip.ready"));
    appliance.until("media are told", |_| of_kind(&media, "encoding.finished"));
    let [clip] = &clips(&appliance)[..] else { panic!("one clip, and none of the shadow: {:?}", clips(&appliance)) };

    let (alert, data) = (of_kind(&ops, "monitor.triggered").unwrap(), &ready["data"]);
    assert_eq!(data["trigger_event_id"], alert["data"]["event_id"]);
    assert_eq!(vec![alert["data"]["event_id"].as_str().unwrap().parse::<Uuid>().unwrap()], clip.alerts);
    let file = fs::read(clip_path(&state(&appliance), clip.id)).unwrap();
    assert_eq!(data["bytes"], file.len());
    assert_eq!(data["sha256"], hex::encode(Sha256::digest(&file)));
    let whole = mp4::walk(&mut std::io::Cursor::new(&file)).unwrap().unwrap();
    assert_eq!((whole.bytes(), clip.state), (file.len() as u64, ClipState::Ready));
    let plays = data["duration_s"].as_f64().unwrap();
    assert!((plays - whole.lasts().as_secs_f64()).abs() < 0.01 && plays >= 2.0, "before, and what came: {plays}");
    assert!(opens(&appliance, data["url"].as_str().unwrap(), "clip.mp4", clip.id));
    assert!(opens(&appliance, data["player_url"].as_str().unwrap(), "player", clip.id));

    let alert = &bodies(&board)[0];
    assert!(opens(&appliance, alert["stream_url"].as_str().unwrap(), "index.m3u8", clip.id), "before it is recorded");
    assert!(!opens(
        &appliance,
        &alert["player_url"].as_str().unwrap().replace("expires=1", "expires=2"),
        "player",
        clip.id
    ));
    let media = bodies(&media);
    let life: Vec<&str> = media.iter().map(|body| body["type"].as_str().unwrap()).collect();
    assert_eq!(life, ["file.received", "encoding.started", "partial.finished", "encoding.finished"]);
    assert!(media.iter().all(|body| body["media_id"] == json!(clip.id) && body["user_id"] == "box"), "{media:?}");
    appliance.stop();
}

/// What is wrong with rows and files: rows that name no file, files that no row names, files with a torn end.
pub fn wrong(appliance: &Appliance) -> (usize, usize, usize) {
    let (dir, rows) = (state(appliance), clips(appliance));
    let named: BTreeSet<PathBuf> = rows.iter().filter(|row| row.has_file).map(|row| clip_path(&dir, row.id)).collect();
    let there: BTreeSet<PathBuf> = fs::read_dir(clips_folder(&dir)).unwrap().map(|it| it.unwrap().path()).collect();
    let is_torn = |file: &&PathBuf| {
        let length = fs::metadata(file).unwrap().len();
        let whole = mp4::walk(&mut BufReader::new(File::open(file).unwrap())).unwrap();
        whole.is_none_or(|whole| whole.bytes() != length || whole.fragments.is_empty())
    };
    (named.difference(&there).count(), there.difference(&named).count(), there.iter().filter(is_torn).count())
}

#[test]
fn a_kill_while_recording_leaves_clips_that_play_and_rows_that_are_true() {
    if runtime().is_none() {
        return;
    }
    let ops = Receiver::start(|_, _| Answer::status(200));
    let often = "cooldown = \"300ms\"\nclip = { before = \"3s\", after = \"0s\", max = \"4s\" }\n";
    let mut appliance = yard(&monitor("zone", often), &endpoint("ops", "stakeout", &ops));
    let mut unfinished = 0;
    for life in 0..4 {
        let before: BTreeSet<Uuid> =
            if life == 0 { BTreeSet::new() } else { clips(&appliance).iter().map(|row| row.id).collect() };
        appliance.start();
        appliance.until("something new is recorded", |it| {
            let new = |row: &ClipRow| row.state == ClipState::Recording && row.has_file && !before.contains(&row.id);
            clips(it).iter().any(new).then_some(())
        });
        thread::sleep(Duration::from_millis(fastrand::u64(0..800)));
        appliance.kill();
        assert_eq!(wrong(&appliance).0, 0, "not even before the next start");
        unfinished += clips(&appliance).iter().filter(|row| row.state == ClipState::Recording).count();
    }
    assert!(unfinished > 0, "the control: kills came while something was recorded");
    // A torn fragment, a file that nobody knows, and one that somebody took away: what the next start must mend.
    let rows = clips(&appliance);
    if let Some(row) = rows.iter().find(|row| row.state == ClipState::Recording && row.has_file) {
        let path = clip_path(&state(&appliance), row.id);
        let mut content = fs::read(&path).unwrap();
        content.extend_from_slice(&[0, 0, 1, 0, b'm', b'o', b'o', b'f']);
        fs::write(&path, content).unwrap();
    }
    fs::write(clip_path(&state(&appliance), Uuid::now_v7()), "nobody's").unwrap();
    let ready = rows.iter().find(|row| row.state == ClipState::Ready).expect("an earlier one was settled");
    fs::remove_file(clip_path(&state(&appliance), ready.id)).unwrap();
    assert!(wrong(&appliance).0 == 1 && wrong(&appliance).1 >= 1, "the control: {:?}", wrong(&appliance));

    appliance.start();
    appliance.until("all is settled", |it| {
        let old = |row: &&ClipRow| rows.iter().any(|before| before.id == row.id);
        clips(it).iter().filter(old).all(|row| row.state != ClipState::Recording).then_some(())
    });
    appliance.stop();
    assert_eq!(wrong(&appliance), (0, 0, 0), "{:?}", clips(&appliance));
    let gone = clips(&appliance).into_iter().find(|row| row.id == ready.id).unwrap();
    assert_eq!((gone.state, gone.why.as_deref()), (ClipState::Gone, Some("its file is missing")));
    let told: BTreeSet<Uuid> = clips(&appliance).iter().map(|row| row.id).collect();
    assert!(told.len() >= 4, "one for each life at least");
    let ended = appliance
        .events()
        .iter()
        .filter(|it| ["clip.ready", "clip.failed"].contains(&it["type"].as_str().unwrap()))
        .count();
    assert!(ended >= 4, "the world is told of each");
}

/// At an upgrade, say: what was before the alert is still in the camera's ring.
#[test]
fn an_alert_at_the_last_moment_has_its_clip() {
    if runtime().is_none() {
        return;
    }
    let ops = Receiver::start(|_, _| Answer::status(200));
    let clip = "cooldown = \"1h\"\nclip = { before = \"3s\", after = \"5s\" }\n";
    let mut appliance = yard(&monitor("zone", clip), &endpoint("ops", "stakeout", &ops));
    appliance.start();
    ops.wait_for(1);
    appliance.stop();
    let [clip] = &clips(&appliance)[..] else { panic!("one: {:?}", clips(&appliance)) };
    assert_eq!((clip.state, clip.why.as_deref()), (ClipState::Ready, None), "{}", appliance.log());
    assert!(clip.duration.is_some_and(|lasts| lasts >= Duration::from_secs(3)), "{clip:?}");
    assert_eq!(wrong(&appliance), (0, 0, 0));
}

/// Somebody else's hands in the folder of clips.
#[test]
fn a_file_that_is_not_what_was_recorded_is_nobodys_clip() {
    if runtime().is_none() {
        return;
    }
    let ops = Receiver::start(|_, _| Answer::status(200));
    let once = "cooldown = \"1h\"\nclip = { before = \"2s\", after = \"1s\", max = \"5s\" }\n";
    let mut appliance = yard(&monitor("zone", once), &endpoint("ops", "stakeout", &ops));
    appliance.start();
    let ready = appliance.until("the clip is ready", |it| clips(it).into_iter().find(|it| it.sha256.is_some()));
    let (file, saved) = (clip_path(&state(&appliance), ready.id), appliance.folder.path().join("saved.mp4"));
    let export = || appliance.run(&["clips", "export", &ready.id.to_string(), "-o", saved.to_str().unwrap()]);
    assert!(export().status.success(), "the control");
    fs::remove_file(&saved).unwrap();
    let right = fs::read(&file).unwrap();
    let mut changed = right.clone();
    *changed.last_mut().unwrap() ^= 1;
    let longer = [&right[..], b"more"].concat();
    for content in [Some(changed), Some(longer), Some(right[..right.len() / 2].to_vec()), None] {
        match content {
            Some(content) => fs::write(&file, content).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
        let refused = export();
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && said.contains("is not what was recorded any more"), "{said}");
        assert!(!saved.exists());
    }
    appliance.stop();
}
