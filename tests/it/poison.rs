//! Kill -9 while one delivery is on its way, again and again: that one is given up, the others arrive.

use serde_json::Value;
use stakeout::time::now;

use crate::appliance::Appliance;
use crate::owing::{accept, journal};
use crate::receiver::{Answer, Arrived, Receiver};

fn is_first(request: &Arrived) -> bool {
    request.header("x-stakeout-sequence") == "1"
}

/// Kills the daemon each time it sends the first delivery, which is never answered; all deliveries after that many kills.
fn after_kills(kills: usize) -> Vec<Value> {
    let receiver = Receiver::start(|_, request| if is_first(request) { Answer::Silence } else { Answer::status(200) });
    let mut appliance = Appliance::new(&format!(
        "[[endpoint]]\nname = \"ops\"\nurl = \"{}\"\nsecret_file = \"HERE/ops.secret\"\ntimeout = \"30s\"\n",
        receiver.url()
    ));
    let before = journal(&appliance);
    (0..3).for_each(|_| drop(accept(&before, now(), &["ops"])));
    before.close().unwrap();
    let mut seen = 0;
    for _ in 0..kills {
        appliance.start();
        appliance.until("the first is on its way", |_| {
            (receiver.arrived().iter().filter(|request| is_first(request)).count() > seen).then_some(())
        });
        seen = receiver.arrived().iter().filter(|request| is_first(request)).count();
        appliance.kill();
    }
    appliance.start();
    appliance.until("the others arrived", |it| {
        let deliveries = it.json(&["deliveries", "--json"]);
        deliveries[1..].iter().all(|delivery| delivery["state"] == "delivered").then_some(())
    });
    appliance.json(&["deliveries", "--json"])
}

/// At the first kill nobody was suspicious yet, so it does not count.
#[test]
fn what_was_on_its_way_at_three_suspicious_kills_running_is_given_up() {
    let deliveries = after_kills(4);
    assert_eq!((&deliveries[0]["state"], &deliveries[0]["reason"]), (&"dead".into(), &"poison".into()));
}

#[test]
fn two_are_not_enough() {
    let deliveries = after_kills(3);
    assert_ne!(deliveries[0]["state"], "dead");
}
