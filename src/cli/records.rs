//! What listings are made of: the daemon's answers or, when it is down, the journal itself.
//!
//! Owns the choice between the two, which it tells on stderr; refuses to know how anything is shown.

use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::client::{Client, ClientError};
use super::exit::Failure;
use super::print;
use crate::api::{
    DeliveryDetail, DeliveryLine, DeliveryQuery, EventLine, EventQuery, JobLine, JobQuery, Jobs, Page, Refusal, Status,
};
use crate::config::Config;
use crate::journal::Reader;
use crate::name::Name;

/// Rows that are asked for at a time.
pub(super) const PAGE: u32 = 500;

/// Where the rows come from.
pub(super) enum Records {
    /// The daemon.
    Live(Client),
    /// The journal; the daemon is down.
    Kept(Reader),
}

impl Records {
    /// Asks the daemon, or opens the journal when nobody listens.
    pub(super) fn open(config: &Config) -> Result<Records, Failure> {
        let client = Client::new(&config.api.socket)?;
        let Err(unreachable) = client.probe() else { return Ok(Records::Live(client)) };
        if unreachable.denied() {
            return Err(ClientError::Unreachable(unreachable).into());
        }
        let reader = Reader::open(&config.storage.path)?;
        print::say(&format!("note: {unreachable}; this is what the journal says"));
        Ok(Records::Kept(reader))
    }

    /// Whether the daemon answers.
    pub(super) fn are_live(&self) -> bool {
        matches!(self, Records::Live(_))
    }

    /// A page of events.
    pub(super) fn events(&self, query: &EventQuery) -> Result<Page<EventLine>, Failure> {
        self.page("/v1/events", query, EventQuery::page)
    }

    /// A page of deliveries.
    pub(super) fn deliveries(&self, query: &DeliveryQuery) -> Result<Page<DeliveryLine>, Failure> {
        self.page("/v1/deliveries", query, DeliveryQuery::page)
    }

    /// A page of dead letters.
    pub(super) fn dead_letters(&self, query: &DeliveryQuery) -> Result<Page<DeliveryLine>, Failure> {
        self.page("/v1/dlq", query, DeliveryQuery::dead_page)
    }

    /// One delivery with its attempts.
    pub(super) fn delivery(&self, id: Uuid) -> Result<DeliveryDetail, Failure> {
        match self {
            Records::Live(client) => Ok(client.get(&format!("/v1/deliveries/{id}"), &())?),
            Records::Kept(reader) => match reader.delivery(id)? {
                Some(found) => Ok(found.into()),
                None => Err(crate::journal::Error::NoSuchDelivery(id).into()),
            },
        }
    }

    /// The newest jobs.
    pub(super) fn jobs(&self, query: &JobQuery) -> Result<Jobs, Failure> {
        self.page("/jobs", query, JobQuery::read)
    }

    /// One job.
    pub(super) fn job(&self, id: Uuid) -> Result<JobLine, Failure> {
        self.page(&format!("/jobs/{id}"), &(), |_, reader| JobLine::read(reader, id))
    }

    /// Why this camera shows nothing now, as far as the daemon says so.
    pub(super) fn why_away(&self, camera: &Name) -> Result<Option<String>, Failure> {
        let Records::Live(client) = self else { return Ok(None) };
        let Status { cameras, .. } = client.get("/v1/status", &())?;
        Ok(cameras.into_iter().find(|known| known.name == *camera).and_then(|camera| camera.cause))
    }

    fn page<Q: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        query: &Q,
        read: impl FnOnce(&Q, &Reader) -> Result<T, Refusal>,
    ) -> Result<T, Failure> {
        match self {
            Records::Live(client) => Ok(client.get(path, query)?),
            Records::Kept(reader) => read(query, reader).map_err(|refusal| ClientError::Refused(refusal).into()),
        }
    }
}
