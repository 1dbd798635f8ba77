//! Clips that are sent whole: what arrives, what is sent twice, what is believed, and what goes before.

use std::sync::mpsc;

use super::order::in_format;
use super::*;
use crate::depot::{Depot, assert_signed};
use sha2::{Digest, Sha256};
use stakeout::event::{ClipReport, ClipStage};
use stakeout::journal::clip_path;

/// The largest piece there is.
const PIECE: usize = 128 << 10;
/// Four pieces at least.
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

/// Whether pieces went one behind the other, from `from` to the end of the clip.
fn goes_on(said: &[Option<(usize, usize)>], from: usize) -> bool {
    let mut at = from;
    let follows = |piece: &Option<(usize, usize)>| {
        let (from, to) = piece.unwrap_or_default();
        let follows = from == at && to > from && to - from <= PIECE;
        at = to;
        follows
    };
    said.iter().all(follows) && at == WHOLE
}

#[tokio::test(flavor = "multi_thread")]
async fn it_arrives_as_it_is_in_signed_pieces() {
    let (filmed, depot) = (Filmed::new(), Depot::start(PIECE, |_, _| None));
    let sending = filmed.upload(&depot.url(), quick(&[50]));
    let row = filmed.outbox.until_state(State::Delivered).await.remove(0);
    sending.end().await;
    assert!(depot.kept(&filmed.end()) == filmed.content);
    let said = depot.said();
    assert!(said[0].is_none() && goes_on(&said[1..], 0), "{said:?}");
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
    let there = depot.kept(&filmed.end()).len();
    assert!(there > 0 && there < WHOLE, "the control: it was cut off");
    let sending = filmed.upload(&depot.url(), quick(&[50]));
    filmed.outbox.until_state(State::Delivered).await;
    sending.end().await;
    assert!(depot.kept(&filmed.end()) == filmed.content);
    let said = depot.said();
    assert!(said[3].is_none() && goes_on(&said[4..], there), "{said:?}");
    let again = filmed.upload(&depot.url(), quick(&[50]));
    again.end().await;
    assert_eq!(depot.said().len(), said.len(), "and never again");
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
    // The second piece gets lost, and so does the question after the third: that attempt is over.
    let depot = Depot::start(PIECE, |n, _| [2, 5, 6].contains(&n).then_some(Reply::Reset));
    let sending = filmed.upload(&depot.url(), quick(&[50]));
    let row = filmed.outbox.until_state(State::Delivered).await.remove(0);
    sending.end().await;
    assert!(depot.kept(&filmed.end()) == filmed.content);
    let said = depot.said();
    let questions: Vec<usize> = (0..said.len()).filter(|n| said[*n].is_none()).collect();
    assert_eq!(questions, [0, 3, 6, 7], "{said:?}");
    assert_eq!((filmed.outbox.attempts(row.id).len(), row.standing.attempts), (2, 1), "only the last one counts");
}

/// Two instances of a receiver that share no disk, by turns.
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_forgets_gets_no_more_than_its_attempts() {
    let filmed = Filmed::new();
    let depot = Depot::start(PIECE, |n, _| (n % 3 == 2).then_some(Reply::status(416)));
    let sending = filmed.upload(&depot.url(), quick(&[50, 50]));
    filmed.outbox.until("over", |row| !row.standing.state.is_open()).await;
    sending.end().await;
    assert!(depot.said().len() < 100, "{:?}", depot.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_told_as_one_and_gets_no_bytes() {
    let filmed = Filmed::new();
    let moved =
        "HTTP/1.1 308 x\r\nLocation: https://elsewhere.example/\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let depot = Depot::start(PIECE, move |_, _| Some(Reply::Bytes(moved.into())));
    let sending = filmed.upload(&depot.url(), quick(&[50]));
    let row = filmed.outbox.until_state(State::Dead).await.remove(0);
    sending.end().await;
    let statuses: Vec<_> = filmed.outbox.attempts(row.id).into_iter().map(|(_, status, _)| status).collect();
    assert_eq!((statuses, depot.said()), (vec![Some(308); 2], vec![None; 2]));
}

/// Of a webhook three unclean ends running say that it is to blame; a clip is under way at any end.
#[tokio::test(flavor = "multi_thread")]
async fn a_clip_is_not_to_blame_for_the_ends_it_was_under_way_at() {
    let mut filmed = Filmed::new();
    let depot = Depot::start(PIECE, |n, _| [1, 3, 5, 7].contains(&n).then_some(Reply::Silence));
    let path = clip_path(filmed.outbox.dir.path(), filmed.id);
    for end in 1..=4 {
        let office = Office::new(&filmed.outbox.bells, Clock::Real, end > 1);
        let sending = filmed.upload_from(&office, &depot.url(), quick(&[50]));
        depot.receiver.wait_for(2 * end);
        sending.task.abort();
        let _ = sending.task.await;
        filmed.outbox.reopen_after_a_kill();
        // No row names it here, so it was swept.
        std::fs::write(&path, &filmed.content).unwrap();
    }
    let sending = filmed.upload_from(&Office::new(&filmed.outbox.bells, Clock::Real, true), &depot.url(), quick(&[50]));
    filmed.outbox.until_state(State::Delivered).await;
    sending.end().await;
    assert!(depot.kept(&filmed.end()) == filmed.content);
}

/// The endpoint got another format after the clip was journaled.
#[tokio::test(flavor = "multi_thread")]
async fn what_stands_for_a_clip_is_no_webhook() {
    let (filmed, ops) = (Filmed::new(), Receiver::start(|_, _| Reply::status(200)));
    let sending = filmed.outbox.send(endpoint(&ops.url(), Retry::Edge), vec![key()]);
    let (reason, error) = filmed.dead().await;
    sending.end().await;
    assert_eq!((reason.as_str(), ops.arrived().len()), ("config", 0), "{error}");
}

/// A backlog that drains slowly leaves the line idle in between.
#[tokio::test(flavor = "multi_thread")]
async fn alerts_that_only_wait_for_their_rate_keep_no_clip_waiting() {
    let (filmed, depot) = (Filmed::new(), Depot::start(PIECE, |_, _| None));
    let office = Office::new(&filmed.outbox.bells, Clock::Real, false);
    let pager = Receiver::start(|_, _| Reply::status(200));
    filmed.outbox.accept_all((0..9).map(|_| (event(triggered()), "pager")).collect(), None);
    let rate = Some(Rate { count: 1, per: Duration::from_secs(3600) });
    let slow = Endpoint { name: name("pager"), rate, ..endpoint(&pager.url(), Retry::Edge) };
    let alerting = filmed.outbox.send_from(&office, slow, Vec::new());
    pager.wait_for(2);
    let uploading = filmed.upload_from(&office, &depot.url(), quick(&[50]));
    filmed
        .outbox
        .until("the clip is there", |row| row.endpoint != name("ops") || row.standing.state == State::Delivered)
        .await;
    assert_eq!(pager.arrived().len(), 2, "the control: seven wait");
    alerting.end().await;
    uploading.end().await;
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
    let mut seen = uploading.report.clone();
    seen.wait_for(|report| report.in_flight == 1).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(depot.said(), [], "while an alert is on its way");
    release.send(()).unwrap();
    filmed.outbox.until_state(State::Delivered).await;
    assert!(depot.kept(&filmed.end()) == filmed.content, "the control: afterwards it goes");
    alerting.end().await;
    uploading.end().await;
}
