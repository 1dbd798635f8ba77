//! The wall clock is wrong, jumps and comes back, while the monotonic one goes on: nothing is lost, late or sent twice.
//!
//! libfaketime moves the wall clock of the built daemon, and of nothing else.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::appliance::Appliance;
use crate::certificates::{Authority, serve_tls};
use crate::receiver::{Answer, Arrived, Receiver};
use crate::shared::skip;

/// Where Debian and Ubuntu put it, on any architecture.
fn libfaketime() -> Option<PathBuf> {
    let libraries = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let found = libraries.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1")).find(|file| file.exists());
    if found.is_none() {
        skip("libfaketime is not here; `scripts/setup --dev` installs it");
    }
    found
}

/// A box whose wall clock the test sets.
struct Shifted {
    appliance: Appliance,
    library: PathBuf,
}

impl Shifted {
    /// Watches the yard, and tells the endpoint; `more` is more of the endpoint.
    fn new(library: PathBuf, url: &str, more: &str) -> Shifted {
        let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/yard.mp4");
        let appliance = Appliance::new(&format!(
            "[[camera]]\nname = \"yard\"\nurl = \"file://{}\"\nloop = true\n\
             [[monitor]]\nname = \"zone\"\ncamera = \"yard\"\nmodel = \"yard-classifier\"\nlabels = [\"person\"]\n\
             check_interval = \"100ms\"\ncooldown = \"1s\"\nclear_after = \"500ms\"\n\
             [[endpoint]]\nname = \"ops\"\nurl = \"{url}\"\nsecret_file = \"HERE/ops.secret\"\n{more}",
            clip.display()
        ));
        Shifted { appliance, library }
    }

    /// Moves the clock: `+0` is right, `-1d` a day behind, `@1970-01-01 00:00:30` there.
    fn set_clock(&self, to: &str) {
        // In one step: libfaketime reads the file again and again.
        let (new, file) = (self.appliance.folder.path().join("clock.new"), self.clock_file());
        fs::write(&new, to).unwrap();
        fs::rename(new, file).unwrap();
    }

    fn clock_file(&self) -> PathBuf {
        self.appliance.folder.path().join("clock")
    }

    fn start(&mut self) {
        let file = self.clock_file();
        self.appliance.start_with(&[
            ("LD_PRELOAD", self.library.to_str().unwrap()),
            ("FAKETIME_TIMESTAMP_FILE", file.to_str().unwrap()),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("DONT_FAKE_MONOTONIC", "1"),
        ]);
    }

    fn deliveries(&self) -> Vec<Value> {
        self.appliance.json(&["deliveries", "--json"])
    }
}

/// How far `request` was signed from now, in seconds.
fn skew(request: &Arrived) -> i64 {
    let signed: i64 = request.header("webhook-timestamp").parse().unwrap();
    jiff::Timestamp::now().as_second() - signed
}

#[test]
fn a_box_that_boots_in_1970_holds_what_is_refused_until_its_clock_is_right() {
    let Some(library) = libfaketime() else { return };
    // As the published verifiers do: a signature more than five minutes off is no signature.
    let receiver = Receiver::start(|_, request| Answer::status(if skew(request).abs() > 300 { 401 } else { 200 }));
    let mut it = Shifted::new(library, &receiver.url(), "retry = { delays = [\"1s\"], max_age = \"72h\" }\n");
    it.set_clock("@1970-01-01 00:00:30");
    it.start();
    assert_eq!(it.appliance.status()["clock"], "estimated");

    let held = it.appliance.until("a delivery waits for the clock", |it| {
        let all = it.json(&["deliveries", "--json", "--state", "held"]);
        all.into_iter().find(|delivery| delivery["reason"] == "clock")
    });
    assert_eq!(held["attempts"], 0, "nothing is burnt: {held}");
    assert!(receiver.arrived().iter().all(|request| skew(request) > 300));

    it.set_clock("+0");
    it.appliance.until("everything is delivered", |_| {
        let all = it.deliveries();
        (all.len() >= 3 && all.iter().filter(|it| it["state"] == "delivered").count() >= 3).then_some(())
    });
    assert_eq!(it.appliance.status()["clock"], "synced");
    let dead = it.deliveries().into_iter().filter(|delivery| delivery["state"] == "dead").count();
    assert_eq!(dead, 0, "one refusal more than the schedule has would have been the end, had they counted");
    it.appliance.stop();
}

/// Whether these bytes are a whole request.
fn is_whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).expect("a POST has a length");
    body.len() >= length.trim().parse::<usize>().unwrap()
}

#[test]
fn a_certificate_that_is_not_valid_yet_waits_for_the_clock() {
    let Some(library) = libfaketime() else { return };
    let authority = Authority::new("site");
    let taken = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&taken);
    let address = serve_tls(&authority.issue("127.0.0.1", |_| {}), None, move |stream| {
        // To its end: closing with unread bytes tears the connection down.
        let mut request = Vec::new();
        while !is_whole(&request) {
            let mut some = [0; 4096];
            match stream.read(&mut some) {
                Ok(0) | Err(_) => return,
                Ok(length) => request.extend_from_slice(&some[..length]),
            }
        }
        counted.fetch_add(1, Ordering::SeqCst);
        let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    });
    let more = "ca_file = \"HERE/ca.pem\"\nretry = \"trio\"\n";
    let mut it = Shifted::new(library, &format!("https://{address}/hook"), more);
    fs::write(it.appliance.folder.path().join("ca.pem"), &authority.pem).unwrap();
    it.set_clock("@1970-01-01 00:00:30");
    it.start();
    let held = it.appliance.until("a delivery waits for the clock", |it| {
        let all = it.json(&["deliveries", "--json", "--state", "held"]);
        all.into_iter().find(|delivery| delivery["reason"] == "clock")
    });
    assert_eq!(held["attempts"], 0, "nothing is burnt, whatever the preset: {held}");
    assert_eq!(taken.load(Ordering::SeqCst), 0);

    it.set_clock("+0");
    let delivered = it.appliance.until("it is delivered", |_| {
        let all = it.deliveries().into_iter();
        all.into_iter().find(|delivery| delivery["id"] == held["id"] && delivery["state"] == "delivered")
    });
    assert_eq!(delivered["attempts"], 1, "{delivered}");
    assert!(taken.load(Ordering::SeqCst) > 0);
    it.appliance.stop();
}

#[test]
fn steps_of_the_clock_neither_lose_nor_repeat_nor_delay() {
    let Some(library) = libfaketime() else { return };
    for step in ["-1h", "+1h", "-1d", "+1d", "+12y"] {
        // Refuses each event once, so that each waits for its second attempt when the clock steps.
        let receiver = Receiver::start(|_, request| {
            Answer::status(if request.header("x-stakeout-attempt") == "1" { 500 } else { 200 })
        });
        let more = "retry = { delays = [\"4s\", \"4s\"], max_age = \"72h\" }\n";
        let mut it = Shifted::new(library.clone(), &receiver.url(), more);
        it.set_clock("+0");
        it.start();
        it.appliance.until("a delivery waits", |it| {
            (!it.json(&["deliveries", "--json", "--state", "retry_wait"]).is_empty()).then_some(())
        });
        let before = it.appliance.events();
        let job = it.appliance.status()["monitors"][0]["job"]["id"].clone();
        it.set_clock(step);
        // A reboot on top: what waits must not trust the wall clock over its own delay.
        if step.starts_with('-') {
            it.appliance.kill();
            it.start();
        }
        let (first, count) = (before[0]["id"].clone(), before.len());
        it.appliance.until(&format!("what waited is delivered ({step})"), |_| {
            let delivered = it.deliveries().into_iter().filter(|it| it["state"] == "delivered");
            delivered.into_iter().any(|it| it["event_id"] == first).then_some(())
        });
        it.appliance
            .until(&format!("the condition goes on ({step})"), |it| (it.events().len() > count + 1).then_some(()));
        let after = it.appliance.events();
        let what = |event: &Value| (event["seq"].clone(), event["id"].clone(), event["observed_at"].clone());
        assert!(before.iter().map(what).eq(after[..count].iter().map(what)), "{step}: nothing is gone or changed");
        assert_eq!(it.appliance.status()["monitors"][0]["job"]["id"], job, "{step}: the same job");
        assert!(it.deliveries().iter().all(|it| it["state"] != "dead" && it["state"] != "expired"), "{step}");
        let ids = |request: &Arrived| {
            (request.header("webhook-id").to_owned(), request.header("x-stakeout-attempt").to_owned())
        };
        let mut twice: Vec<_> = receiver.arrived().iter().map(ids).collect();
        twice.sort_unstable();
        if !step.starts_with('-') {
            assert!(twice.windows(2).all(|pair| pair[0] != pair[1]), "{step}: an attempt was made twice");
        }
        it.appliance.stop();
    }
}
