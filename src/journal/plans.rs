//! Every query that grows with the journal is a range of an index, never a scan.

use rusqlite::{Connection, params_from_iter};

use super::claims::{ACQUIT, COUNT, GIVE_UP};
use super::clips::{self, ClipFilter, ClipState};
use super::clock::FORGET;
use super::database::open_for_writing;
use super::deliveries::{dead_letters_sql, deliveries_sql};
use super::endpoint::{RELEASE, SKIP};
use super::failures::{by_job_sql, of_monitor_sql};
use super::heartbeats::LATEST;
use super::letters::DEAD_STATES;
use super::listing::{DeliveryFilter, EventFilter, JobFilter};
use super::open::FRAME_IS_NAMED;
use super::purge::{EVENTS_UNOWED, REMOVE_JOBS, deliveries_over_sql};
use super::queue::{LATEST_DUE, NEWEST_IN_STATE, NEXT_DUE, OLDEST, WAITS, load_sql};
use super::reader::{DELIVERIES_OF_EVENT, events_sql, jobs_sql};
use super::relief::{DEAD_LETTERS, DELIVERED_FRAMES, OF_CLIPS, OWED, REHEARSED, ended_frame_sql, unsent_frame_sql};
use super::settle::REIN_IN;
use super::statistics::{FIGURES, OLDEST_BY_MONITOR, OLDEST_IN_STATE};
use crate::delivery::State;
use crate::event::{EventType, JobStatus};
use crate::name::Name;

/// What has a handful of rows may be scanned, and a subquery with a limit.
const SMALL: [&str; 4] = ["endpoint_state", "meta", "CONSTANT ROW", "(subquery-"];

fn plan(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let nulls = vec![rusqlite::types::Null; statement.parameter_count()];
    let lines = statement.query_map(params_from_iter(nulls), |row| row.get("detail")).unwrap();
    lines.map(Result::unwrap).collect()
}

/// Indexes that hold nothing but what is looked for.
const PARTIAL: [&str; 4] = ["delivery_of_clip", "clip_file", "clip_untold", "event_framed"];

fn scans(connection: &Connection, sql: &str) -> Vec<String> {
    let is_small = |line: &str| SMALL.iter().any(|table| line.starts_with(&format!("SCAN {table}")));
    let is_meant = |line: &str| PARTIAL.iter().any(|index| line.ends_with(&format!("INDEX {index}")));
    let is_scan = |line: &String| line.starts_with("SCAN") && !is_small(line) && !is_meant(line);
    plan(connection, sql).into_iter().filter(is_scan).collect()
}

fn uses(connection: &Connection, sql: &str, index: &str) {
    let plan = plan(connection, sql);
    assert!(plan.iter().any(|line| line.contains(index)), "{sql}\nshould use {index}: {plan:#?}");
    assert_eq!(scans(connection, sql), Vec::<String>::new(), "{sql}");
}

#[test]
fn what_the_sender_asks_is_a_range() {
    let dir = tempfile::tempdir().unwrap();
    let connection = open_for_writing(dir.path()).unwrap();
    for (sql, index) in [
        (OLDEST, "delivery_due (endpoint=? AND priority=? AND due_ms<?)"),
        (LATEST_DUE, "delivery_due (endpoint=? AND priority=? AND due_ms<?)"),
        (NEXT_DUE, "USING INDEX delivery_due (endpoint=? AND priority=? AND due_ms>?)"),
        (NEWEST_IN_STATE, "USING INDEX delivery_endpoint_state (endpoint=? AND state=?)"),
    ] {
        uses(&connection, sql, index);
        let sorts = plan(&connection, sql).iter().any(|line| line.contains("TEMP B-TREE"));
        assert!(!sorts, "a backlog of a million rows must not be sorted: {sql}");
    }
    uses(&connection, &load_sql(), "SEARCH d USING INTEGER PRIMARY KEY (rowid=?)");
    uses(&connection, SKIP, "delivery_due (endpoint=? AND priority=?)");
    uses(&connection, RELEASE, "USING INDEX delivery_endpoint_state (endpoint=? AND state=?)");
    uses(&connection, REIN_IN, "USING INDEX delivery_due (endpoint=? AND priority=? AND due_ms>?)");
    uses(&connection, FRAME_IS_NAMED, "delivery_event (event_seq=?)");
}

#[test]
fn whether_an_end_must_wait_is_found_from_it_alone() {
    let dir = tempfile::tempdir().unwrap();
    let connection = open_for_writing(dir.path()).unwrap();
    for range in [
        "SEARCH ending USING INTEGER PRIMARY KEY (rowid=?)",
        "SEARCH over USING INTEGER PRIMARY KEY (rowid=?)",
        "SEARCH alert USING INDEX event_open (open_id=?)",
        "SEARCH owed USING INDEX delivery_event (event_seq=?)",
    ] {
        uses(&connection, WAITS, range);
    }
}

#[test]
fn suspects_are_found_without_a_look_at_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let connection = open_for_writing(dir.path()).unwrap();
    for sql in [ACQUIT, COUNT, GIVE_UP] {
        let plan = plan(&connection, sql);
        assert!(plan.iter().all(|line| line.contains("INDEX delivery_suspect")), "{sql}: {plan:#?}");
    }
}

#[test]
fn listings_are_ranges() {
    let dir = tempfile::tempdir().unwrap();
    let connection = open_for_writing(dir.path()).unwrap();
    let name = || Some(Name::new("a").unwrap());
    let events = |monitor, kind| events_sql(&EventFilter { after: 0, limit: 10, monitor, kind }, "ASC").0;
    uses(&connection, &events(None, None), "INTEGER PRIMARY KEY (rowid>?)");
    uses(&connection, &events(name(), None), "event_monitor (monitor=? AND seq>?)");
    uses(&connection, &events(None, Some(EventType::Cleared)), "event_type (type=? AND seq>?)");
    uses(&connection, DELIVERIES_OF_EVENT, "delivery_event (event_seq=?)");
    uses(&connection, LATEST, "event_type (type=?)");
    uses(&connection, LATEST, "delivery_event (event_seq=?)");
    assert!(!plan(&connection, LATEST).iter().any(|line| line.contains("TEMP B-TREE")), "the newest comes first");

    let filter = |state, endpoint| DeliveryFilter { state, endpoint, limit: 10, ..DeliveryFilter::default() };
    let deliveries = |state, endpoint| deliveries_sql(&filter(state, endpoint)).0;
    uses(&connection, &deliveries(None, None), "INTEGER PRIMARY KEY (rowid>?)");
    uses(&connection, &deliveries(Some(State::Dead), None), "delivery_state (state=? AND n>?)");
    uses(&connection, &deliveries(None, name()), "delivery_endpoint (endpoint=? AND n>?)");
    uses(
        &connection,
        &deliveries(Some(State::Dead), name()),
        "delivery_endpoint_state (endpoint=? AND state=? AND n>?)",
    );
    let owed = |endpoint| deliveries_sql(&DeliveryFilter { owed: true, ..filter(None, endpoint) }).0;
    uses(&connection, &owed(None), "delivery_state (state=? AND n>?)");
    uses(&connection, &owed(name()), "delivery_endpoint_state (endpoint=? AND state=? AND n>?)");
    assert!(!plan(&connection, &owed(None)).iter().any(|line| line.contains("TEMP B-TREE")), "a backlog isn't sorted");
    uses(&connection, &dead_letters_sql(&filter(None, None)).0, "delivery_state (state=? AND n>?)");
    uses(&connection, &dead_letters_sql(&filter(None, name())).0, "delivery_endpoint_state (endpoint=? AND state=?");

    let running = JobFilter { status: Some(JobStatus::Running), ..JobFilter::default() };
    uses(&connection, &jobs_sql(&running).0, "job_status (status=?)");
    uses(&connection, &jobs_sql(&JobFilter { monitor: name(), ..JobFilter::default() }).0, "job_monitor (monitor=?)");
    uses(&connection, &by_job_sql(), "delivery_state (state=?)");
    uses(&connection, &of_monitor_sql(), "SEARCH l USING PRIMARY KEY (monitor=? AND endpoint=?)");
    let sorts = plan(&connection, &of_monitor_sql()).iter().any(|line| line.contains("TEMP B-TREE"));
    assert!(!sorts, "a million dead letters must not be sorted");
}

#[test]
fn figures_and_the_purge_are_ranges() {
    let dir = tempfile::tempdir().unwrap();
    let connection = open_for_writing(dir.path()).unwrap();
    uses(&connection, OLDEST_IN_STATE, "delivery_endpoint_state (endpoint=? AND state=?)");
    uses(&connection, OLDEST_BY_MONITOR, "delivery_state (state=?)");
    uses(&connection, FIGURES, "PRIMARY KEY (quarter>?)");
    uses(&connection, FORGET, "PRIMARY KEY (quarter<?)");
    uses(&connection, &deliveries_over_sql("('delivered')"), "delivery_ended (endpoint=? AND state=? AND ended_ms<?)");
    uses(&connection, &deliveries_over_sql(DEAD_STATES), "delivery_ended (endpoint=? AND state=? AND ended_ms<?)");
    uses(&connection, REMOVE_JOBS, "job_status (status=?)");
    uses(&connection, EVENTS_UNOWED, "event_unowed (recorded_ms<?)");
}

#[test]
fn what_goes_when_room_is_made_is_found_in_ranges() {
    let dir = tempfile::tempdir().unwrap();
    let connection = open_for_writing(dir.path()).unwrap();
    uses(&connection, OWED, "USING INDEX delivery_owed (priority=?)");
    assert!(!plan(&connection, OWED).iter().any(|line| line.contains("TEMP B-TREE")), "a backlog must not be sorted");
    uses(&connection, OF_CLIPS, "USING INDEX delivery_of_clip");
    assert!(!plan(&connection, OF_CLIPS).iter().any(|line| line.contains("TEMP B-TREE")));
    uses(&connection, clips::REMOVE_GONE, "clip_age (state=?");
    uses(&connection, DELIVERED_FRAMES, "SCAN event USING INDEX event_framed");
    uses(&connection, DEAD_LETTERS, "delivery_ended (endpoint=? AND state=?");
    uses(&connection, REHEARSED, "event_unowed (recorded_ms<?)");
    uses(&connection, &ended_frame_sql(), "delivery_framed_ended (priority=?)");
    uses(&connection, &unsent_frame_sql(), "delivery_framed (priority=? AND generation>?)");
    for sql in [ended_frame_sql(), unsent_frame_sql()] {
        assert!(!plan(&connection, &sql).iter().any(|line| line.contains("TEMP B-TREE")), "{sql}");
    }
}

#[test]
fn clips_are_found_in_ranges() {
    let dir = tempfile::tempdir().unwrap();
    let connection = open_for_writing(dir.path()).unwrap();
    let clips = |camera, state| clips::clips_sql(&ClipFilter { camera, state, before: None, limit: 10 }).0;
    uses(&connection, &clips(None, None), "INTEGER PRIMARY KEY (rowid<?)");
    uses(&connection, &clips(Some(Name::new("a").unwrap()), None), "clip_camera (camera=? AND n<?)");
    uses(&connection, &clips(None, Some(ClipState::Ready)), "clip_state (state=? AND n<?)");
    uses(&connection, clips::CLIP_IS_NAMED, "(id=?)");
    uses(&connection, clips::ALERTS_OF, "(clip=?)");
    uses(&connection, clips::OF_CLIP, "(clip=?)");
    uses(&connection, clips::OF_EVENT, "event_open (open_id=?)");
    uses(&connection, clips::OF_EVENT, "clip_event_event (event=?)");
    let oldest = clips::oldest_delivered_sql();
    uses(&connection, &oldest, "SCAN clip USING INDEX clip_file");
    uses(&connection, &oldest, "delivery_event (event_seq=?)");
    uses(&connection, &clips::old_sql(), "clip_age (state=? AND over_ms<?)");
    uses(&connection, clips::AGELESS, "clip_ageless (n>?)");
    uses(&connection, clips::FORGET, "clip_age (state=? AND over_ms<?)");
    let sorts = plan(&connection, &oldest).iter().any(|line| line.contains("TEMP B-TREE"));
    assert!(!sorts, "thousands of clips must not be sorted");
    uses(&connection, "DELETE FROM clip_event WHERE event = ?1", "clip_event_event (event=?)");
}

#[test]
fn without_its_index_a_query_is_seen_to_scan() {
    let dir = tempfile::tempdir().unwrap();
    let connection = open_for_writing(dir.path()).unwrap();
    connection.execute_batch("DROP INDEX delivery_event").unwrap();
    assert_eq!(scans(&connection, DELIVERIES_OF_EVENT), ["SCAN delivery"]);
}
