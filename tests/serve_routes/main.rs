//! Every route of the server, asked by a plain client.
//!
//! | file | what is asked |
//! |---|---|
//! | `answers` | labels and scores, in every way |
//! | `explanations` | the pairs behind an answer, and the answer without some |
//! | `embeddings` | vectors |
//! | `sets` | what sets hold, and their generations |
//! | `server` | the page, the OpenAPI document, request ids |
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests may panic as the tests do"
)]

mod answers;
mod embeddings;
mod explanations;
#[path = "../serve_support/mod.rs"]
mod serve_support;
mod server;
mod sets;
#[path = "../support/mod.rs"]
mod support;

use serve_support::Server;

const LABELS: [&str; 3] = ["a bird", "a house", "a car"];

/// A server of the demo set under two names, for the tests that change nothing.
fn server() -> Server {
    let set = support::demo_set();
    Server::start(&[("demo", set), ("again", set)], &[])
}
