//! `POST /jobs/{job_id}/start`: what an ended job did begins anew, as a job of its own.
//!
//! Owns which monitor that is and what is answered where it is gone; refuses to know how one is switched on (the daemon
//! does, as [`Registrar`](super::Registrar)). A client's camera keeps its login for as long as its monitor is kept.

use axum::Json;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

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
    if let Some(running) = running(&shared, &asked)? {
        return Ok(Json(line_of(&shared, &running.to_string()).await?).into_response());
    }
    let (its, what) = (asked.monitor.clone(), format!("start job `{job}` again"));
    let switched = carry_out(&shared, (by, what), move |registrar| registrar.switch(&its, true)).await;
    let switched = switched.map_err(|refusal| if refusal.status == 404 { gone(&asked) } else { refusal })?;
    let Some((_, begun)) = switched.begun.into_iter().find(|(camera, _)| *camera == asked.camera) else {
        // Somebody else's order was carried out first.
        let running = running(&shared, &asked)?.ok_or_else(|| stuck(&asked))?;
        return Ok(Json(line_of(&shared, &running.to_string()).await?).into_response());
    };
    tracing::info!(%job, %begun, "a job was started again over the API");
    Ok((StatusCode::CREATED, Json(line_of(&shared, &begun.to_string()).await?)).into_response())
}

/// The job of whoever did what `asked` did, if it runs.
///
/// # Errors
/// Nobody does it any more.
fn running(shared: &Shared, asked: &JobLine) -> Result<Option<Uuid>, Refusal> {
    let is_it = |it: &Monitor| it.name == asked.monitor && it.camera == asked.camera;
    let job = shared.site.monitors(now()).into_iter().find(is_it).ok_or_else(|| gone(asked))?.job;
    let runs = |status: JobStatus| matches!(status, JobStatus::Pending | JobStatus::Running);
    Ok(job.filter(|job| runs(job.status)).map(|job| job.id))
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
