//! What a writing command leaves when a system call is refused, when it is killed, and when the power
//! goes: the old state or the new one, and nothing that was intact is lost.
//!
//! The commands run under ptrace (`tests/syscalls/`), so every call that changes a file is seen,
//! whether the program thinks of it as a step or not.
//!
//! | file | what it does |
//! |---|---|
//! | `cases` | every command that writes, and what it is given |
//! | `states` | what must hold of what is left |
//! | `refused` | each call refused once, and the command killed before each |
//! | `unread` | repairs and changes to which the system refuses a look at a file |
//! | `power` | what was not synced is forgotten, at every sync |
//! | `kills` | kills at random moments |
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod cases;
mod kills;
mod power;
mod refused;
mod states;
#[path = "../synthetic/mod.rs"]
mod synthetic;
#[path = "../syscalls/mod.rs"]
mod syscalls;
#[path = "../tiny_onnx/mod.rs"]
mod tiny_onnx;
mod unread;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use synthetic::{copy, scratch};

/// Does each of `tasks` once, several at a time: more than there are cores, because much of the time
/// is waiting for processes.
fn at_once<T: Sync>(tasks: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(task);
                }
            });
        }
    });
}

/// Whether only some commands are asked for, by a part of their names in `ASIF_TEST_COMMAND`.
fn asked_for(name: &str) -> bool {
    std::env::var("ASIF_TEST_COMMAND").map_or(true, |part| name.contains(&part))
}

/// A change that no command makes by itself alone, made by this very program under another name.
fn worker(set: &Path, change: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "--exact",
        "changes_made_for_another_test",
        "--test-threads=1",
    ]);
    command.env("ASIF_TEST_WORKER_SET", set);
    command.env("ASIF_TEST_WORKER_CHANGE", change);
    command
}

/// What [`worker`] runs; nothing, where it is run by itself.
#[test]
fn changes_made_for_another_test() {
    let set = std::env::var_os("ASIF_TEST_WORKER_SET").map(PathBuf::from);
    let change = std::env::var("ASIF_TEST_WORKER_CHANGE");
    if let (Some(set), Ok(change)) = (set, change) {
        cases::change(&set, &change);
    }
}
