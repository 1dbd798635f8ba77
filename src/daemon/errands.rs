//! What the API asks the running daemon for that takes a while: a picture of a camera, the check of an endpoint.
//!
//! Owns how each is made; refuses to know routes. Runs on tokio, decoding nothing and reading no file on its workers.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use super::plan::Plan;
use crate::api::{self, NoPicture};
use crate::camera::{Asker, Clip, Mailbox};
use crate::config::{Defined, Endpoint, Storage, Unfit};
use crate::delivery::Outcome;
use crate::picture::{self, Scaler};
use crate::preflight::{self, Folders, Opened};
use crate::redact::Loan;
use crate::secret::Secret;
use crate::sender::{self, Checked, Outlet};
use crate::transport;

/// So long a camera may take for a picture; clients of the API wait for 10 s.
const PATIENCE: Duration = Duration::from_secs(8);

/// What the camera of `mailbox` sees, as frames of events are kept.
pub(super) async fn picture(mailbox: Arc<Mailbox>, storage: Storage) -> Result<Vec<u8>, NoPicture> {
    let (tell, told) = oneshot::channel();
    mailbox.ask(Asker::new(move |frame| {
        // Whoever asked may be gone.
        let _ = tell.send(frame);
    }));
    let Ok(Ok(frame)) = tokio::time::timeout(PATIENCE, told).await else { return Err(NoPicture::None) };
    let (width, quality) = (storage.snapshot_width, storage.snapshot_quality);
    let encoded = spawn_blocking(move || picture::jpeg(&mut Scaler::default(), &frame, width, quality)).await;
    let unusable = |error: &dyn std::fmt::Display| NoPicture::Unusable(error.to_string());
    encoded.map_err(|error| unusable(&error))?.map_err(|error| unusable(&error))
}

/// What `recording` shows at `at`, or the last picture before its end.
pub(super) async fn still(recording: PathBuf, at: Duration, storage: Storage) -> Result<Vec<u8>, NoPicture> {
    let decode = move || {
        let mut last = None;
        for frame in Clip::open(&recording).map_err(|error| NoPicture::Unusable(error.to_string()))? {
            // What is cut off behind is no reason to show nothing.
            let Ok(frame) = frame else { break };
            let reached = frame.pts >= at;
            last = Some(frame);
            if reached {
                break;
            }
        }
        let (frame, width, quality) = (last.ok_or(NoPicture::None)?, storage.snapshot_width, storage.snapshot_quality);
        picture::jpeg(&mut Scaler::default(), &frame, width, quality)
            .map_err(|error| NoPicture::Unusable(error.to_string()))
    };
    spawn_blocking(decode).await.map_err(|error| NoPicture::Unusable(error.to_string()))?
}

/// Checks `endpoint` with its secrets as they are on disk now, or with the one that came with it.
pub(super) async fn check(plan: Arc<Plan>, endpoint: Endpoint, secret: Option<Secret>) -> Result<api::Check, Unfit> {
    let device = super::device_id(&plan.config);
    let egress = Arc::new(plan.config.egress.clone());
    let prepared = spawn_blocking(move || {
        let part = Defined::Endpoint(endpoint.clone());
        // What it needs is hidden already, as long as the endpoint is there; what its files hold now may be something else.
        let open = || preflight::open(&part, secret.as_ref(), &plan.config, &BTreeMap::new(), &mut Folders::default());
        let opened = Loan::begin().during(open);
        match opened? {
            Opened::Endpoint(credentials, tls) => Ok((endpoint, credentials, tls)),
            Opened::Camera(_) | Opened::Monitor(_) => {
                Err(Unfit::new("it is no endpoint", "GET /v1/endpoints tells which are"))
            }
        }
    });
    let broken = |error: String| Unfit::new(error, "see `journalctl -u stakeout`");
    let (endpoint, credentials, tls) = prepared.await.map_err(|error| broken(error.to_string()))??;
    let settings = transport::Settings { timeout: endpoint.timeout, kept_connections: 0, egress, tls };
    let outlet = Outlet::new(&endpoint, &credentials, &settings).map_err(|error| broken(error.to_string()))?;
    let checked = sender::check(&endpoint, &credentials, &outlet, &device).await;
    let seen = checked.map_err(|why| {
        let why = why.to_string();
        let (error, hint) = why.split_once("; ").unwrap_or((&why, "let a clip trigger instead"));
        Unfit::new(format!("endpoint `{}`: {error}", endpoint.name), hint)
    })?;
    Ok(check_line(&endpoint, &seen))
}

/// What a check found out, in the API's words.
pub fn check_line(endpoint: &Endpoint, checked: &Checked) -> api::Check {
    let Checked { attempt, way, skew_s, headers, forged } = checked;
    let milliseconds = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let lookup = way.looked_up.unwrap_or_default();
    api::Check {
        endpoint: endpoint.name.clone(),
        url: endpoint.origin(),
        addresses: way.addresses.iter().map(ToString::to_string).collect(),
        lookup_ms: way.looked_up.map(milliseconds),
        peer: way.peer.map(|peer| peer.to_string()),
        connect_ms: way.connected.map(|connected| milliseconds(connected.saturating_sub(lookup))),
        tls: way.certificate.as_ref().map(|certificate| api::Certificate {
            subject: certificate.subject.clone(),
            issuer: certificate.issuer.clone(),
            not_before: certificate.not_before.to_string(),
            not_after: certificate.not_after.to_string(),
        }),
        outcome: attempt.outcome.class().to_owned(),
        status: attempt.outcome.status(),
        latency_ms: milliseconds(attempt.took),
        error: attempt.error.clone(),
        clock_skew_s: *skew_s,
        headers: headers.clone(),
        verifies: checked.verifies(),
        forged_status: forged.as_ref().and_then(Outcome::status),
        signable: endpoint.format.is_signed(),
    }
}
