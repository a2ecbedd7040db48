//! The server: anchor sets over HTTP, with routes for existing clients.
//!
//! ```text
//! connection ─> id, log, metrics ─> key ─> permit, memory, time ─> route ─┐
//! (connection)                     (middleware)                 (routes)  │
//!                                                                         v
//! one generation with its label heads ────────────────────────────> answer: vectors ─> rows ─> scores
//!   (sets)                                                             ^
//! images ─> decoded on a bounded pool ─> batches of the encoder ───────┘
//!                       (inputs)
//! ```
//!
//! | file | role |
//! |---|---|
//! | `options` | [`ServeOptions`]: the options of a server |
//! | `state` | the state that all requests share |
//! | `connection/` | connections, and the stop of the server |
//! | `middleware/` | access, limits, log and metrics; removes paths of this machine from messages |
//! | `routes/` | one file per group of routes: HTTP to queries, answers to JSON |
//! | `sets/set` | one served anchor set: follows `CURRENT`, and caches other requested generations |
//! | `sets/generation`, `sets/heads` | a served generation with everything derived from it; label heads, computed once |
//! | `sets/uploads` | the pictures of pairs that are added over HTTP |
//! | `inputs/` | pictures and texts of requests: fetched, decoded, encoded in batches over all requests |
//! | `workers/` | the threads; searches in batches over all requests |
//! | `answer` | answers queries with the library |
//! | `map/` | the projection of the anchors onto a plane, and their thumbnails |
//! | `page/` | the page |
//! | `error` | errors of the start, and refusals of requests |
//!
//! Quirks and limits:
//! 1. Each request uses exactly one generation, so no answer mixes two, even if another one goes live
//!    meanwhile.
//! 2. Images are fetched only from hosts that the operator allows; the program opens no other outgoing
//!    connections.
//! 3. Embeddings of requests are not written to the embedding cache on disk.
//! 4. HTTP/1.1 without TLS: a proxy in front provides TLS and HTTP/2.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod answer;
mod connection;
mod error;
mod inputs;
mod map;
mod middleware;
mod options;
mod routes;
mod sets;
mod state;
mod workers;

use std::net::SocketAddr;

pub use error::{LimitName, OpenError, ServeError};
pub use inputs::fetch::ImageHost;
pub use middleware::auth::AccessKey;
pub use middleware::log::{LogFormat, start as start_log};
pub use options::{NamedAnchorSet, ServeLimits, ServeOptions};
pub use state::OpenEncoders;

/// The OpenAPI document of the routes, as `/openapi.json` serves it.
pub fn openapi() -> String {
    routes::document()
}

/// Opens the anchor sets and serves them until SIGTERM, SIGINT or SIGHUP; then lets running requests finish.
///
/// `ready` receives the address of the server, and that of the probe port if there is one, which are not
/// known beforehand if a port is 0.
///
/// # Errors
/// When the server cannot start.
pub fn serve(
    options: ServeOptions,
    open: &OpenEncoders<'_>,
    ready: impl FnOnce(SocketAddr, Option<SocketAddr>),
) -> Result<(), ServeError> {
    options.validate()?;
    let (listen, probe) = (options.listen, options.probe_listen);
    let runtime = workers::threads::start()?;
    runtime.block_on(async {
        let bind = |source| ServeError::Bind { listen, source };
        // Fail early: opening the anchor sets takes longer.
        let listener = connection::listen(listen).map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let stop = connection::shutdown::signals()?;
        let app = state::AppState::open(options, open)?;
        let probes = |at| connection::ProbePort::open(at, routes::probes(&app));
        let probe = probe.map(probes).transpose()?;
        let probe_address = probe.as_ref().map(|port| port.address);
        ready(address, probe_address);
        tracing::info!(listen = %address, sets = app.sets().len(), "serving");
        let limits = connection::ConnectionLimits {
            connections: connection::room_for_connections(app.limits().connections),
            stalled: app.limits().time,
            grace: app.limits().grace,
        };
        let finished = connection::serve(listener, routes::router(&app), limits, stop).await;
        tracing::info!(finished, "stopped");
        Ok::<(), ServeError>(())
    })?;
    // Threads that are still blocked, for example by a slow disk, must not keep the process running.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    Ok(())
}
