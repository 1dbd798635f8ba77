//! Values that mean nothing: bad input of monitors and endpoints, and what is said about it, to the letter.

use super::{changed, good, refused};

#[test]
fn an_endpoint_at_the_metadata_service() {
    let source = changed(&[("https://your-app.example/events", "http://169.254.169.254/latest")]);
    let told = r#"
error: endpoint `ops`: `url` leads to a link-local address
  --> stakeout.toml:14:7
   |
14 | url = "http://169.254.169.254/latest"
   |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ no event is sent there: a receiver has an address of its own
   |
   = help: if it really is meant, name it: `[egress] allow`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn forbidden_addresses_in_disguise() {
    let url = "https://your-app.example/events";
    for (host, what) in [
        ("0xa9fea9fe", "link-local"),
        ("2852039166", "link-local"),
        ("[::ffff:169.254.169.254]", "link-local"),
        ("[64:ff9b::a9fe:a9fe]", "link-local"),
        ("[fd00:ec2::254]", "metadata"),
        ("0.0.0.0", "unspecified"),
        ("239.0.0.1", "multicast"),
        ("255.255.255.255", "broadcast"),
    ] {
        let told = refused(&changed(&[(url, &format!("https://{host}/"))]));
        assert!(told.starts_with(&format!("error: endpoint `ops`: `url` leads to a {what} address")), "{told}");
    }
}

#[test]
fn addresses_that_are_allowed() {
    let allowing = |list: &str, url: &str| {
        changed(&[
            ("\n[[camera]]", &format!("[egress]\nallow = {list}\n[[camera]]")),
            ("https://your-app.example/events", url),
        ])
    };
    let config = good(&allowing(r#"["169.254.0.0/16", "fe80::1"]"#, "http://169.254.10.1/"));
    assert_eq!(config.egress.check("169.254.1.2".parse().unwrap()), Ok(()));
    assert_eq!(config.egress.check("fe80::1".parse().unwrap()), Ok(()));
    assert!(config.egress.check("fe80::2".parse().unwrap()).is_err());
    refused(&allowing(r#"["169.254.10.2"]"#, "http://169.254.10.1/"));
}

#[test]
fn an_exception_that_is_no_address() {
    let source = changed(&[("\n[[camera]]", "[egress]\nallow = [\"169.254/16\"]\n[[camera]]")]);
    let told = r#"
error: `[egress]`: `allow` can't hold `169.254/16`
 --> stakeout.toml:2:10
  |
2 | allow = ["169.254/16"]
  |          ^^^^^^^^^^^^ an address such as `"169.254.10.1"`, or a network such as `"fe80::/10"`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn half_a_client_certificate() {
    for (set, missing) in [("client_cert", "client_key"), ("client_key", "client_cert")] {
        let told = refused(&changed(&[("name = \"ops\"\n", &format!("name = \"ops\"\n{set} = \"/x.pem\"\n"))]));
        assert!(told.starts_with(&format!("error: endpoint `ops`: `{set}` needs a `{missing}`")), "{told}");
    }
}

#[test]
fn a_hold_in_other_words() {
    let source = changed(&[("labels = [\"person\"]\n", "labels = [\"person\"]\nhold = \"2/3\"\n")]);
    let told = r#"
error: monitor `person`: `hold` can't be `2/3`
  --> stakeout.toml:11:8
   |
11 | hold = "2/3"
   |        ^^^^^ k of the last n checks: for example `"2 of 3"`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_hold_that_asks_for_more_than_it_sees() {
    let source = changed(&[("labels = [\"person\"]\n", "labels = [\"person\"]\nhold = \"3 of 2\"\n")]);
    let told = r#"
error: monitor `person`: `hold` can't be `3 of 2`
  --> stakeout.toml:11:8
   |
11 | hold = "3 of 2"
   |        ^^^^^^^^ more checks than it looks at: the first number must not be larger"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_hold_that_can_never_be_reached() {
    let source = changed(&[("labels = [\"person\"]\n", "labels = [\"person\"]\nhold = \"20 of 20\"\n")]);
    let told = r#"
error: monitor `person`: `hold` can never be reached with a `check_interval` of `1s`
  --> stakeout.toml:11:8
   |
11 | hold = "20 of 20"
   |        ^^^^^^^^^^ checks are remembered for 10s: at most `11 of …`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_clear_threshold_above_the_threshold() {
    let source = changed(&[(
        "labels = [\"person\"]\n",
        "labels = [\"person\"]\nconfidence_threshold = 0.5\nclear_threshold = 0.6\n",
    )]);
    let told = r#"
error: monitor `person`: `clear_threshold` is above `confidence_threshold`
  --> stakeout.toml:12:19
   |
12 | clear_threshold = 0.6
   |                   ^^^ must be at most `confidence_threshold`, 0.5"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_zone_of_two_points() {
    let source = changed(&[("labels = [\"person\"]\n", "labels = [\"person\"]\nzone = [[0.1, 0.1], [0.9, 0.9]]\n")]);
    let told = r#"
error: monitor `person`: `zone` needs at least three points
  --> stakeout.toml:11:8
   |
11 | zone = [[0.1, 0.1], [0.9, 0.9]]
   |        ^^^^^^^^^^^^^^^^^^^^^^^^ for example `[[0.1, 0.2], [0.9, 0.2], [0.5, 0.9]]`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_zone_in_pixels() {
    let source =
        changed(&[("labels = [\"person\"]\n", "labels = [\"person\"]\nzone = [[10, 0.1], [0.9, 0.9], [0.5, 0.1]]\n")]);
    let told = r#"
error: monitor `person`: `zone` is out of range
  --> stakeout.toml:11:10
   |
11 | zone = [[10, 0.1], [0.9, 0.9], [0.5, 0.1]]
   |          ^^ points are normalised: 0 is left or top, 1 is right or bottom"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_zone_without_area() {
    let source =
        changed(&[("labels = [\"person\"]\n", "labels = [\"person\"]\nzone = [[0.1, 0.1], [0.5, 0.5], [0.9, 0.9]]\n")]);
    let told = r#"
error: monitor `person`: `zone` has no area
  --> stakeout.toml:11:8
   |
11 | zone = [[0.1, 0.1], [0.5, 0.5], [0.9, 0.9]]
   |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ its points lie on a line, or its sides cross"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn neither_condition_nor_labels() {
    let source = changed(&[("labels = [\"person\"]\n", "")]);
    let told = r#"
error: monitor `person`: `condition` or `labels` is missing
 --> stakeout.toml:6:1
  |
6 | [[monitor]]
  | ^^^^^^^^^^^ a model that is asked in words wants `condition = "Is a person inside the yellow zone?"`, a detector or classifier `labels = ["person"]`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
    let misspelt = changed(&[("labels = [\"person\"]\n", "lables = [\"person\"]\n")]);
    let said = refused(&misspelt).to_string();
    assert!(said.contains("did you mean `labels`?") && !said.contains("is missing"), "{said}");
    let labelled = changed(&[("labels = [\"person\"]\n", "label = \"person\"\n")]);
    assert!(
        refused(&labelled).to_string().contains("`condition` or `labels` is missing"),
        "`label` is a key of its own"
    );
}

#[test]
fn an_event_that_does_not_exist() {
    let source = changed(&[("name = \"ops\"\n", "name = \"ops\"\nevents = [\"monitor.triggerd\"]\n")]);
    let told = r#"
error: endpoint `ops`: `events` names no event: `monitor.triggerd`
  --> stakeout.toml:14:11
   |
14 | events = ["monitor.triggerd"]
   |           ^^^^^^^^^^^^^^^^^^ did you mean `monitor.triggered`?"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn an_endpoint_that_lets_nothing_through() {
    let source = changed(&[("name = \"ops\"\n", "name = \"ops\"\nevents = []\n")]);
    let told = r#"
error: endpoint `ops`: `events` lets nothing through
  --> stakeout.toml:14:10
   |
14 | events = []
   |          ^^ use `["*"]`, or `enabled = false` to keep what is owed"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_preset_that_does_not_exist() {
    let source = changed(&[("name = \"ops\"\n", "name = \"ops\"\nretry = \"never\"\n")]);
    let told = r#"
error: endpoint `ops`: `retry` can't be `never`
  --> stakeout.toml:14:9
   |
14 | retry = "never"
   |         ^^^^^^^ one of `edge`, `trio`, `aioz`, `standard`, or `{ delays = ["1s", "10s"], max_age = "72h" }`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_schedule_without_delays() {
    let source = changed(&[("name = \"ops\"\n", "name = \"ops\"\nretry = { max_age = \"1h\" }\n")]);
    let told = r#"
error: endpoint `ops`: `retry` has no `delays`
  --> stakeout.toml:14:9
   |
14 | retry = { max_age = "1h" }
   |         ^^^^^^^^^^^^^^^^^^ for example `{ delays = ["1s", "10s"], max_age = "72h" }`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_header_of_ours() {
    let source = changed(&[("name = \"ops\"\n", "name = \"ops\"\nheaders = { \"Webhook-Id\" = \"1\" }\n")]);
    let told = r#"
error: endpoint `ops`: `headers` can't set `Webhook-Id`
  --> stakeout.toml:14:13
   |
14 | headers = { "Webhook-Id" = "1" }
   |             ^^^^^^^^^^^^ this one is set by the daemon"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_header_with_a_newline() {
    let source = changed(&[("name = \"ops\"\n", "name = \"ops\"\nheaders = { \"X-Site\" = \"a\\nb\" }\n")]);
    let told = r#"
error: endpoint `ops`: `headers` has an invalid value for `X-Site`
  --> stakeout.toml:14:24
   |
14 | headers = { "X-Site" = "a\nb" }
   |                        ^^^^^^ printable ASCII, no space at either end"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn names_with_spaces() {
    let source = changed(&[("name = \"ops\"", "name = \"my ops\"")]);
    let told = r#"
error: endpoint `my ops`: `name` is not a name
  --> stakeout.toml:13:8
   |
13 | name = "my ops"
   |        ^^^^^^^^ a name has only letters, digits, `-`, `_` and `.`, and starts with a letter or digit"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn descriptions_that_describe_nothing() {
    let with =
        |value: &str| changed(&[("labels = [\"person\"]\n", &format!("labels = [\"person\"]\nnegatives = {value}\n"))]);
    let told = r#"
error: monitor `person`: `negatives` has an empty description
  --> stakeout.toml:11:14
   |
11 | negatives = [" "]
   |              ^^^ say what the picture shows"#;
    assert_eq!(format!("\n{}", refused(&with("[\" \"]"))), told);
    let told = r#"
error: monitor `person`: `negatives` must be a list, not a string
  --> stakeout.toml:11:13
   |
11 | negatives = "an empty yard"
   |             ^^^^^^^^^^^^^^^ for example `["an empty yard"]`"#;
    assert_eq!(format!("\n{}", refused(&with("\"an empty yard\""))), told);
    let many = refused(&with(&format!("[{}]", "\"a dog\", ".repeat(101))));
    assert!(many.contains("`negatives` has too many descriptions"), "{many}");
    let config =
        good(&with("[\"an empty yard\", \"a dog\"]").replace("negatives", "prompts = [\"a person\"]\nnegatives"));
    assert_eq!(config.monitors[0].prompts, ["a person"]);
    assert_eq!(config.monitors[0].negatives, ["an empty yard", "a dog"]);
}
