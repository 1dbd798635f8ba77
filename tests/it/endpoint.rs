//! `stakeout endpoint`, with real receivers: what is printed, and how it ends.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use stakeout::sign::{Key, Message, verify};

use crate::certificates::{Authority, serve_tls};
use crate::receiver::{Answer, Arrived, Receiver};
use crate::transport::namespace::{ONLINE, Reply, inside, name_server};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A configuration with one endpoint, `ops`.
struct Home(tempfile::TempDir);

impl Home {
    /// With these further settings; `HERE` is the folder.
    fn new(url: &str, settings: &str) -> Home {
        let home = Home(tempfile::tempdir().unwrap());
        let here = home.0.path().to_str().unwrap().to_owned();
        let text = format!(
            "[device]\nid = \"box\"\n[storage]\npath = \"HERE/state\"\n[[endpoint]]\nname = \"ops\"\nurl = \"{url}\"\n{settings}"
        );
        home.write("c.toml", &text.replace("HERE", &here));
        home.write("secret", SECRET);
        home
    }

    fn write(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Exit code, stdout and stderr, with ports and times of this run made the same everywhere.
    fn run(&self, args: &[&str]) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_stakeout"))
            .args(args)
            .arg("--config")
            .arg(self.0.path().join("c.toml"))
            .output()
            .unwrap();
        let said = |bytes: Vec<u8>| settled(&String::from_utf8(bytes).unwrap());
        assert!(!self.0.path().join("state").exists(), "nothing is journaled");
        (output.status.code().unwrap(), said(output.stdout), said(output.stderr))
    }
}

/// Numbers that differ from run to run: after `:`, in parentheses and before ` ms`.
fn settled(text: &str) -> String {
    let mut settled = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let digits = rest[at..].find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len() - at);
        let (before, after) = (&rest[..at], &rest[at + digits..]);
        settled += before;
        let varies = digits > 4 && before.ends_with(':')
            || after.starts_with(" ms")
            || after.starts_with(" d)")
            || before.ends_with("_ms\":");
        settled += if varies { "N" } else { &rest[at..at + digits] };
        rest = after;
    }
    settled + rest
}

/// As a receiver's developer would do it.
fn verified(arrived: &Arrived) -> bool {
    let message =
        Message { id: arrived.header("webhook-id"), timestamp: arrived.header("webhook-timestamp").parse().unwrap() };
    let keys = [Key::new(SECRET).unwrap()];
    verify(&keys, arrived.header("webhook-signature"), Some(message), &arrived.body).is_ok()
        && verify(&keys, arrived.header("x-trio-signature"), None, &arrived.body).is_ok()
}

#[test]
fn an_endpoint_that_works() {
    let receiver = Receiver::start(|_, arrived| Answer::status(if verified(arrived) { 204 } else { 401 }));
    let url = format!("{}/T0/B0/hunter2", receiver.url());
    let home = Home::new(&url, "secret_file = \"HERE/secret\"\nheaders = { \"Authorization\" = \"Bearer hunter2\" }\n");
    let (code, out, err) = home.run(&["endpoint", "check", "ops"]);
    assert_eq!((code, &*err), (0, ""));
    insta::assert_snapshot!(out, @r#"
    endpoint     ops
    url          http://127.0.0.1:N
    connected    to 127.0.0.1:N in N ms
    answer       204 after N ms
    headers      Content-Type, User-Agent, X-Stakeout-Event, X-Stakeout-Delivery, X-Stakeout-Attempt, X-Stakeout-Sequence, X-Stakeout-Age, Idempotency-Key, X-Trio-Signature, webhook-id, webhook-timestamp, webhook-signature, Authorization
    signature    a wrong one was refused with 401
    "#);
    let [first, second] = &receiver.arrived()[..] else { panic!("two requests") };
    assert_eq!((first.header("x-stakeout-event"), first.header("x-stakeout-attempt")), ("endpoint.check", "1"));
    let body: serde_json::Value = serde_json::from_slice(&first.body).unwrap();
    assert_eq!((&body["data"]["device"], &body["data"]["endpoint"]), (&"box".into(), &"ops".into()));
    assert_ne!(first.header("webhook-id"), second.header("webhook-id"), "else it might be taken for a duplicate");
    assert!(!verified(second));
}

#[test]
fn a_receiver_that_does_not_verify() {
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let home = Home::new(&receiver.url(), "secret_file = \"HERE/secret\"\n");
    let (code, out, err) = home.run(&["endpoint", "check", "ops", "--json"]);
    insta::assert_snapshot!(err, @r#"
    warning: endpoint `ops`: the receiver takes a wrong signature: anybody who can reach it can send it events
    hint: let it verify `webhook-signature` or `X-Trio-Signature`, and answer 401 when they don't match
    "#);
    insta::assert_snapshot!(out, @r#"
    {"endpoint":"ops","url":"http://127.0.0.1:N","addresses":[],"lookup_ms":null,"peer":"127.0.0.1:N","connect_ms":N,"tls":null,"outcome":"delivered","status":200,"latency_ms":N,"error":null,"clock_skew_s":null,"headers":["Content-Type","User-Agent","X-Stakeout-Event","X-Stakeout-Delivery","X-Stakeout-Attempt","X-Stakeout-Sequence","X-Stakeout-Age","Idempotency-Key","X-Trio-Signature","webhook-id","webhook-timestamp","webhook-signature"],"verifies":false,"forged_status":200}
    "#);
    assert_eq!(code, 0);
}

#[test]
fn an_unsigned_endpoint_and_a_clock_that_is_off() {
    let dated = b"HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2001 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n";
    let receiver = Receiver::start(|_, _| Answer::Bytes(dated.to_vec()));
    let (code, out, err) = Home::new(&receiver.url(), "").run(&["endpoint", "check", "ops"]);
    insta::assert_snapshot!(err, @r#"
    warning: endpoint `ops`: it is unsigned: the receiver can't tell our events from anybody's
    hint: set `secret_file`; `stakeout keygen` makes a secret
    warning: endpoint `ops`: the receiver's clock and ours differ by more than five minutes: it may refuse what seems that old
    hint: set the clock of this box (`timedatectl`), or the receiver's
    "#);
    assert!(out.contains("\nclock        the receiver's is ") && out.contains(" d behind ours\n"), "{out}");
    assert_eq!((code, receiver.arrived().len()), (0, 1));
}

#[test]
fn a_private_authority_and_what_its_certificate_says() {
    let authority = Authority::new("Yard CA");
    let address = serve_tls(&authority.issue("localhost", |_| {}), None, |stream| {
        crate::transport::answer(stream, b"HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n");
    });
    let url = format!("https://localhost:{}/", address.port());
    let home = Home::new(&url, "ca_file = \"HERE/ca.pem\"\n");
    home.write("ca.pem", &authority.pem);
    let (code, out, err) = home.run(&["endpoint", "check", "ops"]);
    assert!(
        out.contains("\ncertificate  CN=localhost, issued by CN=Yard CA, valid until 2099-12-31 (in N d)\n"),
        "{out}"
    );
    assert!(out.contains("\nanswer       500 after N ms\n"), "{out}");
    let hint = "hint: the receiver itself fails: its log says why\n";
    assert_eq!((code, err), (7, format!("error: endpoint `ops` does not work: it answers 500\n{hint}")));

    let (code, out, err) = Home::new(&url, "").run(&["endpoint", "check", "ops"]);
    assert!(out.contains("\ncertificate  CN=localhost, issued by CN=Yard CA, "), "refused, but shown: {out}");
    assert!(
        err.starts_with("error: endpoint `ops` does not work: invalid peer certificate: UnknownIssuer\nhint: "),
        "{err}"
    );
    assert_eq!(code, 6);
}

#[test]
fn the_exit_code_says_how_far_it_came() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(Home::new(&format!("http://{nobody}/"), "").run(&["endpoint", "check", "ops"]).0, 5);
    let receiver = Receiver::start(|_, _| Answer::HangUp);
    assert_eq!(Home::new(&receiver.url(), "").run(&["endpoint", "check", "ops"]).0, 7);
    let home = Home::new(&receiver.url(), "secret_file = \"HERE/missing\"\n");
    assert_eq!(home.run(&["endpoint", "check", "ops"]).0, 78);
    let (code, _, err) = home.run(&["endpoint", "check", "opps"]);
    let told = "note: the daemon is not reachable, which alone knows endpoints that were made over the API\n\
                error: there is no endpoint `opps`\nhint: did you mean `ops`?\n";
    assert_eq!((code, &*err), (1, told));
}

#[test]
fn a_name_that_leads_nowhere() {
    if inside("endpoint::a_name_that_leads_nowhere", ONLINE) {
        name_server(|_| Reply::NoSuchName);
        let (code, _, err) = Home::new("https://hook.test/", "").run(&["endpoint", "check", "ops"]);
        let told = "error: endpoint `ops` does not work: there is no host `hook.test`: is the URL right?\n\
                    hint: wrong URL? is the host in `url` right?\n";
        assert_eq!((code, &*err), (4, told));
    }
}

#[test]
fn the_help_of_check_has_the_exit_codes() {
    let output = Command::new(env!("CARGO_BIN_EXE_stakeout"))
        .args(["endpoint", "check", "--help"])
        .env_remove("COLUMNS")
        .output()
        .unwrap();
    insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap(), @r#"
    Send a check to an endpoint and print what happened

    Usage: stakeout endpoint check [OPTIONS] <NAME>

    Arguments:
      <NAME>  Name of the endpoint

    Options:
          --json           Print JSON
          --config <FILE>  Configuration file [default: $STAKEOUT_CONFIG, then
                           /etc/stakeout/stakeout.toml]
      -h, --help           Print help

    Sends one signed `endpoint.check` and, when it was taken, another one with a wrong signature, which
    the receiver should refuse. Neither is journaled or counted. Values of headers are not shown.
    Slack and mail get a message that says that nothing happened, PagerDuty the end of an incident that
    there never was; receivers of the Trio formats, videodb and aioz would act on it, and get nothing.
    Exit codes: 0 it works (warnings go to stderr), 1 failure, 4 its name leads nowhere, 5 no
    connection, 6 no TLS, 7 the receiver did not take it, 78 the configuration can't be used.
    "#);
}

#[test]
fn the_list() {
    let more = "[[endpoint]]\nname = \"office\"\nurl = \"https://office.example/T0/hunter2\"\n\
                secret_file = [\"/new\", \"/old\"]\nenabled = false\n";
    let home = Home::new("https://hook.example:8443/", more);
    insta::assert_snapshot!(home.run(&["endpoint", "list"]).1, @r#"
    endpoint  url                        format    signed
    ops       https://hook.example:8443  stakeout  no
    office    https://office.example     stakeout  with two secrets  disabled
    "#);
    insta::assert_snapshot!(home.run(&["endpoint", "list", "--json"]).1, @r#"
    {"name":"ops","url":"https://hook.example:8443","format":"stakeout","secrets":0,"enabled":true,"origin":"file"}
    {"name":"office","url":"https://office.example","format":"stakeout","secrets":2,"enabled":false,"origin":"file"}
    "#);
}

#[test]
fn check_live_asks_every_endpoint() {
    let receiver = Receiver::start(|_, arrived| Answer::status(if verified(arrived) { 200 } else { 401 }));
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let signed = "secret_file = \"HERE/secret\"\n";
    let (code, out, err) = Home::new(&receiver.url(), signed).run(&["check", "--live"]);
    assert_eq!(code, 0, "{err}");
    assert!(
        out.ends_with("c.toml: ok (0 cameras, 0 monitors, 1 endpoint)\nendpoint `ops`: works (answered after N ms)\n"),
        "{out}"
    );
    let more = format!(
        "{signed}[[endpoint]]\nname = \"gone\"\nurl = \"http://{nobody}/\"\n\
         [[endpoint]]\nname = \"off\"\nurl = \"http://{nobody}/\"\nenabled = false\n"
    );
    let (code, out, err) = Home::new(&receiver.url(), &more).run(&["check", "--live"]);
    assert_eq!(code, 1);
    assert!(out.ends_with("\nendpoint `ops`: works (answered after N ms)\n"), "{out}");
    assert!(err.contains("\nerror: endpoint `gone` does not work: tcp connect error: "), "{err}");
    assert!(err.contains("\nerror: 1 endpoint does not work\nhint: ") && !err.contains("`off`"), "{err}");
}
