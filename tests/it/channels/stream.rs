//! `/v1/events/stream` over a journal in this process: every event once, whoever asks from wherever.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use super::Station;
use super::clients::{Sse, Told};

fn ids(told: &[Told]) -> Vec<i64> {
    told.iter().map(|told| told.id).collect()
}

#[test]
fn whoever_comes_back_goes_on_where_it_was_and_whoever_is_new_gets_what_is_new() {
    let station = Station::start();
    station.record(250, "zone");
    let mut all = Sse::open(&station.socket(), "", Some(0)).unwrap();
    let first = all.take(130);
    let mut rest = Sse::open(&station.socket(), "?last_event_id=130", None).unwrap();
    let mut told = ids(&first);
    told.extend(ids(&rest.take(120)));
    assert_eq!(told, (1..=250).collect::<Vec<_>>());
    assert_eq!(first[0].kind, "job.status");

    let mut new = Sse::open(&station.socket(), "", None).unwrap();
    assert_eq!(new.last, 250, "an id before the first event");
    // Those that keep up are woken by each commit; the one in the middle of its backlog finds them at its end.
    for seq in 251..=260 {
        station.record(1, "zone");
        assert_eq!((new.next().unwrap().id, rest.next().unwrap().id), (seq, seq));
    }
    assert_eq!(ids(&all.take(130)), (131..=260).collect::<Vec<_>>());
    // Cut off before anything happened, and back after it did.
    let mut again = Sse::open(&station.socket(), "", Some(new.last)).unwrap();
    drop(new);
    station.record(1, "zone");
    assert_eq!(again.next().unwrap().id, 261);
    station.end();
}

#[test]
fn a_line_is_the_line_of_the_listing() {
    let station = Station::start();
    let mut stream = Sse::open(&station.socket(), "", None).unwrap();
    station.record(1, "zone");
    let told = stream.next().unwrap();
    let mut listing = UnixStream::connect(station.socket()).unwrap();
    listing.write_all(b"GET /v1/events HTTP/1.0\r\nhost: x\r\n\r\n").unwrap();
    let mut answer = String::new();
    listing.read_to_string(&mut answer).unwrap();
    let listed: serde_json::Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(told.line, listed["items"][0]);
    assert_eq!((told.line["seq"].as_i64(), told.line["type"].as_str()), (Some(told.id), Some(told.kind.as_str())));
    station.end();
}

#[test]
fn filters_hold_for_the_backlog_and_for_what_is_new() {
    let station = Station::start();
    let happen = || {
        station.record(1, "zone");
        station.record_offline();
        station.record(1, "gate");
    };
    (0..120).for_each(|_| happen());
    let mut gate = Sse::open(&station.socket(), "?monitor=gate", Some(0)).unwrap();
    let mut offline = Sse::open(&station.socket(), "?type=camera.offline", Some(0)).unwrap();
    let mut neither = Sse::open(&station.socket(), "?type=camera.offline&monitor=gate", Some(0)).unwrap();
    assert_eq!(ids(&gate.take(120)), (1..=120).map(|n| 3 * n).collect::<Vec<_>>());
    assert_eq!(ids(&offline.take(120)), (1..=120).map(|n| 3 * n - 1).collect::<Vec<_>>());
    happen();
    assert_eq!((gate.next().unwrap().id, offline.next().unwrap().id), (363, 362));
    station.end();
    assert_eq!(neither.next(), None, "nothing but the end");
}

/// A client that doesn't read keeps nobody waiting and costs nothing: it reads the journal later.
#[test]
fn a_client_that_lags_behind_misses_nothing() {
    let station = Station::start();
    let mut lagging = Sse::open(&station.socket(), "", None).unwrap();
    let mut keen = Sse::open(&station.socket(), "", None).unwrap();
    // More than its socket takes, and more than is kept in memory.
    station.record(3000, "zone");
    let expected: Vec<i64> = (1..=3000).collect();
    assert_eq!(ids(&keen.take(3000)), expected);
    assert_eq!(ids(&lagging.take(3000)), expected);
    station.end();
}

#[test]
fn an_id_that_no_event_has_yet_is_of_another_journal() {
    let station = Station::start();
    station.record(3, "zone");
    let mut stream = Sse::open(&station.socket(), "", Some(4711)).unwrap();
    assert_eq!(ids(&stream.take(3)), [1, 2, 3]);
    station.end();
}

#[test]
fn what_makes_no_sense_is_refused_with_a_hint() {
    let station = Station::start();
    let refused = |query: &str, header: &str| {
        let mut stream = UnixStream::connect(station.socket()).unwrap();
        write!(stream, "GET /v1/events/stream{query} HTTP/1.0\r\nhost: x\r\n{header}\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.contains("\"hint\":\""), "{answer}");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        (head.split(' ').nth(1).unwrap().parse::<u16>().unwrap(), body["error"].as_str().unwrap().to_owned())
    };
    assert_eq!(
        refused("", "last-event-id: zebra\r\n"),
        (400, "`Last-Event-ID: zebra` is no event of this stream".into())
    );
    assert_eq!(refused("?type=zebra", ""), (400, "unknown event type `zebra`".into()));
    assert_eq!(refused("?after=3", "").0, 400);
    assert_eq!(refused("?last_event_id=zebra", "").0, 400);
    station.end();
}

#[test]
fn a_stop_ends_every_stream_at_once() {
    let station = Station::start();
    let mut streams: Vec<Sse> = (0..20).map(|_| Sse::open(&station.socket(), "", None).unwrap()).collect();
    station.end();
    assert!(streams.iter_mut().all(|stream| stream.next().is_none()));
}
