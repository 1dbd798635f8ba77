//! `/v1/ws`: messages `{"channel": …, "data": …}` over a WebSocket, each told once or not at all.
//!
//! Owns the protocol: the first message, which channels a client chose, pings, and how a conversation ends; refuses to know what the messages
//! say. A client that falls behind is told so and left.

use std::future::pending;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Extension, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use tokio::time::timeout;
use tungstenite::error::{CapacityError, Error as ProtocolError};

use super::super::Shared;
use super::super::refusal::Refusal;
use super::super::seat::Ticket;
use super::callers::Line;
use super::relay::{self, Behind, Spoken};
use super::{Channels, End, Place, summary};

/// What is sent to us counts for nothing, so it may be this long, in bytes.
const MAX_HEARD: usize = 4096;

/// A client answers a ping before the next one.
const PING: Duration = Duration::from_secs(20);

/// A message that a client hasn't taken for so long, it won't take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Saying good-bye takes so long at most: it comes behind everything that the client hasn't read yet.
const GOODBYE: Duration = Duration::from_secs(20);

/// Which channels, separated by commas; all of them unless given.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct ChannelsQuery {
    channels: Option<String>,
}

pub(in crate::api) async fn websocket(
    State(shared): State<Shared>,
    Extension(ticket): Extension<Ticket>,
    query: Result<Query<ChannelsQuery>, QueryRejection>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Refusal> {
    let Query(query) = query
        .map_err(|rejection| Refusal::bad_request(rejection.body_text(), "this takes `channels` and nothing else"))?;
    let choice = Choice::parse(query.channels.as_deref())?;
    let upgrade = upgrade.map_err(|rejection| {
        let error = format!("this is no WebSocket: {}", rejection.body_text());
        Refusal::new(StatusCode::UPGRADE_REQUIRED, error, "open it with a WebSocket client, as `ws://…/v1/ws`")
    })?;
    let place = shared.channels.take_place(&ticket)?;
    let (ears, end) = (Ears::of(&shared.channels, choice), shared.channels.end());
    let upgrade = upgrade.max_message_size(MAX_HEARD).max_frame_size(MAX_HEARD);
    Ok(upgrade.on_upgrade(move |socket| converse(socket, ears, end, place)))
}

/// Which channels a client chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Choice {
    alert: bool,
    scene_index: bool,
    status: bool,
}

impl Choice {
    fn parse(given: Option<&str>) -> Result<Choice, Refusal> {
        let mut choice = Choice::default();
        for channel in given.unwrap_or("alert,scene_index,status").split(',') {
            match channel.trim() {
                "alert" => choice.alert = true,
                "scene_index" => choice.scene_index = true,
                "status" => choice.status = true,
                other => {
                    let error = format!("there is no channel `{other}`");
                    return Err(Refusal::bad_request(error, "known are `alert`, `scene_index` and `status`"));
                }
            }
        }
        Ok(choice)
    }
}

/// What a client listens to.
struct Ears {
    line: Line,
    alert: Option<relay::Ear>,
    scene_index: Option<relay::Ear>,
    status: Option<summary::Ear>,
}

impl Ears {
    fn of(channels: &Channels, choice: Choice) -> Ears {
        Ears {
            line: channels.callers.enter(choice.alert),
            alert: choice.alert.then(|| channels.relay.alerts()),
            scene_index: choice.scene_index.then(|| channels.relay.scenes()),
            status: choice.status.then(|| channels.summaries.listen()),
        }
    }

    /// The next message, alerts first.
    async fn next(&mut self) -> Result<Utf8Bytes, Behind> {
        loop {
            tokio::select! {
                biased;
                () = self.line.rung() => self.line.tune(&mut self.alert),
                alert = hear(&mut self.alert) => {
                    let Spoken { monitor, text } = alert?;
                    if self.line.wants(monitor.as_ref()) {
                        return Ok(text);
                    }
                }
                scene = hear(&mut self.scene_index) => return scene.map(|scene| scene.text),
                message = look(&mut self.status) => return Ok(message),
            }
        }
    }
}

async fn hear(ear: &mut Option<relay::Ear>) -> Result<Spoken, Behind> {
    match ear {
        Some(ear) => ear.next().await,
        None => pending().await,
    }
}

async fn look(ear: &mut Option<summary::Ear>) -> Utf8Bytes {
    match ear {
        Some(ear) => ear.next().await,
        None => pending().await,
    }
}

/// How a conversation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Farewell {
    /// The client said so, or is gone.
    Gone,
    /// The daemon stops.
    Stopping,
    /// The client takes too little.
    TooSlow,
    /// It doesn't answer.
    Silent,
    /// It sent too much.
    TooLong,
    /// It sent what is no WebSocket message.
    Garbled,
}

impl Farewell {
    fn words(self) -> Option<(u16, &'static str)> {
        match self {
            Farewell::Gone => None,
            Farewell::Stopping => Some((close_code::AWAY, "the daemon stops; connect again in a moment")),
            Farewell::TooSlow => {
                Some((close_code::AGAIN, "too slow: messages were missed; connect again and read faster"))
            }
            Farewell::Silent => Some((close_code::POLICY, "no answer to a ping within 20 s")),
            Farewell::TooLong => Some((close_code::SIZE, "too long: nothing needs to be sent here")),
            Farewell::Garbled => Some((close_code::PROTOCOL, "this is no WebSocket message")),
        }
    }
}

async fn converse(mut socket: WebSocket, mut ears: Ears, mut end: End, _place: Place) {
    let farewell = talk(&mut socket, &mut ears, &mut end).await;
    // Nothing more needs to be said for this one.
    drop(ears);
    let Some((code, reason)) = farewell.words() else { return };
    tracing::debug!(?farewell, "a WebSocket client is left");
    let close = Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) }));
    // The client's own good-bye, or its patience, ends it.
    let said = async {
        if socket.send(close).await.is_ok() {
            while let Some(Ok(_)) = socket.recv().await {}
        }
    };
    let _ = timeout(GOODBYE, said).await;
}

/// Tells what there is to tell, until there is a reason to stop.
async fn talk(socket: &mut WebSocket, ears: &mut Ears, end: &mut End) -> Farewell {
    match timeout(PATIENCE, socket.send(Message::Text(ears.line.greeting()))).await {
        Ok(Ok(())) => {}
        Ok(Err(_)) => return Farewell::Gone,
        Err(_) => return Farewell::TooSlow,
    }
    let mut ping = tokio::time::interval(PING);
    ping.reset();
    let mut answered = true;
    loop {
        let message = tokio::select! {
            () = end.comes() => return Farewell::Stopping,
            message = ears.next() => match message {
                Ok(message) => Message::Text(message),
                Err(Behind) => return Farewell::TooSlow,
            },
            heard = socket.recv() => match heard {
                None | Some(Ok(Message::Close(_))) => return Farewell::Gone,
                Some(Ok(_)) => {
                    answered = true;
                    continue;
                }
                Some(Err(error)) => return why(error),
            },
            _ = ping.tick() => {
                if !std::mem::replace(&mut answered, false) {
                    return Farewell::Silent;
                }
                Message::Ping(axum::body::Bytes::new())
            }
        };
        match timeout(PATIENCE, socket.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Farewell::Gone,
            Err(_) => return Farewell::TooSlow,
        }
    }
}

/// What a failure to read means.
fn why(error: axum::Error) -> Farewell {
    match error.into_inner().downcast_ref() {
        Some(ProtocolError::Capacity(CapacityError::MessageTooLong { .. })) => Farewell::TooLong,
        Some(ProtocolError::Protocol(_) | ProtocolError::Utf8(_)) => Farewell::Garbled,
        _ => Farewell::Gone,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_chosen_by_name_and_others_are_refused() {
        let chosen = |given| Choice::parse(given).map_err(|refusal| refusal.error);
        let all = Choice { alert: true, scene_index: true, status: true };
        assert_eq!(chosen(None), Ok(all));
        assert_eq!(chosen(Some("status, alert")), Ok(Choice { scene_index: false, ..all }));
        assert_eq!(chosen(Some("alert,alarm")), Err("there is no channel `alarm`".to_owned()));
        assert_eq!(chosen(Some("")), Err("there is no channel ``".to_owned()));
    }
}
