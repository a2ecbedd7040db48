//! The server: anchor sets over HTTP, with routes for existing clients.
//!
//! ```text
//! connection ─> id, log, metrics ─> key ─> permit, memory, time ─> route ─┐
//! (connection)       (log)        (auth)           (limits)     (routes)  │
//!                                                                         v
//! one generation with its label heads ────────────────────────────> answer: vectors ─> rows ─> scores
//!   (set, generation, heads)                                           ^
//! images ─> decoded on a bounded pool ─> batches of the encoder ───────┘
//!                       (encoders, batching)
//! ```
//!
//! | file | role |
//! |---|---|
//! | `options` | [`ServeOptions`]: the options of a server |
//! | `state` | the state that all requests share |
//! | `set` | one served anchor set: follows `CURRENT`, and caches other requested generations |
//! | `generation` | a served generation with everything derived from it |
//! | `heads` | label heads, computed once per generation |
//! | `cache` | caches with a bounded total weight |
//! | `picture` | pictures in requests |
//! | `fetch/` | pictures that requests name by URL |
//! | `encoders`, `batching` | encoding of pictures and texts, in batches over all requests |
//! | `search_batcher` | representations of vectors in the space, in batches over all requests |
//! | `compute`, `threads` | the threads for searches and scores; all threads, started early |
//! | `answer` | answers queries with the library |
//! | `map`, `thumbs` | the projection of the anchors onto a plane, and their thumbnails |
//! | `uploads` | the pictures of pairs that are added over HTTP |
//! | `connection/`, `shutdown` | connections, and the stop of the server |
//! | `auth`, `limits`, `log`, `metrics` | access, limits, log and metrics |
//! | `drain` | reads the rest of a refused body |
//! | `paths` | removes paths of this machine from messages |
//! | `error` | errors of the start, and refusals of requests |
//! | `routes/` | one file per group of routes: HTTP to queries, answers to JSON |
//! | `page/` | the page |
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
mod auth;
mod batching;
mod cache;
mod compute;
mod connection;
mod drain;
mod encoders;
mod error;
mod fetch;
mod generation;
mod heads;
mod limits;
mod log;
mod map;
mod metrics;
mod options;
mod paths;
mod picture;
mod routes;
mod search_batcher;
mod set;
mod shutdown;
mod state;
mod threads;
mod thumbs;
mod uploads;

use std::net::SocketAddr;

pub use auth::AccessKey;
pub use error::{LimitName, OpenError, ServeError};
pub use fetch::ImageHost;
pub use log::{LogFormat, start as start_log};
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
    let runtime = threads::start()?;
    runtime.block_on(async {
        let bind = |source| ServeError::Bind { listen, source };
        // Fail early: opening the anchor sets takes longer.
        let listener = connection::listen(listen).map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let stop = shutdown::signals()?;
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
