//! Where events go: the URLs of endpoints, in the file and in a secret of its own.
//!
//! Owns which ones are accepted for which format, and that one in the file carries no secret; refuses to resolve or open
//! them, and to read secrets. No message here quotes a URL: what is wrong with it may be the password in it.

use std::ops::Range;

use url::Url;

use super::address::{self, credentials, has_userinfo, no_host, no_telling_parameter};
use super::diagnostic::Diagnostic;
use super::mask;
use super::settings::{Endpoint, Format};
use super::value::{self, Problem, Read, Value};
use crate::egress::Egress;

/// Where PagerDuty takes events.
pub(super) const PAGERDUTY: &str = "https://events.pagerduty.com/v2/enqueue";

/// What a URL has to fit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules<'a> {
    pub(super) format: Format,
    pub(super) allow_http: bool,
    pub(super) egress: &'a Egress,
}

impl Rules<'_> {
    /// What a URL of such an endpoint looks like, in quotes.
    pub(super) fn example(&self) -> &'static str {
        match self.format {
            Format::Email => "\"smtps://mail.example:465\"",
            Format::Upload => "\"https://your-app.example/clips/{clip}.mp4\"",
            _ => "\"https://your-app.example/events\"",
        }
    }

    /// The `url` of an endpoint.
    pub(super) fn open(&self, value: &Value<'_>) -> Read<Url> {
        let at = value.span();
        let text = value::text_like("a URL", self.example())(value)?;
        let url = self.parse(&text, at.clone())?;
        let help = match self.format {
            Format::Email => "write `username` and `password_file` beside it",
            _ => "events are signed with `secret_file`; a receiver that wants a password is not supported yet",
        };
        self.check(&url, at.clone(), help)?;
        if url.host_str().is_some_and(|host| mask::SECRET_PATHS.contains(&host)) {
            let label = "put it into a file of its own, and name that as `url_file`";
            return Err(Problem::new(at, " is a secret: whoever has it can post there", label).into());
        }
        let help = "otherwise put the whole URL into a file of its own, and name that as `url_file`";
        no_telling_parameter(value, &url, "`secret_file`, which signs what is sent", help)?;
        Ok(url)
    }

    fn parse(&self, text: &str, at: Range<usize>) -> Read<Url> {
        Url::parse(text).map_err(|why| {
            let label = format!("for example `{}`", self.example());
            Problem::new(at, format!(" is not a URL: {why}"), label).into()
        })
    }

    /// What holds wherever the URL was written.
    fn check(&self, url: &Url, at: Range<usize>, instead_of_login: &str) -> Read<()> {
        let schemes: &[&str] = if self.format == Format::Email { &["smtps", "smtp"] } else { &["https", "http"] };
        if !schemes.contains(&url.scheme()) {
            let label = match self.format {
                Format::Email => "use `smtps://`, or `smtp://` for STARTTLS",
                _ => "use `https://`",
            };
            return Err(Problem::new(at, format!(" can't start with `{}://`", url.scheme()), label).into());
        }
        let Some(host) = address::host(url) else { return Err(no_host(at)) };
        if has_userinfo(url) {
            return Err(credentials(at, instead_of_login));
        }
        if self.format == Format::Email && !(matches!(url.path(), "" | "/") && url.query().is_none()) {
            return Err(Problem::new(at, " names more than a server", "end it after the host or its port").into());
        }
        let mut sent = url.clone();
        sent.set_fragment(None);
        if self.format == Format::Upload && clip_url(&sent, "") == sent {
            let label = format!("write `{{clip}}` where the clip's id goes: {}", self.example());
            return Err(Problem::new(at, " is the same for every clip", label).into());
        }
        if let Some(Err(refused)) = address::literal(&host).map(|address| self.egress.check(address)) {
            let predicate = format!(" leads to a {} address", refused.as_str());
            return Err(Problem::new(at, predicate, "no event is sent there: a receiver has an address of its own")
                .help("if it really is meant, name it: `[egress] allow`")
                .into());
        }
        if url.scheme() == "http" && !self.allow_http && !address::is_private(&host) {
            let label = "anybody on the way can read it: use `https://`";
            return Err(Problem::new(at, " is not encrypted", label)
                .help("`allow_http = true` beside it sends in the clear nevertheless")
                .into());
        }
        Ok(())
    }
}

/// A URL with a clip's `id` in the place of `{clip}`, which the parser escapes in paths; the same where there is no place.
pub fn clip_url(template: &Url, id: &str) -> Url {
    let text = template.as_str().replace("%7Bclip%7D", id).replace("{clip}", id);
    Url::parse(&text).unwrap_or_else(|_| template.clone())
}

/// Reads what the `url_file` of `endpoint` holds. `at` is where that was written.
///
/// # Errors
/// What is wrong with it, without any of it.
pub fn secret_destination(
    endpoint: &Endpoint,
    at: Range<usize>,
    text: &str,
    egress: &Egress,
) -> Result<Url, Vec<Diagnostic>> {
    let rules = Rules { format: endpoint.format, allow_http: endpoint.allow_http, egress };
    let told = |problem: Problem| {
        let title = format!("endpoint `{}`: the URL in its `url_file`{}", endpoint.name, problem.predicate);
        let diagnostic = Diagnostic::error(title).at(problem.at, problem.label);
        problem.help.into_iter().fold(diagnostic, Diagnostic::help)
    };
    let read = || {
        // The parser would drop some of these silently.
        if text.contains(|c: char| c.is_control() || c.is_whitespace()) {
            let label = "write the URL alone into one line";
            return Err(Problem::new(at.clone(), " does not stand alone", label).into());
        }
        let url = rules.parse(text, at.clone())?;
        rules.check(&url, at.clone(), "a receiver that wants a password is not supported yet")?;
        Ok(url)
    };
    read().map_err(|problems: Vec<Problem>| problems.into_iter().map(told).collect())
}

/// A URL without what may be a secret in it: a login, and the values of its query.
pub fn shown_url(url: &str) -> String {
    let Ok(mut parsed) = Url::parse(url) else { return "***".to_owned() };
    let _ = parsed.set_username("").and_then(|()| parsed.set_password(None));
    parsed.set_fragment(None);
    if let Some(query) = parsed.query() {
        let starred = query.split('&').map(|part| match part.split_once('=') {
            Some((name, _)) => format!("{name}=***"),
            None => "***".to_owned(),
        });
        let starred = starred.collect::<Vec<_>>().join("&");
        parsed.set_query(Some(&starred));
    }
    parsed.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clip_has_its_place_in_the_url() {
        let clip = "00000000-0000-0000-0000-00000000000c";
        for (template, at) in [
            ("https://a.example/clips/{clip}.mp4", "https://a.example/clips/00000000-0000-0000-0000-00000000000c.mp4"),
            ("https://a.example/put?id={clip}", "https://a.example/put?id=00000000-0000-0000-0000-00000000000c"),
            ("https://a.example/{lip}", "https://a.example/%7Blip%7D"),
        ] {
            assert_eq!(clip_url(&template.parse().unwrap(), clip).as_str(), at);
        }
    }

    #[test]
    fn a_url_is_shown_without_what_may_be_a_secret() {
        for (given, seen) in [
            ("https://app.example/hook", "https://app.example/hook"),
            ("https://app.example/hook?code=s3cret&x&y=2#s3cret", "https://app.example/hook?code=***&***&y=***"),
            ("https://u:s3cret@app.example/", "https://app.example/"),
            ("s3cret", "***"),
        ] {
            assert_eq!(shown_url(given), seen);
        }
    }
}
