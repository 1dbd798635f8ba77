//! Connections that are kept open, and what it means when one of them breaks.

use std::io::Write;
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stakeout::delivery::{Attempt, Outcome};
use stakeout::transport::Client;

use super::{AMPLE, OK, answer, client, post, read_request, request, reset, serve, status};

/// How many requests each connection has brought.
type Counts = Arc<Mutex<Vec<usize>>>;

/// A receiver that answers the first request of a connection, keeps it open, and does `then` when the second one has come.
fn answers_once(then: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> (String, Counts) {
    let counts = Counts::default();
    let seen = Arc::clone(&counts);
    let address = serve(move |number, mut stream| {
        let count = |requests| {
            let mut counts = seen.lock().unwrap();
            let length = counts.len().max(number + 1);
            counts.resize(length, 0);
            counts[number] = requests;
        };
        if read_request(&mut stream).is_some() {
            // Before the answer: whoever has it may look at the count.
            count(1);
            if stream.write_all(OK).is_ok() && read_request(&mut stream).is_some() {
                count(2);
                then(stream);
            }
        }
    });
    (format!("http://{address}/"), counts)
}

/// Posts until something else than 200 comes back: a connection that was just used may not be free again at once.
async fn post_until_reused(client: &Client, url: &str) -> Attempt {
    for _ in 0..1000 {
        let attempt = client.send(request(url)).await;
        if attempt.outcome != status(200) {
            return attempt;
        }
    }
    panic!("no connection was used twice");
}

#[tokio::test]
async fn a_connection_is_kept_for_the_next_attempt() {
    let (url, counts) = answers_once(|mut stream| {
        stream.write_all(b"HTTP/1.1 201 x\r\nContent-Length: 0\r\n\r\n").unwrap();
    });
    assert_eq!(post_until_reused(&client(AMPLE), &url).await.outcome, status(201));
    assert_eq!(counts.lock().unwrap().last(), Some(&2));
}

#[tokio::test]
async fn a_fresh_connection_is_one() {
    let (url, counts) = answers_once(|_| {});
    let client = client(AMPLE);
    for _ in 0..20 {
        let mut request = request(&url);
        request.fresh_connection = true;
        assert_eq!(client.send(request).await.outcome, status(200));
    }
    assert_eq!(*counts.lock().unwrap(), [1; 20]);
}

#[tokio::test]
async fn a_kept_connection_that_breaks_before_a_status_is_stale() {
    let broken = |stream: TcpStream| drop(stream);
    let half_a_status = |mut stream: TcpStream| {
        stream.write_all(b"HTTP/1.1 20").unwrap();
    };
    let (closes, torn, halves) = (answers_once(broken), answers_once(reset), answers_once(half_a_status));
    for (url, counts) in [closes, torn, halves] {
        let client = client(AMPLE);
        let attempt = post_until_reused(&client, &url).await;
        assert_eq!(attempt.outcome, Outcome::StaleConnection, "{attempt:?}");
        assert_eq!(counts.lock().unwrap().last(), Some(&2), "the request had arrived on a kept connection");
        let mut again = request(&url);
        again.fresh_connection = true;
        assert_eq!(client.send(again).await.outcome, status(200), "the re-send gets through");
    }
}

#[tokio::test]
async fn a_new_connection_that_breaks_is_not_stale() {
    let address = serve(|_, mut stream| {
        let _ = read_request(&mut stream);
    });
    assert_eq!(post(&format!("http://{address}/")).await.outcome, Outcome::NoAnswer);
}

#[tokio::test]
async fn silence_on_a_kept_connection_is_no_answer() {
    let (url, _) = answers_once(|mut stream| {
        let _ = read_request(&mut stream);
    });
    assert_eq!(post_until_reused(&client(Duration::from_secs(2)), &url).await.outcome, Outcome::NoAnswer);
}

#[tokio::test]
async fn the_receiver_closes_an_idle_connection_and_nothing_is_lost() {
    let address = serve(|_, mut stream| {
        answer(&mut stream, OK);
    });
    let client = client(AMPLE);
    for _ in 0..20 {
        let attempt = client.send(request(&format!("http://{address}/"))).await;
        // It has either seen that the connection is closed, and made a new one, or it wrote into a closed one.
        assert!([status(200), Outcome::StaleConnection].contains(&attempt.outcome), "{attempt:?}");
    }
}

#[tokio::test]
async fn a_connection_with_an_unread_answer_is_not_used_again() {
    let mut long = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n".to_vec();
    long.extend(b"HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n".repeat(3000));
    long.truncate(100_042);
    let counts = Counts::default();
    let seen = Arc::clone(&counts);
    let address = serve(move |_, mut stream| {
        let mut requests = 0;
        while read_request(&mut stream).is_some() {
            requests += 1;
            seen.lock().unwrap().push(requests);
            let _ = stream.write_all(&long);
        }
    });
    let client = client(AMPLE);
    for _ in 0..10 {
        assert_eq!(client.send(request(&format!("http://{address}/"))).await.outcome, status(200));
    }
    assert_eq!(*counts.lock().unwrap(), [1; 10], "each request was the first of its connection");
}
