//! Health, readiness, information, figures.

use std::time::SystemTime;

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::parts::ErrorBody;
use crate::metrics::CONTENT_TYPE as FIGURES;
use crate::state::App;
use asif::anchors::live::Degraded;

/// Whether the server answers as it should.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Health {
    /// `ok`, or `degraded` while a set's newest generation is not fit to serve: it then answers
    /// from an older one.
    status: &'static str,
    /// Every set.
    sets: Vec<SetHealth>,
}

/// Whether a set is what it should be.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SetHealth {
    /// Its name.
    name: String,
    /// The generation that answers.
    generation: u64,
    /// `ok` or `degraded`.
    status: &'static str,
    /// Why it is degraded.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Since when, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
}

fn status_of(degraded: bool) -> &'static str {
    if degraded { "degraded" } else { "ok" }
}

/// Whether every set answers from its newest generation. The status is 200 either way: a degraded
/// server answers.
#[utoipa::path(
    get,
    path = "/health",
    tag = "status",
    operation_id = "health",
    responses((status = 200, description = "It answers", body = Health)),
)]
pub(super) async fn health(State(app): State<App>) -> Json<Health> {
    let sets = app.sets().iter().map(|set| {
        let status = set.status();
        let told = |d: Degraded| (app.told(&d.reason), d.since);
        let (reason, since) = status.degraded.map(told).unzip();
        SetHealth {
            name: set.name().to_owned(),
            generation: status.generation,
            status: status_of(reason.is_some()),
            reason,
            since,
        }
    });
    let sets: Vec<SetHealth> = sets.collect();
    Json(Health {
        status: status_of(sets.iter().any(|set| set.reason.is_some())),
        sets,
    })
}

/// Whether requests can be sent here. Nothing is answered before every set is open, so they can.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Ready {
    /// Always true.
    ready: bool,
}

/// Whether requests can be sent here.
#[utoipa::path(
    get,
    path = "/ready",
    tag = "status",
    operation_id = "ready",
    responses((status = 200, description = "They can", body = Ready)),
)]
pub(super) async fn ready() -> Json<Ready> {
    Json(Ready { ready: true })
}

/// What this server is, and what it accepts.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Info {
    /// `asif`.
    name: &'static str,
    /// The program's version.
    version: &'static str,
    /// Seconds since it was started.
    uptime_seconds: u64,
    /// The names of the sets, the first of which answers where none is named.
    sets: Vec<String>,
    /// Whether public routes ask for a key.
    api_key: bool,
    /// Whether there are admin routes.
    admin: bool,
    /// What one request may take.
    limits: LimitsOut,
}

/// What one request may take.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LimitsOut {
    /// Bytes of a body.
    body_bytes: usize,
    /// Pixels of an image.
    pixels: u64,
    /// Images, vectors or texts.
    batch: usize,
    /// Labels.
    labels: usize,
    /// Labels times templates.
    prompts: usize,
    /// Seconds.
    seconds: u64,
}

/// What this server is, and what it accepts.
#[utoipa::path(
    get,
    path = "/info",
    tag = "status",
    operation_id = "info",
    responses(
        (status = 200, description = "The server", body = Info),
        (status = "4XX", description = "Refused", body = ErrorBody),
    ),
    security((), ("api_key" = [])),
)]
pub(super) async fn info(State(app): State<App>) -> Json<Info> {
    let limits = app.limits();
    let uptime = SystemTime::now().duration_since(app.started());
    Json(Info {
        name: "asif",
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: uptime.map_or(0, |d| d.as_secs()),
        sets: app.sets().iter().map(|s| s.name().to_owned()).collect(),
        api_key: app.gate().api.is_some(),
        admin: app.gate().admin.is_some(),
        limits: LimitsOut {
            body_bytes: limits.body_bytes,
            pixels: limits.pixels,
            batch: limits.batch,
            labels: limits.labels,
            prompts: limits.prompts,
            seconds: limits.time.as_secs(),
        },
    })
}

/// The figures, for Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "status",
    operation_id = "metrics",
    responses(
        (status = 200, description = "OpenMetrics text", body = String, content_type = "application/openmetrics-text"),
        (status = "4XX", description = "Refused", body = ErrorBody),
    ),
    security((), ("api_key" = [])),
)]
pub(super) async fn metrics(State(app): State<App>) -> impl IntoResponse {
    for set in app.sets() {
        app.metrics().live(set.name(), &set.status());
        app.metrics().waiting(set.name(), set.encoders().waiting());
    }
    ([(CONTENT_TYPE, FIGURES)], app.metrics().render())
}
