//! Blacks out whatever may be a secret in a file that is about to be quoted.
//!
//! Owns the guess of what looks like one; refuses to parse TOML, because a file with syntax errors is quoted too. It errs on
//! the side of hiding: every byte is replaced by `*`, so positions stay what they were.

use std::ops::Range;

/// Parts of names (of keys, headers, query parameters) whose values are hidden.
const TELLING: [&str; 18] = [
    "accesskey",
    "api-key",
    "api_key",
    "apikey",
    "authkey",
    "authorization",
    "cookie",
    "credential",
    "loginpas",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "pwd",
    "secret",
    "signature",
    "token",
    "userpass",
];

/// Whole words of names, too short to be looked for within longer ones (`design`, `keyframes`).
const TELLING_WORDS: [&str; 8] = ["auth", "key", "pas", "pass", "psw", "pw", "sig", "sign"];

/// Words of names in URLs whose values are the other half of a login.
const LOGIN_WORDS: [&str; 5] = ["login", "loginuse", "user", "username", "usr"];

/// Names with these endings only point at a secret, which is what we want to show.
const POINTERS: [&str; 2] = ["_file", "_credential"];

/// Hosts whose URLs are secrets from the first slash on.
pub(super) const SECRET_PATHS: [&str; 1] = ["hooks.slack.com"];

/// The source with secrets replaced by stars, byte for byte.
pub(super) fn masked(source: &str) -> String {
    let mut hidden = url_secrets(source);
    hidden.extend(telling_values(source));
    hide(source, hidden)
}

/// A message, which may quote a URL that was written in the wrong place.
pub(super) fn masked_message(message: &str) -> String {
    hide(message, url_secrets(message))
}

fn hide(source: &str, hidden: Vec<Range<usize>>) -> String {
    let mut bytes = source.as_bytes().to_vec();
    for range in hidden {
        for byte in &mut bytes[range] {
            if *byte != b'\n' {
                *byte = b'*';
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_default()
}

/// Whether a key, a header or a query parameter of that name holds a secret itself.
pub fn is_telling(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let tells =
        TELLING.iter().any(|part| lower.contains(part)) || words(&lower).any(|word| TELLING_WORDS.contains(&word));
    tells && !POINTERS.iter().any(|end| lower.ends_with(end))
}

/// Whether a parameter of that name in a URL belongs to a login: it is telling, or says who logs in.
pub fn is_login(name: &str) -> bool {
    is_telling(name) || words(&name.to_ascii_lowercase()).any(|word| LOGIN_WORDS.contains(&word))
}

/// `access`, `key` of `access_key2`.
fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split(|c: char| !c.is_alphabetic())
}

/// User information in URLs: from the scheme to the last `@` of the word, as passwords may hold `/`, `:` and `@` too. And
/// paths that are secrets.
fn url_secrets(source: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (scheme, _) in source.match_indices("://") {
        let start = scheme + 3;
        let rest = &source[start..];
        let word = &rest[..rest.find(['"', '\'', '\n']).unwrap_or(rest.len())];
        if let Some(at) = word.rfind('@') {
            let password = word[..at].find(':').map_or(0, |colon| colon + 1);
            found.push(start + password..start + at);
        }
        if let Some(host) = SECRET_PATHS.iter().find(|host| word.to_ascii_lowercase().starts_with(**host)) {
            let path = word[host.len()..].find('/').map_or(word.len(), |slash| host.len() + slash + 1);
            found.push(start + path..start + word.len());
        }
    }
    found
}

/// What follows `password =`, `?token=` and the like: the string if it is quoted, else the rest of the word.
fn telling_values(source: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (equals, _) in source.match_indices('=') {
        let before = source[..equals].trim_end_matches([' ', '\t', '"', '\'']);
        let name = before.rsplit(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-')).next().unwrap_or("");
        if !is_telling(name) || is_key_file(source, equals) {
            continue;
        }
        let rest = &source[equals + 1..];
        let start = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        found.push(equals + 1 + start..equals + 1 + start + value_len(&rest[start..]));
    }
    found
}

/// `client_key =` at the start of a line names a file; in a URL it would be a secret.
fn is_key_file(source: &str, equals: usize) -> bool {
    let line = &source[source[..equals].rfind('\n').map_or(0, |end| end + 1)..equals];
    line.trim() == "client_key"
}

/// How long the value is that `rest` begins with.
fn value_len(rest: &str) -> usize {
    for quotes in ["\"\"\"", "'''"] {
        if let Some(inner) = rest.strip_prefix(quotes) {
            return inner.find(quotes).map_or(rest.len(), |end| end + 2 * quotes.len());
        }
    }
    let line = &rest[..rest.find('\n').unwrap_or(rest.len())];
    match line.chars().next() {
        Some(quote @ ('"' | '\'')) => closing(line, quote).unwrap_or(line.len()),
        Some('[' | '{') => line.len(),
        _ => line.find(['"', '\'', '&', '#', ' ', '\t']).unwrap_or(line.len()),
    }
}

/// Where the string that `line` begins with ends, its quote included.
fn closing(line: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in line.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            c if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_urls_are_hidden_whatever_they_hold() {
        let shown = |source| masked(source);
        assert_eq!(
            shown(r#"url = "rtsp://viewer:hunter2@10.0.0.21/s1""#),
            r#"url = "rtsp://viewer:*******@10.0.0.21/s1""#
        );
        assert_eq!(shown(r#"url = "rtsp://v:a/b@c:d@10.0.0.21/s1""#), r#"url = "rtsp://v:*******@10.0.0.21/s1""#);
        assert_eq!(shown(r#"url = "rtsp://tokenonly@10.0.0.21/s1""#), r#"url = "rtsp://*********@10.0.0.21/s1""#);
        assert_eq!(shown(r#"url = "rtsp://v:ä@10.0.0.21/s1"#), r#"url = "rtsp://v:**@10.0.0.21/s1"#);
        assert_eq!(shown(r#"url = "rtsp://10.0.0.21:554/s1""#), r#"url = "rtsp://10.0.0.21:554/s1""#);
    }

    #[test]
    fn paths_that_are_secrets_are_hidden() {
        let shown = |source| masked(source);
        assert_eq!(
            shown(r#"url = "https://Hooks.slack.com/services/T0/B0/x" # y"#),
            r#"url = "https://Hooks.slack.com/****************" # y"#
        );
        assert_eq!(shown(r#"url = "https://hooks.slack.com""#), r#"url = "https://hooks.slack.com""#);
        assert_eq!(shown(r#"url = "https://slack.example/services/x""#), r#"url = "https://slack.example/services/x""#);
    }

    #[test]
    fn values_of_telling_names_are_hidden() {
        let shown = |source| masked(source);
        assert_eq!(shown("password = \"hunter2\" # pw"), "password = ********* # pw");
        assert_eq!(shown("password = \"hun\\\"ter2\nx = 1"), "password = **********\nx = 1");
        assert_eq!(shown("Api_Token = hunter2\nx = 1"), "Api_Token = *******\nx = 1");
        assert_eq!(shown(r#"url = "http://h/x?token=abc&n=1""#), r#"url = "http://h/x?token=***&n=1""#);
        assert_eq!(shown(r#"{ "Authorization" = "Bearer x" }"#), r#"{ "Authorization" = ********** }"#);
        assert_eq!(shown(r#"secrets = ["a", "b"]"#), r#"secrets = **********"#);
        assert_eq!(
            shown(
                r#"secret = """a
b""""#
            ),
            "secret = ****\n****"
        );
    }

    #[test]
    fn names_are_told_by_their_parts_and_words() {
        let telling = "pass passwd password pass2 pwd userpwd pw psw loginpas auth auth_key key access-key AWSAccessKeyId \
                       sig signature X-Amz-Signature credential credentials token client_secret Set-Cookie";
        for name in telling.split_whitespace() {
            assert!(is_telling(name), "{name}");
        }
        for name in
            "keyframes design bypass_cache author monkey channel stream subtype passive user loginuse".split(' ')
        {
            assert!(!is_telling(name), "{name}");
        }
        for name in "user usr username login_user loginuse pw".split(' ') {
            assert!(is_login(name), "{name}");
        }
        assert!(!is_login("users_online_count"), "only whole words");
    }

    #[test]
    fn short_names_in_urls_are_hidden_too() {
        assert_eq!(
            masked(r#"url = "https://h/x?n=1&sig=abc&key=de#f""#),
            r#"url = "https://h/x?n=1&sig=***&key=**#f""#
        );
        assert_eq!(
            masked(r#"url = "rtsp://h/user=admin_password=abc_channel=1""#),
            r#"url = "rtsp://h/user=admin_password=*************""#
        );
    }

    #[test]
    fn pointers_at_secrets_stay_readable() {
        for source in [
            r#"password_file = "/etc/pw""#,
            r#"secret_credential = "ops""#,
            r#"token_file = """#,
            r#" client_key = "/k""#,
        ] {
            assert_eq!(masked(source), source);
        }
        assert_eq!(masked(r#"url = "http://h/?client_key=abc""#), r#"url = "http://h/?client_key=***""#);
    }
}
