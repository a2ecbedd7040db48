//! Every option that takes a path, with what it must not be: the documented exit code, in words.

use super::super::Bench;
use super::faults_of;

/// Commands that read a file in the place of `{}`.
const READ: [&str; 10] = [
    "build --pairs {} --out n.asif",
    "classify --index a.asif plain/0.png --labels-file {}",
    "classify --index a.asif --labels dog,cat plain/0.png --templates {}",
    "classify --index a.asif --labels dog,cat {}",
    "explain --index a.asif --labels dog,cat {}",
    "diff a.asif a.asif --labels dog,cat --probe {}",
    "eval zeroshot --index a.asif --dataset data --classnames {}",
    "anchors influence a.asif --dataset data --classnames {}",
    "anchors remove a.asif --ids-file {}",
    "serve --index a.asif --listen 127.0.0.1:0 --api-key-file {}",
];

/// Commands that read a folder there.
const FOLDER: [&str; 21] = [
    "classify --labels dog,cat plain/0.png --index {}",
    "classify --index a.asif --labels dog,cat plain/0.png --image-encoder {}",
    "classify --index a.asif --labels dog,cat plain/0.png --text-encoder {}",
    "eval zeroshot --index a.asif --dataset {}",
    "eval retrieval --index a.asif --dataset {}",
    "eval scaling --index a.asif --dataset {}",
    "tune a.asif --validation {}",
    "models add new {}",
    "inspect {}",
    "swap a.asif --from {}",
    "swap {} --to 1",
    "rollback {}",
    "history {}",
    "verify {}",
    "repair {}",
    "audit {} p0",
    "diff {} a.asif",
    "anchors list {}",
    "anchors compact {}",
    "doctor {}",
    "serve --listen 127.0.0.1:0 --index {}",
];

/// Commands that write a file there.
const WRITE: [&str; 9] = [
    "classify --index a.asif --labels dog,cat plain/0.png --html {}",
    "explain --index a.asif --labels dog,cat plain/0.png --html {}",
    "eval scaling --index a.asif --dataset data --sizes 3 --csv {}",
    "eval scaling --index a.asif --dataset data --sizes 3 --svg {}",
    "audit a.asif --purge --receipt {}",
    "anchors export a.asif --out {}",
    "anchors curate a.asif --coreset 3 --remove-ids {}",
    "anchors curate a.asif --coreset 3 --keep-ids {}",
    "anchors influence a.asif --dataset data --csv {}",
];

#[test]
fn what_a_path_must_not_be_is_said_in_words() {
    let bench = Bench::new();
    bench.set("a.asif", 5);
    bench.picture("data/dog/a.png", 21);
    bench.picture("data/cat/b.png", 22);
    fs_err::create_dir(bench.at("folder")).unwrap();
    fs_err::write(bench.at("file"), "text\n").unwrap();
    let mut asked = Vec::new();
    for (commands, paths) in [
        (&READ[..], &["folder", "file/x", "nowhere"][..]),
        (&FOLDER, &["file", "file/x", "nowhere"]),
        (&WRITE, &["folder", "file/x", "nowhere/x"]),
    ] {
        for command in commands {
            asked.extend(
                paths
                    .iter()
                    .map(|path| (command.replace("{}", path), *path)),
            );
        }
    }
    let ask = |(command, path): &(String, &str)| -> Option<String> {
        let words: Vec<&str> = command.split(' ').collect();
        let ended = bench.run(&words);
        let mut wrong = faults_of(&ended.err);
        let expected = match command.contains("-encoder") || command.contains("models") {
            true => 4,
            false => 3,
        };
        if ended.code != Some(expected) {
            wrong.push(format!("ends with {:?}, not {expected}", ended.code));
        }
        if !ended.err.contains(path.trim_end_matches("/x")) {
            wrong.push("does not name the path".to_owned());
        }
        (!wrong.is_empty()).then(|| format!("{command}: {}: {}", wrong.join(", "), ended.err))
    };
    let (first, second) = asked.split_at(asked.len() / 2);
    let faults: Vec<String> = std::thread::scope(|scope| {
        let other = scope.spawn(|| second.iter().filter_map(ask).collect::<Vec<_>>());
        let mut faults: Vec<String> = first.iter().filter_map(ask).collect();
        faults.extend(other.join().unwrap());
        faults
    });
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    // Nothing was purged for a receipt that could not be written.
    let log = bench.run(&["history", "a.asif", "--json"]).ok();
    assert!(!log.out.contains("purge"), "{}", log.out);
}
