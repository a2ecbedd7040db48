//! What the program writes outside its home and what a command names: nothing.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::halves::asif;
use super::{runtime, tiny_onnx};

/// Every file and folder under `dir`.
fn all(dir: &Path) -> BTreeSet<PathBuf> {
    let found = walkdir::WalkDir::new(dir)
        .into_iter()
        .filter_map(Result::ok);
    found.map(|e| e.path().to_owned()).collect()
}

#[test]
fn nothing_appears_outside_the_home_and_what_is_named() {
    if !runtime() {
        return;
    }
    for home_of_the_user in ["empty", "read-only", "none"] {
        let root = tempfile::tempdir().unwrap();
        let [home, user, work, scratch, given] =
            ["asif-home", "user", "work", "tmp", "given"].map(|n| root.path().join(n));
        for dir in [&home, &user, &work, &scratch, &given] {
            fs_err::create_dir(dir).unwrap();
        }
        tiny_onnx::encoders(&given);
        let mut pairs = String::new();
        for i in 0..6u8 {
            let name = format!("{i}.png");
            image::RgbImage::from_pixel(8, 8, image::Rgb([40 * i, 255 - 40 * i, 9]))
                .save(given.join(&name))
                .unwrap();
            pairs.push_str(&format!(
                "{{\"image\": \"{name}\", \"caption\": \"{}\"}}\n",
                ["dog", "cat", "tree"][usize::from(i % 3)]
            ));
        }
        fs_err::write(given.join("pairs.jsonl"), pairs).unwrap();
        if home_of_the_user == "read-only" {
            let mut rights = fs_err::metadata(&user).unwrap().permissions();
            rights.set_readonly(true);
            fs_err::set_permissions(&user, rights).unwrap();
        }
        let before = all(root.path());
        let run = |arguments: &[&str]| -> Command {
            let mut command = asif(&home);
            command
                .args(arguments)
                .current_dir(&work)
                .env(
                    "HOME",
                    if home_of_the_user == "none" {
                        Path::new("/dev/null")
                    } else {
                        &user
                    },
                )
                .env("TMPDIR", &scratch);
            // What would keep the runtime from writing by itself.
            for name in [
                "CI",
                "ORT_DISABLE_TELEMETRY",
                "ORT_RUNNING_UNIT_TESTS",
                "XDG_CACHE_HOME",
                "XDG_DATA_HOME",
                "XDG_CONFIG_HOME",
            ] {
                command.env_remove(name);
            }
            command
        };
        let encoders = [
            "--image-encoder",
            "../given/image/",
            "--text-encoder",
            "../given/text/",
        ];
        let set = root.path().join("out.asif");
        let set = set.to_str().unwrap();
        let build = [
            &["build", "--pairs", "../given/pairs.jsonl", "--out", set][..],
            &encoders,
        ]
        .concat();
        let classify = [
            &[
                "classify",
                "--index",
                set,
                "--labels",
                "dog,cat",
                "../given/0.png",
            ][..],
            &encoders,
        ]
        .concat();
        for arguments in [
            &build[..],
            &classify,
            &["doctor"],
            &["models", "add", "mine", "../given/image/"],
        ] {
            let output = run(arguments).output().unwrap();
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.success() || arguments == ["doctor"],
                "{arguments:?}: {error}"
            );
        }
        #[cfg(feature = "server")]
        {
            let serve = [
                &["serve", "--index", set, "--listen", "127.0.0.1:0"][..],
                &encoders,
            ]
            .concat();
            let mut server = run(&serve)
                .stderr(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let out = BufReader::new(server.stdout.take().unwrap());
            let lines = out.lines().map_while(Result::ok);
            let ready = lines.into_iter().any(|line| line.contains("http://"));
            std::thread::sleep(Duration::from_millis(300));
            server.kill().unwrap();
            server.wait().unwrap();
            assert!(ready);
        }
        let allowed = [home.as_path(), Path::new(set)];
        let appeared: Vec<PathBuf> = all(root.path())
            .difference(&before)
            .filter(|path| !allowed.iter().any(|dir| path.starts_with(dir)))
            .cloned()
            .collect();
        assert!(appeared.is_empty(), "{home_of_the_user}: {appeared:?}");
    }
}
