//! The server and the clients that people use: `openai`, `huggingface_hub`, curl, Prometheus's own
//! parser, and schemathesis with the OpenAPI document.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod serve_support;
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use serve_support::Server;
use support::skipped::{Lack, skip};

/// Python, and the folder of the pinned clients; without them the test is skipped, unless the set-up
/// has just been made.
fn python() -> Option<(PathBuf, PathBuf)> {
    let home = support::home();
    let python = std::env::var_os("ASIF_PYTHON")
        .map_or_else(|| home.root().join("python/bin/python3"), PathBuf::from);
    let packages = home.root().join("python/serve-clients");
    if python.is_file() && packages.join("openai").is_dir() {
        return Some((python, packages));
    }
    let packages = packages.display();
    let reason = format!("no clients in {packages}; tools/test.sh installs them");
    skip(Lack::Setup, &reason);
    None
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].map(|s| String::from_utf8_lossy(&s).into_owned());
    let said = said.concat();
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn real_clients_are_served() {
    let Some((python, packages)) = python() else {
        return;
    };
    let server = Server::start(&[("demo", support::demo_set())], &[]);
    let folder = tempfile::tempdir().unwrap();
    let image = support::draw(folder.path(), "a.png", 3);
    let script = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .join("tools/serve_clients/clients.py");
    let said = run(Command::new(python)
        .arg("-B")
        .arg(script)
        .arg(server.url())
        .arg(packages)
        .arg(image)
        .env_remove("HF_TOKEN"));
    for client in ["openai", "huggingface", "prometheus", "curl"] {
        assert!(said.contains(&format!("{client}: ok")), "{said}");
    }
}

#[test]
fn the_server_keeps_to_its_openapi_document() {
    let Some((python, packages)) = python() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (key, admin) = (folder.path().join("key"), "an-admin-key-of-the-tests");
    fs_err::write(&key, admin).unwrap();
    // Paths name what there is; the rest is made up.
    let config = "[parameters]\n\"path.name\" = \"demo\"\n\"path.file\" = \"index.html\"\n";
    fs_err::write(folder.path().join("schemathesis.toml"), config).unwrap();
    let set = serve_support::build(folder.path(), "demo", &support::demo_pairs(40));
    let server = Server::start(
        &[("demo", &set)],
        &["--admin-key-file", key.to_str().unwrap()],
    );
    let script = "import sys; sys.path.insert(0, sys.argv.pop(1)); \
                  from schemathesis.cli import schemathesis; schemathesis()";
    let test = |more: &[&str]| {
        run(Command::new(&python)
            .current_dir(folder.path())
            .args(["-B", "-c", script])
            .arg(&packages)
            .args(["run", "--max-examples", "25", "--seed", "7", "--no-color"])
            .args([
                "--phases",
                "examples,coverage,fuzzing",
                "--generation-database",
                "none",
            ])
            // Base64 that is made up is not an image.
            .args(["--exclude-checks", "positive_data_acceptance"])
            .args(more)
            .arg(format!("{}/openapi.json", server.url())))
    };
    test(&["--exclude-path-regex", "^/admin/"]);
    let key = format!("Authorization: Bearer {admin}");
    test(&["--include-path-regex", "^/admin/", "-H", &key]);
    server
        .post("/v1/classify", &serve_support::question(1))
        .ok();
}
