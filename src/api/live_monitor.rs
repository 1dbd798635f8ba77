//! `POST /live-monitor` and `DELETE /jobs/{job_id}`: jobs that clients start and end, as at Trio's live monitor.
//!
//! Owns what a client may ask for there, and what of it is kept; refuses to know how a job is made of cameras, endpoints and
//! monitors (the daemon does, as [`Registrar`](super::Registrar)).

use axum::Json;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::commission::{Commission, Commissioned, Request, Stream};
use super::definitions::{Body, By, carry_out};
use super::jobs::{self, JobLine, stripped};
use super::refusal::Refusal;
use super::words::{Wanted, Words};
use super::{Shared, Watched};
use crate::config::{Format, Unfit};
use crate::event::JobStatus;
use crate::secret::Secret;

const HINT: &str = "send a JSON object with `stream_url`, `condition` and `webhook_url`";

#[derive(Serialize)]
struct Answer {
    job_id: Uuid,
    status: JobStatus,
}

pub(super) async fn start(State(shared): State<Shared>, ConnectInfo(by): By, body: Body) -> Result<Response, Refusal> {
    let Json(body) = body.map_err(|rejection| Refusal::bad_request(rejection.body_text(), HINT))?;
    let commission = commission(body).map_err(|Unfit { error, hint }| Refusal::bad_request(error, hint))?;
    let what = "start a job".to_owned();
    let done = carry_out(&shared, (by, what), move |registrar| registrar.commission(commission)).await?;
    let Commissioned { monitor, job, is_new } = done;
    let (job_id, status) = job.ok_or_else(|| {
        Refusal::new(StatusCode::CONFLICT, format!("monitor `{monitor}` has no job"), "see `journalctl -u stakeout`")
    })?;
    tracing::info!(job = %job_id, is_new, "a job was asked for over the API");
    let code = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((code, Json(Answer { job_id, status })).into_response())
}

/// What is asked for.
fn commission(body: Map<String, Value>) -> Result<Commission, Unfit> {
    let mut words = Words::new(body);
    let stream = words.text("stream_url", "\"rtsp://10.0.0.21/stream1\"")?;
    words.text("condition", "\"Is there a person at the dock?\"")?;
    let webhook_url = words.text("webhook_url", "\"https://your-app.example/hook\"")?;
    let Wanted { section, said } = words.monitor(&["max_duration", "stop_on_trigger"]);
    let mut request = Map::from_iter([
        ("stream_url".to_owned(), Value::from(stripped(&stream))),
        ("webhook_url".to_owned(), Value::from(webhook_url.as_str())),
    ]);
    request.extend(said);
    Ok(Commission {
        stream: Stream::At(Secret::new(stream)),
        webhook_url,
        format: Format::TrioLiveMonitor,
        monitor: section,
        request: Request::Job(Value::Object(request)),
    })
}

/// Ends a job by ending its monitor, which stays so until somebody enables it again.
pub(super) async fn stop(
    State(shared): State<Shared>,
    ConnectInfo(by): By,
    Path(job): Path<String>,
) -> Result<Json<JobLine>, Refusal> {
    let line = jobs::line_of(&shared, &job).await?;
    if line.ended_at.is_some() {
        return Ok(Json(line));
    }
    let monitor = line.monitor;
    let is_its = |watched: &&Watched| watched.monitor == monitor;
    if shared.site.watched().iter().filter(is_its).count() > 1 {
        let error = format!("monitor `{monitor}` watches several cameras, and its jobs only end together");
        let hint = format!("POST /v1/monitors/{monitor}/disable ends them all");
        return Err(Refusal::new(StatusCode::CONFLICT, error, hint));
    }
    let what = format!("end job `{job}`");
    carry_out(&shared, (by, what), move |registrar| registrar.switch(&monitor, false)).await?;
    tracing::info!(%job, "a job was ended over the API");
    Ok(Json(jobs::line_of(&shared, &job).await?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(body: Value) -> Result<Commission, String> {
        let Value::Object(body) = body else { panic!() };
        commission(body).map_err(|unfit| unfit.to_string())
    }

    #[test]
    fn what_is_asked_for_is_kept_without_the_login_and_what_is_not_known_is_ignored() {
        let asked = asked(json!({
            "stream_url": "rtsp://viewer:hunter2@10.0.0.21/1?channel=1", "condition": "Is there fire?",
            "webhook_url": "https://app.example/hook?k=1", "include_frame": true, "name": "mine", "endpoints": ["ops"],
            "max_duration": 60, "cooldown": "5s", "zone": null, "restart": "always",
        }));
        let Commission { stream: Stream::At(stream), monitor, request, webhook_url, .. } = asked.unwrap() else {
            panic!()
        };
        assert_eq!(stream.expose(), "rtsp://viewer:hunter2@10.0.0.21/1?channel=1");
        assert_eq!(webhook_url, "https://app.example/hook?k=1");
        let spelt = json!({"condition": "Is there fire?", "cooldown": "5s", "max_duration": "60s"});
        assert_eq!(Value::from(monitor), spelt);
        let kept = json!({
            "stream_url": "rtsp://10.0.0.21/1?channel=1", "webhook_url": "https://app.example/hook?k=1",
            "condition": "Is there fire?", "cooldown": "5s", "max_duration": 60,
        });
        assert_eq!(request, Request::Job(kept.clone()));
        assert_eq!(super::tests::asked(kept).unwrap().request, request, "what is answered asks for the same again");
    }

    #[test]
    fn what_is_missing_is_told() {
        for (body, told) in [
            (json!({}), "`stream_url` is missing; add `\"stream_url\": \"rtsp://10.0.0.21/stream1\"`"),
            (
                json!({"stream_url": "rtsp://h/1", "condition": " ", "webhook_url": "https://h/"}),
                "`condition` is no text, or empty; for example \"Is there a person at the dock?\"",
            ),
            (
                json!({"stream_url": "rtsp://h/1", "condition": "x", "webhook_url": 7}),
                "`webhook_url` is no text, or empty; for example \"https://your-app.example/hook\"",
            ),
        ] {
            assert_eq!(asked(body).err().as_deref(), Some(told));
        }
    }
}
