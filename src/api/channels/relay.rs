//! From what is said aloud to messages: put into words once, told to everybody who chose the channel.
//!
//! Owns the queues of `alert` and `scene_index`; refuses to know clients. One task for all of them, idle while nobody
//! listens.

use std::fmt::Display;
use std::future::pending;
use std::sync::Arc;

use axum::extract::ws::Utf8Bytes;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{Receiver, Sender};

use super::alert;
use super::pace::Pace;
use super::scene::Scene;
use crate::broadcast::{Broadcast, Checked, Listening};
use crate::name::Name;
use crate::time::now;

/// Messages of a channel that may wait for a client: about as many as a large box has monitors, which may all speak at
/// once. They are kept once, however many wait for them.
pub(super) const QUEUE: usize = 256;

/// The two queues.
pub(super) struct Relay {
    broadcast: Broadcast,
    alerts: Sender<Spoken>,
    scenes: Sender<Spoken>,
}

/// A message, and whose it is. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Spoken {
    /// What it is about.
    pub(super) monitor: Option<Name>,
    /// As it is sent.
    pub(super) text: Utf8Bytes,
}

/// A client's end of a queue.
pub(super) struct Ear {
    messages: Receiver<Spoken>,
    /// It is said because somebody listens.
    _listening: Listening,
}

/// More messages waited for a client than may.
#[derive(Debug)]
pub(super) struct Behind;

impl Ear {
    /// The next message.
    ///
    /// # Errors
    /// [`Behind`]: some were missed.
    pub(super) async fn next(&mut self) -> Result<Spoken, Behind> {
        match self.messages.recv().await {
            Ok(message) => Ok(message),
            Err(RecvError::Lagged(_)) => Err(Behind),
            Err(RecvError::Closed) => pending().await,
        }
    }
}

impl Relay {
    pub(super) fn new(broadcast: Broadcast) -> Relay {
        Relay { broadcast, alerts: Sender::new(QUEUE), scenes: Sender::new(QUEUE) }
    }

    /// Alerts from now on.
    pub(super) fn alerts(&self) -> Ear {
        Ear { messages: self.alerts.subscribe(), _listening: self.broadcast.alerts.listen() }
    }

    /// Checks from now on.
    pub(super) fn scenes(&self) -> Ear {
        Ear { messages: self.scenes.subscribe(), _listening: self.broadcast.checks.listen() }
    }

    /// Passes on, for ever.
    pub(super) async fn work(&self) {
        tokio::join!(self.pass_on_alerts(), self.pass_on_scenes());
    }

    async fn pass_on_alerts(&self) {
        let mut said = self.broadcast.alerts.receive();
        loop {
            match said.recv().await {
                Ok(said) => {
                    let monitor = said.event.monitor.as_ref();
                    if let Some(alert) = alert::object(&said) {
                        tell(&self.alerts, ("alert", monitor), alert);
                    }
                }
                Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "alerts were not told over WebSocket"),
                Err(RecvError::Closed) => return,
            }
        }
    }

    async fn pass_on_scenes(&self) {
        let mut said = self.broadcast.checks.receive();
        let mut pace = Pace::default();
        loop {
            let wait = pace.wait(now().mono);
            tokio::select! {
                checked = said.recv() => match checked {
                    Ok(checked) => pace.take(checked),
                    // Newer ones follow.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                },
                () = sleep(wait) => {}
            }
            if self.scenes.receiver_count() == 0 {
                pace.forget();
            }
            for checked in pace.due(now().mono) {
                self.tell_scene(&checked);
            }
        }
    }

    fn tell_scene(&self, checked: &Arc<Checked>) {
        match serde_json::to_string(&Scene::from(checked.as_ref())) {
            Ok(scene) => tell(&self.scenes, ("scene_index", Some(&checked.monitor)), scene),
            Err(error) => tracing::error!(%error, "a check can't be put into words"),
        }
    }
}

async fn sleep(wait: Option<std::time::Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => pending().await,
    }
}

fn tell(clients: &Sender<Spoken>, (channel, monitor): (&str, Option<&Name>), data: impl Display) {
    // Nobody there: nothing to do.
    let _ = clients.send(Spoken { monitor: monitor.cloned(), text: message(channel, data) });
}

/// `{"channel": …, "data": …}`; `data` is JSON already.
pub(super) fn message(channel: &str, data: impl Display) -> Utf8Bytes {
    format!("{{\"channel\":\"{channel}\",\"data\":{data}}}").into()
}
