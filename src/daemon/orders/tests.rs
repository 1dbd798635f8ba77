//! Orders about endpoints, on a box without cameras.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::api::Registrar;
use crate::broadcast::Broadcast;
use crate::daemon::crew::Crew;
use crate::daemon::desks::Desks;
use crate::daemon::plan::Plans;
use crate::daemon::roster::Roster;
use crate::daemon::scribe::Scribe;
use crate::event::{Event, EventData, JobReason, JobReport, Metadata, Priority};
use crate::journal::{Accepted, Body as Frozen, Journal, Keep, Owed, OwedFrame, Record};
use crate::model::Limits;
use crate::sender::{Clock, Doorbells, Office};
use crate::time::Boot;
use crate::watch::Addressees;

const DAY: Duration = Duration::from_secs(86_400);

struct Site {
    orders: Orders,
    journal: Journal,
    tokio: Runtime,
    _folder: TempDir,
}

/// A box on which nothing is configured.
fn site() -> Site {
    let folder = TempDir::new().unwrap();
    let source = format!("[storage]\npath = \"{}\"\n", folder.path().display());
    let config = Arc::new(config::parse(&source, "stakeout.toml").unwrap().config);
    let keep = Keep { delivered: DAY, dead: DAY, max_size: 1 << 28 };
    let journal = Journal::open(folder.path(), keep, time::now(), Box::new(|_| {})).unwrap();
    let tokio = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let bells = Doorbells::new([]);
    let office = Office::new(&bells, Clock::Real, false);
    let desks = Arc::new(Desks::new(&tokio, office, bells, &config, journal.writer()));
    let plans = Plans::new(Roster::read(config.clone(), Vec::new(), &mut |_, _, _| Ok(())));
    let scribe = Scribe {
        writer: journal.writer(),
        device: "box".into(),
        addressees: Addressees::new(&[]),
        storage: Arc::new(config.storage.clone()),
        broadcast: Broadcast::default(),
    };
    let foreman = Foreman { crew: Arc::<Crew>::default(), desks, plans, scribe, limits: Limits::default() };
    let orders = Orders::new(foreman, journal.reader().unwrap(), Folders::default());
    Site { orders, journal, tokio, _folder: folder }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn endpoint(endpoint: &str) -> Order {
    let body = json!({"name": endpoint, "url": "http://127.0.0.1:9/events"});
    Order { part: Part::Endpoint, name: None, body: body.as_object().unwrap().clone() }
}

/// So many events that are owed to `endpoint`.
fn owe(journal: &Journal, endpoint: &Name, count: usize) {
    let now = time::now();
    let accepted = || {
        let event = Event {
            id: now.new_id(),
            observed: now,
            boot: Boot::current(),
            device: "box".into(),
            camera: None,
            monitor: None,
            job: None,
            priority: Priority::Normal,
            metadata: Metadata::new(),
            data: EventData::JobStatus(JobReport { reason: JobReason::UserRequested, counters: Default::default() }),
        };
        let render = Box::new(|_: &_| Frozen::whole("{}".to_owned()));
        let owed = Owed { endpoint: endpoint.clone(), frame: OwedFrame::None, format_version: 1, render };
        Accepted { event, frame: None, owed: vec![owed] }
    };
    let events = std::iter::repeat_with(accepted).take(count).collect();
    journal.writer().record(Record { at: now, events, machine: None, jobs: Vec::new() }).wait().unwrap();
}

fn is_kept(journal: &Journal, endpoint: &Name) -> bool {
    journal.reader().unwrap().definitions().unwrap().iter().any(|kept| kept.name == *endpoint)
}

#[test]
fn an_order_that_a_stop_overtakes_is_kept_and_said_to_be() {
    let Site { orders, journal, _folder, .. } = site();
    let (_, _, free) = orders.foreman.crew.dismiss(time::now().mono);
    assert!(free);
    let refused = orders.make(endpoint("ops")).unwrap_err();
    assert!(matches!(refused, Denied::Stopping), "{refused}");
    assert!(is_kept(&journal, &name("ops")), "so it must not be said that nothing has changed");
}

#[test]
fn whoever_has_its_hands_full_does_not_keep_the_daemon_from_stopping() {
    let crew = Crew::default();
    let busy = crew.hands().unwrap();
    let soon = time::now().mono.plus(Duration::from_millis(50));
    let (_, _, free) = std::thread::scope(|scope| scope.spawn(|| crew.dismiss(soon)).join().unwrap());
    assert!(!free, "and that is not a clean end");
    drop(busy);
    assert!(crew.hands().is_none());
}

#[test]
fn a_name_is_free_again_once_what_the_last_one_was_owed_has_ended() {
    let Site { orders, journal, tokio, _folder } = site();
    let ops = name("ops");
    orders.make(endpoint("ops")).unwrap();
    orders.remove(Part::Endpoint, &ops).unwrap();
    assert!(orders.departures.is_over(&ops, || false));
    let gone = Revision { gone: vec![(ops.clone(), true)], ..Revision::default() };
    journal.writer().revise(gone).wait().unwrap();
    owe(&journal, &ops, 1200);
    // The only worker is busy, so that what it was owed doesn't end yet.
    let (let_go, gate) = mpsc::channel::<()>();
    let (busy, is_busy) = mpsc::channel();
    tokio.spawn(async move {
        busy.send(()).unwrap();
        let _ = gate.recv();
    });
    is_busy.recv().unwrap();
    orders.see_off(ops.clone());
    std::thread::scope(|scope| {
        let made = scope.spawn(|| orders.make(endpoint("ops")));
        // It may be made at once, or wait: without the rule it was made, and what the old one was owed became its own.
        for _ in 0..20 {
            std::thread::park_timeout(Duration::from_millis(20));
        }
        assert!(!is_kept(&journal, &ops), "it waits");
        let_go.send(()).unwrap();
        made.join().unwrap().unwrap();
    });
    owe(&journal, &ops, 1);
    let counts = journal.reader().unwrap().endpoint_counts(time::now()).unwrap().remove(0);
    assert_eq!((counts.endpoint, counts.gone), (ops, false));
    assert_eq!((counts.counts.dead, counts.counts.pending + counts.counts.held), (1200, 1));
}

#[test]
fn a_revision_is_taken_back_to_what_was_there() {
    let Site { orders, journal, _folder, .. } = site();
    let at = time::now().wall;
    orders.make(endpoint("old")).unwrap();
    orders.make(endpoint("changed")).unwrap();
    let rows = |journal: &Journal| journal.reader().unwrap().definitions().unwrap();
    let before = rows(&journal);
    let roster = orders.foreman.plans.now().roster.clone();
    let mut step = Step::from(&roster);
    step.forget(Part::Endpoint, &name("old"));
    let body = |endpoint: &str| Body {
        section: json!({"name": endpoint, "url": "http://127.0.0.1:9/else"}).as_object().unwrap().clone(),
        secret: None,
        request: None,
        attached: false,
    };
    for part in ["new", "changed"] {
        let made = Made { part: Part::Endpoint, name: name(part), body: body(part), made: at, idle: None };
        orders.add(&mut step, made).unwrap();
    }
    step.revision.forget.push(roster::switch_key(&name("zone")));
    let back = step::back(&step.revision, &roster, at).unwrap();
    assert_eq!(back.gone, [(name("old"), false), (name("new"), true)]);
    journal.writer().revise(step.revision).wait().unwrap();
    assert_ne!(rows(&journal), before);
    journal.writer().revise(back).wait().unwrap();
    assert_eq!(rows(&journal), before);
}
