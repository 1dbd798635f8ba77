//! The way out to one endpoint.
//!
//! Owns which driver carries what; refuses to know what is sent (`parcel`) and what follows (`judge`). Runs in tasks of
//! tokio.

use std::time::Duration;

use super::parcel::{Parcel, Unfit};
use crate::config::Endpoint;
use crate::credentials::{Credentials, Login};
use crate::delivery::{Attempt, Outcome};
use crate::transport::{Account, Client, ClientError, Mailer, Settings, Way};

/// What carries to one endpoint. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Outlet {
    /// Requests.
    Http(Client),
    /// Letters.
    Mail(Mailer),
}

impl Outlet {
    /// To `endpoint`, with its `credentials`, connecting as `settings` say.
    ///
    /// # Errors
    /// What it needs can't be set up.
    pub fn new(endpoint: &Endpoint, credentials: &Credentials, settings: &Settings) -> Result<Outlet, ClientError> {
        let Some(mail) = &endpoint.mail else { return Ok(Outlet::Http(Client::new(settings)?)) };
        let login = credentials.login.clone().map(|Login { username, password }| (username, password));
        let account = Account {
            url: credentials.url.clone(),
            allow_plain: endpoint.allow_http,
            login,
            from: mail.from.clone(),
            to: mail.to.clone(),
        };
        Ok(Outlet::Mail(Mailer::new(account, settings)?))
    }

    /// Sends once. Whatever goes wrong is in the outcome; it takes the endpoint's timeout at most.
    pub(super) async fn send(&self, parcel: Result<Parcel, Unfit>) -> Attempt {
        self.trace(parcel).await.0
    }

    /// The same, and what was seen on the way.
    pub(super) async fn trace(&self, parcel: Result<Parcel, Unfit>) -> (Attempt, Way) {
        match (self, parcel) {
            (Outlet::Http(client), Ok(Parcel::Request(request))) => client.trace(request).await,
            (Outlet::Mail(mailer), Ok(Parcel::Letter(letter))) => mailer.trace(&letter).await,
            (_, Err(Unfit) | Ok(_)) => {
                let (outcome, error) = (Outcome::OurFault, Some(Unfit.to_string()));
                (Attempt { outcome, took: Duration::ZERO, error, snippet: None }, Way::default())
            }
        }
    }
}
