//! The way out of letters: one message over SMTP, and what became of it.
//!
//! Owns the order of a session (connect, TLS, greet, log in, hand in) and its limits: a connection takes 2 s at most, the
//! whole attempt the endpoint's timeout, no address gets past the egress rules, and TLS rests on the same as for HTTP. Refuses
//! to know deliveries, schedules and what a letter says. Only this module names lettre; its connections would take neither
//! our TLS nor our egress rules, and could not tell a letter whose answer was lost from one that was never handed in.
//!
//! A connection is made for each letter: events are rare, and servers close what idles. Runs in tasks of tokio.

mod dialogue;
mod letter;
mod problem;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::commands::{Ehlo, Mail, Quit, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

use super::connect::Server;
use super::way::{self, Way};
use super::{ClientError, Settings, kept};
use crate::delivery::{Attempt, Outcome, Step};
use crate::redact::redacted;
use crate::secret::Secret;
use dialogue::Dialogue;
use letter::Addresses;
use problem::{Problem, told};

pub use letter::Letter;

/// A good-bye takes so long at most; the outcome is known by then.
const PARTING: Duration = Duration::from_secs(1);

/// Where letters are handed in, as whom, and whom they are for. Its `Debug` shows no password.
#[derive(Clone, Debug)]
pub struct Account {
    /// `smtps://host` (TLS from the start, port 465) or `smtp://host` (STARTTLS, port 587).
    pub url: Url,
    /// Letters, and the login, go out in the clear where the server of an `smtp://` offers no STARTTLS.
    pub allow_plain: bool,
    /// User name and password. None: nobody logs in.
    pub login: Option<(String, Secret)>,
    /// `box@site.example` or `Dock box <box@site.example>`.
    pub from: String,
    /// The same, at least one.
    pub to: Vec<String>,
}

/// Hands in the letters of one endpoint. Cheap to clone.
#[derive(Clone)]
pub struct Mailer {
    inner: Arc<Inner>,
}

struct Inner {
    server: Server,
    allow_plain: bool,
    login: Option<(String, Secret)>,
    addresses: Addresses,
    timeout: Duration,
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailer").field("server", &self.inner.server).finish_non_exhaustive()
    }
}

/// What became of a letter that was taken.
struct Taken {
    said: String,
    /// To whom it was not taken.
    refused: Vec<Problem>,
}

impl Mailer {
    /// Hands in at `account`, connecting as `settings` say.
    ///
    /// # Errors
    /// An address or the URL can't be used.
    pub fn new(account: Account, settings: &Settings) -> Result<Mailer, ClientError> {
        let Account { url, allow_plain, login, from, to } = account;
        let addresses = Addresses::new(&from, &to).map_err(ClientError::Mail)?;
        let server = server(&url, settings)?;
        let inner = Inner { server, allow_plain, login, addresses, timeout: settings.timeout };
        Ok(Mailer { inner: Arc::new(inner) })
    }

    /// Hands in `letter` once. Whatever goes wrong is in its [`Outcome`]; it takes the timeout at most.
    pub async fn post(&self, letter: &Letter) -> Attempt {
        self.trace(letter).await.0
    }

    /// The same, and what was seen on the way.
    pub async fn trace(&self, letter: &Letter) -> (Attempt, Way) {
        let started = Instant::now();
        way::noting(started, self.attempt(letter, started)).await
    }

    async fn attempt(&self, letter: &Letter, started: Instant) -> Attempt {
        let limit = self.inner.timeout;
        let mut handed_in = false;
        let carried = match self.inner.addresses.write(letter) {
            Ok(message) => {
                let carrying = self.carry(&message, &mut handed_in);
                let too_slow = Problem::TooSlow(limit.as_secs_f64());
                timeout_at(started + limit, carrying).await.unwrap_or(Err(too_slow))
            }
            Err(why) => Err(Problem::Unwritable(why.to_string())),
        };
        let took = started.elapsed();
        match carried {
            Ok(Taken { said, refused }) => {
                let outcome = Outcome::Reply { code: 250, to: Step::Letter };
                let error = refused.iter().map(|why| redacted(&why.to_string()).into_owned());
                let error = error.reduce(|all, one| format!("{all}; {one}"));
                Attempt { outcome, took, error, snippet: kept(said.as_bytes()) }
            }
            Err(problem) => {
                let error = redacted(&problem.to_string()).into_owned();
                Attempt { outcome: problem.outcome(handed_in), took, error: Some(error), snippet: None }
            }
        }
    }

    /// From nothing to a letter that was taken. `handed_in` turns true when its text is on its way.
    async fn carry(&self, message: &[u8], handed_in: &mut bool) -> Result<Taken, Problem> {
        let mut dialogue = self.open().await?;
        let taken = self.hand_in(&mut dialogue, message, handed_in).await;
        if matches!(taken, Ok(_) | Err(Problem::Refused { .. })) {
            tokio::spawn(async move {
                // Whatever it says to that changes nothing.
                let _ = timeout(PARTING, dialogue.ask(&Quit, Step::Session, "QUIT")).await;
            });
        }
        taken
    }

    /// A session in which letters are taken.
    async fn open(&self) -> Result<Dialogue, Problem> {
        let Inner { server, allow_plain, login, .. } = &*self.inner;
        let tcp = server.connect().await.map_err(Problem::Connecting)?;
        let hello = Ehlo::new(name_of(&tcp));
        let mut dialogue = if server.tls_first {
            Dialogue::new(server.encrypt(Box::new(tcp)).await.map_err(Problem::Connecting)?)
        } else {
            Dialogue::new(Box::new(tcp))
        };
        dialogue.greeted().await?;
        let mut offers = dialogue.hello(&hello).await?;
        if !server.tls_first && offers.supports_feature(Extension::StartTls) {
            dialogue.ask(&lettre::transport::smtp::commands::Starttls, Step::Session, "STARTTLS").await?;
            dialogue = Dialogue::new(server.encrypt(dialogue.into_wire()?).await.map_err(Problem::Connecting)?);
            // What was offered in the clear may have been put there by anybody.
            offers = dialogue.hello(&hello).await?;
        } else if !server.tls_first && !allow_plain {
            return Err(Problem::NoStartTls);
        }
        if let Some((username, password)) = login {
            dialogue.log_in(&offers, Credentials::new(username.clone(), password.expose().to_owned())).await?;
        }
        Ok(dialogue)
    }

    /// A recipient who is refused for good keeps nobody else from the letter; one who is refused for now does, as nobody
    /// should get it twice.
    async fn hand_in(&self, dialogue: &mut Dialogue, message: &[u8], handed_in: &mut bool) -> Result<Taken, Problem> {
        let addresses = &self.inner.addresses;
        let mail = Mail::new(Some(addresses.sender().clone()), Vec::<MailParameter>::new());
        dialogue.ask(&mail, Step::Session, "MAIL").await?;
        let (mut accepted, mut refused) = (0, Vec::new());
        for recipient in addresses.recipients() {
            let what = format!("RCPT TO:<{recipient}>");
            match dialogue.ask(&Rcpt::new(recipient.clone(), Vec::new()), Step::Letter, &what).await {
                Ok(_) => accepted += 1,
                Err(problem) if problem.outcome(false).status().is_some_and(|code| code >= 500) => {
                    refused.push(problem)
                }
                Err(problem) => return Err(problem),
            }
        }
        if accepted == 0 {
            return Err(refused.swap_remove(0));
        }
        dialogue.leave().await?;
        *handed_in = true;
        let answer = dialogue.hand_in(message).await?;
        Ok(Taken { said: told(&answer), refused })
    }
}

/// Of `smtp://` or `smtps://`.
fn server(url: &Url, settings: &Settings) -> Result<Server, ClientError> {
    match url.scheme() {
        "smtps" => Server::new(url, true, 465, settings),
        "smtp" => Server::new(url, false, 587, settings),
        other => Err(ClientError::Mail(format!("`{other}` is no scheme for letters; use `smtps` or `smtp`"))),
    }
}

/// Who we say we are: the host's name where it is a whole one, and otherwise our address (RFC 5321, 4.1.3).
fn name_of(tcp: &TcpStream) -> ClientId {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let is_whole = name.contains('.') && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    match tcp.local_addr().map(|here| here.ip()) {
        _ if is_whole => ClientId::Domain(name),
        Ok(IpAddr::V4(address)) => ClientId::Ipv4(address),
        Ok(IpAddr::V6(address)) => ClientId::Ipv6(address),
        Err(_) => ClientId::default(),
    }
}
