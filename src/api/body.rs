//! The body of a request, read whole before anybody looks at it.
//!
//! Owns how large and how slow it may be; refuses to know what is in it. What is too large is read and let go for a while,
//! because a client that still sends doesn't hear why it is refused.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::StatusCode;

use super::refusal::Refusal;

/// No request says more than this, in bytes.
pub(super) const LARGEST: usize = 64 * 1024;

/// So much of a larger one is read before the connection is given up.
const SWALLOWED: u64 = 16 * 1024 * 1024;

/// So long a body may take, after its headers.
const PATIENCE: Duration = Duration::from_secs(10);

/// The same request with its body in memory.
///
/// # Errors
/// It is too large, too slow, or broke off.
pub(super) async fn read(request: Request) -> Result<Request, Refusal> {
    if request.body().is_end_stream() {
        return Ok(request);
    }
    let (head, body) = request.into_parts();
    let bytes = tokio::time::timeout(PATIENCE, whole(body)).await.unwrap_or_else(|_| {
        let error = format!("the body was not there after {} s", PATIENCE.as_secs());
        Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, error, "send it at once, or see to the network"))
    })?;
    Ok(Request::from_parts(head, Body::from(bytes)))
}

async fn whole(mut body: Body) -> Result<Vec<u8>, Refusal> {
    if body.size_hint().lower() > SWALLOWED {
        return Err(too_large());
    }
    let (mut bytes, mut length) = (Vec::new(), 0);
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|error| {
            Refusal::bad_request(format!("the body can't be read: {error}"), "send it as HTTP/1.1 says")
        })?;
        let Ok(data) = frame.into_data() else { continue };
        length += data.len() as u64;
        if length <= LARGEST as u64 {
            bytes.extend_from_slice(&data);
        } else if length > SWALLOWED {
            break;
        }
    }
    if length > LARGEST as u64 { Err(too_large()) } else { Ok(bytes) }
}

fn too_large() -> Refusal {
    let error = format!("the body is larger than {} KiB", LARGEST / 1024);
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, error, "no request needs that much: send less")
}
