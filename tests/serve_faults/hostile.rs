//! All of it at once, with good clients beside it.

use std::time::Duration;

use crate::serve_hostile::{ADMIN, PLACES, attack};
use crate::serve_support::Server;
use crate::{still_answers, support};

#[test]
fn good_clients_are_answered_beside_hostile_ones() {
    let folder = tempfile::tempdir().unwrap();
    let set = folder.path().join("a.asif");
    support::copy_folder(support::demo_set(), &set);
    let key = folder.path().join("key");
    fs_err::write(&key, ADMIN).unwrap();
    let [key, uploads] = [key, folder.path().join("uploads")].map(|p| p.display().to_string());
    let more = [
        "--admin-key-file",
        &key,
        "--uploads",
        &uploads,
        "--max-connections",
        PLACES,
    ];
    let server = Server::start(&[("a", &set)], &more);
    let report = attack(&server, Duration::from_secs(8));
    assert!(report.failed.is_empty(), "{report:?}");
    assert!(
        report.good > 20 && report.hostile > 300 && !report.probes.is_empty(),
        "{report:?}"
    );
    still_answers(&server);
}
