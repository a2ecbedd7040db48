//! Who may ask what.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests may panic as the tests do"
)]

mod serve_support;
mod support;

use std::io::Write;
use std::path::Path;
use std::sync::Barrier;
use std::time::Instant;

use serde_json::json;
use serve_support::{Answer, PATIENCE, Server, build, picture, question};

const API: &str = "an-api-key-of-the-tests";
const ADMIN: &str = "an-admin-key-of-the-tests";

/// Arguments that name files of both keys.
fn keys(folder: &Path) -> Vec<String> {
    let mut arguments = Vec::new();
    for (flag, key) in [("--api-key-file", API), ("--admin-key-file", ADMIN)] {
        let file = folder.join(flag);
        fs_err::write(&file, format!("{key}\n")).unwrap();
        arguments.extend([flag.to_owned(), file.display().to_string()]);
    }
    arguments
}

fn start(sets: &[(&str, &Path)], folder: &Path, more: &[&str]) -> Server {
    let keys = keys(folder);
    let mut arguments: Vec<&str> = keys.iter().map(String::as_str).collect();
    arguments.extend(more);
    Server::start(sets, &arguments)
}

fn get(server: &Server, path: &str, key: &str) -> Answer {
    let bearer = format!("Bearer {key}");
    server
        .connect()
        .send("GET", path, &[("authorization", &bearer)], b"")
}

#[test]
fn other_addresses_than_loopback_need_a_key() {
    let set = support::demo_set();
    let refused = Server::try_start(&[("a", set)], &["--listen", "0.0.0.0:0"]);
    let Err(ended) = refused else {
        panic!("it must not start");
    };
    ended.fails(2, &["0.0.0.0:0", "--api-key-file", "--insecure"]);
    let open = Server::start(&[("a", set)], &["--listen", "0.0.0.0:0", "--insecure"]);
    drop(open);
    let folder = tempfile::tempdir().unwrap();
    drop(start(
        &[("a", set)],
        folder.path(),
        &["--listen", "0.0.0.0:0"],
    ));
}

#[test]
fn each_key_opens_its_own_routes() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&[("demo", support::demo_set())], folder.path(), &[]);
    let public = [
        "/v1/sets",
        "/v1/models",
        "/info",
        "/metrics",
        "/v1/sets/demo/map",
    ];
    for path in public {
        assert_eq!(get(&server, path, API).status, 200, "{path}");
        server.get(path).refused(401, "invalid_api_key");
        get(&server, path, "an-api-key-of-the-testS").refused(401, "invalid_api_key");
        get(&server, path, ADMIN).refused(403, "forbidden");
    }
    for path in [
        "/",
        "/v1/classify",
        "/v1/explain",
        "/v1/embeddings",
        "/v1/similarity",
    ] {
        let asked = question(1);
        server.post(path, &asked).refused(401, "invalid_api_key");
        server
            .post_with(path, ADMIN, &asked)
            .refused(403, "forbidden");
    }
    // Also who sends much is told why.
    let large = json!({"images": [" ".repeat(24 << 20)]});
    server
        .post_with("/v1/classify", "an-api-key-of-nobody", &large)
        .refused(401, "invalid_api_key");
    server.post_with("/v1/classify", API, &question(1)).ok();
    for path in ["/health", "/ready", "/openapi.json", "/"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    let rollback = "/admin/sets/demo/rollback";
    server
        .post(rollback, &json!({}))
        .refused(401, "invalid_api_key");
    server
        .post_with(rollback, API, &json!({}))
        .refused(403, "forbidden");
    server
        .post_with(rollback, "nonsense", &json!({}))
        .refused(401, "invalid_api_key");
    // The right key, and nothing to go back to.
    server
        .post_with(rollback, ADMIN, &json!({}))
        .refused(404, "no_generation");

    let log = server.log();
    assert!(!log.contains(API) && !log.contains(ADMIN), "{log}");
}

#[test]
fn a_wrong_key_makes_the_server_neither_read_on_nor_keep_a_body() {
    const MIB: usize = 1 << 20;
    let folder = tempfile::tempdir().unwrap();
    let more = ["--max-body", "600", "--max-memory", "1000"];
    let server = start(&[("demo", support::demo_set())], folder.path(), &more);
    // Who asks first sends nothing.
    let headers = [
        ("authorization", "Bearer an-api-key-of-nobody"),
        ("content-length", "600000000"),
        ("expect", "100-continue"),
    ];
    let mut client = server.connect();
    client.write("POST", "/v1/classify", &headers, b"");
    client.read().refused(401, "invalid_api_key");

    // Sends up to so many MiB: how many were taken, and how much larger the server was meanwhile.
    let send = |key: &str, most: usize| {
        let before = resident(&server);
        let bearer = format!("Bearer {key}");
        let headers = [
            ("authorization", &*bearer),
            ("transfer-encoding", "chunked"),
        ];
        let mut client = server.connect();
        client.write("POST", "/v1/classify", &headers, b"");
        let piece = [b"100000\r\n".as_slice(), &vec![b' '; MIB], b"\r\n"].concat();
        let (mut taken, mut grown) = (0, 0);
        while taken < most && client.0.get_mut().write_all(&piece).is_ok() {
            taken += 1;
            grown = grown.max(resident(&server).saturating_sub(before));
        }
        (taken, grown / MIB)
    };
    let (taken, grown) = send("an-api-key-of-nobody", 600);
    assert!(
        taken < 500 && grown < 64,
        "{taken} MiB taken, {grown} MiB kept"
    );
    // With the right key it is what a body is for.
    let (taken, grown) = send(API, 200);
    assert!(
        taken == 200 && grown > 100,
        "{taken} MiB taken, {grown} MiB kept"
    );
    server.post_with("/v1/classify", API, &question(1)).ok();
}

/// The bytes of memory that the server's process has.
fn resident(server: &Server) -> usize {
    let status = fs_err::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse::<usize>().unwrap() << 10
}

#[test]
fn without_an_admin_key_nothing_can_be_changed() {
    let server = Server::start(&[("demo", support::demo_set())], &[]);
    let asked = json!({"where": "source=x"});
    for key in ["", ADMIN] {
        server
            .post_with("/admin/sets/demo/remove", key, &asked)
            .refused(403, "forbidden");
    }
}

#[test]
fn an_open_server_answers_to_localhost_only() {
    let server = Server::start(&[("demo", support::demo_set())], &[]);
    let ask = |host: &str| {
        server
            .connect()
            .send("GET", "/v1/sets", &[("host", host)], b"")
    };
    ask("rebound.example").refused(403, "forbidden");
    ask(&server.address).ok();
}

#[test]
fn bad_keys_are_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let short = folder.path().join("short");
    fs_err::write(&short, "tiny").unwrap();
    let set = [("a", support::demo_set())];
    for (arguments, word) in [
        (
            vec!["--api-key-file", short.to_str().unwrap()],
            "16 characters",
        ),
        (
            vec!["--api-key-file", "/nonexistent/key"],
            "/nonexistent/key",
        ),
    ] {
        match Server::try_start(&set, &arguments) {
            Err(ended) => ended.fails(3, &[word]),
            Ok(_) => panic!("it must not start"),
        };
    }
}

#[test]
fn sets_are_changed_over_http() {
    let folder = tempfile::tempdir().unwrap();
    let records = support::demo_pairs(40);
    let one = build(folder.path(), "one", &records[..30]);
    let two = build(folder.path(), "two", &records[30..]);
    let uploads = folder.path().join("uploads");
    let more = ["--uploads", uploads.to_str().unwrap()];
    let server = start(&[("one", &one), ("two", &two)], folder.path(), &more);
    let change =
        |what: &str, body| server.post_with(&format!("/admin/sets/one/{what}"), ADMIN, &body);
    let live = || {
        let sets = get(&server, "/v1/sets", API).ok();
        (sets[0]["generation"].clone(), sets[0]["anchors"].clone())
    };

    let id = records[3]["id"].clone();
    let dry = change("remove", json!({"ids": [id], "dry_run": true})).ok();
    assert_eq!(
        (&dry["receipt"]["dry_run"], &dry["live"]),
        (&json!(true), &json!(1))
    );
    let done = change("remove", json!({"ids": [id]})).ok();
    assert_eq!(
        done["live"], 2,
        "it answers from the new generation at once"
    );
    assert_eq!(done["receipt"]["removed_ids"], json!([id]));
    assert_eq!(live(), (json!(2), json!(29)));
    change("remove", json!({"ids": [id]})).refused(400, "unusable");
    change("remove", json!({})).refused(400, "wrong_fields");

    change("rollback", json!({})).ok();
    assert_eq!(live(), (json!(3), json!(30)));
    change("swap", json!({"from": "two"})).ok();
    assert_eq!(live(), (json!(4), json!(10)));
    change("swap", json!({"to": 2})).ok();
    assert_eq!(live(), (json!(5), json!(29)));
    change("swap", json!({"to": 77})).refused(404, "no_generation");
    change("swap", json!({"from": "/etc"})).refused(404, "no_such_set");
    change("swap", json!({"from": "one"})).refused(400, "wrong_fields");

    let pair = json!({
        "image": picture(9), "captions": ["waves of colour"], "source": "drawn", "id": "wave",
    });
    let done = change("add", json!({"pairs": [pair]})).ok();
    assert_eq!(done["receipt"]["added_ids"], json!(["wave"]));
    assert_eq!(live(), (json!(6), json!(30)));
    let anchor = get(&server, "/v1/sets/one/anchors/29", API).ok();
    assert_eq!(
        (&anchor["id"], &anchor["meta"]["source"]),
        (&json!("wave"), &json!("drawn"))
    );
    let picture_of = get(&server, "/v1/sets/one/anchors/29/image", API);
    assert_eq!(picture_of.header("content-type"), Some("image/jpeg"));
    assert_eq!(support::names_in(&uploads.join("one")).len(), 1);

    // Each change took a turn, however it was noticed first.
    let counted = |metrics: String| metrics.contains("asif_swaps_total{set=\"one\"} 5\n");
    let begun = Instant::now();
    while !counted(get(&server, "/metrics", API).text()) {
        assert!(
            begun.elapsed() < PATIENCE,
            "{}",
            get(&server, "/metrics", API).text()
        );
    }

    // Refused pairs leave no file behind.
    change("add", json!({"pairs": [pair]})).refused(400, "unusable");
    let bad = json!({"image": "aGVsbG8=", "captions": ["no picture"]});
    change("add", json!({"pairs": [bad]})).refused(400, "unusable_input");
    change("add", json!({"pairs": []})).refused(400, "empty");
    assert_eq!(support::names_in(&uploads.join("one")).len(), 1);
    support::run(support::bare(folder.path()).arg("verify").arg(&one)).ok();
}

#[test]
fn a_refused_change_takes_no_picture_from_another() {
    let folder = tempfile::tempdir().unwrap();
    let records = support::demo_pairs(12);
    let set = build(folder.path(), "one", &records);
    let uploads = folder.path().join("uploads");
    let more = ["--uploads", uploads.to_str().unwrap()];
    let server = start(&[("one", &set)], folder.path(), &more);
    let taken = records[0]["id"].clone();
    for round in 0..12 {
        let at_once = Barrier::new(2);
        let add = |id: serde_json::Value| {
            let pair = json!({"image": picture(100 + round), "captions": ["a drawing"], "id": id});
            at_once.wait();
            server.post_with("/admin/sets/one/add", ADMIN, &json!({"pairs": [pair]}))
        };
        std::thread::scope(|scope| {
            let refused = scope.spawn(|| add(taken.clone()));
            add(json!(format!("drawing-{round}"))).ok();
            refused.join().unwrap().refused(400, "unusable");
        });
        let anchor = format!("/v1/sets/one/anchors/{}/image", 12 + round);
        assert_eq!(get(&server, &anchor, API).status, 200, "round {round}");
    }
}
