//! Connections: accepted at once, their heads checked, served, and let finish when the server stops.
//!
//! ```text
//! accept ─> a place (places) ─> heads checked (guarded, head, body) ─> hyper ─> router (service)
//!             all taken: who has done nothing for longest is closed
//!             all worked for: the reserve, in which only /health, /ready and /metrics are answered
//! ```
//!
//! | file | role |
//! |---|---|
//! | `places` | who has a place, and who loses it |
//! | `guarded` | the stream that hyper reads: only checked heads, each within its time |
//! | `head`, `body` | what a head must be, and where its body ends |
//! | `patient` | a client that takes nothing of its answer is given up |
//! | `service` | the router, told what was found out about the connection |
//! | `probe` | a port of its own for health, readiness and figures |
//! | `files` | how many connections the process may have open |

mod body;
mod files;
mod guarded;
mod head;
mod patient;
mod places;
mod probe;
mod service;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpSocket};

use self::guarded::Guarded;
use self::patient::Patient;
use self::places::{Phase, Places};
use self::service::LinkedService;

pub(super) use self::files::room_for_connections;
pub(super) use self::probe::ProbePort;
pub(super) use self::service::{ConnectionFull, RefusedHead};

/// Connections that wait in the system to be accepted. For one more it drops the client's first packet,
/// which comes again after a second. That second holds a flood back. With 1,024 and 4,096 the hostile load
/// of tests/serve_faults closed connections of good clients in 6 of 11 runs on a busy machine, with 128 in
/// none of 3: too few runs to be sure, and no reason to take more.
const BACKLOG: u32 = 128;
/// The pause after the system has refused a connection and none could be closed for it.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a connection that lost its place has for what it sent before.
const EVICTED: Duration = Duration::from_millis(500);
/// Refused connections are logged at most so often.
const TOLD: Duration = Duration::from_secs(10);
/// Bytes that the HTTP library holds of a connection: a head that was checked fits.
const BUFFER: usize = 2 * head::HEAD_BYTES;

/// How many connections a port has, and how long they may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConnectionLimits {
    /// Places.
    pub connections: usize,
    /// How long a client may take nothing of its answer.
    pub stalled: Duration,
    /// How long requests that run may go on after `stop`.
    pub grace: Duration,
}

/// Listens at an address.
///
/// # Errors
/// When it cannot be had.
pub(super) fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Connections of a server before it, which the system still keeps, must not keep the port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves connections until `stop`; then those that run have their grace to finish. Returns whether
/// all did.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    stop: impl Future<Output = ()>,
) -> bool {
    let places = Places::new(limits.connections);
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
                // Out of file descriptors, most likely: an idle connection gives its own.
                places.close_idle();
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let Some(place) = places.take() else {
            continue;
        };
        // An answer is written whole; waiting for more to send would only delay it.
        let _ = stream.set_nodelay(true);
        let link = Arc::clone(&place.link);
        let service = LinkedService::new(router.clone(), Arc::clone(&link), Arc::clone(&places));
        let stream = Guarded::new(
            Patient::new(stream, limits.stalled),
            Arc::clone(&link),
            limits.stalled,
        );
        let connection = http.serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        let places = Arc::clone(&places);
        tokio::spawn(async move {
            tokio::pin!(connection);
            // What goes wrong here is the client's: it goes away, takes nothing, or sends no HTTP.
            tokio::select! {
                _ = &mut connection => {}
                () = link.closed() => {
                    let late = places.late();
                    let is_over = !link.evict(late.is_some())
                        || tokio::time::timeout(EVICTED, &mut connection).await.is_ok();
                    if !is_over && matches!(link.phase().0, Phase::Working | Phase::Sending) {
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

/// Connections that the system refused, told of now and then.
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
