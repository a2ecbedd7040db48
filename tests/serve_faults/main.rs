//! Clients and disks that misbehave: each is refused in the one shape of refusals or forgotten, and
//! the server answers the next one.
//!
//! | file | what goes wrong |
//! |---|---|
//! | `clients` | a client goes away, is slow, or speaks something else |
//! | `connections` | connections that do nothing, or send what is not a request |
//! | `fields` | each field of each route with each wrong type |
//! | `told` | where things lie on the machine, which no answer may tell |
//! | `own_words` | what a client sent, in the answers that refuse it |
//! | `hostile` | all of it at once, with good clients beside it |
//! | `bodies` | what is sent is too large, malformed, or made to do harm |
//! | `limits` | more is asked than may be asked |
//! | `process` | the server is stopped, killed, or started twice |
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests may panic as the tests do"
)]

mod bodies;
mod clients;
mod connections;
mod fields;
mod hostile;
mod limits;
mod own_words;
mod process;
#[path = "../serve_hostile/mod.rs"]
mod serve_hostile;
#[path = "../serve_support/mod.rs"]
mod serve_support;
#[path = "../support/mod.rs"]
mod support;
mod told;

use std::time::{Duration, Instant};

use serve_support::{PATIENCE, Server, question};

/// The demo set with these further arguments.
fn server(more: &[&str]) -> Server {
    Server::start(&[("demo", support::demo_set())], more)
}

/// It answers as if nothing had been.
fn still_answers(server: &Server) {
    server.post("/v1/classify", &question(1)).ok();
    let running = server.get("/metrics").text();
    // This very request is the one that runs.
    assert!(running.contains("asif_requests_running 1\n"), "{running}");
}

/// Waits until the log has a word.
fn logged(server: &Server, word: &str) {
    let begun = Instant::now();
    while !server.log().contains(word) {
        assert!(
            begun.elapsed() < PATIENCE,
            "no {word:?} in: {}",
            server.log()
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}
