//! TLS: whom an endpoint's client believes, and as whom it presents itself.
//!
//! Owns reading PEM, the system's authorities and the verifier, which notes what it was shown; refuses to know files
//! (`preflight` reads them) and what follows from a refusal. Verifying is rustls' and webpki's work, unchanged. Runs in tasks
//! of tokio, inside of a handshake.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::certificate::Certificate;
use super::way;

/// What an endpoint's TLS rests on. Default: the system's authorities, and no certificate of our own. Its `Debug` shows no
/// key.
#[derive(Clone, Default)]
pub struct Tls {
    authorities: Option<Arc<RootCertStore>>,
    own: Option<Arc<CertifiedKey>>,
}

/// Why PEM can't be used. No message holds any of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// Nothing between `-----BEGIN CERTIFICATE-----` and its end.
    #[error("has no certificate in it: it must be PEM, `-----BEGIN CERTIFICATE-----`")]
    NoCertificate,
    /// What is between them is none.
    #[error("has a certificate in it that can't be read: export it again as PEM")]
    BadCertificate,
    /// Nothing between `-----BEGIN PRIVATE KEY-----` and its end.
    #[error("has no private key in it: it must be PEM, `-----BEGIN PRIVATE KEY-----`, without a passphrase")]
    NoKey,
    /// What is between them is none that is known here.
    #[error("has a private key in it that can't be used: RSA, ECDSA (P-256, P-384) and Ed25519 can")]
    BadKey,
    /// The certificate is for another key.
    #[error("does not belong to the certificate: the first certificate of `client_cert` must be the key's")]
    OtherKey,
}

impl Tls {
    /// Believes these authorities and no others.
    ///
    /// # Errors
    /// There is none in `pem`, or one that can't be read.
    pub fn trusting(mut self, pem: &[u8]) -> Result<Tls, PemError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(pem)? {
            roots.add(certificate).map_err(|_| PemError::BadCertificate)?;
        }
        self.authorities = Some(Arc::new(roots));
        Ok(self)
    }

    /// Presents a certificate to receivers that ask for one: the chain, our own first, and its key.
    ///
    /// # Errors
    /// One of them can't be read, or they don't belong together.
    pub fn presenting(mut self, chain: Vec<CertificateDer<'static>>, key_pem: &[u8]) -> Result<Tls, PemError> {
        let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(|_| PemError::NoKey)?;
        let key = ring::sign::any_supported_type(&key).map_err(|_| PemError::BadKey)?;
        let own = CertifiedKey::new(chain, key);
        match own.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
            Err(rustls::Error::InconsistentKeys(_)) => return Err(PemError::OtherKey),
            Err(_) => return Err(PemError::BadCertificate),
        }
        self.own = Some(Arc::new(own));
        Ok(self)
    }

    /// How a client of ours shakes hands.
    pub(super) fn config(&self) -> Result<ClientConfig, rustls::Error> {
        let provider = Arc::new(ring::default_provider());
        let roots = self.authorities.clone().unwrap_or_else(systems_authorities);
        // Without a single authority nothing can be verified; plain http still works.
        let inner = if roots.is_empty() {
            None
        } else {
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
            Some(verifier.map_err(|error| rustls::Error::General(error.to_string()))?)
        };
        let verifier = Arc::new(NotingVerifier { inner, provider: Arc::clone(&provider) });
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        Ok(match &self.own {
            Some(own) => {
                builder.with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(Arc::clone(own))))
            }
            None => builder.with_no_client_auth(),
        })
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("own_authorities", &self.authorities.is_some())
            .field("own_certificate", &self.own.is_some())
            .finish()
    }
}

/// The certificates in `pem`, at least one.
///
/// # Errors
/// There is none, or one that can't be read.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|_| PemError::BadCertificate)?;
    if certificates.is_empty() {
        return Err(PemError::NoCertificate);
    }
    let unreadable = certificates.iter().any(|der| Certificate::describe(der).is_none());
    if unreadable { Err(PemError::BadCertificate) } else { Ok(certificates) }
}

/// Read once: they don't change while we run, and reading them takes a while.
fn systems_authorities() -> Arc<RootCertStore> {
    static AUTHORITIES: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let read = || {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            tracing::warn!(
                "no https receiver can be verified, as this system knows no authorities; install the package \
                 `ca-certificates`"
            );
        }
        Arc::new(roots)
    };
    Arc::clone(AUTHORITIES.get_or_init(read))
}

/// Notes what it is shown, and otherwise does what webpki does.
#[derive(Debug)]
struct NotingVerifier {
    /// None: there is no authority to believe.
    inner: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for NotingVerifier {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        way::note(|way, _| way.certificate = Certificate::describe(shown));
        match &self.inner {
            Some(inner) => inner.verify_server_cert(shown, intermediates, name, ocsp, now),
            None => Err(CertificateError::UnknownIssuer.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
