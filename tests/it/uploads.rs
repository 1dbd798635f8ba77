//! Clips that are sent whole, with the built binary: a clip of a real alert arrives piece by piece, through a kill; and the
//! kit's receiver of clips takes nothing else.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};
use stakeout::sign::{Key, Message, sign};
use uuid::Uuid;

use crate::appliance::{Appliance, SECRET};
use crate::depot::{Depot, assert_signed};
use crate::receiver::{Answer, Receiver};
use crate::receivers::relay;
use crate::receivers::running::{Language, Running, copied};
use crate::shared::runtime;

/// A box that looks at the drawn yard, where somebody is in the zone from 7.333 s on, tells `ops` and uploads to `depot`.
fn yard(ops: &Receiver, depot: &str) -> Appliance {
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/yard.mp4");
    let endpoint = |name: &str, format: &str, url: &str, more: &str| {
        format!(
            "[[endpoint]]\nname = \"{name}\"\nformat = \"{format}\"\nurl = \"{url}\"\nsecret_file = \"HERE/ops.secret\"\n{more}"
        )
    };
    Appliance::new(&format!(
        "[[camera]]\nname = \"yard\"\nurl = \"file://{}\"\nloop = true\n\
         [[monitor]]\nname = \"zone\"\ncamera = \"yard\"\nmodel = \"yard-classifier\"\nlabels = [\"person_in_zone\"]\n\
         condition = \"Is a person inside the marked zone?\"\nhold = \"1 of 1\"\ncheck_interval = \"100ms\"\n\
         clear_after = \"500ms\"\ncooldown = \"1h\"\nclip = {{ before = \"2s\", after = \"1s\", max = \"6s\" }}\n{}{}",
        clip.display(),
        endpoint("ops", "stakeout", &ops.url(), ""),
        endpoint("depot", "upload", depot, "bandwidth = \"20Mbit/s\"\n"),
    ))
}

/// What `ops` was told of the clip.
fn told(ops: &Receiver) -> Option<Value> {
    let bodies = ops.arrived().into_iter().map(|arrived| serde_json::from_slice::<Value>(&arrived.body).unwrap());
    bodies.into_iter().find(|body| body["type"] == "clip.ready")
}

/// What the depot was owed, once all of it is delivered.
fn delivered(appliance: &Appliance) -> Option<Vec<Value>> {
    let deliveries = appliance.json(&["deliveries", "--json", "--endpoint", "depot"]);
    deliveries.iter().all(|row| row["state"] == "delivered").then_some(deliveries)
}

#[test]
fn a_clip_arrives_whole_though_the_daemon_is_killed_on_the_way() {
    if runtime().is_none() {
        return;
    }
    let ops = Receiver::start(|_, _| Answer::status(200));
    let hangs = Arc::new(AtomicBool::new(true));
    let it_hangs = Arc::clone(&hangs);
    // A receiver that keeps so little of each piece that there are many, and hangs over the third until the daemon is killed.
    let depot =
        Depot::start(10_000, move |n, _| (n >= 3 && it_hangs.load(Ordering::SeqCst)).then_some(Answer::Silence));
    let mut appliance = yard(&ops, &depot.url());
    appliance.start();
    depot.receiver.wait_for(3);
    appliance.until("two pieces are there", |_| (depot.kept(".mp4").len() == 20_000).then_some(()));
    appliance.kill();
    hangs.store(false, Ordering::SeqCst);
    appliance.start();
    let ready = appliance.until("it is told of", |_| told(&ops));
    let whole = ready["data"]["bytes"].as_u64().unwrap() as usize;
    appliance.until("all of it is there", |_| (depot.kept(".mp4").len() == whole).then_some(()));
    let deliveries = appliance.until("it is settled", delivered);
    appliance.stop();
    let content = depot.kept(".mp4");
    assert_eq!(ready["data"]["sha256"], hex::encode(Sha256::digest(&content)));
    assert_eq!(deliveries.len(), 1, "once for the clip: {deliveries:?}");
    let secret = std::fs::read_to_string(appliance.folder.path().join("ops.secret")).unwrap();
    assert_signed(&depot.receiver.arrived(), &Key::new(secret.trim()).unwrap(), &content);
    // After the kill it was asked first, and nothing that was there was sent again.
    let said = depot.said();
    let after = said.iter().rposition(Option::is_none).unwrap();
    assert!(said[after + 1..].iter().flatten().all(|(from, _)| *from >= 20_000), "{said:?}");
}

#[test]
fn the_kits_receiver_of_clips_keeps_them_and_nothing_that_is_not_signed_for_its_place() {
    let (Some(_), Some(python)) = (runtime(), Language::python()) else { return };
    let home = tempfile::tempdir().unwrap();
    let place = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    fs::write(home.path().join("secret"), SECRET).unwrap();
    let kit = copied(&python, python.kit(), &[]);
    let environment = [("STAKEOUT_SECRET_FILE", &*place("secret")), ("STAKEOUT_CLIPS", &*place("clips"))];
    let receiver = Running::start(&python, kit.path(), "clips", &environment);
    let ops = Receiver::start(|_, _| Answer::status(200));
    let mut appliance = yard(&ops, &format!("http://{}/clips/{{clip}}.mp4", receiver.address));
    appliance.start();
    let ready = appliance.until("it is told of", |_| told(&ops));
    let kept = &receiver.wait_for(1)[0];
    appliance.until("it is settled", delivered);
    appliance.stop();
    let content = fs::read(kept["file"].as_str().unwrap()).unwrap();
    assert_eq!(ready["data"]["sha256"], hex::encode(Sha256::digest(&content)));
    assert_eq!(kept["alert"], ready["data"]["trigger_event_id"]);

    let whole = hex::encode(Sha256::digest(b"whole"));
    let put = |clip: Uuid, said: &str, range: &str, piece: &[u8]| {
        let (id, at) = (format!("{clip}:{said}:{whole}"), Timestamp::now().as_second());
        let made = sign(&[Key::new(SECRET).unwrap()], Message { id: &id, timestamp: at }, piece).unwrap();
        let digest = format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(b"whole")));
        let headers = [
            ("content-range", format!("bytes {range}")),
            ("repr-digest", digest),
            ("webhook-id", id),
            ("webhook-timestamp", at.to_string()),
            ("webhook-signature", made.standard),
            ("x-trio-signature", made.trio),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value));
        let answer = relay::send(receiver.address, "PUT", &format!("/clips/{clip}.mp4"), &headers, piece).unwrap();
        let answered = String::from_utf8_lossy(&answer).to_lowercase();
        let has = answered.lines().find_map(|line| line.strip_prefix("range: bytes=0-")?.parse::<u32>().ok());
        (relay::status(&answer), has.map_or(0, |last| last + 1))
    };
    let clip = Uuid::from_u128(1);
    assert_eq!(put(clip, "0-1/5", "0-1/5", b"wh"), (308, 2));
    assert_eq!(put(clip, "0-1/5", "2-3/5", b"ol").0, 401, "signed for another place");
    assert_eq!(put(clip, "*/5", "0-1/5", b"xx").0, 401);
    assert_eq!(put(clip, "3-4/5", "3-4/5", b"le"), (416, 2), "a gap");
    assert_eq!(put(clip, "2-3/5", "2-3/5", b"o").0, 400, "less than it says");
    assert_eq!(put(clip, "2-4/5", "2-4/5", b"OLE"), (308, 0), "not what was announced: from the beginning");
    assert_eq!(put(clip, "0-3/5", "0-3/5", b"whol"), (308, 4));
    assert_eq!(put(clip, "0-1/5", "0-1/5", b"wh"), (308, 4), "an old piece takes nothing away");
    // As it was killed between the last piece and the clip's name.
    fs::write(home.path().join(format!("clips/{clip}.part")), b"whole").unwrap();
    assert_eq!(put(clip, "*/5", "*/5", b""), (201, 5), "it finishes");
    assert_eq!(put(clip, "*/5", "*/5", b""), (200, 5), "it is here");
    receiver.wait_for(2);
    let of = |kind: &str| {
        let files = fs::read_dir(home.path().join("clips")).unwrap().map(|file| file.unwrap().path());
        files.filter(|file| file.extension().is_some_and(|it| it == kind)).count()
    };
    assert_eq!((of("mp4"), of("part")), (2, 0), "two clips, and nothing half done");
}
