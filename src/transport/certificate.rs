//! What a certificate says of itself.
//!
//! Owns reading issuer and validity, for people; refuses to believe or refuse anything (`tls` does). Pure.

use std::time::Duration;

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use x509_cert::der::Decode;

/// A certificate, described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Who it is for, as in RFC 4514: `CN=hook.example`.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// Valid from.
    pub not_before: Timestamp,
    /// Valid until.
    pub not_after: Timestamp,
}

impl Certificate {
    /// None when it can't be understood.
    pub(super) fn describe(der: &CertificateDer<'_>) -> Option<Certificate> {
        let certificate = x509_cert::Certificate::from_der(der).ok()?.tbs_certificate;
        let at = |since_1970: Duration| Timestamp::from_second(since_1970.as_secs().try_into().ok()?).ok();
        Some(Certificate {
            subject: certificate.subject.to_string(),
            issuer: certificate.issuer.to_string(),
            not_before: at(certificate.validity.not_before.to_unix_duration())?,
            not_after: at(certificate.validity.not_after.to_unix_duration())?,
        })
    }
}
