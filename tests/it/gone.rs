//! An endpoint that said that it is gone, and the operator who says that it is back.

use stakeout::name::Name;
use stakeout::time::now;

use crate::appliance::Appliance;
use crate::owing::{accept, journal};
use crate::receiver::{Answer, Receiver};

#[test]
fn what_a_gone_endpoint_is_owed_is_skipped_until_an_operator_enables_it() {
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let mut appliance = Appliance::new(&format!(
        "[[endpoint]]\nname = \"ops\"\nurl = \"{}\"\nsecret_file = \"HERE/ops.secret\"\n",
        receiver.url()
    ));
    let before = journal(&appliance);
    accept(&before, now(), &["ops"]);
    before.writer().set_gone(Name::new("ops").unwrap(), true).wait().unwrap();
    accept(&before, now(), &["ops"]);
    before.close().unwrap();

    appliance.start();
    appliance.until("both are skipped", |it| {
        let deliveries = it.json(&["deliveries", "--json"]);
        deliveries.iter().all(|delivery| delivery["state"] == "skipped_gone").then_some(())
    });
    let warned =
        |it: &Appliance| it.status()["warnings"].to_string().contains("endpoint `ops` said that it is gone (410)");
    assert!(warned(&appliance));

    let enabled = appliance.run(&["endpoint", "enable", "ops"]);
    assert_eq!(String::from_utf8_lossy(&enabled.stdout), "endpoint `ops` is sent events again\n");
    assert_eq!(String::from_utf8_lossy(&enabled.stderr), "what was skipped: `stakeout dlq retry --endpoint ops`\n");
    let log = appliance.log();
    assert!(log.lines().any(|line| line.contains("/v1/endpoints/ops/enable") && line.contains("by=uid ")), "{log}");
    assert_eq!(appliance.json(&["endpoint", "enable", "ops", "--json"])[0]["was_gone"], false);
    let unknown = appliance.run(&["endpoint", "enable", "nobody"]);
    assert_eq!(
        String::from_utf8_lossy(&unknown.stderr),
        "error: there is no endpoint `nobody`\nhint: endpoints known here: `ops`\n"
    );

    appliance.until("the warning is gone", |it| (!warned(it)).then_some(()));
    assert!(appliance.run(&["dlq", "retry", "--endpoint", "ops"]).status.success());
    assert_eq!(receiver.wait_for(2).len(), 2);
    appliance.stop();
}

#[test]
fn what_is_owed_to_an_endpoint_that_is_no_more_is_not_sent_back_into_the_queue() {
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let mut appliance = Appliance::new(&format!("[[endpoint]]\nname = \"ops\"\nurl = \"{}\"\n", receiver.url()));
    let before = journal(&appliance);
    for endpoint in ["ops", "left"] {
        before.writer().set_gone(Name::new(endpoint).unwrap(), true).wait().unwrap();
    }
    let deliveries = accept(&before, now(), &["ops", "left"]);
    before.close().unwrap();
    appliance.start();
    assert!(appliance.run(&["endpoint", "enable", "ops"]).status.success());
    let refused = |appliance: &Appliance, args: &[&str]| {
        let output = appliance.run(args);
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let said = refused(&appliance, &["dlq", "retry", "--endpoint", "left"]);
    assert!(said.starts_with("error: there is no endpoint `left` to send them to\nhint: make an endpoint"), "{said}");
    assert_eq!(refused(&appliance, &["dlq", "retry", &deliveries[1].to_string()]), said);

    let all = appliance.run(&["dlq", "retry", "--all"]);
    assert_eq!(String::from_utf8_lossy(&all.stdout), "sent 1 dead letter back into the queue\n");
    let note = "note: 1 stay dead letters: their endpoints are no more\n";
    assert_eq!(String::from_utf8_lossy(&all.stderr), note);
    assert_eq!(receiver.wait_for(1).len(), 1);
    assert!(appliance.status()["warnings"].to_string().contains("PUT /v1/endpoints/left"));
    appliance.stop();
}
