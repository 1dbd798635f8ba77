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
