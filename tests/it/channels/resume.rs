//! The built binary's stream of events across kill -9 of the daemon and of the client: every event exactly once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::clients::Sse;
use crate::appliance::Appliance;
use crate::shared::runtime;

/// A box that has something to say twice a second while somebody is in the zone.
pub fn talkative(more: &str) -> Appliance {
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/yard.mp4");
    Appliance::new(&format!(
        "[[camera]]\nname = \"yard\"\nurl = \"file://{}\"\nloop = true\n\
         [[monitor]]\nname = \"zone\"\ncamera = \"yard\"\ncondition = \"Is a person inside the marked zone?\"\n\
         model = \"yard-classifier\"\nlabels = [\"person_in_zone\"]\nconfidence_threshold = 0.8\nhold = \"1 of 1\"\n\
         check_interval = \"100ms\"\ncooldown = \"400ms\"\nclear_after = \"500ms\"\n{more}",
        clip.display()
    ))
}

pub fn socket(appliance: &Appliance) -> PathBuf {
    appliance.folder.path().join("stakeout.sock")
}

/// What is listed and was not seen, and what was seen more than once.
fn wrong(seen: &[i64], listed: &[i64]) -> (Vec<i64>, Vec<i64>) {
    let mut times: BTreeMap<i64, u32> = BTreeMap::new();
    seen.iter().for_each(|seq| *times.entry(*seq).or_default() += 1);
    let missed = listed.iter().filter(|seq| !times.contains_key(seq)).copied().collect();
    let twice = times.into_iter().filter(|(_, times)| *times > 1).map(|(seq, _)| seq).collect();
    (missed, twice)
}

fn listed(appliance: &Appliance) -> Vec<i64> {
    appliance.events().iter().map(|event| event["seq"].as_i64().unwrap()).collect()
}

#[test]
fn every_event_is_told_exactly_once_across_kills_of_both_ends() {
    if runtime().is_none() {
        return;
    }
    let mut appliance = talkative("");
    appliance.start();
    let (mut seen, mut last) = (Vec::new(), 0);
    for kill in 0..5 {
        let mut stream = Sse::open(&socket(&appliance), "", Some(last)).unwrap();
        seen.extend(stream.take(fastrand::usize(1..5)).iter().map(|told| told.id));
        if kill % 2 == 0 {
            // The daemon's end: what had been sent by then counts, too.
            appliance.kill();
            seen.extend(std::iter::from_fn(|| stream.next()).map(|told| told.id));
            appliance.start();
        }
        // The client's end, on both ways: all it has kept is the last id.
        last = stream.last;
    }
    appliance.until("more events", |it| (listed(it).len() >= seen.len() + 5).then_some(()));
    let listed = listed(&appliance);
    let mut stream = Sse::open(&socket(&appliance), "", Some(last)).unwrap();
    while seen.last() < listed.last() {
        seen.push(stream.next().unwrap().id);
    }
    assert_eq!(wrong(&seen, &listed), (vec![], vec![]));
    assert!(seen.is_sorted(), "{seen:?}");
    drop(stream);
    appliance.stop();
}

/// The controls: what is missed, and what comes twice, without the right id.
#[test]
fn a_client_that_forgets_its_last_id_misses_events_or_sees_some_twice() {
    if runtime().is_none() {
        return;
    }
    let mut appliance = talkative("");
    appliance.start();
    let mut stream = Sse::open(&socket(&appliance), "", Some(0)).unwrap();
    let mut seen: Vec<i64> = stream.take(3).iter().map(|told| told.id).collect();
    drop(stream);
    appliance.until("what it misses", |it| (listed(it).len() > 5).then_some(()));
    let mut forgetful = Sse::open(&socket(&appliance), "", None).unwrap();
    seen.push(forgetful.next().unwrap().id);
    let (missed, twice) = wrong(&seen, &listed(&appliance));
    assert!(missed.starts_with(&[4, 5]) && twice.is_empty(), "{missed:?} {twice:?}");
    let mut again = Sse::open(&socket(&appliance), "", Some(1)).unwrap();
    seen.push(again.next().unwrap().id);
    assert_eq!(wrong(&seen, &[]).1, [2]);
    drop((forgetful, again));
    appliance.stop();
}
