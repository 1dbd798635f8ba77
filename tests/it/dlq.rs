//! Dead letters by one id, endpoint, time and class: listed and ordered about, through the daemon and without it.

use std::time::Duration;

use serde_json::Value;
use stakeout::delivery::State;
use stakeout::journal::{Journal, Settlement, Standing};
use stakeout::time::{Now, now};
use uuid::Uuid;

use crate::appliance::Appliance;
use crate::owing::{self, accept};

const HOUR: Duration = Duration::from_secs(3600);

/// A box with the endpoints `a` and `b`, to which nothing is sent.
fn appliance() -> Appliance {
    let endpoint = |name| {
        format!(
            "[[endpoint]]\nname = \"{name}\"\nurl = \"http://127.0.0.1:9/hook\"\nsecret_file = \"HERE/ops.secret\"\n\
             enabled = false\n"
        )
    };
    Appliance::new(&(endpoint("a") + &endpoint("b")))
}

/// A delivery that was accepted `ago` and stands like that.
pub fn letter(journal: &Journal, endpoint: &str, ago: Duration, state: State, reason: Option<&str>) -> Uuid {
    let at = Now { wall: now().wall.minus(ago), ..now() };
    let delivery = accept(journal, at, &[endpoint])[0];
    let standing = Standing {
        state,
        reason: reason.map(str::to_owned),
        due: now().wall,
        delay: Duration::ZERO,
        attempts: 1,
        tries: 1,
        holds: 0,
        held: Duration::ZERO,
        maybe_received: false,
    };
    journal.writer().settle(Settlement { delivery, at: now(), attempt: None, standing }).wait().unwrap();
    delivery
}

/// Six deliveries; only the fifth is no dead letter.
fn letters(appliance: &Appliance) -> Vec<Uuid> {
    let journal = owing::journal(appliance);
    let letters = [
        ("a", 3, State::Dead, Some("exhausted")),
        ("a", 1, State::Dead, Some("rejected")),
        ("b", 3, State::Dead, Some("exhausted")),
        ("b", 1, State::Expired, None),
        ("a", 1, State::Held, Some("endpoint_down")),
        ("a", 1, State::DroppedQuota, None),
    ]
    .map(|(endpoint, hours, state, reason)| letter(&journal, endpoint, hours * HOUR, state, reason));
    journal.close().unwrap();
    letters.to_vec()
}

/// The places in `ids`, counted from one, of what a listing shows.
fn shown(appliance: &Appliance, ids: &[Uuid], command: &str) -> Vec<usize> {
    let args: Vec<&str> = command.split(' ').chain(["--json"]).collect();
    let place = |line: &Value| {
        let id: Uuid = line["id"].as_str().unwrap().parse().unwrap();
        1 + ids.iter().position(|known| *known == id).unwrap()
    };
    appliance.json(&args).iter().map(place).collect()
}

/// Exit code, stdout, stderr without notes.
fn run(appliance: &Appliance, command: &str) -> (i32, String, String) {
    let output = appliance.run(&command.split(' ').collect::<Vec<_>>());
    let said = String::from_utf8(output.stderr).unwrap();
    let said: Vec<&str> = said.lines().filter(|line| !line.starts_with("note: ")).collect();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap(), said.join("\n"))
}

#[test]
fn conditions_combine_in_listings_with_the_daemon_and_without_it() {
    let mut appliance = appliance();
    let ids = letters(&appliance);
    let two_hours_ago = now().wall.minus(2 * HOUR).to_string();
    for up in [false, true] {
        if up {
            appliance.start();
        }
        for (command, expected) in [
            ("dlq list", &[1, 2, 3, 4, 6][..]),
            ("dlq list --endpoint a", &[1, 2, 6]),
            ("dlq list --reason exhausted", &[1, 3]),
            ("dlq list --state expired", &[4]),
            ("dlq list --since 2h", &[2, 4, 6]),
            ("dlq list --until 2h", &[1, 3]),
            (&format!("dlq list --since {two_hours_ago}"), &[2, 4, 6]),
            ("dlq list --since 4h --until 2h --endpoint b --reason exhausted", &[3]),
            ("dlq list --endpoint a --reason exhausted --since 2h", &[]),
            ("deliveries --reason endpoint_down", &[5]),
            ("deliveries --since 2h --endpoint a", &[2, 5, 6]),
            ("deliveries --state dead --until 2h", &[1, 3]),
            ("deliveries --state owed", &[5]),
            ("deliveries --state owed --endpoint a --since 2h", &[5]),
            ("deliveries --state owed --endpoint b", &[]),
        ] {
            assert_eq!(shown(&appliance, &ids, command), expected, "{command}, the daemon is up: {up}");
        }
    }
    let wrong = run(&appliance, "dlq list --since 1h --until 2h");
    assert_eq!(
        wrong,
        (
            1,
            String::new(),
            "error: `since` is not before `until`: nothing lies between them\n\
             hint: exchange them: `since` is the earlier one, `2h` is earlier than `1h`"
                .to_owned()
        )
    );
    appliance.stop();
}

#[test]
fn orders_reach_exactly_what_the_listing_shows() {
    for up in [false, true] {
        let mut appliance = appliance();
        let ids = letters(&appliance);
        if up {
            appliance.start();
        }
        let told = |command: &str| {
            let (code, out, said) = run(&appliance, command);
            assert_eq!(code, 0, "{command}: {said}");
            out
        };
        let dead = || shown(&appliance, &ids, "dlq list");
        assert_eq!(
            told("dlq retry --endpoint a --reason exhausted --until 2h"),
            "sent 1 dead letter back into the queue\n"
        );
        assert_eq!(dead(), [2, 3, 4, 6]);
        assert_eq!(told("dlq drop --state expired --since 2h"), "dropped 1 dead letter\n");
        assert_eq!(told("dlq drop --endpoint a --state expired"), "dropped 0 dead letters\n");
        assert_eq!(dead(), [2, 3, 6]);
        for command in ["dlq list", "dlq list --json", "dlq drop", "dlq retry", "deliveries"] {
            let (code, out, said) = run(&appliance, &format!("{command} --endpoint office"));
            let said: Vec<&str> = said.lines().skip_while(|line| line.starts_with("note: ")).collect();
            assert_eq!((code, out.as_str(), said.len()), (1, "", 2), "{command}: {said:?}");
            assert!(said[0].starts_with("error: there is no endpoint `office`"), "{command}: {said:?}");
            // The daemon is asked to send, and says what could be done; everything else looks into the file.
            let is_asked = up && command == "dlq retry";
            assert_eq!(said[1] == "hint: endpoints of this file: `a`, `b`", !is_asked, "{command}: {said:?}");
        }
        assert_eq!(told("dlq retry --all"), "sent 3 dead letters back into the queue\n");
        assert_eq!(dead(), [] as [usize; 0], "what was dropped stays dropped");
        assert_eq!(told(&format!("dlq retry {}", ids[3])), "sent 1 dead letter back into the queue\n", "but by its id");
        assert_eq!(shown(&appliance, &ids, "deliveries --state pending"), [1, 2, 3, 4, 6]);
        let (code, _, said) = run(&appliance, &format!("dlq drop {}", ids[4]));
        let expected = format!(
            "error: delivery `{}` is not a dead letter: it is `held`\nhint: list dead letters with `stakeout dlq list`",
            ids[4]
        );
        assert_eq!((code, said), (1, expected));
    }
}

#[test]
fn an_order_about_many_goes_in_batches() {
    let mut appliance = appliance();
    let journal = owing::journal(&appliance);
    for n in 0..600 {
        letter(&journal, ["a", "b"][n % 2], HOUR, State::Dead, Some("exhausted"));
    }
    journal.close().unwrap();
    assert_eq!(run(&appliance, "dlq drop --endpoint a").1, "dropped 300 dead letters\n", "by the journal itself");
    appliance.start();
    assert_eq!(run(&appliance, "dlq retry --reason exhausted").1, "sent 300 dead letters back into the queue\n");
    let ops = &appliance.status()["endpoints"];
    assert_eq!((&ops[0]["dead"], &ops[1]["pending"]), (&0.into(), &300.into()));
    appliance.stop();
}

#[test]
fn what_is_not_understood_is_said() {
    let appliance = appliance();
    let said = |command: &str| {
        let (code, out, said) = run(&appliance, command);
        assert_eq!((code, out.as_str()), (2, ""), "{command}");
        said
    };
    assert!(said("dlq list --since yesterday").starts_with(
        "error: invalid value 'yesterday' for '--since <TIME>': write a time such as 2026-11-21T05:00:00Z, or how long ago: 2h"
    ));
    assert!(said("dlq list --state held").contains("[possible values: dead, expired, dropped_quota, skipped_gone]"));
    assert!(
        said("dlq retry --all --endpoint a").contains("the argument '--all' cannot be used with '--endpoint <NAME>'")
    );
    let id = Uuid::from_u128(1);
    assert!(said(&format!("dlq drop {id} --since 2h")).contains("cannot be used with"));
    assert!(said("dlq retry").contains("required"), "which ones must be said");
    insta::assert_snapshot!(run(&appliance, "dlq retry --help").1, @r#"
    Send dead letters again: same id, same body, a fresh schedule

    Usage: stakeout dlq retry [OPTIONS] <ID|--all|--state <STATE>|--reason <REASON>|--endpoint <NAME>|--since <TIME>|--until <TIME>>

    Arguments:
      [ID]...  Ids of deliveries; only by its id comes back what was dropped

    Options:
          --all              All dead letters
          --state <STATE>    Only those in this state [possible values: dead, expired, dropped_quota,
                             skipped_gone]
          --reason <REASON>  Only those that are dead for this reason [possible values: exhausted,
                             rejected, too_large, config, poison]
          --endpoint <NAME>  Only those to this endpoint
          --since <TIME>     Only those accepted then or later: 2026-11-21T05:00:00Z, or `2h` for two
                             hours ago
          --until <TIME>     Only those accepted before: as --since
          --config <FILE>    Configuration file [default: $STAKEOUT_CONFIG, then
                             /etc/stakeout/stakeout.toml]
      -h, --help             Print help
    "#);
}
