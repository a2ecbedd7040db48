//! What the operations files say of the server is so: every figure that the dashboard and the alerts
//! ask for is one that a running server exports.

mod serve_support;
mod support;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use serve_support::{Server, build, question};

/// The words of a text that name figures.
fn figures(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("asif_"))
        .map(str::to_owned)
        .collect()
}

/// Every expression and query below a value.
fn expressions(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(all) => all.iter().flat_map(expressions).collect(),
        Value::Object(all) => all
            .iter()
            .flat_map(|(name, value)| match (name.as_str(), value.as_str()) {
                ("expr" | "query" | "definition", Some(text)) => vec![text],
                _ => expressions(value),
            })
            .collect(),
        _ => Vec::new(),
    }
}

#[test]
fn every_figure_that_is_asked_for_is_exported() {
    let folder = tempfile::tempdir().unwrap();
    let set = build(folder.path(), "demo", &support::demo_pairs(12));
    let server = Server::start(&[("demo", &set)], &[]);
    server.post("/v1/classify", &question(1)).ok();
    assert_ne!(server.get("/nothing/here").status, 200);
    // One swap, and one that fails: then every figure has a value.
    let remove = ["anchors", "remove", "--id"];
    let id = support::demo_pairs(1)[0]["id"].as_str().unwrap().to_owned();
    support::run(support::asif().args(remove).arg(id).arg(&set)).ok();
    server.wait_for_health(|health| health["sets"][0]["generation"] == 2);
    fs_err::write(set.join("CURRENT"), "g000009\n").unwrap();
    server.wait_for_health(|health| health["status"] == "degraded");
    let metrics = String::from_utf8(server.get("/metrics").body).unwrap();
    let values = metrics.lines().filter(|line| !line.starts_with('#'));
    let exported: BTreeSet<String> = values.flat_map(figures).collect();

    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let dashboard = fs_err::read_to_string(root.join("deploy/grafana.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let asked = figures(&expressions(&dashboard).join(" "));
    assert!(asked.len() > 10, "{asked:?}");
    let unknown: Vec<_> = asked.difference(&exported).collect();
    assert!(
        unknown.is_empty(),
        "deploy/grafana.json asks for {unknown:?}"
    );
    let guide = fs_err::read_to_string(root.join("docs/operate.md")).unwrap();
    let unknown: Vec<_> = figures(&guide)
        .into_iter()
        .filter(|f| !exported.contains(f))
        .collect();
    assert!(unknown.is_empty(), "docs/operate.md names {unknown:?}");
    // And what is exported is shown: a new figure is put on the dashboard, or left out knowingly.
    let base = |name: &String| {
        let name = name.trim_end_matches("_bucket").trim_end_matches("_count");
        name.trim_end_matches("_sum").to_owned()
    };
    let shown: BTreeSet<String> = asked.iter().map(base).collect();
    let unseen: Vec<String> = exported
        .iter()
        .map(base)
        .filter(|name| !shown.contains(name))
        .collect();
    assert!(
        unseen.is_empty(),
        "deploy/grafana.json does not show {unseen:?}"
    );
}
