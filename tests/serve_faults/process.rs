//! The server is stopped, killed, or started twice.

use std::time::Instant;

use serde_json::json;

use crate::serve_support::{PATIENCE, Server, picture, question};
use crate::{server, support};

#[test]
fn told_to_stop_it_finishes_what_runs() {
    let mut server = server(&[]);
    let mut client = server.connect();
    let labels: Vec<String> = (0..300).map(|i| format!("a thing of kind {i}")).collect();
    let asked = json!({"images": [picture(1)], "labels": labels}).to_string();
    client.write("POST", "/v1/classify", &[], asked.as_bytes());
    let begun = Instant::now();
    while !server
        .get("/metrics")
        .text()
        .contains("asif_requests_running 2")
    {
        assert!(begun.elapsed() < PATIENCE, "{}", server.log());
    }
    server.signal("TERM");
    let answer = client.read();
    assert_eq!(
        answer.ok()["results"][0]["predictions"]
            .as_array()
            .unwrap()
            .len(),
        5
    );
    assert_eq!(server.wait().code(), Some(0), "{}", server.log());
    assert!(
        server.log().contains("\"finished\":true"),
        "{}",
        server.log()
    );
}

#[test]
fn killed_it_starts_again_and_answers_the_same() {
    let mut first = server(&[]);
    let before = first.post("/v1/classify", &question(3)).ok();
    let mut busy = first.connect();
    busy.write("POST", "/v1/classify", &[("content-length", "9")], b"{");
    first.signal("KILL");
    assert_eq!(first.wait().code(), None);
    let address = first.address.clone();
    let again = server(&["--listen", &address]);
    assert_eq!(again.post("/v1/classify", &question(3)).ok(), before);
}

#[test]
fn a_port_that_is_taken_is_an_error_that_names_it() {
    let first = server(&[]);
    let address = first.address.clone();
    let second = Server::try_start(&[("demo", support::demo_set())], &["--listen", &address]);
    match second {
        Err(ended) => ended.fails(1, &[&address, "--listen"]),
        Ok(_) => panic!("two servers on one port"),
    };
}
