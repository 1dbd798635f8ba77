//! `--endpoint`, `--since`, `--until`: which deliveries a command is about.
//!
//! Owns the options that listings and orders share; refuses to know what is done with what they mean.

use super::endpoint;
use super::exit::Failure;
use crate::api::{DeliveryQuery, parse_moment};
use crate::config::Config;
use crate::name::Name;
use crate::time::now;

#[derive(clap::Args, Clone, Debug)]
pub(super) struct Which {
    /// Only those to this endpoint
    #[arg(long, value_name = "NAME", value_parser = Name::new)]
    endpoint: Option<Name>,
    /// Only those accepted then or later: 2026-11-21T05:00:00Z, or `2h` for two hours ago
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<String>,
    /// Only those accepted before: as --since
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<String>,
}

impl Which {
    /// A query for those of them in `state` for `reason`.
    pub(super) fn query(&self, state: Option<&String>, reason: Option<&String>) -> DeliveryQuery {
        let Which { endpoint, since, until } = self.clone();
        DeliveryQuery { state: state.cloned(), reason: reason.cloned(), endpoint, since, until, ..Default::default() }
    }

    /// Nothing was found: that is an answer only if the endpoint is one. What is owed to one that left the file is found.
    pub(super) fn means_something(&self, config: &Config) -> Result<(), Failure> {
        self.endpoint.as_ref().map_or(Ok(()), |name| endpoint::find(config, name).map(|_| ()))
    }
}

/// A moment as the API takes it: one and the same for all pages of an answer.
fn moment(text: &str) -> Result<String, String> {
    let at = parse_moment(text, now());
    at.map(|at| at.to_string())
        .ok_or_else(|| "write a time such as 2026-11-21T05:00:00Z, or how long ago: 2h".to_owned())
}
