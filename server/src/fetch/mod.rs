//! Pictures that a request names by their address, from the hosts that the operator allows.
//!
//! Who may ask could otherwise make the server ask anybody, also what only the server can reach. So no
//! host is allowed until it is named, redirects are not followed, nothing of a request but the address
//! goes out, and what comes back leaves only as scores.
//!
//! | file | role |
//! |---|---|
//! | `hosts` | [`ImageHost`]: which addresses are allowed |

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

use super::error::{Refusal, ServeError};
use super::limits::Memory;
use super::options::Limits;
use asif::embed::Rejected;

/// Pictures that are fetched at once; more wait for their turn.
const AT_ONCE: usize = 16;
/// How long a host may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(3);
/// The part of a request's time that a picture may take, of which waiting for its turn is no part: the
/// rest of a batch has its answer though one host is slow.
const SHARE: u32 = 3;

/// Fetches pictures.
#[derive(Debug)]
pub(super) struct Fetcher {
    hosts: Vec<ImageHost>,
    /// None where no host is allowed.
    client: Option<Client<HttpsConnector<HttpConnector>, Empty<Bytes>>>,
    turns: Semaphore,
    memory: Memory,
    /// The most bytes of a picture.
    limit: usize,
    patience: Duration,
}

/// A file that was fetched. Its bytes count among those of all requests until it is dropped.
#[derive(Debug)]
pub(super) struct Fetched {
    /// The file.
    pub bytes: Bytes,
    _held: Option<OwnedSemaphorePermit>,
}

impl Fetcher {
    /// Asks nobody before it is asked.
    ///
    /// # Errors
    /// When the system has no certificates to know hosts by.
    pub fn new(hosts: Vec<ImageHost>, memory: Memory, limits: &Limits) -> Result<Self, ServeError> {
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

    /// The file at an address, or why this picture cannot be had.
    ///
    /// # Errors
    /// That there is no memory for it now.
    pub async fn file(&self, address: &str) -> Result<Result<Fetched, Rejected>, Refusal> {
        let rejected = |reason: String| Ok(Err(Rejected { reason }));
        let Some(client) = &self.client else {
            return rejected(
                "images are not fetched from elsewhere; send the file, or its bytes in base64 \
                 (whoever runs the server can allow hosts with --image-hosts)"
                    .to_owned(),
            );
        };
        let Ok(uri) = address.parse::<Uri>() else {
            return rejected("this is no address; percent-encode what is not ASCII".to_owned());
        };
        if !self.hosts.iter().any(|host| host.allows(&uri)) {
            return rejected(
                "images are not fetched from this host; send the file, or its bytes in base64 \
                 (whoever runs the server can allow it with --image-hosts)"
                    .to_owned(),
            );
        }
        // Never closed.
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
                Err(e) if e.is_connect() => {
                    let reason = "its host cannot be reached, or its certificate is not known here";
                    return rejected(reason.to_owned());
                }
                Err(_) => return rejected("its host broke off the connection".to_owned()),
            };
            match response.status() {
                StatusCode::OK => self.read(response.into_body()).await,
                status if status.is_redirection() => rejected(format!(
                    "its host answered {status}, and redirects are not followed; give the address \
                     that it leads to"
                )),
                status => rejected(format!("its host answered {status}")),
            }
        });
        match fetched.await {
            Ok(fetched) => fetched,
            Err(_) => rejected("its host did not send it in time".to_owned()),
        }
    }

    async fn read(&self, mut body: Incoming) -> Result<Result<Fetched, Rejected>, Refusal> {
        let rejected = |reason: String| Ok(Err(Rejected { reason }));
        let (mut bytes, mut held) = (Vec::new(), None);
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                return rejected("its host broke off before the end".to_owned());
            };
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if bytes.len() + data.len() > self.limit {
                return rejected(format!("it is larger than {} bytes", self.limit));
            }
            self.memory.grow(&mut held, bytes.len() + data.len())?;
            bytes.extend_from_slice(&data);
        }
        Ok(Ok(Fetched {
            bytes: bytes.into(),
            _held: held,
        }))
    }
}

fn client() -> std::io::Result<Client<HttpsConnector<HttpConnector>, Empty<Bytes>>> {
    let mut http = HttpConnector::new();
    http.set_connect_timeout(Some(CONNECT));
    http.set_nodelay(true);
    // The scheme is looked at when the address is.
    http.enforce_http(false);
    let https = HttpsConnectorBuilder::new()
        .with_native_roots()
        .map_err(|_| std::io::Error::other("no certificate of an authority is among them"))?
        .https_or_http()
        .enable_http1()
        .wrap_connector(http);
    Ok(Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(30))
        .build(https))
}
