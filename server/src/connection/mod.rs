//! Connections: accepting, checking heads, serving, and finishing requests when the server stops.
//!
//! ```text
//! accept ─> a slot (slots) ─> heads checked (guarded, head, body) ─> hyper ─> router (service)
//!             all taken: the connection that has been idle longest is closed
//!             all busy: reserved slots, on which only /health, /ready and /metrics are answered
//! ```
//!
//! | file | role |
//! |---|---|
//! | `slots` | the slots of connections, and which connection is closed for a new one |
//! | `guarded` | the stream that hyper reads: only checked heads, each within its time limit |
//! | `head`, `body` | checks of a head, and the end of its body |
//! | `write_timeout` | closes the connection of a client that does not read its response |
//! | `service` | the router, with the state of the connection |
//! | `shutdown` | stop signals |
//! | `probe` | a separate port for health, readiness and metrics |
//! | `files` | the limit on open files |

mod body;
mod files;
mod guarded;
mod head;
mod probe;
mod service;
pub(crate) mod shutdown;
mod slots;
mod write_timeout;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpSocket};

use self::guarded::GuardedStream;
use self::service::ConnectionService;
use self::slots::{ConnectionPhase, ConnectionSlots};
use self::write_timeout::WriteTimeoutStream;

pub(super) use self::files::room_for_connections;
pub(super) use self::probe::ProbePort;
pub(super) use self::service::{ConnectionFull, RefusedHead};

/// The backlog of connections that wait to be accepted. Beyond it the system drops a client's SYN, which is
/// sent again after a second; this throttles a flood. With 1,024 and 4,096 the hostile load of
/// tests/serve_faults closed connections of good clients in 6 of 11 runs on a busy machine, with 128 in none
/// of 3: too few runs to be certain, but no reason for a larger value.
const BACKLOG: u32 = 128;
/// The pause after the system has refused a connection.
const PAUSE: Duration = Duration::from_millis(50);
/// How long an evicted connection has for the request that it had sent.
const EVICTED: Duration = Duration::from_millis(500);
/// The shortest time between two log lines about refused connections.
const TOLD: Duration = Duration::from_secs(10);
/// hyper's buffer per connection in bytes: a checked head fits.
const BUFFER: usize = 2 * head::HEAD_BYTES;

/// The limits of the connections of a port.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConnectionLimits {
    /// The number of slots.
    pub connections: usize,
    /// How long a client may go without reading its response.
    pub stalled: Duration,
    /// How long running requests may take to finish after `stop`.
    pub grace: Duration,
}

/// Listens on an address.
///
/// # Errors
/// When the address cannot be bound.
pub(super) fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Connections of a previous server in TIME_WAIT must not block the port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves connections until `stop`; running requests then have the grace period to finish. Returns whether
/// all of them did.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    stop: impl Future<Output = ()>,
) -> bool {
    let places = ConnectionSlots::new(limits.connections);
    let graceful = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.max_headers(head::HEADERS)
        .max_buf_size(BUFFER)
        .pipeline_flush(true);
    let mut refused = RefusedConnections::default();
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                refused.tell(&error);
                // Most likely out of file descriptors: close an idle connection to free one.
                places.close_idle();
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let Some(place) = places.take() else {
            continue;
        };
        // A response is written whole, so Nagle's algorithm would only delay it.
        let _ = stream.set_nodelay(true);
        let link = Arc::clone(&place.link);
        let service =
            ConnectionService::new(router.clone(), Arc::clone(&link), Arc::clone(&places));
        let stream = GuardedStream::new(
            WriteTimeoutStream::new(stream, limits.stalled),
            Arc::clone(&link),
            limits.stalled,
        );
        let connection = http.serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        let places = Arc::clone(&places);
        tokio::spawn(async move {
            tokio::pin!(connection);
            // Errors here are the client's: it disconnects, does not read, or does not send HTTP.
            tokio::select! {
                _ = &mut connection => {}
                () = link.closed() => {
                    let late = places.late();
                    let is_over = !link.evict(late.is_some())
                        || tokio::time::timeout(EVICTED, &mut connection).await.is_ok();
                    if !is_over && matches!(link.phase().0, ConnectionPhase::Working | ConnectionPhase::Sending) {
                        let _ = connection.await;
                    }
                }
            }
            drop(place);
        });
    }
    drop(listener);
    let finished = tokio::time::timeout(limits.grace, graceful.shutdown());
    finished.await.is_ok()
}

/// Connections that the system refused, logged at intervals.
#[derive(Debug, Default)]
struct RefusedConnections {
    count: u64,
    told: Option<Instant>,
}

impl RefusedConnections {
    fn tell(&mut self, error: &std::io::Error) {
        self.count += 1;
        if self.told.is_none_or(|told| told.elapsed() >= TOLD) {
            let count = std::mem::take(&mut self.count);
            tracing::warn!(count, reason = %error, "connections refused by the system");
            self.told = Some(Instant::now());
        }
    }
}
