//! The threads of the server and the work that they do for requests.

pub(crate) mod compute;
pub(crate) mod search_batcher;
pub(crate) mod threads;
