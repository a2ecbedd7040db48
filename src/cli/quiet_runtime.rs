//! ONNX Runtime without its telemetry.
//!
//! From 1.29 the library notes a device's number and opens a database under the user's
//! `~/.cache/Microsoft/DeveloperTools` as it is loaded, before the call that switches telemetry off
//! can be made. It does neither with [`SWITCH`] in the environment. A program may not change its own
//! environment once it has threads, and Rust counts that as unsafe at any time, so the program
//! replaces itself by itself with the variable set, before it does anything else.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// The variable that keeps ONNX Runtime from writing and sending.
const SWITCH: &str = "ORT_DISABLE_TELEMETRY";

/// Starts the program again, in the same process, with the variable set; returns where it is set
/// already, or where that is not possible, so that the command runs all the same.
pub fn start_again() {
    let off = std::env::var_os(SWITCH).is_some_and(|value| value == "1");
    if off {
        return;
    }
    let mut arguments = std::env::args_os();
    let Some(name) = arguments.next() else {
        return;
    };
    // The link names this program even where its file was replaced meanwhile.
    let failed = Command::new("/proc/self/exe")
        .arg0(name)
        .args(arguments)
        .env(SWITCH, "1")
        .exec();
    // Without /proc, by its path; the first error says no more than the second.
    drop(failed);
    if let Ok(path) = std::env::current_exe() {
        let again = Command::new(path)
            .args(std::env::args_os().skip(1))
            .env(SWITCH, "1")
            .exec();
        drop(again);
    }
}
