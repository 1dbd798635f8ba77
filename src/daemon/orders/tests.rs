//! Orders about endpoints, on a box without cameras.

use std::net::TcpListener;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::api::Registrar;
use crate::broadcast::Broadcast;
use crate::config::Format;
use crate::daemon::crew::Crew;
use crate::daemon::desks::Desks;
use crate::daemon::names;
use crate::daemon::plan::Plans;
use crate::daemon::roster::Roster;
use crate::daemon::scribe::Scribe;
use crate::event::{Event, EventData, JobReason, JobReport, Metadata, Priority};
use crate::journal::{Accepted, Body as Frozen, Journal, Keep, Owed, OwedFrame, Record};
use crate::model::Limits;
use crate::redact::{conceal, redacted};
use crate::sender::{Clock, Doorbells, Office};
use crate::time::Boot;
use crate::watch::{Addressees, Footage};

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
        footage: Footage::new(Box::new(drop), None),
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
    let (_, free) = orders.foreman.crew.dismiss(time::now().mono);
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
    let (_, free) = std::thread::scope(|scope| scope.spawn(|| crew.dismiss(soon)).join().unwrap());
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
        ..Body::default()
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

#[test]
fn what_the_system_has_no_file_for_is_refused_and_changes_nothing() {
    let Site { orders, journal, _folder: folder, .. } = site();
    orders.make(endpoint("ops")).unwrap();
    let rows = || journal.reader().unwrap().definitions().unwrap();
    let before = rows();
    let running = || orders.foreman.desks.reports().into_iter().map(|(endpoint, _)| endpoint).collect::<Vec<_>>();
    // Nobody can open the journal once more.
    let aside = folder.path().with_extension("aside");
    std::fs::rename(folder.path(), &aside).unwrap();
    let changed = Order { name: Some(name("ops")), ..endpoint("ops") };
    for order in [endpoint("hq"), changed] {
        let refused = orders.make(order).unwrap_err();
        assert!(matches!(refused, Denied::Conflict(_)), "{refused}");
    }
    std::fs::rename(&aside, folder.path()).unwrap();
    assert_eq!((rows(), running()), (before, vec![name("ops")]));
    orders.make(endpoint("hq")).unwrap();
    assert_eq!(running(), [name("hq"), name("ops")]);
}

#[test]
fn a_stop_does_not_wait_for_a_receiver_that_takes_its_time() {
    let Site { orders, journal, _folder, tokio: _tokio } = site();
    let (receiver, ops) = (TcpListener::bind("127.0.0.1:0").unwrap(), name("ops"));
    let body = json!({"name": ops, "url": format!("http://{}/", receiver.local_addr().unwrap())});
    owe(&journal, &ops, 1);
    orders.make(Order { body: body.as_object().unwrap().clone(), ..endpoint("ops") }).unwrap();
    let (connection, _) = receiver.accept().unwrap();
    let desks = &orders.foreman.desks;
    assert!(!desks.close(&ops, || true));
    assert_eq!(desks.reports().len(), 1, "it is among those that are waited for at the end");
    drop((connection, receiver));
    assert!(desks.close(&ops, || false));
    assert_eq!(desks.reports().len(), 0);
}

#[test]
fn a_login_of_a_stream_that_is_refused_is_forgotten() {
    let Site { orders, _folder, .. } = site();
    let refused = |number: u32| {
        // The file's rules forbid such a URL, but only once its login is known.
        let stream = format!("rtsp://viewer:s3cret-{number:04}@127.0.0.1:9/1?password=hunter2");
        let refused = orders.connect(&Secret::new(stream.as_str()), None).unwrap_err();
        assert!(matches!(refused, Denied::Bad(_)), "{refused}");
    };
    refused(0);
    assert_eq!(redacted("s3cret-0000"), "***", "the negative control: lines about it are on their way");
    (1..=64).for_each(refused);
    assert_eq!(redacted("s3cret-0000 s3cret-0064"), "s3cret-0000 ***");
}

#[test]
fn a_token_is_hidden_as_long_as_its_camera_is_kept() {
    let Site { orders, _folder, .. } = site();
    let token = "t0ken-of-the-dock";
    let section = json!({"name": "dock", "url": "rtsp://127.0.0.1:9/1", "username": token});
    let body = Body { section: section.as_object().unwrap().clone(), ..Body::default() };
    let made = Made { part: Part::Camera, name: name("dock"), body, made: time::now().wall, idle: None };
    let mut step = Step::from(&orders.foreman.plans.now().roster);
    Loan::begin().during(|| orders.add(&mut step, made)).unwrap();
    let others_come_and_go = |kind: &str| {
        for number in 0..=64 {
            Loan::begin().during(|| conceal(&Secret::new(format!("{kind}-{number:04}"))));
        }
    };
    others_come_and_go("before");
    assert_eq!(redacted(token), "***");
    drop(step);
    others_come_and_go("after");
    assert_eq!(redacted(token), token);
}

#[test]
fn a_webhook_of_clients_is_no_other_endpoint_and_is_not_changed() {
    let Site { orders, journal: _journal, tokio: _tokio, _folder } = site();
    let url = "http://127.0.0.1:9/hook";
    let hook = names::of_hook(Format::Videodb, url).unwrap();
    let ask = || {
        let (reader, plan) = (orders.turn(), orders.foreman.plans.now());
        let mut step = Step::from(&plan.roster);
        orders.hook(&mut step, &plan, (Format::Videodb, url))?;
        orders.take(step, &reader)
    };
    orders.make(endpoint(hook.as_str())).unwrap();
    let refused = ask().unwrap_err();
    assert!(matches!(refused, Denied::Conflict(_)), "what somebody else made has its name only: {refused}");
    orders.remove(Part::Endpoint, &hook).unwrap();
    for _ in 0..2 {
        ask().unwrap();
        assert_eq!(orders.foreman.plans.now().roster.count(), 1);
    }
    for name in [None, Some(hook.clone())] {
        let refused = orders.make(Order { name, ..endpoint(hook.as_str()) }).unwrap_err();
        assert!(matches!(refused, Denied::Conflict(_)), "{refused}");
    }
    let plan = orders.foreman.plans.now();
    assert_eq!(plan.roster.made(Part::Endpoint, &hook).unwrap().body.section["url"], url);
}

#[test]
fn what_could_not_begin_leaves_an_idle_endpoint_what_it_was_and_what_it_is_owed() {
    let Site { orders, journal, tokio: _tokio, _folder } = site();
    let (ops, plans) = (name("ops"), &orders.foreman.plans);
    orders.make(endpoint("ops")).unwrap();
    orders.foreman.desks.close(&ops, || false);
    owe(&journal, &ops, 3);
    let rows = || journal.reader().unwrap().definitions().unwrap();
    let before = rows();
    // As after a start at which it was refused.
    let mut file = plans.now().config.clone();
    file.endpoints.clear();
    let roster = Roster::read(Arc::new(file), rows(), &mut |_, _, _| Err(Unfit::new("it has no key", "bring it")));
    let config = roster.config();
    plans.replace(Plan { roster, config }.into());
    let idle = || plans.now().roster.idle().map(|(made, _)| made.clone()).next();
    let mut step = Step::from(&plans.now().roster);
    orders.add(&mut step, Made { idle: None, ..idle().unwrap() }).unwrap();
    let refused = orders.put_in_force(step, &orders.turn(), || None::<()>).unwrap_err();
    assert!(matches!(refused, Denied::Conflict(_)), "{refused}");
    assert_eq!(rows(), before);
    assert_eq!(idle().map(|made| made.name), Some(ops.clone()));
    assert_eq!(orders.foreman.desks.reports().len(), 0);
    assert!(orders.departures.is_over(&ops, || false));
    let counts = journal.reader().unwrap().endpoint_counts(time::now()).unwrap().remove(0);
    assert_eq!((counts.gone, counts.counts.dead, counts.counts.pending + counts.counts.held), (false, 0, 3));
}
