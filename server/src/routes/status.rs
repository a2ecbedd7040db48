//! Health, readiness, information, metrics.

use std::time::SystemTime;

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::shared::ErrorBody;
use crate::middleware::metrics::CONTENT_TYPE as FIGURES;
use crate::state::AppState;
use asif::anchors::live::DegradedStatus;

/// The health of the server.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HealthStatus {
    /// `ok`, or `degraded` while the newest generation of an anchor set fails its checks and an older
    /// one answers.
    status: &'static str,
    /// All anchor sets.
    sets: Vec<SetHealth>,
}

/// The health of an anchor set.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SetHealth {
    /// Its name.
    name: String,
    /// The live generation.
    generation: u64,
    /// `ok` or `degraded`.
    status: &'static str,
    /// Why it is degraded.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The time since which it is degraded, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
}

fn status_of(degraded: bool) -> &'static str {
    if degraded { "degraded" } else { "ok" }
}

/// Whether every anchor set answers from its newest generation. The status is 200 in any case, because a
/// degraded server still answers.
#[utoipa::path(
    get,
    path = "/health",
    tag = "status",
    operation_id = "health",
    responses((status = 200, description = "The health", body = HealthStatus)),
)]
pub(super) async fn health(State(app): State<AppState>) -> Json<HealthStatus> {
    let sets = app.sets().iter().map(|set| {
        let status = set.status();
        let told = |d: DegradedStatus| (app.told(&d.reason), d.since);
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
    Json(HealthStatus {
        status: status_of(sets.iter().any(|set| set.reason.is_some())),
        sets,
    })
}

/// Readiness: always true, because the server answers nothing before all anchor sets are open.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReadyStatus {
    /// Always true.
    ready: bool,
}

/// Whether the server accepts requests.
#[utoipa::path(
    get,
    path = "/ready",
    tag = "status",
    operation_id = "ready",
    responses((status = 200, description = "Ready", body = ReadyStatus)),
)]
pub(super) async fn ready() -> Json<ReadyStatus> {
    Json(ReadyStatus { ready: true })
}

/// Version, anchor sets and limits of this server.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ServerDescription {
    /// `asif`.
    name: &'static str,
    /// The program's version.
    version: &'static str,
    /// Seconds since the start.
    uptime_seconds: u64,
    /// The names of the anchor sets; the first answers requests that name none.
    sets: Vec<String>,
    /// Whether public routes require a key.
    api_key: bool,
    /// Whether the admin routes are enabled.
    admin: bool,
    /// The limits of one request.
    limits: LimitsOut,
}

/// The limits of one request.
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

/// Version, anchor sets and limits of this server.
#[utoipa::path(
    get,
    path = "/info",
    tag = "status",
    operation_id = "info",
    responses(
        (status = 200, description = "The server", body = ServerDescription),
        (status = "4XX", description = "Refused", body = ErrorBody),
    ),
    security((), ("api_key" = [])),
)]
pub(super) async fn info(State(app): State<AppState>) -> Json<ServerDescription> {
    let limits = app.limits();
    let uptime = SystemTime::now().duration_since(app.started());
    Json(ServerDescription {
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

/// Metrics for Prometheus.
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
pub(super) async fn metrics(State(app): State<AppState>) -> impl IntoResponse {
    for set in app.sets() {
        app.metrics().live(set.name(), &set.status());
        app.metrics().waiting(set.name(), set.encoders().waiting());
    }
    ([(CONTENT_TYPE, FIGURES)], app.metrics().render())
}
