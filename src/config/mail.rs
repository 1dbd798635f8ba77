//! The keys of an endpoint that gets its events by mail.
//!
//! Owns what an address may look like; refuses to know how mail is sent.

use super::camera;
use super::read::Section;
use super::settings::{Located, Mail};
use super::value::{self, Problem, Read, Value};

const EXAMPLE: &str = "\"ops@site.example\"";

/// `username`, `password_file`, `from` and `to`. None where one that is needed is missing or wrong, which is told.
pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Mail> {
    let username = section.optional_text("username");
    let password = camera::secret(section, "password_file", "password_credential");
    match (&username, &password) {
        (Some(username), None) => {
            let label = "add `password_file`, a file with the password in it";
            section.problem(username.at.clone(), "a `username` needs a password", label);
        }
        (None, Some(password)) => {
            section.problem(password.at(), "a password needs a `username`", "add `username = \"stakeout\"`");
        }
        _ => {}
    }
    let from = section.required("from", "\"Dock box <box@site.example>\"", address);
    let to = section.required("to", "[\"ops@site.example\"]", value::list_of(address, "[\"ops@site.example\"]"));
    if let Some(Located { at, .. }) = to.as_ref().filter(|to| to.value.is_empty()) {
        section.problem(at.clone(), "`to` names nobody", format!("for example `[{EXAMPLE}]`"));
    }
    Some(Mail { username: username.map(|name| name.value), password, from: from?.value, to: to?.value })
}

/// `ops@site.example` or `Night watch <ops@site.example>`: nothing that would need quoting.
fn address(value: &Value<'_>) -> Read<String> {
    let text = value::text_like("an address", EXAMPLE)(value)?;
    let plain = match text.strip_suffix('>').and_then(|rest| rest.split_once(" <")) {
        Some((name, address)) if is_phrase(name) => address,
        Some(_) => "",
        None => text.as_str(),
    };
    if plain.split_once('@').is_some_and(|(local, domain)| is_atoms(local) && is_domain(domain)) {
        return Ok(text);
    }
    let label = format!("for example `{EXAMPLE}` or `\"Night watch <ops@site.example>\"`");
    Err(Problem::new(value.span(), " is not a mail address", label).into())
}

/// A name before an address. Letters of any alphabet.
fn is_phrase(name: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || " !#$%&'*+-/=?^_`{|}~".contains(c);
    !name.trim().is_empty() && name.trim() == name && name.chars().all(allowed)
}

/// RFC 5322, 3.2.3.
fn is_atoms(local: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    local.len() <= 64 && local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(allowed))
}

/// A host name in ASCII.
fn is_domain(domain: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(allowed)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    domain.len() <= 253 && domain.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use toml::de::DeValue;

    use super::*;

    fn is_address(text: &str) -> bool {
        let toml = format!("{text:?}");
        address(&DeValue::parse(&toml).unwrap()).is_ok()
    }

    #[test]
    fn addresses() {
        for good in ["ops@site.example", "a.b+c@localhost", "Dock box <box@site.example>", "Grüße <g@x.example>"] {
            assert!(is_address(good), "{good}");
        }
        for bad in [
            "",
            "ops",
            "@x.example",
            "ops@",
            "a..b@x.example",
            "a b@x.example",
            "ops@x.example, b@x.example",
            "<ops@x.example>",
            " <ops@x.example>",
            "A <ops@x.example",
            "A, B <ops@x.example>",
            "ops@-x.example",
            "ops@x..example",
            "ops@x.example\nBcc: all@x.example",
            "A\r\nBcc: b <ops@x.example>",
        ] {
            assert!(!is_address(bad), "{bad:?}");
        }
    }
}
