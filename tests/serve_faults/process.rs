//! The server is stopped, killed, or started twice.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::serve_support::{PATIENCE, Server, picture, question};
use crate::{server, support};

#[test]
fn told_to_stop_it_finishes_what_runs() {
    for signal in ["TERM", "INT", "HUP"] {
        finishes_what_runs(signal);
    }
}

/// Told so by this signal.
fn finishes_what_runs(signal: &str) {
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
    server.signal(signal);
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
fn a_hangup_that_was_ignored_from_the_start_stays_so() {
    let ignored = "trap '' HUP";
    let server = Server::start_limited(ignored, &[("demo", support::demo_set())], &[]);
    server.signal("HUP");
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(100));
        server.get("/health").ok();
    }
}

#[test]
fn a_file_that_hangs_keeps_no_answer_and_no_end() {
    let folder = tempfile::tempdir().unwrap();
    let set = folder.path().join("demo.asif");
    support::copy_folder(support::demo_set(), &set);
    let mut server = Server::start(&[("demo", &set)], &["--timeout", "1"]);
    // A pipe that nobody writes to stands for a network file system that is gone.
    let current = set.join("CURRENT");
    fs_err::remove_file(&current).unwrap();
    let made = Command::new("mkfifo").arg(&current).status().unwrap();
    assert!(made.success());
    let asked = server.get("/v1/sets/demo/generations");
    asked.refused(503, "timeout");
    server.post("/v1/classify", &question(1)).ok();
    let begun = Instant::now();
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0), "{}", server.log());
    assert!(begun.elapsed() < Duration::from_secs(20));
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
