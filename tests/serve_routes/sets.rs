//! What sets hold, and their generations.

use serde_json::json;

use crate::serve_support::{Server, build, question};
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
