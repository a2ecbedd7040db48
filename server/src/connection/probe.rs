//! A separate port with its own thread for health, readiness and metrics, which answers independently of the
//! load on the main port.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::ConnectionLimits;
use crate::error::ServeError;

/// Enough for monitoring.
const LIMITS: ConnectionLimits = ConnectionLimits {
    connections: 64,
    stalled: Duration::from_secs(5),
    grace: Duration::from_secs(1),
};

/// The probe port; closed when this is dropped.
#[derive(Debug)]
pub(crate) struct ProbePort {
    /// The address it listens on.
    pub address: SocketAddr,
    _stop: oneshot::Sender<()>,
}

impl ProbePort {
    /// Listens on `address` and serves `router`.
    ///
    /// # Errors
    /// When the address cannot be bound, or no thread can be started.
    pub fn open(address: SocketAddr, router: Router) -> Result<Self, ServeError> {
        let bind = |source| ServeError::BindProbe {
            listen: address,
            source,
        };
        // Bound before the runtime exists: a runtime must not be dropped in an async context, which an
        // early return would do. The thread below registers the listener with its own runtime.
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
                Err(error) => tracing::error!(reason = %error, "the probe port was closed"),
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
