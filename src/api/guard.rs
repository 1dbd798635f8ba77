//! What every request passes through: who may not call is refused, what is too large or too slow is not waited for, orders
//! are logged with who gave them, and every response says who answers.
//!
//! Owns these four and what is said of them; refuses to know who may call (`access`) and routes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::VERSION_HEADER;
use super::access::{Access, Denied};
use super::body;
use super::clips;
use super::peer::Peer;
use super::refusal::Refusal;
use crate::time::{Mono, now};

const VERSION: HeaderValue = HeaderValue::from_static(env!("CARGO_PKG_VERSION"));

/// Two ways to show the token; browsers ask for it in the first.
const CHALLENGES: [HeaderValue; 2] =
    [HeaderValue::from_static("Basic realm=\"stakeout\", charset=\"UTF-8\""), HeaderValue::from_static("Bearer")];

/// Whose pages a browser may show our answers in.
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Of those who may not call the log tells no more often.
const QUIET_LOG: Duration = Duration::from_secs(60);

/// Stands before all routes.
pub(super) struct Guard {
    access: Access,
    turned_away: Mutex<TurnedAway>,
}

/// Requests without the token.
#[derive(Default)]
struct TurnedAway {
    told: Option<Mono>,
    since: u64,
}

impl Guard {
    pub(super) fn new(access: Access) -> Guard {
        Guard { access, turned_away: Mutex::default() }
    }

    fn turn_away(&self, peer: &Peer, denied: Denied) -> Response {
        if let Denied::NoToken | Denied::WrongToken = denied {
            self.log(peer, &denied);
            let mut response = refusal(denied).into_response();
            for challenge in CHALLENGES {
                response.headers_mut().append(header::WWW_AUTHENTICATE, challenge);
            }
            return response;
        }
        refusal(denied).into_response()
    }

    /// Whoever knocks all night must not fill the log.
    fn log(&self, peer: &Peer, denied: &Denied) {
        let mut away = self.turned_away.lock().unwrap_or_else(PoisonError::into_inner);
        away.since += 1;
        let now = now().mono;
        if away.told.is_none_or(|told| now.since(told) >= QUIET_LOG) {
            let what = if *denied == Denied::WrongToken { "a wrong token" } else { "no token" };
            tracing::warn!(%peer, requests = away.since, "the API refused requests: the latest had {what}");
            *away = TurnedAway { told: Some(now), since: 0 };
        }
    }
}

fn refusal(denied: Denied) -> Refusal {
    const SHOW_IT: &str = "send `Authorization: Bearer TOKEN`, or the token as password: `http://x:TOKEN@box:8787`";
    let (status, error, hint) = match denied {
        Denied::Origin(origin) => (
            StatusCode::FORBIDDEN,
            format!("requests of web pages are refused (`Origin: {origin}`)"),
            "use `stakeout` or `curl --unix-socket`",
        ),
        Denied::Site(site) => (
            StatusCode::FORBIDDEN,
            format!("requests of web pages of others are refused (`Sec-Fetch-Site: {site}`)"),
            "type the address into the browser, or use `stakeout` or `curl --unix-socket`",
        ),
        Denied::NoToken => (StatusCode::UNAUTHORIZED, "this needs the token of `[api] token_file`".to_owned(), SHOW_IT),
        Denied::WrongToken => (StatusCode::UNAUTHORIZED, "this is not the token".to_owned(), SHOW_IT),
        Denied::Host(host) => (
            StatusCode::FORBIDDEN,
            format!("`{host}` is no address of this listener, and names of it need the token"),
            "call it by its address or `localhost`, or send `Authorization: Bearer TOKEN`",
        ),
    };
    Refusal::new(status, error, hint)
}

/// Lets a request through, or not; see the top.
pub(super) async fn watch(
    State(guard): State<Arc<Guard>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
    next: Next,
) -> Response {
    let admits =
        if clips::are_opened_by_links(&request) { Ok(()) } else { guard.access.admits(&peer, request.headers()) };
    let mut response = match admits {
        Ok(()) => admitted(peer, request, next).await,
        Err(denied) => guard.turn_away(&peer, denied),
    };
    let headers = response.headers_mut();
    headers.insert(VERSION_HEADER, VERSION);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(RESOURCE_POLICY).or_insert(HeaderValue::from_static("same-origin"));
    response
}

async fn admitted(peer: Peer, request: Request, next: Next) -> Response {
    let order = (!request.method().is_safe()).then(|| format!("{} {}", request.method(), request.uri().path()));
    let response = match body::read(request).await {
        Ok(request) => worded(next.run(request).await).await,
        Err(refusal) => return refusal.into_response(),
    };
    if let Some(order) = order.filter(|_| response.status().is_success()) {
        tracing::info!(by = %peer, "obeyed `{order}`");
    }
    response
}

/// Longer errors are cut, in bytes.
const LONGEST: usize = 4096;

/// What axum itself refuses (a path that is no UTF-8) it says in plain text: errors are JSON, whoever found them, but for
/// the pages of people who followed a link.
async fn worded(response: Response) -> Response {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_worded = kind.is_some_and(|kind| !kind.as_bytes().starts_with(b"text/plain"));
    if is_worded || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (head, body) = response.into_parts();
    let text = axum::body::to_bytes(body, LONGEST).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let error = if text.is_empty() { head.status.to_string() } else { text.into_owned() };
    let mut refused = Refusal::new(head.status, error, "`/openapi.json` says what each route takes").into_response();
    if let Some(allowed) = head.headers.get(header::ALLOW) {
        refused.headers_mut().insert(header::ALLOW, allowed.clone());
    }
    refused
}
