//! What sets hold, and their generations.

use serde_json::json;

use crate::serve_support::{Server, build, build_with, question};
use crate::{server, support};

#[test]
fn sets_tell_what_they_hold() {
    let server = server();
    let sets = server.get("/v1/sets").ok();
    assert_eq!(sets[0]["name"], "demo");
    assert_eq!(sets[0]["anchors"], 60);
    assert_eq!(sets[0]["encoders"]["text"]["dim"], 384);
    assert_eq!(sets[0]["sources"][0]["count"], 60);

    let map = server.get("/v1/sets/demo/map").ok();
    let points = map["points"].as_array().unwrap();
    assert_eq!(points.len(), 60);
    let sources = map["sources"].as_array().unwrap().len() as u64;
    for point in points {
        let point: [u64; 3] = serde_json::from_value(point.clone()).unwrap();
        assert!(point[0] <= 4095 && point[1] <= 4095 && point[2] < sources);
    }
    assert_eq!(server.get("/v1/sets/demo/map").ok(), map);

    let history = server.get("/v1/sets/demo/generations").ok();
    assert_eq!(history[0]["generation"], 1);
    assert_eq!(
        (&history[0]["live"], &history[0]["kept"]),
        (&json!(true), &json!(true))
    );

    let info = server.get("/info").ok();
    assert_eq!(info["sets"], json!(["demo", "again"]));
    assert_eq!(server.get("/ready").ok(), json!({"ready": true}));
    assert_eq!(server.get("/health").ok()["status"], "ok");
    let metrics = server.get("/metrics");
    assert!(
        metrics.text().contains("asif_generation{set=\"demo\"} 1"),
        "{}",
        metrics.text()
    );
    assert!(metrics.text().ends_with("# EOF\n"));
}

#[test]
fn an_older_generation_can_be_asked() {
    let folder = tempfile::tempdir().unwrap();
    let set = build(folder.path(), "old", &support::demo_pairs(30));
    let server = Server::start(&[("old", &set)], &[]);
    let before = server.post("/v1/classify", &question(2)).ok();
    let id = support::demo_pairs(1)[0]["id"].as_str().unwrap().to_owned();
    let mut command = support::asif();
    command
        .args(["anchors", "remove", "--quiet", "--id", &id])
        .arg(&set);
    support::run(&mut command).ok();
    server.wait_for_health(|health| health["sets"][0]["generation"] == 2);
    let after = server.post("/v1/classify", &question(2)).ok();
    assert_eq!(after["generation"], 2);
    let mut asked = question(2);
    asked["generation"] = json!(1);
    assert_eq!(server.post("/v1/classify", &asked).ok(), before);
    asked["generation"] = json!(7);
    server
        .post("/v1/classify", &asked)
        .refused(404, "no_generation");
}

#[test]
fn a_picture_that_was_replaced_is_shown_as_it_is_now() {
    let folder = tempfile::tempdir().unwrap();
    let records: Vec<_> = (0..3)
        .map(|seed| {
            let image = support::draw(folder.path(), &format!("{seed}.png"), seed);
            json!({"id": seed.to_string(), "image": image, "captions": ["a drawing"]})
        })
        .collect();
    let set = build_with(folder.path(), "drawn", &records, &["--no-thumbnails"]);
    let server = Server::start(&[("drawn", &set)], &[]);
    let get = |path: &str, tag: &str| {
        let headers = [("if-none-match", tag)];
        server.connect().send("GET", path, &headers, b"")
    };
    for path in [
        "/v1/sets/drawn/anchors/1/image?generation=1",
        "/v1/sets/drawn/anchors/1/image",
    ] {
        support::draw(folder.path(), "1.png", 1);
        let first = server.get(path);
        assert_eq!(first.status, 200, "{}", first.text());
        // Kept by whoever has it, and never shown unasked.
        assert_eq!(first.header("cache-control"), Some("private, no-cache"));
        let tag = first.header("etag").unwrap();
        for named in [tag, "*", &format!("\"other\", W/{tag}")] {
            let known = get(path, named);
            assert_eq!((known.status, known.body.len()), (304, 0), "{named}");
            assert_eq!(known.header("etag"), Some(tag));
        }
        let asked_again = get(path, "\"other\"");
        assert_eq!((asked_again.status, &asked_again.body), (200, &first.body));

        // Another picture under the same name.
        support::draw(folder.path(), "1.png", 9);
        let second = get(path, tag);
        assert_eq!(second.status, 200);
        assert_ne!(second.body, first.body);
        assert_ne!(second.header("etag"), Some(tag));
        let of_others = server.get("/v1/sets/drawn/anchors/2/image");
        assert_ne!(of_others.header("etag"), second.header("etag"));
    }
    // One of the same length, a moment later.
    let file = folder.path().join("2.png");
    let path = "/v1/sets/drawn/anchors/2/image";
    let before = server.get(path);
    let touched = fs_err::OpenOptions::new().append(true).open(&file).unwrap();
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(1);
    touched.file().set_modified(later).unwrap();
    let after = server.get(path);
    assert_eq!(after.body, before.body);
    assert_ne!(after.header("etag"), before.header("etag"));
    fs_err::remove_file(&file).unwrap();
    server.get(path).refused(404, "no_picture");
}

#[test]
fn a_set_shows_its_pictures_without_the_originals() {
    let folder = tempfile::tempdir().unwrap();
    let originals = folder.path().join("originals");
    fs_err::create_dir(&originals).unwrap();
    let records: Vec<_> = (0..3)
        .map(|seed| {
            support::draw(&originals, &format!("{seed}.png"), seed);
            json!({"id": seed.to_string(), "image": format!("originals/{seed}.png"), "captions": ["a drawing"]})
        })
        .collect();
    let set = build(folder.path(), "drawn", &records);
    let moved = folder.path().join("moved.asif");
    fs_err::rename(&set, &moved).unwrap();
    fs_err::remove_dir_all(&originals).unwrap();
    let server = Server::start(&[("drawn", &moved)], &[]);
    for anchor in 0..3 {
        let shown = server.get(&format!("/v1/sets/drawn/anchors/{anchor}/image"));
        assert_eq!(shown.status, 200, "{}", shown.text());
        let picture = image::load_from_memory(&shown.body).unwrap();
        assert!(picture.width().max(picture.height()) <= 256);
    }
    // No record names the folder of the machine that built it.
    let listed = support::asif()
        .args(["anchors", "list", "--json"])
        .arg(&moved)
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains("originals/1.png"), "{listed}");
    let here = folder.path().to_str().unwrap();
    assert!(!listed.contains(here), "{listed}");
}
