//! Every route, in one place.
//!
//! Owns which route leads to which handler, and the list of them; refuses to know what they answer. A new route is a line
//! in [`routes`] and a path in `packaging/openapi.json`: a test (`openapi`) holds the two against each other.

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodRouter, delete, get, patch, post, put};

use super::{
    Shared, alerts, channels, check, clips, definitions, deliveries, dlq, events, jobs, live_monitor, metrics, openapi,
    parts, restart, snapshot, status, streams, subscriptions, webhooks,
};

/// All there are.
pub(super) fn routes() -> Routes {
    definitions::with(Routes::default())
        .get("/openapi.json", openapi::document)
        .get("/metrics", metrics::metrics)
        .get("/v1/status", status::status)
        .get("/v1/cameras", parts::cameras)
        .get("/v1/cameras/{name}/snapshot", snapshot::snapshot)
        .get("/v1/monitors", parts::monitors)
        .get("/v1/monitors/{name}", parts::monitor)
        .get("/v1/endpoints", parts::endpoints)
        .post("/v1/endpoints/{name}/check", check::check)
        .post("/v1/endpoints/{name}/enable", parts::enable)
        .get("/v1/events", events::list)
        .get("/v1/events/stream", channels::stream)
        .get("/v1/ws", channels::websocket)
        .get("/v1/alerts", alerts::list)
        .post("/v1/alerts", alerts::create)
        .post("/v1/alerts/{id}/enable", alerts::enable)
        .post("/v1/alerts/{id}/disable", alerts::disable)
        .delete("/v1/alerts/{id}", alerts::delete)
        .get("/v1/events/{id}", events::one)
        .get("/v1/events/{id}/frame", events::frame)
        .get("/v1/clips", clips::list)
        .get("/v1/clips/{id}", clips::one)
        .delete("/v1/clips/{id}", clips::delete)
        .get("/v1/clips/{id}/file", clips::file)
        .get("/clips/player.css", clips::style)
        .get("/clips/player.js", clips::script)
        .add("get", "/clips/{id}/{piece}", clips::route())
        .get("/v1/deliveries", deliveries::list)
        .get("/v1/deliveries/{id}", deliveries::one)
        .post("/v1/deliveries/{id}/retry", dlq::retry_one)
        .post("/v1/deliveries/{id}/drop", dlq::drop_one)
        .get("/v1/dlq", deliveries::dead_letters)
        .post("/v1/dlq/retry", dlq::retry)
        .post("/v1/dlq/drop", dlq::drop_them)
        .get("/jobs", jobs::list)
        .get("/jobs/{job_id}", jobs::one)
        .delete("/jobs/{job_id}", live_monitor::stop)
        .post("/jobs/{job_id}/start", restart::start)
        .post("/live-monitor", live_monitor::start)
        .get("/streams", streams::list)
        .post("/streams", streams::connect)
        .delete("/streams/{id}", streams::disconnect)
        .post("/streams/{id}/subscriptions", subscriptions::subscribe)
        .get("/subscriptions", subscriptions::list)
        .get("/subscriptions/{id}", subscriptions::one)
        .delete("/subscriptions/{id}", subscriptions::unsubscribe)
        .get("/subscriptions/{id}/stats", subscriptions::figures::stats)
        .get("/subscriptions/{id}/failed-events", subscriptions::figures::failed_events)
        .get("/api/webhooks", webhooks::list)
        .post("/api/webhooks", webhooks::create)
        .get("/api/webhooks/{id}", webhooks::one)
        .put("/api/webhooks/{id}", webhooks::change)
        .patch("/api/webhooks/{id}", webhooks::change)
        .delete("/api/webhooks/{id}", webhooks::delete)
        .post("/api/webhooks/check/{id}", webhooks::check)
}

/// A router that knows what is in it.
#[derive(Default)]
pub(super) struct Routes {
    router: Router<Shared>,
    listed: Vec<(&'static str, &'static str)>,
}

impl Routes {
    /// Reads something.
    pub(super) fn get<H: Handler<T, Shared>, T: 'static>(self, path: &'static str, handler: H) -> Routes {
        self.add("get", path, get(handler))
    }

    /// Orders or makes something.
    pub(super) fn post<H: Handler<T, Shared>, T: 'static>(self, path: &'static str, handler: H) -> Routes {
        self.add("post", path, post(handler))
    }

    /// Changes something.
    pub(super) fn put<H: Handler<T, Shared>, T: 'static>(self, path: &'static str, handler: H) -> Routes {
        self.add("put", path, put(handler))
    }

    /// Changes some of something.
    pub(super) fn patch<H: Handler<T, Shared>, T: 'static>(self, path: &'static str, handler: H) -> Routes {
        self.add("patch", path, patch(handler))
    }

    /// Ends something.
    pub(super) fn delete<H: Handler<T, Shared>, T: 'static>(self, path: &'static str, handler: H) -> Routes {
        self.add("delete", path, delete(handler))
    }

    fn add(mut self, method: &'static str, path: &'static str, handler: MethodRouter<Shared>) -> Routes {
        self.listed.push((method, path));
        Routes { router: self.router.route(path, handler), listed: self.listed }
    }

    /// To be served.
    pub(super) fn router(self) -> Router<Shared> {
        self.router
    }

    /// Method and path of each.
    #[cfg(test)]
    pub(super) fn listed(&self) -> &[(&'static str, &'static str)] {
        &self.listed
    }
}
