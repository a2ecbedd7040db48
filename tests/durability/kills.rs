//! Commands that are killed at random moments.
//!
//! `ASIF_TEST_KILLS` says how often. `ASIF_TEST_IMAGE_ENCODER` and `ASIF_TEST_TEXT_ENCODER` name
//! folders of other encoders than the tiny ones.

use std::io::{Write as _, stderr};
use std::process::Stdio;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use asif_index::random::SplitMix64;

use super::cases::cases;
use super::states::Expected;
use super::{at_once, copy, scratch};

#[test]
fn killed_at_random_moments() {
    let rounds = std::env::var("ASIF_TEST_KILLS").map_or(3, |n| n.parse().unwrap());
    let folder = scratch();
    let cases = cases(folder.path());
    // Killed, and ended before that.
    let counts = Mutex::new([0, 0]);
    at_once(&cases, |case| {
        let expected = Expected::of(case);
        let mut random = SplitMix64::new(case.name.len() as u64);
        let mut length = Duration::ZERO;
        for round in 0..=rounds {
            let root = scratch();
            copy(&case.template, root.path());
            let mut command = case.command(root.path());
            command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            let begun = Instant::now();
            let mut child = command.spawn().unwrap();
            if round == 0 {
                // Follows how long it takes here, so that the kills are spread over it.
                assert!(child.wait().unwrap().success(), "{}", case.name);
                length = begun.elapsed();
                continue;
            }
            std::thread::sleep(length.mul_f64(0.05 + random.unit()));
            let _ = child.kill();
            let done = child.wait().unwrap().success();
            counts.lock().unwrap()[usize::from(done)] += 1;
            expected.check(root.path(), done, &format!("round {round}"));
        }
    });
    let [killed, done] = *counts.lock().unwrap();
    // Not println!, which the test runner would hide.
    let _ = writeln!(
        stderr(),
        "{} rounds: {killed} killed, {done} had ended",
        killed + done
    );
    assert!(killed > 0, "no kill came in time");
}
