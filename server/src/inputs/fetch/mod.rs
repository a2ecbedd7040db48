//! Fetches pictures that a request names by URL, from the hosts that the operator allows.
//!
//! Clients could otherwise make the server send requests to any host, including those that only the server
//! can reach (server-side request forgery). So every host must be allowed explicitly, redirects are not
//! followed, nothing of a request but the URL is sent, and the response is used for scores only.
//!
//! | file | role |
//! |---|---|
//! | `hosts` | [`ImageHost`]: which URLs are allowed |

mod hosts;

use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

pub use hosts::ImageHost;

use crate::error::{Refusal, ServeError};
use crate::middleware::limits::RequestMemory;
use crate::options::ServeLimits;
use asif::embed::InputRejection;

/// The most concurrent fetches; further ones wait.
const AT_ONCE: usize = 16;
/// How long a host may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(3);
/// The divisor of a request's time limit that gives the time limit of a fetch, without the wait for its
/// turn, so that the rest of a batch is answered even if one host is slow.
const SHARE: u32 = 3;

/// Fetches pictures.
#[derive(Debug)]
pub(crate) struct ImageFetcher {
    hosts: Vec<ImageHost>,
    /// None if no host is allowed.
    client: Option<Client<HttpsConnector<HttpConnector>, Empty<Bytes>>>,
    turns: Semaphore,
    memory: RequestMemory,
    /// The largest file in bytes.
    limit: usize,
    patience: Duration,
}

/// A fetched file. Its bytes count towards the memory of all requests until it is dropped.
#[derive(Debug)]
pub(crate) struct FetchedFile {
    /// The file.
    pub bytes: Bytes,
    _held: Option<OwnedSemaphorePermit>,
}

impl ImageFetcher {
    /// Opens no connection yet.
    ///
    /// # Errors
    /// When the root certificates cannot be loaded.
    pub fn new(
        hosts: Vec<ImageHost>,
        memory: RequestMemory,
        limits: &ServeLimits,
    ) -> Result<Self, ServeError> {
        let client = match hosts.is_empty() {
            true => None,
            false => Some(client().map_err(ServeError::Certificates)?),
        };
        Ok(Self {
            hosts,
            client,
            turns: Semaphore::new(AT_ONCE),
            memory,
            limit: limits.body_bytes,
            patience: limits.time / SHARE,
        })
    }

    /// The file at a URL, or why it cannot be fetched.
    ///
    /// # Errors
    /// When there is no memory for it now.
    pub async fn file(
        &self,
        address: &str,
    ) -> Result<Result<FetchedFile, InputRejection>, Refusal> {
        let rejected = |reason: String| Ok(Err(InputRejection::from(reason)));
        let Some(client) = &self.client else {
            return rejected(
                "images are not fetched by URL; send the file, or its bytes in base64 \
                 (the operator of the server can allow hosts)"
                    .to_owned(),
            );
        };
        let Ok(uri) = address.parse::<Uri>() else {
            return rejected(
                "the URL is not valid; percent-encode all characters that are not ASCII".to_owned(),
            );
        };
        // Before anything is opened: a client must not learn which hosts answer.
        if !self.hosts.iter().any(|host| host.allows(&uri)) {
            return rejected(
                "images are not fetched from this host; send the file, or its bytes in base64 \
                 (the operator of the server can allow it)"
                    .to_owned(),
            );
        }
        // The semaphore is never closed, so this cannot fail.
        let _turn = self.turns.acquire().await;
        let asked = Request::get(uri)
            .header(
                header::USER_AGENT,
                concat!("asif/", env!("CARGO_PKG_VERSION")),
            )
            .header(header::ACCEPT, "image/*")
            .body(Empty::new());
        let asked = asked.map_err(|e| Refusal::internal(e.to_string()))?;
        let fetched = timeout(self.patience, async {
            let response = match client.request(asked).await {
                Ok(response) => response,
                // One message for all reasons not to connect, or it would tell what runs inside the network.
                Err(e) if e.is_connect() => {
                    let reason = "the host cannot be reached, or its certificate is not trusted";
                    return rejected(reason.to_owned());
                }
                Err(_) => return rejected("the host closed the connection".to_owned()),
            };
            match response.status() {
                StatusCode::OK => self.read(response.into_body()).await,
                status if status.is_redirection() => rejected(format!(
                    "the host answered {status}, and redirects are not followed; give the URL \
                     that it redirects to"
                )),
                status => rejected(format!("the host answered {status}")),
            }
        });
        match fetched.await {
            Ok(fetched) => fetched,
            Err(_) => rejected("the host did not send the image in time".to_owned()),
        }
    }

    async fn read(
        &self,
        mut body: Incoming,
    ) -> Result<Result<FetchedFile, InputRejection>, Refusal> {
        let rejected = |reason: String| Ok(Err(InputRejection::from(reason)));
        let (mut bytes, mut held) = (Vec::new(), None);
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                return rejected(
                    "the host closed the connection before the end of the image".to_owned(),
                );
            };
            let Ok(data) = frame.into_data() else {
                continue;
            };
            // Counted as it comes, because a host may announce another length or none.
            if bytes.len() + data.len() > self.limit {
                return rejected(format!("the image is larger than {} bytes", self.limit));
            }
            // Grown with the data, so that a slow host holds no memory that it does not fill.
            self.memory.grow(&mut held, bytes.len() + data.len())?;
            bytes.extend_from_slice(&data);
        }
        Ok(Ok(FetchedFile {
            bytes: bytes.into(),
            _held: held,
        }))
    }
}

fn client() -> std::io::Result<Client<HttpsConnector<HttpConnector>, Empty<Bytes>>> {
    let mut http = HttpConnector::new();
    http.set_connect_timeout(Some(CONNECT));
    http.set_nodelay(true);
    // The scheme is checked with the URL; this connector must accept https too.
    http.enforce_http(false);
    let https = HttpsConnectorBuilder::new()
        .with_native_roots()
        .map_err(|_| std::io::Error::other("no root certificate found"))?
        .https_or_http()
        .enable_http1()
        .wrap_connector(http);
    Ok(Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(30))
        .build(https))
}
