//! `/metrics`: what Prometheus may watch.
//!
//! Owns the names and labels of all families (README.md, "Metrics"); refuses to know how they are written (`exposition`)
//! and counted. Labels are names of the configuration and words of our own: never a URL, an error or a secret.

use std::fmt;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::Shared;
use super::camera::{Camera, CameraState};
use super::exposition::{Labels, MEDIA_TYPE, Sheet, text};
use super::model::{Model, ModelState};
use super::refusal::Refusal;
use super::status::Monitor;
use crate::camera::Mode;
use crate::delivery;
use crate::journal::{Ended, EndpointCounts, Totals};
use crate::meter::Reading;
use crate::name::Name;
use crate::time::{Now, now};

pub(super) async fn metrics(State(shared): State<Shared>) -> Result<impl IntoResponse, Refusal> {
    let now = now();
    let read = shared.store.read(move |reader| Ok((reader.endpoint_counts(now)?, reader.ended()?, reader.totals()?)));
    let (endpoints, ended, totals) = read.await?;
    let site = Arc::clone(&shared.site);
    let scrape = Scrape {
        now,
        uptime_s: site.uptime(now).as_secs_f64(),
        endpoints,
        ended,
        totals,
        attempts: shared.writer.meters().attempts(),
        commits: shared.writer.meters().commits(),
        cameras: site.cameras(now),
        monitors: site.monitors(now),
        model_runs: site.model_runs(),
        models: site.models(),
    };
    let text = text(scrape).map_err(|error| {
        let hint = "please report this";
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, format!("the metrics could not be written: {error}"), hint)
    })?;
    Ok(([(header::CONTENT_TYPE, MEDIA_TYPE)], text))
}

/// Everything that is told at one moment.
#[derive(Debug)]
struct Scrape {
    now: Now,
    uptime_s: f64,
    endpoints: Vec<EndpointCounts>,
    ended: Vec<Ended>,
    totals: Totals,
    attempts: Vec<(String, Reading)>,
    commits: Reading,
    cameras: Vec<Camera>,
    monitors: Vec<Monitor>,
    model_runs: Vec<(Name, Reading)>,
    models: Vec<Model>,
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut sheet = Sheet::new(encoder);
        self.write_box(&mut sheet)?;
        self.write_deliveries(&mut sheet)?;
        self.write_journal(&mut sheet)?;
        self.write_cameras(&mut sheet)?;
        self.write_monitors(&mut sheet)?;
        self.write_models(&mut sheet)
    }
}

/// Without a label.
fn alone<T>(value: T) -> [(Labels, T); 1] {
    [(Labels::new(), value)]
}

fn label(name: &'static str, value: &impl ToString) -> Labels {
    vec![(name, value.to_string())]
}

fn truth(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

impl Scrape {
    fn write_box(&self, sheet: &mut Sheet<'_>) -> fmt::Result {
        let build = [(label("version", &env!("CARGO_PKG_VERSION")), 1.0)];
        sheet.gauges("build_info", "The daemon's version.", build)?;
        sheet.gauges("uptime_seconds", "Since the daemon started.", alone(self.uptime_s))?;
        sheet.gauges("clock_synced", "1: the wall clock can be believed.", alone(truth(self.now.synced)))?;
        sheet.counters("starts", "Starts of the daemon on this journal.", alone(self.totals.generation))?;
        let unclean = alone(self.totals.unclean_starts);
        sheet.counters("unclean_starts", "Of these, after an end without a good-bye (a kill, a power cut).", unclean)
    }

    fn write_deliveries(&self, sheet: &mut Sheet<'_>) -> fmt::Result {
        let ended = self.ended.iter().map(|ended| {
            let Ended { endpoint, state, reason, amount } = ended;
            let labels = [("endpoint", endpoint.to_string()), ("outcome", state.clone()), ("reason", reason.clone())];
            (labels.into(), *amount)
        });
        sheet.counters("deliveries_ended", "Deliveries that ended, by how, since the journal was made.", ended)?;
        let by_state = |state: &str| -> u64 {
            self.ended.iter().filter(|ended| ended.state == state).map(|ended| ended.amount).sum()
        };
        let dropped = [
            ("quota", self.totals.dropped),
            ("age", by_state(delivery::State::Expired.as_str())),
            ("gone", by_state(delivery::State::SkippedGone.as_str())),
        ];
        let dropped = dropped.map(|(reason, amount)| (label("reason", &reason), amount));
        sheet.counters("deliveries_dropped", "Deliveries that ended neither taken nor given up on.", dropped)?;
        let open = self.endpoints.iter().flat_map(|EndpointCounts { endpoint, counts, .. }| {
            let state = |state: &str| vec![("endpoint", endpoint.to_string()), ("state", state.to_owned())];
            [(state("pending"), counts.pending as f64), (state("held"), counts.held as f64)]
        });
        sheet.gauges("deliveries_open", "Deliveries that are owed.", open)?;
        let of = |gauge: fn(&EndpointCounts) -> Option<f64>| {
            let sample = move |counts: &EndpointCounts| Some((label("endpoint", &counts.endpoint), gauge(counts)?));
            self.endpoints.iter().filter_map(sample)
        };
        let dead = of(|endpoint| Some(endpoint.counts.dead as f64));
        sheet.gauges("dead_letters", "Deliveries that were given up on and that no operator dropped.", dead)?;
        let oldest = of(|endpoint| endpoint.counts.oldest.map(|age| age.as_secs_f64()));
        sheet.gauges("oldest_open_delivery_age_seconds", "How long the oldest owed one has waited.", oldest)?;
        let failing = of(|endpoint| Some(truth(endpoint.counts.failing)));
        sheet.gauges("endpoint_failing", "1: the latest attempt failed.", failing)?;
        let attempts = self.attempts.iter().map(|(endpoint, took)| (label("endpoint", endpoint), took.clone()));
        sheet.histograms("attempt_duration_seconds", "From connecting to the status line or the failure.", attempts)
    }

    fn write_journal(&self, sheet: &mut Sheet<'_>) -> fmt::Result {
        let Totals { database_bytes, wal_bytes, frame_bytes, disk, events, .. } = self.totals;
        let parts = [("database", database_bytes), ("wal", wal_bytes), ("frames", frame_bytes)];
        let parts = parts.map(|(part, bytes)| (label("part", &part), bytes as f64));
        sheet.gauges("journal_bytes", "What the journal takes on its disk.", parts)?;
        sheet.gauges("journal_events", "Events that are kept.", alone(events as f64))?;
        let resets = alone(self.totals.resets);
        sheet.counters(
            "journal_resets",
            "Times that a damaged journal was replaced by what could be saved.",
            resets,
        )?;
        let help = "How long commits took, with the flush to the disk.";
        sheet.histograms("journal_commit_duration_seconds", help, alone(self.commits.clone()))?;
        let (free, size) = disk.unzip();
        let bytes = |bytes: Option<u64>| bytes.map(|bytes| (Labels::new(), bytes as f64));
        sheet.gauges("journal_disk_free_bytes", "What can still be filled of the journal's disk.", bytes(free))?;
        sheet.gauges("journal_disk_size_bytes", "All that the journal's disk has.", bytes(size))
    }

    fn write_cameras(&self, sheet: &mut Sheet<'_>) -> fmt::Result {
        let of = |gauge: fn(&Camera) -> Option<f64>| {
            let sample = move |camera: &Camera| Some((label("camera", &camera.name), gauge(camera)?));
            self.cameras.iter().filter_map(sample)
        };
        let states = self.cameras.iter().flat_map(|camera| {
            let is = |state: CameraState| {
                let labels = vec![("camera", camera.name.to_string()), ("state", state.to_string())];
                (labels, truth(camera.state == state))
            };
            CameraState::ALL.map(is)
        });
        sheet.gauges("camera_state", "1: the camera is in that state.", states)?;
        sheet.gauges("camera_fps", "Pictures a second, a mean over some seconds.", of(|camera| Some(camera.fps)))?;
        let modes = self.cameras.iter().flat_map(|camera| {
            Mode::ALL.map(Mode::as_str).map(|mode| {
                let labels = vec![("camera", camera.name.to_string()), ("mode", mode.to_owned())];
                (labels, truth(camera.decode == mode))
            })
        });
        sheet.gauges("camera_decode_mode", "1: the camera is decoded like that now.", modes)?;
        let interval = of(|camera| camera.keyframe_interval_s);
        sheet.gauges("camera_keyframe_interval_seconds", "The longest of the latest intervals.", interval)?;
        let age = of(|camera| camera.last_frame_age_s);
        sheet.gauges("camera_last_frame_age_seconds", "Age of the newest picture.", age)?;
        let counts = |count: fn(&Camera) -> u64| {
            self.cameras.iter().map(move |camera| (label("camera", &camera.name), count(camera)))
        };
        let help = "Packets that came since the daemon started; each holds one picture.";
        sheet.counters("camera_packets", help, counts(|camera| camera.packets))?;
        let fed = counts(|camera| camera.packets_decoded);
        sheet.counters("camera_packets_decoded", "Of these, the ones that were decoded.", fed)?;
        let decoded = counts(|camera| camera.frames_decoded);
        sheet.counters("camera_frames_decoded", "Pictures decoded since the daemon started.", decoded)?;
        let decoders = self.cameras.iter().filter_map(|camera| {
            let decoder = camera.decoder.as_deref()?;
            let (element, kind) = decoder.split_once(" (").unwrap_or((decoder, ""));
            let kind = kind.trim_end_matches(')').to_owned();
            let labels = vec![("camera", camera.name.to_string()), ("decoder", element.to_owned()), ("kind", kind)];
            Some((labels, 1.0))
        });
        sheet.gauges("camera_decoder", "1: it decodes the camera, hardware or software.", decoders)?;
        let degraded = of(|camera| camera.decoder.as_ref().map(|_| truth(camera.degraded.is_some())));
        sheet.gauges("camera_decoder_degraded", "1: a decoder that was preferred failed.", degraded)?;
        let failures = counts(|camera| camera.decoder_failures);
        sheet.counters("camera_decoder_failures", "Decoders that failed; none is tried again.", failures)?;
        sheet.counters("camera_reconnects", "Connections after the first.", counts(|camera| camera.reconnects))
    }

    fn write_models(&self, sheet: &mut Sheet<'_>) -> fmt::Result {
        let runs = self.model_runs.iter().map(|(model, runs)| (label("model", model), runs.clone()));
        sheet.histograms("model_inference_duration_seconds", "How long the engine's runs took.", runs)?;
        let ready = self.models.iter().map(|it| (label("model", &it.name), truth(it.state == ModelState::Ready)));
        sheet.gauges("model_ready", "1: the model can be asked; 0: it is being loaded again.", ready)?;
        let counts = |count: fn(&Model) -> u64| self.models.iter().map(move |it| (label("model", &it.name), count(it)));
        sheet.counters("model_hangs", "Runs that were ended because they took too long.", counts(|it| it.hangs))?;
        let help = "Times that a model was loaded again because it hung or failed.";
        sheet.counters("model_reloads", help, counts(|it| it.reloads))
    }

    /// Counters of a job: a new job begins at zero, as after a restart.
    fn write_monitors(&self, sheet: &mut Sheet<'_>) -> fmt::Result {
        let labels = |monitor: &Monitor| -> Labels {
            let Monitor { name, camera, model, .. } = monitor;
            vec![("monitor", name.to_string()), ("camera", camera.to_string()), ("model", model.to_string())]
        };
        let counts = |count: fn(&Monitor) -> u64| self.monitors.iter().map(move |it| (labels(it), count(it)));
        sheet.counters("monitor_checks", "Verdicts asked for by the current job.", counts(|it| it.checks))?;
        sheet.counters("monitor_triggers", "Alerts of the current job.", counts(|it| it.triggers))?;
        let errors = counts(|it| it.verdict_errors);
        sheet.counters("monitor_verdict_errors", "Checks of the current job without an answer.", errors)?;
        let spared = counts(|it| it.spared);
        sheet.counters("monitor_spared_runs", "Checks that `only_when` spared the model, since the start.", spared)?;
        let skipped = self.monitors.iter().flat_map(|monitor| {
            monitor.skipped.iter().map(move |(reason, count)| {
                let mut labels = labels(monitor);
                labels.push(("reason", reason.as_str().to_owned()));
                (labels, *count)
            })
        });
        sheet.counters("monitor_frames_skipped", "Frames seen but not checked by the current job.", skipped)?;
        let open = self.monitors.iter().map(|it| (labels(it), truth(it.open.is_some())));
        sheet.gauges("monitor_open", "1: the condition holds, and receivers know.", open)
    }
}
