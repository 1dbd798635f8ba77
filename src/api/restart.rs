//! `POST /jobs/{job_id}/start`: what an ended job did begins anew, as a job of its own.
//!
//! Owns which monitor that is and what is answered where it is gone; refuses to know how one is switched on (the daemon
//! does, as [`Registrar`](super::Registrar)). A client's camera keeps its login for as long as its monitor is kept.

use axum::Json;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::Shared;
use super::definitions::{By, carry_out};
use super::jobs::{JobLine, line_of};
use super::refusal::Refusal;
use super::status::Monitor;
use crate::event::JobStatus;
use crate::time::now;

/// Answers the job that runs from now on, or did already.
pub(super) async fn start(
    State(shared): State<Shared>,
    ConnectInfo(by): By,
    Path(job): Path<String>,
) -> Result<Response, Refusal> {
    let asked = line_of(&shared, &job).await?;
    let before = monitor(&shared, &asked).ok_or_else(|| gone(&asked))?.job;
    if let Some(running) = before.as_ref().filter(|job| matches!(job.status, JobStatus::Pending | JobStatus::Running)) {
        return Ok(Json(line_of(&shared, &running.id.to_string()).await?).into_response());
    }
    let (its, what) = (asked.monitor.clone(), format!("start job `{job}` again"));
    carry_out(&shared, (by, what), move |registrar| registrar.switch(&its, true)).await?;
    let newest = monitor(&shared, &asked).and_then(|it| it.job).map(|job| job.id);
    let begun = newest.filter(|newest| before.is_none_or(|before| before.id != *newest));
    let Some(begun) = begun else { return Err(stuck(&asked)) };
    tracing::info!(%job, %begun, "a job was started again over the API");
    Ok((StatusCode::CREATED, Json(line_of(&shared, &begun.to_string()).await?)).into_response())
}

/// Who did what `asked` did. None: nobody does it any more.
fn monitor(shared: &Shared, asked: &JobLine) -> Option<Monitor> {
    shared.site.monitors(now()).into_iter().find(|it| it.name == asked.monitor && it.camera == asked.camera)
}

fn gone(asked: &JobLine) -> Refusal {
    let JobLine { job_id, monitor, camera, .. } = asked;
    let error =
        format!("what job `{job_id}` ran is gone: there is no monitor `{monitor}` on camera `{camera}` any more");
    let hint = match asked.webhook_url {
        // Whoever asked knows the login, if there was one.
        Some(_) => format!(
            "ask for it anew: POST what GET /jobs/{job_id} answers to where it was asked for first (/live-monitor), with \
             the stream's login if it needs one"
        ),
        None => "define it again in the configuration, or with POST /v1/monitors".to_owned(),
    };
    Refusal::new(StatusCode::GONE, error, hint)
}

fn stuck(asked: &JobLine) -> Refusal {
    let error = format!("monitor `{}` is enabled, but no job has begun on camera `{}`", asked.monitor, asked.camera);
    Refusal::new(StatusCode::CONFLICT, error, "`stakeout status` tells what it lacks")
}
