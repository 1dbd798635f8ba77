//! What must never be shown, and text without it.
//!
//! Owns the process's list of secrets, their other forms (Basic authentication, pieces of a URL, every spelling that a log
//! line may use) and their replacement by `***`; refuses to know who reads secrets and who writes text. What is concealed
//! stays so as long as the process runs, but for the places that cameras send us on to, and for what is lent ([`Loan`]):
//! secrets of definitions that come and go. Asked on any thread; nobody waits but for a list that changes.
//!
//! A secret of fewer than [`SHORTEST`] bytes can't be told from other text. It is replaced where it stands as a login
//! (`:pw@`, `user:pw`, Basic) and in what follows the host of a secret URL, and nowhere else.

mod loan;
mod spelling;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use aho_corasick::AhoCorasick;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use percent_encoding::percent_decode_str;
use url::{Position, Url};
use zeroize::Zeroizing;

use crate::config;
use crate::secret::Secret;
pub use loan::Loan;
use spelling::Spelling;

/// What stands in a secret's place.
pub const STARS: &str = "***";

/// In bytes; what is shorter is not looked for by itself.
pub const SHORTEST: usize = 4;

/// Parts of a URL that are shorter may be any word (`/live`, `main`, `h264`): alone they are left where they stand, but for
/// the values of parameters that say that they belong to a login.
const SHORTEST_WORD: usize = 8;

/// Cameras that send us on may name a new token each time: so many of the latest places are remembered.
const PASSING: usize = 32;

/// Secrets that were lent and have come back may still be in text that is on its way: so many of the latest are hidden on.
const FORMER: usize = 64;

/// Lines of keys that are shorter say nothing.
const SHORTEST_LINE: usize = 16;

static LIST: RwLock<List> = RwLock::new(List::new());

/// Whoever reads a secret says so here, before it is used.
pub fn conceal(secret: &Secret) {
    changed().add(loan::current(), forms(secret.expose()));
}

/// The same for a login, which goes over the line in other forms.
pub fn conceal_login(username: &str, password: &Secret) {
    changed().add(loan::current(), forms_of_login(username, password.expose()));
}

/// The same for a URL of which only scheme, host and port may be shown; its login is a thing of its own.
pub fn conceal_url(url: &Url) {
    changed().conceal_url(loan::current(), url);
}

/// The same for a URL that holds for one connection: later ones take its place.
pub fn conceal_passing_url(url: &Url) {
    changed().conceal_passing_url(url);
}

/// `text` with stars in every secret's place.
pub fn redacted(text: &str) -> Cow<'_, str> {
    asked().redacted(text)
}

fn asked() -> RwLockReadGuard<'static, List> {
    LIST.read().unwrap_or_else(PoisonError::into_inner)
}

fn changed() -> RwLockWriteGuard<'static, List> {
    LIST.write().unwrap_or_else(PoisonError::into_inner)
}

/// What is looked for.
#[derive(PartialEq, Eq)]
struct Needle(Zeroizing<Vec<u8>>);

impl Ord for Needle {
    fn cmp(&self, other: &Needle) -> Ordering {
        self.0.as_slice().cmp(&other.0)
    }
}

impl PartialOrd for Needle {
    fn partial_cmp(&self, other: &Needle) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// All that is known.
struct List {
    needles: BTreeSet<Needle>,
    /// What was lent, by loan.
    lent: BTreeMap<u64, BTreeSet<Needle>>,
    /// What was lent before, the oldest first; at most [`FORMER`].
    former: VecDeque<BTreeSet<Needle>>,
    /// Finds all of them at once; made when it is first asked. None: that took more than memory holds.
    finder: OnceLock<Option<AhoCorasick>>,
    /// Whatever follows them in a URL is secret.
    hosts: Vec<String>,
    /// Of URLs that hold for one connection, the oldest first; at most [`PASSING`], and lists of this kind hold none.
    passing: VecDeque<List>,
}

impl List {
    const fn new() -> List {
        List {
            needles: BTreeSet::new(),
            lent: BTreeMap::new(),
            former: VecDeque::new(),
            finder: OnceLock::new(),
            hosts: Vec::new(),
            passing: VecDeque::new(),
        }
    }

    /// For good, or for as long as `loan` lasts.
    fn add(&mut self, loan: Option<u64>, forms: BTreeSet<Needle>) {
        let known = match loan {
            None => &mut self.needles,
            Some(loan) => self.lent.entry(loan).or_default(),
        };
        let before = known.len();
        known.extend(forms);
        if known.len() > before {
            self.finder = OnceLock::new();
        }
    }

    /// A loan has ended.
    fn give_back(&mut self, loan: u64) {
        let Some(forms) = self.lent.remove(&loan) else { return };
        self.former.retain(|known| *known != forms);
        self.former.push_back(forms);
        if self.former.len() > FORMER {
            self.former.pop_front();
            self.finder = OnceLock::new();
        }
    }

    fn conceal_url(&mut self, loan: Option<u64>, url: &Url) {
        if let Some(host) = url.host_str().filter(|host| !self.hosts.iter().any(|known| known == host)) {
            self.hosts.push(host.to_owned());
        }
        self.add(loan, needles(pieces(url).iter().map(|piece| piece.as_str())));
    }

    fn conceal_passing_url(&mut self, url: &Url) {
        let mut list = List::new();
        list.conceal_url(None, url);
        self.passing.retain(|known| known.needles != list.needles || known.hosts != list.hosts);
        self.passing.push_back(list);
        if self.passing.len() > PASSING {
            self.passing.pop_front();
        }
    }

    fn finder(&self) -> Option<&AhoCorasick> {
        let all = || self.needles.iter().chain(self.lent.values().flatten()).chain(self.former.iter().flatten());
        self.finder.get_or_init(|| AhoCorasick::new(all().map(|needle| needle.0.as_slice())).ok()).as_ref()
    }

    fn redacted<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let plain = Spelling::plain(text);
        let unescaped = plain.without_backslashes();
        let decoded = plain.without_percents();
        let both = unescaped.as_ref().and_then(Spelling::without_percents);
        let mut hidden = Vec::new();
        for spelling in [Some(plain), unescaped, decoded, both].into_iter().flatten() {
            self.find(&spelling, &mut hidden);
            self.passing.iter().for_each(|list| list.find(&spelling, &mut hidden));
        }
        if hidden.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(with_stars(text, hidden)) }
    }

    fn find(&self, spelling: &Spelling<'_>, hidden: &mut Vec<Range<usize>>) {
        match self.finder() {
            Some(finder) => hidden.extend(
                finder
                    .find_overlapping_iter(&*spelling.bytes)
                    .map(|found| spelling.start(found.start())..spelling.start(found.end())),
            ),
            // What can't be looked through is not shown.
            None => hidden.push(spelling.start(0)..spelling.start(spelling.bytes.len())),
        }
        if !self.hosts.is_empty() {
            let behind = after_hosts(&spelling.bytes, &self.hosts);
            hidden.extend(behind.map(|range| spelling.start(range.start)..spelling.start(range.end)));
        }
    }
}

/// A secret, as it is written and as it reads, and its longer lines.
fn forms(secret: &str) -> BTreeSet<Needle> {
    let lines = secret.lines().filter(|line| line.len() >= SHORTEST_LINE && !line.starts_with("-----"));
    // Some who encode a URL leave a `%` that is there as it is.
    let decoded = Zeroizing::new(percent_decode_str(secret).decode_utf8_lossy().into_owned());
    let whole = [secret, decoded.as_str()].into_iter();
    needles(whole.chain(lines.filter(|line| line.len() < secret.len())))
}

fn forms_of_login(username: &str, password: &str) -> BTreeSet<Needle> {
    let pair = Zeroizing::new(format!("{username}:{password}"));
    let before_host = Zeroizing::new(format!(":{password}@"));
    // Without the `=` at its end, too: whoever cuts a line or a header there must not save it.
    let basic = [STANDARD.encode(pair.as_bytes()), STANDARD_NO_PAD.encode(pair.as_bytes())].map(Zeroizing::new);
    let as_login = [&pair, &before_host].into_iter().filter(|_| !password.is_empty());
    let mut all = needles(as_login.chain(&basic).map(|text| text.as_str()));
    all.extend(forms(password));
    all
}

fn needles<'s>(texts: impl Iterator<Item = &'s str>) -> BTreeSet<Needle> {
    texts.filter(|text| text.len() >= SHORTEST).map(|text| Needle(Zeroizing::new(text.as_bytes().to_vec()))).collect()
}

/// What of a URL is secret where it stands alone, each as it is written and as it reads.
fn pieces(url: &Url) -> Vec<Zeroizing<String>> {
    let spelled = |piece: &str, shortest: usize| {
        [piece.to_owned(), percent_decode_str(piece).decode_utf8_lossy().into_owned()]
            .map(Zeroizing::new)
            .into_iter()
            .filter(move |piece| piece.len() >= shortest)
    };
    let query = url.query().unwrap_or_default();
    let whole = &url[Position::BeforePath..];
    let words = [url.path(), query].into_iter().chain(url.path().split(['/', ';', '&', '=']));
    let values = query.split(['&', ';']).map(|pair| pair.split_once('=').unwrap_or(("", pair)));
    words
        .flat_map(|word| spelled(word, SHORTEST_WORD))
        .chain(spelled(whole, if query.is_empty() { SHORTEST_WORD } else { SHORTEST }))
        .chain(
            values.flat_map(|(name, value)| {
                spelled(value, if config::is_login(name) { SHORTEST } else { SHORTEST_WORD })
            }),
        )
        .collect()
}

/// What follows one of `hosts` in the URLs of a text, and the login before it.
fn after_hosts<'t>(text: &'t [u8], hosts: &'t [String]) -> impl Iterator<Item = Range<usize>> + 't {
    let authorities = text.windows(2).enumerate().filter(|(_, pair)| pair == b"//").map(|(at, _)| at + 2);
    authorities.flat_map(move |start| {
        let length = |rest: &[u8], ends: &[u8]| {
            rest.iter().position(|byte| byte.is_ascii_whitespace() || ends.contains(byte)).unwrap_or(rest.len())
        };
        let authority = start..start + length(&text[start..], b"/?#\"'`<>\\");
        let login = text[authority.clone()].iter().rposition(|byte| *byte == b'@').map_or(0, |at| at + 1);
        let host = &text[authority.start + login..authority.end];
        let digits = host.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let host = host[..host.len() - digits].strip_suffix(b":").unwrap_or(host);
        let secret = hosts.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(host));
        let login = (login > 0).then(|| authority.start..authority.start + login - 1);
        // A slash alone says nothing.
        let slash = authority.end + usize::from(text.get(authority.end) == Some(&b'/'));
        let rest = slash..authority.end + length(&text[authority.end..], b"\"`<>");
        let behind = Some(rest).filter(|rest| rest.start < rest.end);
        login.into_iter().chain(behind).filter(move |_| secret).collect::<Vec<_>>()
    })
}

/// Overlapping ones become one: what is left between two secrets may be a part of one.
fn with_stars(text: &str, mut hidden: Vec<Range<usize>>) -> String {
    hidden.sort_unstable_by_key(|range| range.start);
    let (mut shown, mut at) = (Vec::with_capacity(text.len()), 0);
    let mut rest = hidden.into_iter().peekable();
    while let Some(mut range) = rest.next() {
        while let Some(next) = rest.next_if(|next| next.start <= range.end) {
            range.end = range.end.max(next.end);
        }
        shown.extend_from_slice(&text.as_bytes()[at..range.start]);
        shown.extend_from_slice(STARS.as_bytes());
        at = range.end;
    }
    shown.extend_from_slice(&text.as_bytes()[at..]);
    String::from_utf8_lossy(&shown).into_owned()
}

#[cfg(test)]
mod tests;
