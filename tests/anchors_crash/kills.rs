//! Commands that are killed.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use asif::anchors::AnchorSet;
use asif::anchors::care::check;
use asif::anchors::stored::witness;
use asif_index::random::SplitMix64;
use serde_json::{Value, json};

use super::synthetic::{scratch, set};
use super::{asif, ids, is_one_of, state};

#[test]
fn killed_at_random_moments_three_hundred_times() {
    let folder = scratch();
    let path = folder.path().join("a.asif");
    let other = folder.path().join("b.asif");
    let expected = folder.path().join("expected.json");
    set(&path, 0..20);
    set(&other, 50..70);
    let other_ids = ids(&AnchorSet::open(&other).unwrap());
    let mut contents: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    let mut numbers = SplitMix64::new(0x5EED_CAFE);
    // Follows the length of the commands, so that the kills are spread over them.
    let mut limit = 20_000.0_f64;
    let (mut old, mut new) = (0, 0);
    for round in 0..300 {
        let live = AnchorSet::open(&path).unwrap();
        let now = ids(&live);
        let generation = live.manifest().generation;
        contents.insert(generation, now.clone());
        let kept = witness::kept(&path).unwrap();
        let mut command = asif(folder.path());
        let parent = live.manifest().parent.filter(|p| kept.contains(p));
        let after = match (numbers.below(6), parent) {
            (0, _) => {
                command.args(["anchors", "compact"]).arg(&path);
                let compact = live.segments().len() == 1 && live.live().stored() == live.len();
                if compact {
                    continue;
                }
                now.clone()
            }
            (1, Some(parent)) => {
                command.arg("rollback").arg(&path);
                contents[&parent].clone()
            }
            (2, _) => {
                let to = kept[numbers.below(kept.len())];
                command
                    .arg("swap")
                    .arg(&path)
                    .args(["--to", &to.to_string()]);
                contents[&to].clone()
            }
            (3, _) if now.len() < 12 => {
                command.arg("swap").arg(&path).arg("--from").arg(&other);
                other_ids.clone()
            }
            _ if now.len() > 1 => {
                let gone = numbers.below(now.len());
                command.args(["anchors", "remove"]).arg(&path);
                command.args(["--id", &now[gone]]);
                let mut left = now.clone();
                left.remove(gone);
                left
            }
            _ => continue,
        };
        let states = [state(generation, &now), state(generation + 1, &after)];
        fs_err::write(&expected, json!(states).to_string()).unwrap();
        let mut child = command.args(["--keep", "4"]).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(numbers.below(limit as usize) as u64));
        child.kill().unwrap();
        let ended = child.wait_with_output().unwrap();
        let states: Vec<Value> = serde_json::from_slice(&fs_err::read(&expected).unwrap()).unwrap();
        let found = is_one_of(&path, &states);
        if ended.status.success() {
            assert_eq!(found, 1, "round {round} said that it was done");
        }
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(!said.contains("panicked"), "{said}");
        assert!(
            ended.status.code().is_none_or(|c| c == 0),
            "round {round}: {said}"
        );
        limit = (limit * [1.1_f64, 0.92][found]).clamp(500.0, 200_000.0);
        *[&mut old, &mut new][found] += 1;
    }
    println!("old state {old} times, new state {new} times");
    assert!(
        old > 20 && new > 20,
        "the moments were not spread: {old} old, {new} new"
    );
    let files = |folder: &str| fs_err::read_dir(path.join(folder)).unwrap().count();
    let removed = asif(folder.path())
        .args([
            "swap",
            "--to",
            &witness::kept(&path).unwrap()[0].to_string(),
            "--keep",
            "1",
        ])
        .arg(&path)
        .output()
        .unwrap();
    assert!(removed.status.success(), "{removed:?}");
    assert_eq!(files("generations"), 1 + usize::from(has_tombstones(&path)));
    let live = AnchorSet::open(&path).unwrap();
    assert_eq!(
        files("segments"),
        live.segments().len(),
        "nothing is left of the killed"
    );
    assert_eq!(check::verify(&path, true).unwrap(), []);
}

fn has_tombstones(path: &Path) -> bool {
    let live = AnchorSet::open(path).unwrap();
    live.manifest().tombstones.is_some()
}
