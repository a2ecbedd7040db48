//! Clients that go away, are slow, or speak something else.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::serve_support::{PATIENCE, picture, question};
use crate::{logged, server, still_answers};

#[test]
fn a_client_that_goes_away_is_forgotten() {
    let server = server(&[]);
    // In the middle of its body.
    let mut gone = server.connect();
    let headers = [("content-length", "100000")];
    gone.write("POST", "/v1/classify", &headers, b"{\"images\": [\"");
    drop(gone);
    logged(&server, "\"status\":4");
    // While its answer is made.
    let mut gone = server.connect();
    let labels: Vec<String> = (0..900).map(|i| format!("a thing of kind {i}")).collect();
    // More work than is done before a client that ended its side is taken for gone.
    let templates: Vec<String> = (0..20).map(|i| format!("picture {i} of {{}}")).collect();
    let asked = json!({"images": [picture(1)], "labels": labels, "templates": templates});
    let asked = asked.to_string();
    gone.write("POST", "/v1/classify", &[], asked.as_bytes());
    std::thread::sleep(Duration::from_millis(50));
    drop(gone);
    logged(&server, "\"status\":499");
    still_answers(&server);
}

#[test]
fn a_slow_client_keeps_nobody_waiting_and_is_refused_in_time() {
    let server = server(&["--timeout", "1"]);
    let mut slow = server.connect();
    slow.write("POST", "/v1/classify", &[("content-length", "50")], b"{");
    server.get("/health").ok();
    slow.read().refused(408, "slow_body");
    still_answers(&server);
}

#[test]
fn what_is_no_http_is_hung_up_on() {
    let server = server(&[]);
    for noise in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"[..],
        b"HELO you\r\n\r\n",
        &[0; 5000],
    ] {
        let mut client = server.connect();
        client.raw(noise);
        let stream = client.0.get_mut();
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(
            said.is_empty() || said.starts_with("HTTP/1.1 400"),
            "{said}"
        );
    }
    let mut client = server.connect();
    let long = format!(
        "GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "a".repeat(1 << 20)
    );
    let _ = client.0.get_mut().write_all(long.as_bytes());
    if let Some(answer) = client.try_read() {
        assert!(
            [400, 404, 414, 431].contains(&answer.status),
            "{}",
            answer.status
        );
    }
    still_answers(&server);
}

#[test]
fn who_takes_no_answer_loses_the_connection() {
    let server = server(&["--timeout", "1", "--max-connections", "2"]);
    // More than the system holds between two processes.
    let asked = "GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(600);
    let deaf = [(); 2].map(|()| {
        let mut client = server.connect();
        client.raw(asked.as_bytes());
        client
    });
    // Both places are taken until they are given up.
    server.get("/health").ok();
    drop(deaf);
    still_answers(&server);
}

#[test]
fn what_is_announced_and_not_sent_takes_no_memory() {
    let server = server(&["--max-memory", "1", "--max-body", "1"]);
    let announced = [("content-length", "1048576")];
    let slow = [(); 4].map(|()| {
        let mut client = server.connect();
        client.write("POST", "/v1/classify", &announced, b"{");
        client
    });
    server.post("/v1/classify", &question(1)).ok();
    // What came is held.
    let mut half = server.connect();
    half.write("POST", "/v1/classify", &announced, &vec![b' '; 700_000]);
    let begun = Instant::now();
    let whole = vec![b' '; 1 << 20];
    loop {
        // As long as the half is on its way, there is room: it is read, and is not JSON.
        let answer = server.connect().send("POST", "/v1/classify", &[], &whole);
        if answer.status == 429 {
            answer.refused(429, "busy");
            break;
        }
        answer.refused(400, "malformed_json");
        assert!(begun.elapsed() < PATIENCE);
    }
    drop((slow, half));
}

#[test]
fn a_head_that_does_not_come_is_refused_in_time() {
    let server = server(&[]);
    let mut slow = server.connect();
    slow.raw(b"GET /health HTTP/1.1\r\nhost: loc");
    slow.read().refused(408, "slow_head");
    still_answers(&server);
}

#[test]
fn a_refused_client_may_send_to_its_end_and_reads_why() {
    let server = server(&["--timeout", "2"]);
    let piece = vec![b' '; 256 << 10];
    let length = (64 * piece.len()).to_string();
    let mut slow = server.connect();
    slow.write(
        "POST",
        "/v1/classify",
        &[("content-length", length.as_str())],
        b"",
    );
    // Some 5 MB a second, to more than a second after the time is over.
    for number in 0..64 {
        let sent = slow.0.get_mut().write_all(&piece);
        assert!(sent.is_ok(), "piece {number}: {sent:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
    slow.read().refused(408, "slow_body");
    still_answers(&server);
}
