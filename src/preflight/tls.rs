//! Reads the certificates that endpoints and cameras name: whom they believe, and as whom we present ourselves.
//!
//! Owns that the files are read and what is said about them; refuses to know what a handshake is (`transport`).

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use super::{advice, keys};
use crate::config::{Camera, Diagnostic, Diagnostics, Endpoint, Located};
use crate::name::Name;
use crate::transport::{PemError, Tls, certificates};

/// What the TLS of every endpoint rests on; without those of which a file can't be used, which is told.
pub(super) fn of(endpoints: &[Endpoint], diagnostics: &mut Diagnostics) -> BTreeMap<Name, Tls> {
    endpoints.iter().filter_map(|endpoint| Some((endpoint.name.clone(), read(endpoint, diagnostics)?))).collect()
}

/// Tells which cameras' `ca_file` can't be used. It is read again for each connection.
pub(super) fn of_cameras(cameras: &[Camera], diagnostics: &mut Diagnostics) {
    for camera in cameras {
        let whose = format!("camera `{}`", camera.name);
        if let Some((file, pem)) = camera.ca_file.as_ref().and_then(|it| Some((it, content(&whose, it, diagnostics)?)))
        {
            told(&whose, file, certificates(&pem), diagnostics);
        }
    }
}

fn read(endpoint: &Endpoint, diagnostics: &mut Diagnostics) -> Option<Tls> {
    let whose = format!("endpoint `{}`", endpoint.name);
    let trusting = endpoint.ca_file.as_ref().map_or(Some(Tls::default()), |file| {
        let pem = content(&whose, file, diagnostics)?;
        told(&whose, file, Tls::default().trusting(&pem), diagnostics)
    });
    let Some(client) = &endpoint.client else { return trusting };
    // Whatever is wrong with each of the three files is told at once.
    let chain = content(&whose, &client.certificate, diagnostics)
        .and_then(|pem| told(&whose, &client.certificate, certificates(&pem), diagnostics));
    let key = keys::read(&whose, &client.key, diagnostics);
    let (trusting, chain, key) = (trusting?, chain?, key?);
    trusting
        .presenting(chain, key.expose().as_bytes())
        .map_err(|why| {
            let (what, label) = said(why);
            diagnostics.push(Diagnostic::error(format!("{whose}: `client_key` {what}")).at(client.key.at(), label));
        })
        .ok()
}

fn content(whose: &str, file: &Located<PathBuf>, diagnostics: &mut Diagnostics) -> Option<Vec<u8>> {
    std::fs::read(&file.value)
        .map_err(|error| {
            let path = file.value.display();
            let (what, label) = match error.kind() {
                io::ErrorKind::NotFound => {
                    (format!("`{path}` does not exist"), "name a file with a certificate in PEM")
                }
                io::ErrorKind::PermissionDenied => {
                    (format!("`{path}` is not readable for this user"), "give it to the user of the service")
                }
                _ => (format!("`{path}` can't be read ({error})"), "check the path"),
            };
            diagnostics.push(Diagnostic::error(format!("{whose}: {what}")).at(file.at.clone(), label).may_heal(true));
        })
        .ok()
}

fn told<T>(
    whose: &str,
    file: &Located<PathBuf>,
    read: Result<T, PemError>,
    diagnostics: &mut Diagnostics,
) -> Option<T> {
    read.map_err(|why| {
        let (what, label) = said(why);
        let title = format!("{whose}: `{}` {what}", file.value.display());
        diagnostics.push(Diagnostic::error(title).at(file.at.clone(), label));
    })
    .ok()
}

fn said(why: PemError) -> (String, String) {
    let text = why.to_string();
    let (what, label) = advice(&text, ": ");
    (what.to_owned(), label.to_owned())
}
