//! The server: anchor sets over HTTP, in shapes that clients already speak.
//!
//! ```text
//! connection ─> id, log, figures ─> key ─> place, memory, time ─> route ─┐
//! (connection)       (log)        (auth)          (limits)     (routes)  │
//!                                                                        v
//! one Ground: a generation and its heads ────────────────────────> answer: vectors ─> rows ─> scores
//!   (set, ground, heads)                                              ^
//! images ─> decoded on a bounded pool ─> batches of the encoder ──────┘
//!                       (encoders, batching)
//! ```
//!
//! | file | role |
//! |---|---|
//! | `options` | [`ServeOptions`]: what a server is started with |
//! | `state` | what every request is given |
//! | `set` | one served set: follows `CURRENT`, and keeps other grounds that were asked for |
//! | `ground` | what one answer stands on: a generation and all that was made of it |
//! | `heads` | label heads, made once a generation for each way of asking |
//! | `kept` | what is made once and kept while there is room |
//! | `picture` | pictures as requests carry them |
//! | `fetch/` | pictures that requests name by address |
//! | `encoders`, `batching` | pictures and texts to vectors, in batches over all requests |
//! | `represent` | vectors to what the space makes of them, in batches over all requests |
//! | `compute`, `threads` | the threads of searches and scores; all threads, started early |
//! | `answer` | a question to its answer, in the library's terms |
//! | `map`, `thumbs` | anchors on a plane, and their small pictures |
//! | `uploads` | the pictures of pairs that are added over HTTP |
//! | `connection/`, `shutdown` | connections, and their end |
//! | `auth`, `limits`, `log`, `metrics` | who may ask, how much, what is written down of it |
//! | `drain` | what is left of a refused body |
//! | `paths` | what is said to clients, without where it lies on this machine |
//! | `error` | why a server does not start, and why a request is refused |
//! | `routes/` | one file a group of routes: HTTP to questions, answers to JSON |
//! | `page/` | the page |
//!
//! Quirks and limits:
//! 1. Each request takes one ground and asks it everything, so no answer is mixed of two generations,
//!    whatever goes live meanwhile.
//! 2. Images are fetched from hosts that the operator named, and from no other; the program opens no
//!    further connections of its own.
//! 3. What is encoded for a request is not written to the embedding cache on disk.
//! 4. HTTP/1.1 without TLS: a proxy in front brings both.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod answer;
mod auth;
mod batching;
mod compute;
mod connection;
mod drain;
mod encoders;
mod error;
mod fetch;
mod ground;
mod heads;
mod kept;
mod limits;
mod log;
mod map;
mod metrics;
mod options;
mod paths;
mod picture;
mod represent;
mod routes;
mod set;
mod shutdown;
mod state;
mod threads;
mod thumbs;
mod uploads;

use std::net::SocketAddr;

pub use auth::Key;
pub use error::{LimitName, OpenError, ServeError};
pub use fetch::ImageHost;
pub use log::{LogForm, start as start_log};
pub use options::{Limits, NamedSet, ServeOptions};
pub use state::OpenEncoders;

/// The OpenAPI document of the routes, as `/openapi.json` serves it.
pub fn openapi() -> String {
    routes::document()
}

/// Opens the sets and serves them until SIGTERM, SIGINT or SIGHUP; then lets requests that run finish.
///
/// `ready` is told where the server listens, and where it answers probes if on a port of their own,
/// which matters when a port was 0.
///
/// # Errors
/// Why the server could not start.
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
        // Before the sets are opened, which takes longer.
        let listener = connection::listen(listen).map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let stop = shutdown::signals()?;
        let app = state::App::open(options, open)?;
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
    // What is still blocked, on a slow disk say, must not keep the process.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    Ok(())
}
