//! A camera's life on sources that misbehave on purpose.
//!
//! Owns those sources; refuses to know what is decoded.

use super::*;
use crate::camera::codec::Codec;
use crate::camera::ingest::{Ingest, Stop};
use crate::camera::settings::{Address, Settings};

fn at(seconds: u64) -> Now {
    Now::in_clip(Duration::from_secs(seconds))
}

fn picture(fingerprint: u64) -> Seen {
    Seen { pictures: 1, tried: true, fingerprint: Some(fingerprint), uniform: false }
}

/// Plays its packets, then ends; counts its connections.
struct Reel {
    packets: Vec<Packet>,
    left: std::vec::IntoIter<Packet>,
    opened: crossbeam_channel::Sender<Now>,
}

impl Source for Reel {
    fn open(&mut self, _connection: u64) -> Result<(), Problem> {
        self.left = self.packets.clone().into_iter();
        // A test that is over listens no more.
        let _ = self.opened.send(time::now());
        Ok(())
    }

    fn next(&mut self, _wait: Duration) -> Result<Option<Packet>, Problem> {
        let packet = self.left.next().ok_or(Problem::EndOfClip)?;
        Ok(Some(Packet { arrived: time::now(), ..packet }))
    }

    fn close(&mut self) {}
}

/// A camera, when it connects, and what stops it.
fn camera(packets: Vec<Packet>, live: bool) -> (Run, crossbeam_channel::Receiver<Now>, crossbeam_channel::Sender<()>) {
    let ((opened, openings), (stopper, stop)) = (crossbeam_channel::unbounded(), crossbeam_channel::bounded(0));
    let (mailbox, board) = (Arc::<Mailbox>::default(), Arc::<Board>::default());
    let address = Address::File { path: "reel".into(), repeat: true };
    let settings = Settings { decode: crate::config::Decode::All, ..Settings::at(address) };
    let feed = Feed::new(Arc::new(settings), mailbox.clone(), board.clone());
    let run = Run {
        name: Name::new("cam").unwrap(),
        source: Box::new(Reel { packets, left: Vec::new().into_iter(), opened }),
        repeat: true,
        live,
        mailbox,
        board,
        stop,
        feed,
        member: Arc::new(Arc::<crate::camera::Fleet>::default().join()),
        watchdog: Watchdog::new(at(0)),
        outage: None,
        told: None,
        absences: Absences::default(),
    };
    (run, openings, stopper)
}

/// Sees `fingerprint` each second, until the connection has to be begun anew.
fn sees(run: &mut Run, course: &mut Course, fingerprint: u64, seconds: std::ops::Range<u64>) -> Option<(u64, Problem)> {
    seconds.into_iter().find_map(|second| {
        run.watchdog.packet(crate::camera::Class::Idr, at(second));
        run.seen(&picture(fingerprint), course, at(second)).err().map(|problem| (second, problem))
    })
}

#[test]
fn the_watch_loop_hears_that_a_frozen_cameras_pictures_come_again() {
    let (mut run, ..) = camera(Vec::new(), true);
    let mut course = Course::begin(at(0));
    assert_eq!(sees(&mut run, &mut course, 1, 0..2), None);
    let (second, problem) = sees(&mut run, &mut course, 2, 2..100).unwrap();
    assert_eq!(problem, Problem::Still);
    run.lost(&problem, &course, at(second));
    run.watchdog.open(at(second));
    assert_eq!(run.mailbox.take().notices, [Notice::Online, Notice::Lost(Problem::Still)]);
    let mut course = Course::begin(at(second));
    assert_eq!(sees(&mut run, &mut course, 2, second + 1..second + 50), None);
    assert_eq!(run.mailbox.take().notices, [Notice::Online], "once");
    let snapshot = run.board.snapshot();
    assert_eq!((snapshot.state, snapshot.cause), (State::Offline, Some(Problem::Frozen)));
    assert_eq!(run.outage.as_ref().map(Outage::attempts), Some(2), "the suspicion and its proof are a line each");
    assert_eq!(sees(&mut run, &mut course, 3, second + 50..second + 61), None);
    assert_eq!((run.board.snapshot().state, run.outage.is_none()), (State::Online, true));
    assert_eq!(run.mailbox.take().notices, []);
}

#[test]
fn a_camera_is_away_since_its_last_picture() {
    let (mut run, ..) = camera(Vec::new(), true);
    run.lost(&Problem::Refused, &Course::begin(at(0)), at(3));
    assert_eq!(run.board.snapshot().since, Some(at(3)), "none came");
    let mut course = Course::begin(at(4));
    course.slept_through(at(4));
    assert_eq!(sees(&mut run, &mut course, 1, 5..7), None);
    run.lost(&Problem::NoPictures(Duration::ZERO), &course, at(26));
    assert_eq!(run.board.snapshot().since, Some(at(6)));
    assert_eq!(course.flowed(), Duration::from_secs(1));
    assert!(run.outage.is_some(), "it didn't stay");
    course.slept_through(at(9));
    assert_eq!(course.flowed(), Duration::from_secs(4), "asleep, packets count");
}

#[test]
fn only_time_in_which_we_did_nothing_is_an_absence_and_it_is_told_once_an_hour() {
    let mut absences = Absences::default();
    assert!(!absences.is_worth_a_line(Duration::from_secs(1), at(10)));
    let told: Vec<u64> = (0..8000).filter(|second| absences.is_worth_a_line(ABSENCE, at(*second))).collect();
    assert_eq!(told, [0, 3600, 7200]);
}

#[test]
fn a_repeated_clip_of_one_picture_does_not_spin() {
    gstreamer::init().unwrap();
    let text = format!(
        "videotestsrc num-buffers=1 ! video/x-raw,format=I420,width=160,height=120 ! jpegenc ! {}",
        Codec::Mjpeg.tail()
    );
    let mut ingest = Ingest::start(&text, |_| (), 1).unwrap();
    let mut packets = Vec::new();
    loop {
        match ingest.next(Duration::from_secs(30)) {
            Ok(packet) => packets.extend(packet),
            Err(Stop::End) => break,
            Err(_) => panic!("no clip"),
        }
    }
    assert_eq!(packets.len(), 1);
    let (run, openings, stopper) = camera(packets, false);
    run.mailbox.demand(crate::camera::Demand::newest_from(time::Mono(0)));
    let board = run.board.clone();
    let thread = std::thread::spawn(move || run.run());
    let starts: Vec<Now> = openings.iter().take(3).collect();
    drop(stopper);
    thread.join().unwrap();
    let snapshot = board.snapshot();
    assert_eq!((snapshot.state, snapshot.cause), (State::Online, None), "its picture was seen");
    let rounds = starts.windows(2).map(|pair| pair[1].mono.since(pair[0].mono));
    assert!(rounds.into_iter().all(|round| round >= Duration::from_millis(900)), "{starts:?}");
}

/// Never comes back from saying good-bye.
struct Stuck(crossbeam_channel::Receiver<()>);

impl Source for Stuck {
    fn open(&mut self, _connection: u64) -> Result<(), Problem> {
        Ok(())
    }

    fn next(&mut self, _wait: Duration) -> Result<Option<Packet>, Problem> {
        self.close();
        Ok(None)
    }

    fn close(&mut self) {
        let _ = self.0.recv();
    }
}

#[test]
fn a_camera_that_hangs_is_not_waited_for_for_ever() {
    let (let_go, stuck) = crossbeam_channel::bounded(0);
    let camera = |stuck| {
        let settings = Arc::new(Settings::at(Address::File { path: "reel".into(), repeat: true }));
        crate::camera::spawn_source(Name::new("cam").unwrap(), Box::new(Stuck(stuck)), true, false, settings).unwrap()
    };
    let soon = |ms| time::now().mono.plus(Duration::from_millis(ms));
    assert!(!camera(stuck).join_by(soon(100)), "it hangs");
    drop(let_go);
    let (_, free) = crossbeam_channel::bounded(0);
    assert!(camera(free).join_by(soon(60_000)), "one that doesn't has ended");
}
