//! A box without any way out: in a network of its own, which has nothing until the loopback interface is up.

use std::process::Command;

use super::*;
use crate::shared::skip;

/// Set in the process that runs inside of the network of its own.
const INSIDE: &str = "STAKEOUT_TEST_INSIDE";

/// Free for sure: nobody else is in this network.
const ADDRESS: &str = "127.0.0.1:8080";

#[test]
fn a_box_that_is_offline_holds_for_all_endpoints_and_goes_on_when_the_routes_change() {
    if std::env::var_os(INSIDE).is_some() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        return runtime.block_on(offline_then_online());
    }
    if !Command::new("unshare").args(["--net", "ip", "link"]).output().is_ok_and(|output| output.status.success()) {
        return skip("no network of its own can be made: that takes root, `unshare` and `ip`");
    }
    let this = std::thread::current().name().unwrap().to_owned();
    let inside = Command::new("unshare")
        .arg("--net")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &this, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&inside.stdout) + String::from_utf8_lossy(&inside.stderr);
    assert!(inside.status.success() && said.contains("1 passed"), "{said}");
}

async fn offline_then_online() {
    let outbox = Outbox::for_endpoints(&["a", "b"], Clock::Real);
    let office = Office::new(&outbox.bells, outbox.clock.clone(), false);
    let send = |endpoint_name| {
        // A strict preset: being offline burns nothing there either.
        let endpoint =
            Endpoint { name: name(endpoint_name), ..endpoint(&format!("http://{ADDRESS}/hook"), Retry::Aioz) };
        outbox.send_from(&office, endpoint, vec![])
    };
    let a = send("a");
    outbox.accept_all(vec![(event(triggered()), "a")], None);
    a.report.clone().wait_for(|report| report.held == Some(HoldReason::Offline)).await.unwrap();
    let b = send("b");
    b.report.clone().wait_for(|report| report.held == Some(HoldReason::Offline)).await.unwrap();
    outbox.accept_all(vec![(event(triggered()), "b")], None);
    let rows = outbox.until("held", |row| row.endpoint != name("a") || row.standing.state == State::Held).await;
    assert!(rows.iter().all(|row| row.standing.attempts == 0));
    assert_eq!(rows[0].standing.reason.as_deref(), Some("offline"));

    assert!(Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap().success());
    let receiver = Receiver::start_at(ADDRESS.parse().unwrap(), |_, _| Reply::status(200));
    let rows = outbox.until_state(State::Delivered).await;
    assert!(rows.iter().all(|row| row.standing.attempts <= 4));
    assert_eq!(receiver.arrived().len(), 2);
    a.end().await;
    b.end().await;
}
