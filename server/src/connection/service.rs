//! The hyper service of a connection: the router, with the state of the connection.

use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONNECTION, HeaderValue};
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

use super::slots::{ConnectionSlots, ConnectionState};
use crate::error::Refusal;

/// The refusal of a request's head: the request is a stand-in, to be answered with it.
#[derive(Debug, Clone)]
pub(crate) struct RefusedHead(pub Refusal);

/// All regular connection slots are taken: only health, readiness and metrics requests are answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConnectionFull;

/// The router, with the state of the connection.
#[derive(Debug, Clone)]
pub(super) struct ConnectionService {
    router: TowerToHyperService<Router>,
    link: Arc<ConnectionState>,
    places: Arc<ConnectionSlots>,
}

impl ConnectionService {
    pub fn new(router: Router, link: Arc<ConnectionState>, places: Arc<ConnectionSlots>) -> Self {
        Self {
            router: TowerToHyperService::new(router),
            link,
            places,
        }
    }
}

type ResponseFuture<E> = Pin<Box<dyn Future<Output = Result<Response<Body>, E>> + Send>>;

impl Service<Request<Incoming>> for ConnectionService {
    type Response = Response<Body>;
    type Error = std::convert::Infallible;
    type Future = ResponseFuture<Self::Error>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        if let Some(refusal) = self.link.begin() {
            request.extensions_mut().insert(RefusedHead(refusal));
        }
        // An idle connection is closed in favour of one with a request.
        let full = self.places.is_full() && !self.places.close_idle_for(&self.link);
        if full {
            request.extensions_mut().insert(ConnectionFull);
        }
        let (answer, link) = (self.router.call(request), Arc::clone(&self.link));
        Box::pin(async move {
            let mut response = answer.await?;
            if full {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(CONNECTION, close);
            }
            link.answered();
            Ok(response)
        })
    }
}
