//! Certificates for tests: an authority of their own, and a TLS receiver that shows what it is told to.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// Signs certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// What a receiver's operator would hand out.
    pub pem: String,
    der: CertificateDer<'static>,
}

/// A certificate and its key.
pub struct Identity {
    pub pem: String,
    pub key_pem: String,
    der: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Authority {
    pub fn new(name: &str) -> Authority {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Authority { pem: certificate.pem(), der: certificate.der().clone(), issuer: Issuer::new(params, key) }
    }

    /// A certificate for `host`, with whatever `change` changes.
    pub fn issue(&self, host: &str, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = params(host, change).signed_by(&key, &self.issuer).unwrap();
        Identity::new(&certificate, &key)
    }
}

impl Identity {
    /// A certificate that only itself vouches for.
    pub fn self_signed(host: &str) -> Identity {
        let key = KeyPair::generate().unwrap();
        Identity::new(&params(host, |_| {}).self_signed(&key).unwrap(), &key)
    }

    fn new(certificate: &rcgen::Certificate, key: &KeyPair) -> Identity {
        Identity {
            pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            der: certificate.der().clone(),
            key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        }
    }
}

fn params(host: &str, change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = CertificateParams::new([host.to_owned()]).unwrap();
    params.distinguished_name = Default::default();
    params.distinguished_name.push(DnType::CommonName, host);
    (params.not_before, params.not_after) = (date_time_ymd(2000, 1, 1), date_time_ymd(2099, 12, 31));
    change(&mut params);
    params
}

/// Speaks TLS as `identity`, asks for a certificate of `clients` if given, and gives each connection, its handshake done,
/// to `script`. Listens as long as the test runs.
pub fn serve_tls(
    identity: &Identity,
    clients: Option<&Authority>,
    script: impl Fn(&mut StreamOwned<ServerConnection, TcpStream>) + Send + Sync + Clone + 'static,
) -> SocketAddr {
    let provider = Arc::new(ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.der.clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    let config = Arc::new(builder.with_single_cert(vec![identity.der.clone()], identity.key.clone_key()).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut tcp in listener.incoming().flatten() {
            let (config, script) = (Arc::clone(&config), script.clone());
            thread::spawn(move || {
                let mut tls = ServerConnection::new(config).unwrap();
                let refused = tls.complete_io(&mut tcp).is_err();
                let mut stream = StreamOwned::new(tls, tcp);
                if refused {
                    // The alert must arrive: a close with unread bytes would overtake it.
                    let _ = stream.conn.write_tls(&mut stream.sock);
                    let _ = stream.sock.flush();
                    let _ = stream.sock.shutdown(std::net::Shutdown::Write);
                    let _ = stream.sock.read_to_end(&mut Vec::new());
                } else {
                    script(&mut stream);
                }
            });
        }
    });
    address
}
