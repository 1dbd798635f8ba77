//! Many clients of the built binary: they come and go without a trace, and a slow one is left alone.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use super::clients::{Closed, Sse, Ws};
use super::resume::{socket, talkative};
use crate::appliance::Appliance;
use crate::shared::runtime;

fn descriptors(appliance: &Appliance) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", appliance.process())).unwrap().count()
}

#[test]
fn three_hundred_clients_come_and_go_and_leave_no_descriptor_behind() {
    if runtime().is_none() {
        return;
    }
    let mut appliance = talkative("");
    appliance.start();
    let mut before = None;
    for _ in 0..3 {
        let streams: Vec<Sse> = (0..150).map(|_| Sse::open(&socket(&appliance), "", None).unwrap()).collect();
        let mut sockets: Vec<Ws> = (0..150).map(|_| Ws::open(&socket(&appliance), "")).collect();
        assert!(descriptors(&appliance) >= 300);
        // Each is really there.
        sockets.iter_mut().for_each(|client| drop(client.next().unwrap()));
        drop((streams, sockets));
        // What the first round leaves open (connections to the journal, for instance) is open from then on.
        let limit = before.unwrap_or(100);
        let left = appliance.until("they are gone", |it| Some(descriptors(it)).filter(|left| *left <= limit));
        before.get_or_insert(left + 2);
    }
    appliance.stop();
}

#[test]
fn more_clients_than_there_are_places_for_are_refused_until_some_go() {
    if runtime().is_none() {
        return;
    }
    let mut appliance = talkative("");
    appliance.start();
    let mut sockets: Vec<Ws> = (0..512).map(|_| Ws::open(&socket(&appliance), "?channels=alert")).collect();
    let (status, refusal) = Ws::try_open(&socket(&appliance), "").err().unwrap();
    assert_eq!((status, &refusal["error"]), (503, &"512 clients listen already".into()));
    assert!(refusal["hint"].as_str().unwrap().starts_with("close some"), "{refusal}");
    assert!(!appliance.events().is_empty() || appliance.status()["device"] == "box", "everything else is answered");
    sockets.truncate(500);
    appliance.until("there is a place", |it| Ws::try_open(&socket(it), "").ok());
    appliance.stop();
}

/// A client answers pings while it reads. One that does nothing at all is left, one that reads is not.
#[test]
fn a_client_that_answers_no_ping_is_left() {
    if runtime().is_none() {
        return;
    }
    let mut appliance = talkative("[log]\nfilter = \"info,stakeout::api=debug\"\n");
    appliance.start();
    let mut dead = Ws::open(&socket(&appliance), "?channels=status");
    let mut alive = Ws::open(&socket(&appliance), "?channels=status");
    let reading = thread::spawn(move || while alive.next().is_ok() {});
    appliance.until("it is left", |it| it.log().contains("Silent").then_some(()));
    let closed = std::iter::repeat_with(|| dead.next()).find_map(Result::err);
    assert_eq!(closed, Some(Closed(Some(1008))));
    assert!(!reading.is_finished());
    assert_eq!(appliance.log().matches("Silent").count(), 1);
    appliance.stop();
    reading.join().unwrap();
}

/// Forty monitors that never alert and speak once a second each, and one whose alerts matter.
fn loud() -> Appliance {
    let mut more = String::new();
    for number in 0..40 {
        write!(
            more,
            "[[monitor]]\nname = \"extra-{number}\"\ncamera = \"yard\"\nmodel = \"yard-classifier\"\n\
             labels = [\"person\"]\nconfidence_threshold = 1.0\ncheck_interval = \"200ms\"\ngate = \"off\"\n"
        )
        .unwrap();
    }
    talkative(&format!("{more}[log]\nfilter = \"info,stakeout::api=debug\"\n"))
}

#[test]
fn a_reader_that_is_too_slow_is_left_with_a_code_while_others_get_everything() {
    if runtime().is_none() {
        return;
    }
    let mut appliance = loud();
    appliance.start();
    let mut slow = Ws::open(&socket(&appliance), "?channels=scene_index");
    let mut alerts = Ws::open(&socket(&appliance), "?channels=alert");
    let mut scenes = Ws::open(&socket(&appliance), "?channels=scene_index");
    let already: BTreeSet<i64> = seqs(&appliance);
    let (said, told) = (Arc::new(AtomicUsize::new(0)), Arc::<Mutex<Vec<String>>>::default());
    let reading = {
        let (said, told) = (said.clone(), told.clone());
        let counting = move || {
            while scenes.next().is_ok() {
                said.fetch_add(1, Ordering::SeqCst);
            }
        };
        let listening = move || {
            while let Ok(alert) = alerts.next() {
                told.lock().unwrap().push(moment(alert["data"]["timestamp"].as_str().unwrap()));
            }
        };
        (thread::spawn(counting), thread::spawn(listening))
    };
    // It reads nothing until the daemon has had enough of it; what is told in the end comes behind all that was not read.
    appliance.until("it is left", |it| it.log().contains("TooSlow").then_some(()));
    let mut heard = 0;
    let closed = loop {
        match slow.next() {
            Ok(_) => heard += 1,
            Err(closed) => break closed,
        }
    };
    assert_eq!(closed, Closed(Some(1013)), "after {heard} messages");
    assert!(said.load(Ordering::SeqCst) > heard, "another client hears more");

    // Everybody else: every alert that was accepted since, once.
    let accepted =
        appliance.until("alerts", |it| Some(triggered_after(it, &already)).filter(|accepted| !accepted.is_empty()));
    let is_told = |moment: &String| told.lock().unwrap().contains(moment);
    appliance.until("all are told", |_| accepted.iter().all(is_told).then_some(()));
    let told = told.lock().unwrap().clone();
    assert_eq!(told.iter().collect::<BTreeSet<_>>().len(), told.len(), "none twice");
    appliance.stop();
    reading.0.join().unwrap();
    reading.1.join().unwrap();
}

fn seqs(appliance: &Appliance) -> BTreeSet<i64> {
    appliance.events().iter().map(|event| event["seq"].as_i64().unwrap()).collect()
}

/// To the millisecond, by which alerts of one monitor on one camera can be told apart.
fn moment(timestamp: &str) -> String {
    timestamp.trim_end_matches('Z')[.."2026-01-26T10:35:00.120".len()].to_owned()
}

/// The moments of the alerts of `zone` since then.
fn triggered_after(appliance: &Appliance, already: &BTreeSet<i64>) -> Vec<String> {
    let events = appliance.events();
    let new = events.iter().filter(|event| !already.contains(&event["seq"].as_i64().unwrap()));
    new.filter(|event| event["type"] == "monitor.triggered" && event["monitor"] == "zone")
        .map(|event| moment(event["observed_at"].as_str().unwrap()))
        .collect()
}
