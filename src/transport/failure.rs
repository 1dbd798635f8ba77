//! What a failed request means.
//!
//! Owns the way from reqwest's nested errors to an [`Outcome`] and to a line for people; refuses to know what follows from
//! it (`retry`). Pure.

use std::error::Error;
use std::io;

use super::resolver::LookupError;
use crate::delivery::Outcome;

/// The class of a request that got no status line, on a connection of its own or on one that was kept open.
pub(super) fn classify(error: &reqwest::Error, own_connection: bool) -> Outcome {
    if error.is_builder() {
        return Outcome::OurFault;
    }
    if error.is_connect() {
        return before_sending(error);
    }
    let not_http = causes(error).any(|cause| cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse));
    match causes(error).find_map(|cause| cause.downcast_ref::<rustls::Error>()) {
        _ if not_http => Outcome::Malformed,
        Some(refusal) if is_late_refusal(refusal) => Outcome::Tls,
        _ if own_connection => Outcome::NoAnswer,
        _ => Outcome::StaleConnection,
    }
}

/// Nothing was sent: the connection did not come about.
pub(super) fn before_sending(error: &(dyn Error + 'static)) -> Outcome {
    for cause in causes(error) {
        if let Some(lookup) = cause.downcast_ref::<LookupError>() {
            return match lookup {
                LookupError::NoSuchHost(_) => Outcome::NoSuchHost,
                LookupError::Failed { .. } => Outcome::Unreachable,
                LookupError::Offline { .. } => Outcome::Offline,
                LookupError::Forbidden { .. } => Outcome::Forbidden,
            };
        }
        if let Some(refusal) = cause.downcast_ref::<rustls::Error>() {
            return of_tls(refusal);
        }
        let kind = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        if let Some(io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown) = kind {
            return Outcome::Offline;
        }
    }
    Outcome::Unreachable
}

/// Why TLS was not agreed upon, as far as it matters for what follows.
fn of_tls(refusal: &rustls::Error) -> Outcome {
    use rustls::CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
    match refusal {
        rustls::Error::InvalidCertificate(
            Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. },
        ) => Outcome::CertificateDates,
        _ => Outcome::Tls,
    }
}

/// With TLS 1.3 a receiver judges our certificate when we already believe that the handshake is over: its refusal reaches us
/// after the request was sent, but it has read none of it.
fn is_late_refusal(refusal: &rustls::Error) -> bool {
    use rustls::AlertDescription::{
        AccessDenied, BadCertificate, CertificateExpired, CertificateRequired, CertificateRevoked, CertificateUnknown,
        UnknownCA, UnsupportedCertificate,
    };
    matches!(
        refusal,
        rustls::Error::AlertReceived(
            AccessDenied
                | BadCertificate
                | CertificateExpired
                | CertificateRequired
                | CertificateRevoked
                | CertificateUnknown
                | UnknownCA
                | UnsupportedCertificate
        )
    )
}

/// For people: the chain of causes without repetitions. Without the URL, which may be a secret in itself.
pub(super) fn text(error: &reqwest::Error) -> String {
    if let Some(lookup) = causes(error).find_map(|cause| cause.downcast_ref::<LookupError>()) {
        return lookup.to_string();
    }
    let mut told: Vec<String> = Vec::new();
    // The outermost says only that a request failed, with its URL, and a frame only in which of its phases; of the others,
    // each cause counts that the one before it does not already quote.
    for cause in causes(error).skip(1) {
        let cause = cause.to_string();
        let is_frame = cause.starts_with("client error (");
        if !is_frame && !told.iter().any(|earlier| earlier.contains(&cause)) {
            told.push(cause);
        }
    }
    if told.is_empty() { "the request failed".to_owned() } else { told.join(": ") }
}

/// For people: an error and its causes, without repetitions.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut told: Vec<String> = Vec::new();
    for cause in std::iter::successors(Some(error), |&error| error.source()) {
        let cause = cause.to_string();
        if !told.iter().any(|earlier| earlier.contains(&cause)) {
            told.push(cause);
        }
    }
    told.join(": ")
}

/// The error and its causes. An `io::Error` that wraps another one hides it from `source`, which skips to its cause.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        wrapped.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source())
    })
}
