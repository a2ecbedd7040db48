//! When a server is to stop.

use tokio::signal::unix::{SignalKind, signal};

/// Listens to SIGTERM and SIGINT; the future ends when one of them comes.
///
/// # Errors
/// When the system does not let it.
pub(super) fn signals() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
