//! Connections: accepted while there is room, served, and let finish when the server stops.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::options::Limits;
use super::patient::Patient;

/// How long a client may take for the headers of a request, or be silent between two.
const HEADERS: Duration = Duration::from_secs(30);
/// The pause after the system has refused a connection, for want of file descriptors say.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves connections until `stop`; then those that run have `limits.grace` to finish. Returns
/// whether all did.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: &Limits,
    stop: impl Future<Output = ()>,
) -> bool {
    let slots = Arc::new(Semaphore::new(limits.connections.max(1)));
    let graceful = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_headers(64)
        .pipeline_flush(true);
    tokio::pin!(stop);
    loop {
        let next = async {
            // Never closed.
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, stream) = tokio::select! {
            () = &mut stop => break,
            (slot, accepted) = next => match accepted {
                Ok((stream, _)) => (slot, stream),
                Err(error) => {
                    tracing::warn!(reason = %error, "no connection");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            },
        };
        // An answer is written whole; waiting for more to send would only delay it.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let stream = TokioIo::new(Patient::new(stream, limits.time));
        let connection = http.serve_connection(stream, service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // What goes wrong here is the client's: it goes away, takes nothing, or sends no HTTP.
            let _ = connection.await;
            drop(slot);
        });
    }
    drop(listener);
    let finished = tokio::time::timeout(limits.grace, graceful.shutdown());
    finished.await.is_ok()
}
