//! What is hidden, in which disguises, and what is not.

use super::*;

/// Everything that upsets a URL, JSON, a shell and a log line.
const NASTY: &str = "p@ss:w/ör%41d \"'\\&=?#";

fn list(secrets: &[&str]) -> List {
    let mut list = List::new();
    secrets.iter().for_each(|secret| list.add(None, forms(secret)));
    list
}

#[test]
fn a_secret_is_hidden_in_every_spelling() {
    let list = list(&[NASTY]);
    let percent = |set| percent_encoding::utf8_percent_encode(NASTY, set).to_string();
    let caps = NASTY.chars().map(|c| if c.is_alphanumeric() { c.to_string() } else { format!("\\{c}") }).collect();
    let octal = NASTY.bytes().map(|byte| format!("\\{byte:03o}")).collect();
    let spellings: [String; 8] = [
        NASTY.to_owned(),
        percent(percent_encoding::NON_ALPHANUMERIC),
        percent(percent_encoding::NON_ALPHANUMERIC).to_lowercase(),
        percent(percent_encoding::CONTROLS),
        serde_json::to_string(NASTY).unwrap(),
        format!("{NASTY:?}"),
        caps,
        octal,
    ];
    for spelled in spellings {
        let shown = list.redacted(&format!("before {spelled} after")).into_owned();
        assert_eq!(shown.replace('"', ""), "before *** after", "{spelled}");
    }
    let in_a_url_in_json = serde_json::to_string(&percent(percent_encoding::NON_ALPHANUMERIC).replace('%', "\\%"));
    assert_eq!(list.redacted(&in_a_url_in_json.unwrap().replace("\\\\", "\\")), "\"***\"");
}

#[test]
fn a_login_is_hidden_as_it_goes_over_the_line() {
    let mut list = List::new();
    list.add(None, forms_of_login("viewer", NASTY));
    let basic = STANDARD.encode(format!("viewer:{NASTY}"));
    assert_eq!(list.redacted(&format!("Authorization: Basic {basic}\r\n")), "Authorization: Basic ***\r\n");
    assert_eq!(list.redacted(&format!("user-pw={NASTY}")), "user-pw=***");
    assert_eq!(list.redacted("user-id=viewer, Basic dmlld2VyOng="), "user-id=viewer, Basic dmlld2VyOng=");
}

#[test]
fn a_short_password_is_hidden_as_a_login_only() {
    let mut list = List::new();
    list.add(None, forms_of_login("me", "pw"));
    let shown = list.redacted("rtsp://me:pw@h/ rtsp://x:pw@h/ Basic bWU6cHc= and a pw in a word: pwd").into_owned();
    assert_eq!(shown, "rtsp://***h/ rtsp://x***h/ Basic *** and a pw in a word: pwd");
    let mut without = List::new();
    without.add(None, forms_of_login("me", ""));
    assert_eq!(without.redacted("me: :@ Basic bWU6"), "me: :@ Basic ***");
}

#[test]
fn of_a_secret_url_only_the_host_is_left() {
    let mut list = List::new();
    list.conceal_url(None, &Url::parse("rtsp://Cam.local:8554/live/s3cr3t-t0ken/a?key=abc&user=ad%20min").unwrap());
    let shown = |text: &str| list.redacted(text).into_owned();
    assert_eq!(shown("uri rtsp://cam.local:8554/live/x?key=abc, next"), "uri rtsp://cam.local:8554/*** next");
    assert_eq!(shown("<rtsps://u:p@cam.local/a b>"), "<rtsps://***@cam.local/*** b>");
    assert_eq!(shown(r#"{"url":"rtsp://cam.local?abc"}"#), r#"{"url":"rtsp://cam.local***"}"#);
    assert_eq!(shown("rtsp://cam.local:8554/ rtsp://cam.local"), "rtsp://cam.local:8554/ rtsp://cam.local");
    assert_eq!(shown("rtsp://other.local/live/x?key=abc"), "rtsp://other.local/live/x?key=abc", "another camera's");
    assert_eq!(shown("PLAY s3cr3t-t0ken ad min ad%20min live"), "PLAY *** *** *** live");
    assert_eq!(shown("/live/s3cr3t-t0ken/a?key=abc&user=ad%20min"), "***");
    let mut v6 = List::new();
    v6.conceal_url(None, &Url::parse("rtsp://[fd00::1]:554/abcdefgh").unwrap());
    assert_eq!(v6.redacted("rtsp://[fd00::1]/x y"), "rtsp://[fd00::1]/*** y");
}

#[test]
fn ordinary_words_of_a_secret_url_stay_where_they_stand_alone() {
    let mut list = List::new();
    list.conceal_url(None, &Url::parse("rtsp://cam/live?stream=main&codec=h264&token=ab12&%6C%69%76%65").unwrap());
    list.conceal_url(None, &Url::parse("rtsp://cam/main").unwrap());
    let shown = |text: &str| list.redacted(text).into_owned();
    assert_eq!(shown("GET /livez live main /main h264 ab12"), "GET /livez live main /main h264 ***");
    assert_eq!(shown("/live?stream=main&codec=h264&token=ab12&%6C%69%76%65 rtsp://cam/live"), "*** rtsp://cam/***");
    let mut short = List::new();
    short.conceal_url(None, &Url::parse("rtsp://cam/a?b").unwrap());
    assert_eq!(short.redacted("PLAY /a?b"), "PLAY ***", "a path with its query is no word");
}

#[test]
fn a_camera_that_sends_us_on_again_and_again_fills_no_memory() {
    let mut list = list(&["hunter2"]);
    let place = |n: usize| Url::parse(&format!("rtsp://next/live/token-number-{n:05}")).unwrap();
    for n in 0..100 {
        list.conceal_passing_url(&place(n));
        list.conceal_passing_url(&place(n));
        list.conceal_url(None, &Url::parse("rtsp://cam/s3cr3t-t0ken").unwrap());
    }
    assert_eq!((list.passing.len(), list.hosts.len()), (PASSING, 1));
    assert_eq!(list.redacted("token-number-00099 hunter2 s3cr3t-t0ken"), "*** *** ***");
    assert_eq!(list.redacted("token-number-00068 token-number-00067"), "*** token-number-00067", "the latest 32");
    let known = list.needles.len();
    list.add(None, forms("hunter2"));
    assert_eq!(list.needles.len(), known);
}

#[test]
fn nothing_remains_of_secrets_that_overlap() {
    let list = list(&["hunter2", "ter2park", "hunter2"]);
    assert_eq!(list.redacted("hunter2park"), "***");
    assert_eq!(list.redacted("hunter2hunter2, hunter"), "***, hunter");
    assert_eq!(list.needles.len(), 2);
}

#[test]
fn a_key_of_many_lines_is_hidden_line_by_line() {
    let list = list(&["-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA\nabcd\n-----END PRIVATE KEY-----"]);
    assert_eq!(
        list.redacted("MC4CAQAwBQYDK2VwBCIEIA abcd -----BEGIN PRIVATE KEY-----"),
        "*** abcd -----BEGIN PRIVATE KEY-----"
    );
}

#[test]
fn text_without_secrets_is_left_as_it_is() {
    let text = r#"100 % of "C:\new" is 50%25 \u00e9 rtsp://10.0.0.21/stream1?x=1"#;
    assert!(matches!(list(&["hunter2"]).redacted(text), Cow::Borrowed(same) if same == text));
    assert!(matches!(List::new().redacted(text), Cow::Borrowed(same) if same == text));
}

#[test]
fn the_list_of_the_process_only_grows() {
    conceal(&Secret::new("of-the-whole-process"));
    conceal_login("of", &Secret::new("a-login"));
    conceal_url(&Url::parse("rtsp://host-of-a-url/x").unwrap());
    assert_eq!(redacted("of-the-whole-process a-login rtsp://host-of-a-url/y"), "*** *** rtsp://host-of-a-url/***");
}

proptest::proptest! {
    /// Whatever a secret and its surroundings hold: it is gone, and nothing panics.
    #[test]
    fn no_text_keeps_a_secret(secret in "\\PC{4,12}", before in "\\PC{0,12}", after in "\\PC{0,12}") {
        let list = list(&[&secret]);
        for spelled in [secret.clone(), format!("{secret:?}"), serde_json::to_string(&secret).unwrap()] {
            let text = format!("{before}{spelled}{after}");
            let shown = list.redacted(&text);
            // What stands around it, the stars included, may make it anew only where it is of stars itself.
            proptest::prop_assert!(secret.contains('*') || !shown.contains(&secret), "{text} -> {shown}");
        }
    }
}

#[test]
fn what_is_lent_is_hidden_while_it_lasts_and_for_a_while_after_it_has_come_back() {
    let mut list = list(&["for-ever"]);
    let lend = |list: &mut List, loan: u64| list.add(Some(loan), forms(&format!("lent-{loan:04}")));
    lend(&mut list, 0);
    assert_eq!(list.redacted("for-ever lent-0000 lent-0001"), "*** *** lent-0001");
    for loan in 1..1000 {
        lend(&mut list, loan);
        list.give_back(loan);
    }
    assert_eq!(
        list.redacted("for-ever lent-0000 lent-0999 lent-0936"),
        "*** *** *** ***",
        "the latest 64 of the others"
    );
    assert_eq!(list.redacted("lent-0935 lent-0001"), "lent-0935 lent-0001");
    assert_eq!((list.needles.len(), list.lent.len(), list.former.len()), (1, 1, FORMER), "it does not grow");
}

#[test]
fn what_is_concealed_during_a_loan_comes_back_with_it() {
    let known = || (asked().lent.len(), asked().needles.len());
    let before = known();
    let (outer, inner) = (Loan::begin(), Loan::begin());
    outer.during(|| {
        conceal(&Secret::new("of-the-outer-loan"));
        inner.during(|| conceal_login("me", &Secret::new("of-the-inner-loan")));
        conceal(&Secret::new("of-the-outer-loan-again"));
    });
    assert_eq!(known(), (before.0 + 2, before.1));
    drop(outer);
    assert_eq!(redacted("of-the-inner-loan of-the-outer-loan-again"), "*** ***", "still on its way, perhaps");
    assert_eq!(known(), (before.0 + 1, before.1));
    drop(inner);
    assert_eq!(known(), before);
}
