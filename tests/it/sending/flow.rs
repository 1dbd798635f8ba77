//! Several endpoints at once, and what ends a process.

use stakeout::delivery::State;
use stakeout::event::Priority;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn two_dead_endpoints_of_six_leave_the_others_alone() {
    const NAMES: [&str; 6] = ["a", "b", "c", "d", "hangs", "refuses"];
    let outbox = Outbox::for_endpoints(&NAMES, Clock::Real);
    let good = Receiver::start(|_, _| Reply::status(200));
    let hanging = Receiver::start(|_, _| Reply::Silence);
    let refusing = Receiver::start(|_, _| Reply::status(200)).url();
    let office = Office::new(&outbox.bells, outbox.clock.clone(), false);
    let mut senders = Vec::new();
    for endpoint_name in NAMES {
        let url = match endpoint_name {
            "hangs" => hanging.url(),
            "refuses" => refusing.clone(),
            _ => good.url(),
        };
        let timeout = Duration::from_secs(30);
        let endpoint = Endpoint { name: name(endpoint_name), rate: None, timeout, ..endpoint(&url, Retry::Edge) };
        senders.push(outbox.send_from(&office, endpoint, vec![]));
    }
    let events = || (0..25).flat_map(|_| NAMES.map(|endpoint| (event(triggered()), endpoint))).collect();
    outbox.accept_all(events(), None);
    hanging.wait_for(4);
    outbox.accept_all(events(), None);
    let is_dead = |row: &DeliveryRow| matches!(row.endpoint.as_str(), "hangs" | "refuses");
    let rows =
        outbox.until("delivered but to the dead", |row| is_dead(row) || row.standing.state == State::Delivered).await;
    assert!(rows.iter().filter(|row| is_dead(row)).all(|row| row.standing.state.is_open()));
    assert_eq!(good.arrived().len(), 200);
    assert_eq!(hanging.arrived().len(), 4, "one for each slot");
    for sender in senders {
        sender.end().await;
    }
}

/// As a process that dies while it sends: nothing is settled, nobody says good-bye.
async fn die_while_sending(outbox: &mut Outbox, receiver: &Receiver, requests: usize) {
    let sending = outbox.send(endpoint(&receiver.url(), Retry::Edge), vec![]);
    receiver.wait_for(requests);
    sending.task.abort();
    let _ = sending.task.await;
    outbox.reopen_after_a_kill();
}

/// Answers all but the first delivery.
fn hangs_over_the_first() -> Receiver {
    Receiver::start(|_, request| match request.header("x-stakeout-sequence") {
        "1" => Reply::Silence,
        _ => Reply::status(200),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_being_sent_at_three_unclean_ends_running_is_given_up_and_others_flow() {
    let receiver = hangs_over_the_first();
    let mut outbox = Outbox::new();
    // The first unclean end: nobody was cautious yet.
    outbox.reopen_after_a_kill();
    let poison = outbox.accept_as(Priority::Normal);
    for ends in 1..=3 {
        let state = |id| outbox.deliveries().iter().find(|row| row.id == id).unwrap().standing.state;
        assert!(state(poison.delivery).is_open(), "{} are not enough", ends - 1);
        let other = outbox.accept_as(Priority::Normal);
        let sending = outbox.send(endpoint(&receiver.url(), Retry::Edge), vec![]);
        outbox.until("others flow", |row| row.id != other.delivery || row.standing.state == State::Delivered).await;
        let hanging = || receiver.arrived().iter().filter(|it| it.header("x-stakeout-sequence") == "1").count();
        for _ in 0..12_000 {
            if hanging() >= ends {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(hanging() >= ends, "the first is never sent");
        sending.task.abort();
        let _ = sending.task.await;
        outbox.reopen_after_a_kill();
    }
    let rows = outbox.deliveries();
    assert_eq!((rows[0].standing.state, rows[0].standing.reason.as_deref()), (State::Dead, Some("poison")));
    assert!(rows[1..].iter().all(|row| row.standing.state == State::Delivered));

    let sending = outbox.send(endpoint(&receiver.url(), Retry::Edge), vec![]);
    let last = outbox.accept_as(Priority::Normal);
    outbox.until("it goes on", |row| row.id != last.delivery || row.standing.state == State::Delivered).await;
    sending.end().await;
}

/// The control of the test above: a clean end between unclean ones acquits.
#[tokio::test(flavor = "multi_thread")]
async fn a_clean_end_between_unclean_ones_acquits() {
    let receiver = hangs_over_the_first();
    let mut outbox = Outbox::new();
    outbox.reopen_after_a_kill();
    outbox.accept_as(Priority::Normal);
    die_while_sending(&mut outbox, &receiver, 1).await;
    die_while_sending(&mut outbox, &receiver, 2).await;
    let due = |outbox: &Outbox| outbox.journal().reader().unwrap().due(&name("ops"), now().wall, 9).unwrap();
    assert_eq!(due(&outbox)[0].unclean_claims, 2);
    outbox.reopen();
    assert_eq!(due(&outbox)[0].unclean_claims, 0);
    outbox.reopen_after_a_kill();
    die_while_sending(&mut outbox, &receiver, 3).await;
    assert_eq!(due(&outbox)[0].unclean_claims, 1);
}
