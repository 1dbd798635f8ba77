//! The models as `status` shows them, and what is to be said about them.
//!
//! Owns the translation into the API's words; refuses to know how models are kept alive (`model`).

use std::time::Duration;

use crate::api::{Library, Model, ModelState, Warning};
use crate::model::{Handle, Health, Runtime};
use crate::name::Name;
use crate::time::Now;

/// So long it is told that a model hung or failed.
const REMEMBERED: Duration = Duration::from_secs(3600);

pub(super) fn library() -> Option<Library> {
    let runtime = Runtime::loaded()?;
    Some(Library { path: runtime.path().display().to_string(), version: runtime.version().to_owned() })
}

pub(super) fn line(name: &Name, model: &Handle) -> Model {
    let Health { running, rung, down, hangs, reloads, .. } = model.health();
    let runs = model.runs().read();
    Model {
        name: name.clone(),
        state: if down.is_none() { ModelState::Ready } else { ModelState::Loading },
        provider: running.spread.to_string(),
        rung: rung.to_string(),
        runs: runs.count(),
        mean_ms: if runs.count() == 0 { 0.0 } else { runs.sum_s * 1e3 / runs.count() as f64 },
        hangs,
        reloads,
        cause: down,
    }
}

/// What a person should look at.
pub(super) fn warnings(name: &Name, health: &Health, now: Now) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let remedy = "it is loaded again by itself; if that goes on, use a smaller model, or raise `[runtime] run_timeout`";
    match (&health.down, &health.trouble) {
        (Some(why), _) => {
            warnings.push(Warning::new(format!("model `{name}` can't be asked, its checks fail: {why}"), remedy));
        }
        (None, Some((at, what))) if now.mono.since(at.mono) < REMEMBERED => {
            let ago = now.mono.since(at.mono).as_secs() / 60;
            let times = if health.reloads == 1 { "once".to_owned() } else { format!("{} times", health.reloads) };
            let what = format!("model `{name}` was loaded again {times}, {ago} min ago because {what}");
            warnings.push(Warning::new(what, remedy));
        }
        _ => {}
    }
    for (provider, why) in &health.running.passed_over {
        let (why, _) = why.rsplit_once("; ").unwrap_or((why, ""));
        warnings.push(Warning::new(
            format!(
                "model `{name}` is slower than it could be: it runs on {}, not on {provider}: {why}",
                health.running.spread
            ),
            format!("mend that, or leave {provider} out: `[runtime] execution_providers = [\"cpu\"]`"),
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Provider;
    use crate::model::Running;

    #[test]
    fn what_is_wrong_with_a_model_is_told_for_an_hour() {
        let name = Name::new("yard").unwrap();
        let at = |minutes: u64| Now::in_clip(Duration::from_secs(minutes * 60));
        let told = |health: &Health, now: Now| -> Vec<String> {
            warnings(&name, health, now).into_iter().map(|warning| warning.what).collect()
        };
        let mut health = Health::default();
        assert_eq!(told(&health, at(9)), [] as [&str; 0]);
        health.trouble = Some((at(5), "a run took too long and was ended".to_owned()));
        health.reloads = 2;
        let again = "model `yard` was loaded again 2 times, 4 min ago because a run took too long and was ended";
        assert_eq!(told(&health, at(9)), [again]);
        assert_eq!(told(&health, at(66)), [] as [&str; 0]);
        health.down = Some("every run fails: no".to_owned());
        assert_eq!(told(&health, at(66)), ["model `yard` can't be asked, its checks fail: every run fails: no"]);
        let passed_over = vec![(Provider::Cuda, "`f.onnx` doesn't run on cuda: no driver; install one".to_owned())];
        let health = Health { running: Running { passed_over, ..Running::default() }, ..Health::default() };
        assert_eq!(
            told(&health, at(0)),
            [
                "model `yard` is slower than it could be: it runs on unknown, not on cuda: `f.onnx` doesn't run on cuda: no driver"
            ]
        );
    }
}
