//! Errors of a server's start, and refusals of requests.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use axum::http::StatusCode;
use axum::http::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use asif::anchors::AnchorsError;
use asif::anchors::live::LiveError;
use asif::anchors::stored::place::set_of;
use asif::embed::EmbedError;
use asif::encode::EncodeError;
use asif::space::prompts::PromptsError;

/// The error of opening encoders.
pub type OpenError = Box<dyn std::error::Error + Send + Sync>;

/// One of the [`ServeLimits`](crate::options::ServeLimits) that must be at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LimitName {
    /// [`pixels`](crate::options::ServeLimits::pixels).
    Pixels,
    /// [`labels`](crate::options::ServeLimits::labels).
    Labels,
    /// [`prompts`](crate::options::ServeLimits::prompts).
    Prompts,
    /// [`requests`](crate::options::ServeLimits::requests).
    Requests,
    /// [`images`](crate::options::ServeLimits::images).
    Images,
    /// [`connections`](crate::options::ServeLimits::connections).
    Connections,
    /// [`time`](crate::options::ServeLimits::time), in seconds.
    Seconds,
}

impl fmt::Display for LimitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pixels => "pixels per image",
            Self::Labels => "labels per request",
            Self::Prompts => "prompts per request",
            Self::Requests => "concurrent requests",
            Self::Images => "waiting images",
            Self::Connections => "open connections",
            Self::Seconds => "seconds per request",
        })
    }
}

/// A server could not be started, or failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// No anchor set was given.
    #[error("no anchor set to serve; give at least one")]
    NoSets,
    /// The name of an anchor set is not a valid path segment.
    #[error(
        "{name:?} is not a valid name for an anchor set: expected 1 to 64 letters, digits, '.', '_' or \
         '-', not beginning with '.'; choose such a name"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// Two anchor sets have the same name.
    #[error("two anchor sets have the name {name:?}; give them different names")]
    TwoSets {
        /// The name.
        name: String,
    },
    /// Other machines could send requests without a key.
    #[error(
        "{listen} can be reached from other machines, and no API key is set; set \
         one, listen on 127.0.0.1, or allow requests without a key"
    )]
    Open {
        /// The address to listen on.
        listen: SocketAddr,
    },
    /// A host to fetch pictures from is not valid.
    #[error(
        "{text:?} is not a host; expected a name such as images.example.org, *.example.org or \
         10.0.0.5:9000, without a scheme or a path"
    )]
    ImageHost {
        /// The given text.
        text: String,
    },
    /// The root certificates cannot be loaded.
    #[error(
        "the root certificates of this system cannot be loaded: {0}; install ca-certificates, or set \
         SSL_CERT_FILE"
    )]
    Certificates(std::io::Error),
    /// A key is too short or has characters that no header can carry.
    #[error(
        "a key needs at least {shortest} characters, all of them visible ASCII; generate one with `openssl rand -hex 32`"
    )]
    Key {
        /// The least number of characters.
        shortest: usize,
    },
    /// Both keys are the same.
    #[error(
        "the API key and the admin key are the same, so every client could change the anchor sets; generate another one"
    )]
    SameKeys,
    /// A limit is 0 or too large.
    #[error("limits: {limit} {value} is not in 1 to {most}; give another value, or omit it")]
    Limit {
        /// The limit.
        limit: LimitName,
        /// Its value.
        value: u64,
        /// Its largest allowed value.
        most: u64,
    },
    /// A limit per request exceeds the limit for all requests.
    #[error(
        "limits: {small} {what} exceed the {large} of all requests together; raise the latter, and allow at least 1"
    )]
    Limits {
        /// The limited resource.
        what: &'static str,
        /// The limit per request.
        small: usize,
        /// The limit for all requests.
        large: usize,
    },
    /// The address of the probe port cannot be bound.
    #[error(
        "{listen}: {source}; stop the process that listens there, or choose another address for probes"
    )]
    BindProbe {
        /// The address.
        listen: SocketAddr,
        /// The error of the system.
        source: std::io::Error,
    },
    /// The upload folder cannot be used.
    #[error("{folder}: {source}; give a writable upload folder", folder = folder.display())]
    Uploads {
        /// The folder.
        folder: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// The address cannot be bound.
    #[error("{listen}: {source}; stop the process that listens there, or choose another address")]
    Bind {
        /// The address.
        listen: SocketAddr,
        /// The error of the system.
        source: std::io::Error,
    },
    /// The encoders of an anchor set cannot be opened.
    #[error("{set}: the encoders of the anchor set cannot be opened: {source}", set = set.display())]
    Encoders {
        /// The anchor set.
        set: PathBuf,
        /// The error of opening them.
        source: OpenError,
    },
    /// An anchor set cannot be served.
    #[error(transparent)]
    Live(#[from] LiveError),
    /// An anchor set cannot be read.
    #[error(transparent)]
    Anchors(#[from] AnchorsError),
    /// Threads, signals or sockets are not available.
    #[error("{0}; raise the limits on threads, open files and memory")]
    System(#[from] std::io::Error),
}

/// The refusal of a request: its status, and the contents of the error body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    status: StatusCode,
    kind: &'static str,
    code: &'static str,
    message: String,
    retry_after: Option<u32>,
    /// Whether the message consists of the request's own data only, without paths of this machine.
    of_request: bool,
    /// What is logged for the operator in place of the message.
    for_operator: Option<String>,
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
            for_operator: None,
        }
    }

    /// Marks the message as consisting of the request's own data, which is repeated unchanged, even where it
    /// looks like a path of this machine.
    pub fn of_request(self) -> Self {
        Self {
            of_request: true,
            ..self
        }
    }

    /// A field is not what the route accepts.
    pub fn wrong_fields(message: impl Into<String>) -> Self {
        Self::invalid("wrong_fields", message).of_request()
    }

    /// Whether the message consists of the request's own data only.
    pub fn is_of_request(&self) -> bool {
        self.of_request
    }

    /// The request is invalid.
    pub fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, INVALID, code, message.into())
    }

    /// The head of the request is invalid.
    pub fn head(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self::new(status, INVALID, code, message.into())
    }

    /// All connection slots are taken.
    pub fn no_connection() -> Self {
        let message = "too many connections are open; close some, or retry later";
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

    /// The resource does not exist.
    pub fn not_found(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found_error",
            code,
            message.into(),
        )
    }

    /// The path does not support the method.
    pub fn method() -> Self {
        let message = "this path does not support the method; see /openapi.json";
        let status = StatusCode::METHOD_NOT_ALLOWED;
        Self::new(status, INVALID, "method_not_allowed", message.to_owned())
    }

    /// No key, or a wrong one.
    pub fn unauthorized(given: bool) -> Self {
        let message = if given {
            "the key is wrong; check it"
        } else {
            "a key is needed; send the header `Authorization: Bearer KEY`"
        };
        let (status, kind) = (StatusCode::UNAUTHORIZED, "authentication_error");
        Self::new(status, kind, "invalid_api_key", message.to_owned())
    }

    /// The key is valid for other routes only.
    pub fn forbidden(message: &str) -> Self {
        let (status, kind) = (StatusCode::FORBIDDEN, "permission_error");
        Self::new(status, kind, "forbidden", message.to_owned())
    }

    /// More than a limit allows.
    pub fn too_large(message: impl Into<String>) -> Self {
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        Self::new(status, INVALID, "too_large", message.into())
    }

    /// The body is compressed.
    pub fn coding() -> Self {
        let message = "a body with a `content-encoding` is not supported; send it uncompressed, without \
                       that header";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        Self::new(status, INVALID, "content_encoding", message.to_owned())
    }

    /// The body was not received in time.
    pub fn slow_body() -> Self {
        let message = "the body was not received in time; send less, or over a faster connection";
        let status = StatusCode::REQUEST_TIMEOUT;
        Self::new(status, INVALID, "slow_body", message.to_owned())
    }

    /// The body ended early, or its chunks are malformed.
    pub fn incomplete_body() -> Self {
        let message = "the body is incomplete, or its chunks are malformed; send it again";
        Self::invalid("incomplete_body", message)
    }

    /// The state of the anchor set does not allow this.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, INVALID, code, message.into())
    }

    /// The anchor set is damaged. Only the operator can repair it: the log gets the command.
    fn damaged(error: &AnchorsError) -> Self {
        let message = format!(
            "the anchor set is damaged: {}; ask the operator of this server to repair it",
            error.without_advice()
        );
        let repair = set_of_error(error).map(|set| format!("; `{}`", repair_command(&set)));
        Self {
            for_operator: Some(format!(
                "{}{}",
                error.without_advice(),
                repair.unwrap_or_default()
            )),
            ..Self::conflict("damaged", message)
        }
    }

    /// What the log says for the operator where that is not the message.
    pub fn for_operator(&self) -> Option<&str> {
        self.for_operator.as_deref()
    }

    /// The server is at its limit.
    pub fn busy(what: &str) -> Self {
        let message = format!("{what}; retry later");
        Self {
            retry_after: Some(1),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, BUSY, "busy", message)
        }
    }

    /// The request exceeded its time limit.
    pub fn timeout(seconds: u64) -> Self {
        let message =
            format!("no answer within {seconds} s; send a smaller request, or retry later");
        Self {
            retry_after: Some(5),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, SERVER, "timeout", message)
        }
    }

    /// The server is stopping.
    pub fn stopping() -> Self {
        let message = "the server is stopping; retry later".to_owned();
        Self {
            retry_after: Some(1),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, SERVER, "stopping", message)
        }
    }

    /// An internal error.
    pub fn internal(message: impl Into<String>) -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::new(status, SERVER, "internal", message.into())
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The error code for programs.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The message for people; it may name paths, which are logged, but not sent to clients.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The response, with the id of the request and the message for the client.
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
    /// Stored in the extensions for the outermost layer, which knows the request's id and writes the body.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The command that repairs a damaged anchor set.
pub(crate) fn repair_command(path: &Path) -> String {
    format!("asif repair {}", path.display())
}

/// The anchor set whose files an error names.
fn set_of_error(error: &AnchorsError) -> Option<PathBuf> {
    match error {
        AnchorsError::NeedsRepair { set, .. } | AnchorsError::BeyondRepair { set, .. } => {
            Some(set.clone())
        }
        AnchorsError::Manifest { path, .. } | AnchorsError::Damaged { path, .. } => set_of(path),
        _ => None,
    }
}

impl From<AnchorsError> for Refusal {
    fn from(error: AnchorsError) -> Self {
        if error.is_damage() {
            return Self::damaged(&error);
        }
        // Messages for clients name neither library calls nor paths of anchor sets.
        let said = match &error {
            AnchorsError::NoSuchPair { ids, .. } => format!(
                "no live pair has the id {ids}; omit it, or send `missing_ok`: true to ignore it"
            ),
            AnchorsError::NoMatch { filter, .. } => {
                format!("no live pair has {filter}; /v1/sets lists sources and licences")
            }
            AnchorsError::WouldBeEmpty { .. } => {
                "that would leave an anchor set without pairs; remove or exclude fewer".to_owned()
            }
            AnchorsError::NoGeneration { wanted, kept, .. } => format!(
                "{wanted} is not kept; the kept ones are {kept} (/v1/sets/NAME/generations lists them)"
            ),
            // The library's message names the process and host, which clients must not see.
            AnchorsError::Locked { .. } => {
                "another process is writing to this anchor set; retry when it is done".to_owned()
            }
            other => other.to_string(),
        };
        match error {
            // These messages name only what the client sent.
            AnchorsError::Filter(_)
            | AnchorsError::NoMatch { .. }
            | AnchorsError::NoSuchPair { .. }
            | AnchorsError::WouldBeEmpty { .. } => Self::invalid("unusable", said).of_request(),
            AnchorsError::NoPairs { .. }
            | AnchorsError::Strict { .. }
            | AnchorsError::TooManyErrors { .. }
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
            EmbedError::NoEncoder { .. } => Self::invalid("no_encoder", said),
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
        // Labels and templates of a request come from the request itself, not from a file.
        Self::invalid("labels", error.to_string()).of_request()
    }
}
