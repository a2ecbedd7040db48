//! A port of its own for health, readiness and figures, on a thread of its own: whatever the other
//! port is asked for, this one answers.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::ConnectionLimits;
use crate::error::ServeError;

/// Connections of whoever watches; more are not needed.
const LIMITS: ConnectionLimits = ConnectionLimits {
    connections: 64,
    stalled: Duration::from_secs(5),
    grace: Duration::from_secs(1),
};

/// The port, which is closed when this is dropped.
#[derive(Debug)]
pub(crate) struct ProbePort {
    /// Where it listens.
    pub address: SocketAddr,
    _stop: oneshot::Sender<()>,
}

impl ProbePort {
    /// Listens at `address`, and answers what `router` has.
    ///
    /// # Errors
    /// When the address cannot be had, or no thread.
    pub fn open(address: SocketAddr, router: Router) -> Result<Self, ServeError> {
        let bind = |source| ServeError::BindProbe {
            listen: address,
            source,
        };
        // Before the runtime, which cannot be dropped here. Its thread makes it its own.
        let listener = super::listen(address).and_then(TcpListener::into_std);
        let listener = listener.map_err(bind)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let address = listener.local_addr().map_err(bind)?;
        let (stop, stopped) = oneshot::channel();
        let serve = async move {
            match TcpListener::from_std(listener) {
                Ok(listener) => {
                    let stopped = async {
                        let _ = stopped.await;
                    };
                    super::serve(listener, router, LIMITS, stopped).await;
                }
                Err(error) => tracing::error!(reason = %error, "the probe port is closed"),
            }
        };
        std::thread::Builder::new()
            .name("asif-probe".to_owned())
            .spawn(move || runtime.block_on(serve))?;
        Ok(Self {
            address,
            _stop: stop,
        })
    }
}
