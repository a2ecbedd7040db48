//! Why a server does not start, and why a request is refused.

use std::fmt;
use std::net::SocketAddr;

use axum::http::StatusCode;
use axum::http::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use asif::anchors::AnchorsError;
use asif::anchors::live::LiveError;
use asif::embed::EmbedError;
use asif::encode::EncodeError;
use asif::space::prompts::PromptsError;

/// Why encoders could not be opened.
pub type OpenError = Box<dyn std::error::Error + Send + Sync>;

/// One of the [`Limits`](super::options::Limits) that must be a number from 1 up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LimitName {
    /// [`pixels`](super::options::Limits::pixels).
    Pixels,
    /// [`labels`](super::options::Limits::labels).
    Labels,
    /// [`prompts`](super::options::Limits::prompts).
    Prompts,
    /// [`requests`](super::options::Limits::requests).
    Requests,
    /// [`images`](super::options::Limits::images).
    Images,
    /// [`connections`](super::options::Limits::connections).
    Connections,
    /// [`time`](super::options::Limits::time), in seconds.
    Seconds,
}

impl fmt::Display for LimitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pixels => "pixels of an image",
            Self::Labels => "labels of a request",
            Self::Prompts => "prompts of a request",
            Self::Requests => "requests at once",
            Self::Images => "images that wait",
            Self::Connections => "open connections",
            Self::Seconds => "seconds of a request",
        })
    }
}

/// A server could not be started, or stopped by itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// There is nothing to serve.
    #[error("no set to serve; give at least one")]
    NoSets,
    /// A set's name cannot stand in a path.
    #[error(
        "{name:?} cannot name a set: 1 to 64 letters, digits, '.', '_' or '-' are expected, not \
         beginning with '.'; give it such a name"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// Two sets have one name.
    #[error("two sets are called {name:?}; give them names that differ")]
    TwoSets {
        /// The name.
        name: String,
    },
    /// Others than this machine could ask without a key.
    #[error(
        "{listen} can be reached from other machines, and no API key is set; set \
         one, listen on 127.0.0.1, or allow requests without a key"
    )]
    Open {
        /// Where it was to listen.
        listen: SocketAddr,
    },
    /// What pictures may be fetched from is no host.
    #[error(
        "{text:?} is no host; expected a name such as images.example.org, *.example.org or \
         10.0.0.5:9000, without a scheme and a path"
    )]
    ImageHost {
        /// What was given.
        text: String,
    },
    /// Nothing to know hosts by.
    #[error(
        "the certificates of this system cannot be read: {0}; install ca-certificates, or give \
         SSL_CERT_FILE"
    )]
    Certificates(std::io::Error),
    /// A key is too short or holds what no header can carry.
    #[error(
        "a key needs at least {shortest} characters, all of them visible ASCII; make one with `openssl rand -hex 32`"
    )]
    Key {
        /// The fewest characters.
        shortest: usize,
    },
    /// Both keys are one.
    #[error(
        "the API key and the admin key are the same; whoever may ask could change the sets: make another"
    )]
    SameKeys,
    /// A limit that lets nothing through, or that no machine could keep.
    #[error("limits: {limit} {value} is not in 1 to {most}; give another, or leave it out")]
    Limit {
        /// The limit.
        limit: LimitName,
        /// What it was.
        value: u64,
        /// The most it can be.
        most: u64,
    },
    /// Limits that leave no room.
    #[error(
        "limits: {small} {what} do not fit into {large} of all requests together; raise the latter, and allow at least 1"
    )]
    Limits {
        /// What is limited.
        what: &'static str,
        /// The limit of one request.
        small: usize,
        /// That of all.
        large: usize,
    },
    /// The address of the probes' port cannot be had.
    #[error("{listen}: {source}; stop what listens there, or choose another address for probes")]
    BindProbe {
        /// The address.
        listen: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The folder for uploads cannot be used.
    #[error("{folder}: {source}; give a folder for uploads that can be written to", folder = folder.display())]
    Uploads {
        /// The folder.
        folder: std::path::PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The address cannot be had.
    #[error("{listen}: {source}; stop what listens there, or choose another address")]
    Bind {
        /// The address.
        listen: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The encoders of a set cannot be opened.
    #[error("{set}: its encoders cannot be opened: {source}", set = set.display())]
    Encoders {
        /// The set.
        set: std::path::PathBuf,
        /// What opening them said.
        source: OpenError,
    },
    /// A set cannot be served.
    #[error(transparent)]
    Live(#[from] LiveError),
    /// A set cannot be read.
    #[error(transparent)]
    Anchors(#[from] AnchorsError),
    /// The system gives no threads, signals or sockets.
    #[error("{0}; raise the limits on threads, open files and memory")]
    System(#[from] std::io::Error),
}

/// Why a request is refused: a status, and what the body says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    status: StatusCode,
    kind: &'static str,
    code: &'static str,
    message: String,
    retry_after: Option<u32>,
    /// Whether the message is of the request alone, with nothing of this machine.
    of_request: bool,
}

const INVALID: &str = "invalid_request_error";
const BUSY: &str = "rate_limit_error";
const SERVER: &str = "server_error";

impl Refusal {
    fn new(status: StatusCode, kind: &'static str, code: &'static str, message: String) -> Self {
        Self {
            status,
            kind,
            code,
            message,
            retry_after: None,
            of_request: false,
        }
    }

    /// The same for a message that is made of the request alone: what the client sent is told as it
    /// is, also where it looks like a path of this machine.
    pub fn of_request(self) -> Self {
        Self {
            of_request: true,
            ..self
        }
    }

    /// A field is not what the route takes.
    pub fn wrong_fields(message: impl Into<String>) -> Self {
        Self::invalid("wrong_fields", message).of_request()
    }

    /// Whether the message is of the request alone.
    pub fn is_of_request(&self) -> bool {
        self.of_request
    }

    /// The request cannot be understood or asks for what cannot be done.
    pub fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, INVALID, code, message.into())
    }

    /// The head of a request cannot be read.
    pub fn head(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self::new(status, INVALID, code, message.into())
    }

    /// There are as many connections as there can be.
    pub fn no_connection() -> Self {
        let message = "too many connections are open; close some, or ask again in a moment";
        Self {
            retry_after: Some(1),
            ..Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                SERVER,
                "connections",
                message.to_owned(),
            )
        }
    }

    /// There is no such thing.
    pub fn not_found(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found_error",
            code,
            message.into(),
        )
    }

    /// The path is known, and the method is not.
    pub fn method() -> Self {
        let message = "this path does not take this method; /openapi.json says which it takes";
        let status = StatusCode::METHOD_NOT_ALLOWED;
        Self::new(status, INVALID, "method_not_allowed", message.to_owned())
    }

    /// No key, or a wrong one.
    pub fn unauthorized(given: bool) -> Self {
        let message = if given {
            "the key is not right; check it"
        } else {
            "a key is needed; send the header `Authorization: Bearer KEY`"
        };
        let (status, kind) = (StatusCode::UNAUTHORIZED, "authentication_error");
        Self::new(status, kind, "invalid_api_key", message.to_owned())
    }

    /// The right key for something else.
    pub fn forbidden(message: &str) -> Self {
        let (status, kind) = (StatusCode::FORBIDDEN, "permission_error");
        Self::new(status, kind, "forbidden", message.to_owned())
    }

    /// More than a limit allows.
    pub fn too_large(message: impl Into<String>) -> Self {
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        Self::new(status, INVALID, "too_large", message.into())
    }

    /// The body is packed.
    pub fn coding() -> Self {
        let message = "a body with a `content-encoding` is not unpacked; send it as it is, without \
                       that header";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        Self::new(status, INVALID, "content_encoding", message.to_owned())
    }

    /// The body took too long to come.
    pub fn slow_body() -> Self {
        let message = "the body did not come in time; send less, or over a faster line";
        let status = StatusCode::REQUEST_TIMEOUT;
        Self::new(status, INVALID, "slow_body", message.to_owned())
    }

    /// The body ended early, or its chunks are malformed.
    pub fn incomplete_body() -> Self {
        let message =
            "the body ended before it was whole, or its chunks are malformed; send it again";
        Self::invalid("incomplete_body", message)
    }

    /// The set is in a state in which this cannot be done.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, INVALID, code, message.into())
    }

    /// As much as can be done is being done.
    pub fn busy(what: &str) -> Self {
        let message = format!("{what}; ask again in a moment");
        Self {
            retry_after: Some(1),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, BUSY, "busy", message)
        }
    }

    /// It took longer than it may.
    pub fn timeout(seconds: u64) -> Self {
        let message = format!("no answer within {seconds} s; ask for less at once, or later");
        Self {
            retry_after: Some(5),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, SERVER, "timeout", message)
        }
    }

    /// The server is going away.
    pub fn stopping() -> Self {
        let message = "the server is stopping; ask again in a moment".to_owned();
        Self {
            retry_after: Some(1),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, SERVER, "stopping", message)
        }
    }

    /// Something failed inside.
    pub fn internal(message: impl Into<String>) -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::new(status, SERVER, "internal", message.into())
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The word for it that programs read.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// What a person is to read; it may name paths, which the log keeps and clients are not told.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The response, with the request's id and its message as a client may read it.
    pub fn answer(&self, id: &str, message: &str) -> Response {
        let body = json!({"error": {
            "message": message,
            "type": self.kind,
            "code": self.code,
            "request_id": id,
        }});
        let mut response = (self.status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl IntoResponse for Refusal {
    /// Carries itself to the outermost layer, which knows the request's id and writes the body.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<AnchorsError> for Refusal {
    fn from(error: AnchorsError) -> Self {
        // What a caller of the library would do, or the path of the set, is not told to who sends a request.
        let said = match &error {
            AnchorsError::NoSuchPair { ids, .. } => format!(
                "no live pair has the id {ids}; take it out, or send `missing_ok`: true to pass over it"
            ),
            AnchorsError::NoneOfThese { ids, .. } => format!(
                "no live pair has the id {ids}, and there is nothing to remove; nothing was changed"
            ),
            AnchorsError::NoMatch { filter, .. } => {
                format!("no live pair has {filter}; /v1/sets lists sources and licences")
            }
            AnchorsError::WouldBeEmpty { .. } => {
                "that would leave no pair at all, and an empty set answers nothing; take out fewer"
                    .to_owned()
            }
            AnchorsError::NoGeneration { wanted, kept, .. } => format!(
                "{wanted} is not kept; the kept ones are {kept} (/v1/sets/NAME/generations lists them)"
            ),
            // Who it is, by process and host, is nobody's to know who asks.
            AnchorsError::Locked { .. } => {
                "another process is writing to this anchor set; ask again when it is done"
                    .to_owned()
            }
            other => other.to_string(),
        };
        match error {
            // What they name is what was sent.
            AnchorsError::Filter { .. }
            | AnchorsError::NoMatch { .. }
            | AnchorsError::NoSuchPair { .. }
            | AnchorsError::NoneOfThese { .. }
            | AnchorsError::WouldBeEmpty { .. } => Self::invalid("unusable", said).of_request(),
            AnchorsError::NoPairs { .. }
            | AnchorsError::Strict { .. }
            | AnchorsError::Pairs(_)
            | AnchorsError::Fit(_) => Self::invalid("unusable", said),
            AnchorsError::Embed(error) => error.into(),
            AnchorsError::NoGeneration { .. } => Self::not_found("no_generation", said),
            AnchorsError::Locked { .. } => Self::conflict("locked", said),
            AnchorsError::OtherEncoder(_) => Self::conflict("other_encoders", said),
            AnchorsError::Interrupted => Self::stopping(),
            _ => Self::internal(said),
        }
    }
}

impl From<EmbedError> for Refusal {
    fn from(error: EmbedError) -> Self {
        let said = error.to_string();
        match error {
            EmbedError::Prompt { .. } => Self::invalid("unusable", said),
            EmbedError::Interrupted => Self::stopping(),
            _ => Self::internal(said),
        }
    }
}

impl From<EncodeError> for Refusal {
    fn from(error: EncodeError) -> Self {
        Self::internal(error.to_string())
    }
}

impl From<PromptsError> for Refusal {
    fn from(error: PromptsError) -> Self {
        // Labels and templates of a request come from no file.
        Self::invalid("labels", error.to_string()).of_request()
    }
}
