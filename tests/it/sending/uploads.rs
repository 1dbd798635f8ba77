//! Clips that are sent whole: what arrives, what is sent twice, what is believed, and what goes before.

use std::sync::mpsc;

use super::order::in_format;
use super::*;
use crate::depot::{Depot, assert_signed};
use sha2::{Digest, Sha256};
use stakeout::event::{ClipReport, ClipStage};
use stakeout::journal::clip_path;

const PIECE: usize = 128 << 10;
/// Four pieces, the last of which is short.
const WHOLE: usize = 3 * PIECE + 1000;

/// A clip in an outbox.
struct Filmed {
    outbox: Outbox,
    id: Uuid,
    content: Vec<u8>,
}

fn key() -> Key {
    Key::new("a secret of sixteen bytes or more").unwrap()
}

impl Filmed {
    /// Owed to `ops`.
    fn new() -> Filmed {
        let outbox = Outbox::for_endpoints(&["ops", "pager"], Clock::Real);
        let (id, content) =
            (Uuid::new_v4(), std::iter::repeat_with(|| fastrand::u8(..)).take(WHOLE).collect::<Vec<_>>());
        let path = clip_path(outbox.dir.path(), id);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &content).unwrap();
        let report = ClipReport {
            stage: ClipStage::Ready,
            clip: id,
            alert: Uuid::new_v4(),
            alerted: now().wall,
            height: None,
            url: String::new(),
            player_url: String::new(),
            duration_ms: 1000,
            bytes: WHOLE as u64,
            sha256: hex::encode(Sha256::digest(&content)),
        };
        let event = in_format(Format::Upload, EventData::Clip(report));
        let record = Record { at: now(), events: vec![event], machine: None, jobs: Vec::new() };
        tokio::task::block_in_place(|| outbox.journal().writer().record(record).wait()).unwrap();
        Filmed { outbox, id, content }
    }

    fn upload(&self, url: &str, retry: Retry) -> Sending {
        self.upload_from(&Office::new(&self.outbox.bells, Clock::Real, false), url, retry)
    }

    fn upload_from(&self, office: &Office, url: &str, retry: Retry) -> Sending {
        let endpoint = Endpoint { format: Format::Upload, concurrency: 1, ..endpoint(url, retry) };
        let credentials = Credentials::signing(url.parse().unwrap(), vec![key()]);
        self.outbox.send_with(office, endpoint, credentials, Tls::default())
    }

    fn end(&self) -> String {
        format!("/{}.mp4", self.id)
    }

    async fn dead(&self) -> (String, String) {
        let row = self.outbox.until_state(State::Dead).await.remove(0);
        let error = self.outbox.attempts(row.id).pop().unwrap().2.unwrap();
        (row.standing.reason.unwrap().as_str().to_owned(), error)
    }
}

fn piece(from: usize) -> Option<(usize, usize)> {
    Some((from, WHOLE.min(from + PIECE)))
}

#[tokio::test(flavor = "multi_thread")]
async fn it_arrives_as_it_is_in_signed_pieces() {
    let (filmed, depot) = (Filmed::new(), Depot::start(PIECE, |_, _| None));
    let sending = filmed.upload(&depot.url(), quick(&[50]));
    let row = filmed.outbox.until_state(State::Delivered).await.remove(0);
    sending.end().await;
    assert!(depot.kept(&filmed.end()) == filmed.content);
    assert_eq!(depot.said(), [None, piece(0), piece(PIECE), piece(2 * PIECE), piece(3 * PIECE)]);
    assert_signed(&depot.receiver.arrived(), &key(), &filmed.content);
    assert_eq!(filmed.outbox.attempts(row.id).len(), 1, "a conversation is one attempt");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_is_not_sent_again_neither_by_the_next_process() {
    let filmed = Filmed::new();
    // The third request, the second piece, hangs until the sender is stopped.
    let depot = Depot::start(PIECE, |n, _| (n == 2).then_some(Reply::Silence));
    let sending = filmed.upload(&depot.url(), quick(&[50]));
    depot.receiver.wait_for(3);
    sending.end().await;
    assert_eq!(depot.kept(&filmed.end()).len(), PIECE, "the control: it was cut off");
    let sending = filmed.upload(&depot.url(), quick(&[50]));
    filmed.outbox.until_state(State::Delivered).await;
    sending.end().await;
    assert!(depot.kept(&filmed.end()) == filmed.content);
    assert_eq!(depot.said()[3..], [None, piece(PIECE), piece(2 * PIECE), piece(3 * PIECE)]);
    let again = filmed.upload(&depot.url(), quick(&[50]));
    again.end().await;
    assert_eq!(depot.said().len(), 7, "and never again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_has_it_all_is_sent_nothing() {
    let (filmed, depot) = (Filmed::new(), Depot::start(PIECE, |_, _| None));
    depot.keep(&format!("/hook/{}.mp4", filmed.id), &filmed.content);
    let sending = filmed.upload(&depot.url(), quick(&[50]));
    filmed.outbox.until_state(State::Delivered).await;
    sending.end().await;
    assert_eq!(depot.said(), [None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_breaks_costs_no_attempt_while_there_is_progress() {
    let filmed = Filmed::new();
    let depot = Depot::start(PIECE, |n, _| [2, 5].contains(&n).then_some(Reply::Reset));
    let sending = filmed.upload(&depot.url(), quick(&[50]));
    let row = filmed.outbox.until_state(State::Delivered).await.remove(0);
    sending.end().await;
    assert!(depot.kept(&filmed.end()) == filmed.content);
    let again = [None, piece(PIECE), piece(2 * PIECE), None, piece(2 * PIECE), piece(3 * PIECE)];
    assert_eq!(depot.said()[3..], again);
    assert_eq!(filmed.outbox.attempts(row.id).len(), 1, "{:?}", filmed.outbox.attempts(row.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_keeps_a_stump_is_not_believed() {
    let filmed = Filmed::new();
    let depot = Depot::start(PIECE, |_, _| Some(Reply::status(200)));
    let sending = filmed.upload(&depot.url(), quick(&[50]));
    let (reason, error) = filmed.dead().await;
    sending.end().await;
    assert_eq!(reason, "exhausted");
    assert!(error.starts_with("it takes a part of the clip for all of it; it must answer 308"), "{error}");
}

/// Elsewhere a 409 after an answer that was lost means that it is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_is_not_taken_for_having_it() {
    let filmed = Filmed::new();
    let depot = Depot::start(PIECE, |n, _| match n {
        0 => None,
        1 => Some(Reply::HangUp),
        _ => Some(Reply::status(409)),
    });
    let sending = filmed.upload(&depot.url(), quick(&[50, 50]));
    let (reason, error) = filmed.dead().await;
    sending.end().await;
    assert_eq!(reason, "exhausted");
    assert!(error.starts_with("it answers that what it is sent doesn't fit"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clip_that_is_gone_is_a_dead_letter_that_says_so() {
    let (filmed, depot) = (Filmed::new(), Depot::start(PIECE, |_, _| None));
    std::fs::remove_file(clip_path(filmed.outbox.dir.path(), filmed.id)).unwrap();
    let sending = filmed.upload(&depot.url(), Retry::Edge);
    let (reason, error) = filmed.dead().await;
    sending.end().await;
    assert_eq!((reason.as_str(), error.as_str()), ("clip_gone", "the clip is gone; `stakeout clips show` says why"));
    assert_eq!(depot.said(), [None], "asked first, and sent nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_go_before_clips() {
    let (filmed, depot) = (Filmed::new(), Depot::start(PIECE, |_, _| None));
    let office = Office::new(&filmed.outbox.bells, Clock::Real, false);
    let ((release, released), (came, comes)) = (mpsc::channel::<()>(), mpsc::channel::<()>());
    let released = std::sync::Mutex::new(released);
    // Answers the alert when the test says so.
    let pager = Receiver::start(move |_, _| {
        came.send(()).unwrap();
        let _ = released.lock().unwrap().recv();
        Reply::status(200)
    });
    filmed.outbox.accept_all(vec![(event(triggered()), "pager")], None);
    let alerting = {
        let endpoint =
            Endpoint { name: name("pager"), timeout: Duration::from_secs(30), ..endpoint(&pager.url(), Retry::Edge) };
        filmed.outbox.send_from(&office, endpoint, Vec::new())
    };
    tokio::task::block_in_place(|| comes.recv_timeout(Duration::from_secs(60))).expect("the alert arrives");
    let uploading = filmed.upload_from(&office, &depot.url(), quick(&[50]));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(depot.said(), [], "while an alert is on its way");
    release.send(()).unwrap();
    filmed.outbox.until_state(State::Delivered).await;
    assert!(depot.kept(&filmed.end()) == filmed.content, "the control: afterwards it goes");
    alerting.end().await;
    uploading.end().await;
}
