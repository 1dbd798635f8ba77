//! What every request passes through: no web page may call, and every response says who answers.
//!
//! Owns the `Origin` rule and the version header; refuses to know routes.

use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::VERSION_HEADER;
use super::refusal::Refusal;

const VERSION: HeaderValue = HeaderValue::from_static(env!("CARGO_PKG_VERSION"));

/// Refuses requests of web pages and marks the response.
///
/// Only browsers send `Origin`. The API serves no page yet, so every origin is a foreign one.
pub(super) async fn watch(request: Request, next: Next) -> Response {
    let mut response = match request.headers().get(header::ORIGIN) {
        None => next.run(request).await,
        Some(origin) => {
            let origin = String::from_utf8_lossy(origin.as_bytes());
            let error = format!("requests of web pages are refused (`Origin: {origin}`)");
            Refusal::new(StatusCode::FORBIDDEN, error, "use `stakeout` or `curl --unix-socket`").into_response()
        }
    };
    response.headers_mut().insert(VERSION_HEADER, VERSION);
    response
}
