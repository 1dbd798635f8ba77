//! Whether an `rtsps://` camera is who it should be.
//!
//! Owns whom we believe (`ca_file`, otherwise the system's authorities) and why we don't; refuses to connect. There is no
//! way to go on unverified. GLib does the cryptography: `glib-networking` must be installed.

use std::path::Path;

use gio::prelude::*;

/// Why there is no TLS connection that can be trusted. The texts never hold what the camera said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// Neither `ca_file` nor the system's authorities vouch for it.
    #[error(
        "its certificate comes from an authority that isn't trusted here; set `ca_file` to that authority's certificate"
    )]
    UnknownIssuer,
    /// It is somebody else's.
    #[error(
        "its certificate is for another name; use the name that stands in it, or give the camera one for this name"
    )]
    WrongName,
    /// It is over.
    #[error("its certificate has expired; renew it on the camera")]
    Expired,
    /// By our clock.
    #[error("its certificate isn't valid yet; check the clocks of the camera and of this machine")]
    NotYetValid,
    /// By a list of its authority.
    #[error("its certificate was revoked; renew it on the camera")]
    Revoked,
    /// An old algorithm or a short key.
    #[error("its certificate is too weak; give the camera one with a longer key and SHA-256")]
    Weak,
    /// Anything else that is wrong with it: one that has the trusted one's name but was made anew, for instance.
    #[error("its certificate can't be verified; fetch it anew for `ca_file` if the camera made itself another one")]
    Unverifiable,
    /// Plain RTSP is spoken on that port.
    #[error("it speaks no TLS on this port; give the port of its RTSPS service, or use `rtsp://`")]
    NotTls,
    /// Neither TLS 1.2 nor 1.3, perhaps.
    #[error("the two found no common way to speak TLS; update the camera's firmware")]
    Handshake,
    /// It sends us from `rtsps://` to `rtsp://`.
    #[error("it sends us on to an address without TLS; give that address if this is right")]
    Downgrade,
    /// It can't be read, or holds no certificate.
    #[error("no certificate can be read from `ca_file`; check the path, its permissions and that it is PEM")]
    CaFile,
    /// GLib's TLS is a module of its own.
    #[error("this machine's GStreamer speaks no TLS; install `glib-networking`")]
    NotInstalled,
}

impl Distrust {
    /// The gravest of what GLib found.
    pub(super) fn of(found: gio::TlsCertificateFlags) -> Distrust {
        use gio::TlsCertificateFlags as Flags;
        let gravest = [
            (Flags::REVOKED, Distrust::Revoked),
            (Flags::UNKNOWN_CA, Distrust::UnknownIssuer),
            (Flags::BAD_IDENTITY, Distrust::WrongName),
            (Flags::EXPIRED, Distrust::Expired),
            (Flags::NOT_ACTIVATED, Distrust::NotYetValid),
            (Flags::INSECURE, Distrust::Weak),
        ];
        gravest.into_iter().find(|(flag, _)| found.contains(*flag)).map_or(Distrust::Unverifiable, |(_, why)| why)
    }
}

/// Whether GLib can speak TLS here.
pub fn tls_installed() -> bool {
    gio::TlsBackend::default().supports_tls()
}

/// Those whose certificates we believe; None: the system's. Read anew for every connection, so a renewed file counts.
pub(super) fn anchors(ca_file: Option<&Path>) -> Result<Option<gio::TlsFileDatabase>, Distrust> {
    if !tls_installed() {
        return Err(Distrust::NotInstalled);
    }
    let read = |file: &Path| {
        let file = std::path::absolute(file).map_err(|_| Distrust::CaFile)?;
        gio::TlsFileDatabase::new(file).map_err(|_| Distrust::CaFile)
    };
    ca_file.map(read).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_reason_is_told() {
        use gio::TlsCertificateFlags as Flags;
        assert_eq!(Distrust::of(Flags::UNKNOWN_CA | Flags::EXPIRED | Flags::BAD_IDENTITY), Distrust::UnknownIssuer);
        assert_eq!(Distrust::of(Flags::EXPIRED), Distrust::Expired);
        assert_eq!(Distrust::of(Flags::GENERIC_ERROR), Distrust::Unverifiable);
    }

    #[test]
    fn a_file_without_certificates_is_no_anchor() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        assert_eq!(anchors(Some(&file)), Err(Distrust::CaFile), "absent");
        std::fs::write(&file, "no certificate").unwrap();
        assert_eq!(anchors(Some(&file)), Err(Distrust::CaFile), "nonsense");
        assert_eq!(anchors(None), Ok(None));
    }
}
