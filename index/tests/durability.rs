//! A file that a container writer has finished survives a power cut; until then the old one does.
//!
//! The writer runs under ptrace (`tests/syscalls/` of the workspace), so that what is held against its
//! promise is what it asked of the kernel.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![expect(clippy::unwrap_used, reason = "tests may panic")]

#[path = "../../tests/syscalls/mod.rs"]
mod syscalls;

use std::io::{Write as _, stderr};
use std::path::{Path, PathBuf};
use std::process::Command;

use asif_index::container::{Container, ContainerWriter};
use asif_index::{BatchBuilder, VectorOptions, VectorSet, VectorSetWriter, write_graph};
use nix::errno::Errno;
use syscalls::states::{durable, now};
use syscalls::{Disk, Plan, Tree, after_power_cut, possible, trace};

const KIND: [u8; 8] = *b"TESTKIND";
const FOLDER: &str = "ASIF_TEST_WRITER_FOLDER";
const WRITERS: [&str; 3] = ["container", "vectors", "graph"];

/// What the tests below run as a process of its own; nothing, where it is run by itself.
#[test]
fn a_writer_for_other_tests() {
    if let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) {
        let wanted = std::env::var("ASIF_TEST_WRITER").unwrap();
        write(&folder, &wanted).unwrap();
    }
}

fn write(folder: &Path, wanted: &str) -> asif_index::Result<()> {
    let path = folder.join(wanted);
    match wanted {
        "container" => {
            let mut writer = ContainerWriter::create(path, KIND)?;
            // More than what is buffered, so that it is written in several calls.
            writer.section("large", &vec![7; 3 << 20])?;
            writer.section("small", b"x")?;
            writer.finish()?;
        }
        "vectors" => {
            let options = VectorOptions::default().halves(true);
            let mut writer = VectorSetWriter::create(path, 8, options)?;
            let rows: Vec<f32> = (0..320).map(|i| (i % 13) as f32).collect();
            writer.push_rows(&rows)?;
            writer.finish()?;
        }
        _ => {
            let set = VectorSet::open(folder.join("of"))?;
            write_graph(path, &set, &BatchBuilder::default())?;
        }
    }
    Ok(())
}

fn prepare(folder: &Path, wanted: &str) -> Command {
    fs_err::write(folder.join(wanted), b"the old file").unwrap();
    if wanted == "graph" {
        write(folder, "vectors").unwrap();
        fs_err::rename(folder.join("vectors"), folder.join("of")).unwrap();
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "a_writer_for_other_tests", "--test-threads=1"])
        .env(FOLDER, folder)
        .env("ASIF_TEST_WRITER", wanted);
    command
}

/// The old file or the new one, whole; the number is 1 for the new one.
fn found(tree: &Tree, wanted: &str, new: &[u8], what: &str) -> usize {
    let bytes = tree.0.get(Path::new(wanted)).and_then(Option::as_ref);
    let bytes = bytes.unwrap_or_else(|| panic!("{wanted}, {what}: it is gone"));
    let known = [b"the old file", new];
    let found = known.iter().position(|known| bytes[..] == known[..]);
    found.unwrap_or_else(|| {
        panic!(
            "{wanted}, {what}: {} bytes, neither old nor new",
            bytes.len()
        )
    })
}

#[test]
fn a_power_cut_leaves_the_old_file_or_the_new_one() {
    if !possible() {
        return;
    }
    for wanted in WRITERS {
        let folder = tempfile::tempdir().unwrap();
        let command = prepare(folder.path(), wanted);
        let mut disk = Disk::of(folder.path());
        let traced = trace(&command, folder.path(), Plan::Record).unwrap();
        assert!(traced.success(), "{traced:?}");
        let new = fs_err::read(folder.path().join(wanted)).unwrap();
        if wanted == "container" {
            let container = Container::open(&new, Path::new(wanted), KIND).unwrap();
            container.verify().unwrap();
        }
        let mut states = [0, 0];
        for call in &traced.calls {
            disk.apply(call);
            for (what, tree) in after_power_cut(&disk) {
                let what = format!("after call {} ({}), {what}", call.number, call.name);
                states[found(&tree, wanted, &new, &what)] += 1;
            }
        }
        assert!(states[0] > 10 && states[1] > 0, "{states:?}");
        assert_eq!(
            found(&durable(&disk), wanted, &new, "done"),
            1,
            "{wanted}: not durable"
        );
        assert_eq!(
            durable(&disk),
            now(&disk),
            "{wanted}: something else is left"
        );
    }
}

#[test]
fn every_system_call_may_be_refused_or_be_the_last() {
    if !possible() {
        return;
    }
    for wanted in WRITERS {
        let folder = tempfile::tempdir().unwrap();
        let command = prepare(folder.path(), wanted);
        let whole = trace(&command, folder.path(), Plan::Record).unwrap();
        let new = fs_err::read(folder.path().join(wanted)).unwrap();
        let count = whole.calls.len();
        for plan in (1..=count).flat_map(|n| [Plan::Refuse(n, Errno::EIO), Plan::Kill(n)]) {
            let folder = tempfile::tempdir().unwrap();
            let command = prepare(folder.path(), wanted);
            let traced = trace(&command, folder.path(), plan).unwrap();
            let left = now(&Disk::of(folder.path()));
            let new_there = found(&left, wanted, &new, &format!("{plan:?}")) == 1;
            assert!(
                new_there || !traced.success(),
                "{wanted} {plan:?}: it said that it was done"
            );
            let removed = matches!(traced.reached, Some(("unlink" | "unlinkat", _)));
            let hidden = left
                .0
                .keys()
                .filter(|p| p.to_str().unwrap().starts_with('.'))
                .count();
            if matches!(plan, Plan::Refuse(..)) && !removed {
                assert_eq!(
                    hidden, 0,
                    "{wanted} {plan:?}: the writer lived to remove its file"
                );
            }
        }
        // Not println!, which the test runner would hide.
        let _ = writeln!(
            stderr(),
            "{wanted}: {count} calls refused, and killed before"
        );
        assert!(count >= 6, "{wanted}: {count}");
    }
}
