//! Every command that writes, and what it is given.

use std::path::{Path, PathBuf};
use std::process::Command;

use asif::anchors::change::compact::compact;
use asif::anchors::change::remove::{PairSelection, remove};
use asif::anchors::change::respace::respace;
use asif::anchors::change::reweigh::reweigh;
use asif::anchors::change::swap::{SwapTarget, swap};
use asif::anchors::stored::plan::GraphPolicy;
use asif::anchors::stored::witness;
use asif::anchors::{AnchorSet, WriteOptions};
use asif::home::DataFolder;
use asif::modality::PerModality;
use asif::space::Recipe;
use serde_json::json;

use super::synthetic::{pair, set};
use super::syscalls::skipped::{Lack, leave_out};
use super::{asked_for, copy, tiny_onnx, worker};

/// What a command changes, and so what may be found after it was cut short.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Subject {
    /// The set `a.asif`: a further generation.
    Generation,
    /// The set `a.asif`, which is not there before.
    NewSet,
    /// The set `a.asif`, which is damaged before.
    Damaged,
    /// The model `new` among those installed.
    Model,
    /// The file `report`.
    Report,
}

/// A command, and the folder that it works in.
pub struct Case {
    pub name: &'static str,
    pub subject: Subject,
    /// A copy of this is what the command is let loose on.
    pub template: PathBuf,
    /// The arguments; `{}` is the folder. With `worker` first: [`worker`]'s change.
    words: Vec<String>,
}

impl Case {
    /// The command, for a copy of the template in `root`.
    pub fn command(&self, root: &Path) -> Command {
        if self.is_worker() {
            return worker(&root.join("a.asif"), &self.words[1]);
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_asif"));
        let root_text = root.display().to_string();
        command
            .args(self.words.iter().map(|w| w.replace("{}", &root_text)))
            .env("ASIF_HOME", root.join("home"))
            .env("ASIF_CACHE", root.join("cache"))
            .env("ASIF_JSON", "true")
            .env_remove("ASIF_TEST_FAIL");
        if let Some(runtime) = runtime() {
            command.env("ASIF_ONNXRUNTIME", runtime);
        }
        command
    }

    /// Whether it is a change that this program makes itself, which panics where a command says what failed.
    pub fn is_worker(&self) -> bool {
        self.words[0] == "worker"
    }

    /// On which media it is tried: one that can do all, and where that matters a plain one.
    pub fn media(&self) -> &'static [bool] {
        let matters = [
            "swap --from",
            "repair: a derived file",
            "build",
            "models add",
        ];
        match matters.contains(&self.name) {
            true => &[false, true],
            false => &[false],
        }
    }

    /// The set that it changes.
    pub fn set(root: &Path) -> PathBuf {
        root.join("a.asif")
    }
}

/// ONNX Runtime, where it is set up.
pub fn runtime() -> Option<PathBuf> {
    let file = DataFolder::from_env()?.runtime_library();
    file.is_file().then_some(file)
}

/// Every command that writes; those that encode only where there is ONNX Runtime.
pub fn cases(folder: &Path) -> Vec<Case> {
    let mut cases = without_encoders(folder);
    if runtime().is_some() {
        cases.extend(with_encoders(folder));
    } else {
        leave_out(
            Lack::Setup,
            "commands that encode: no ONNX Runtime is set up",
        );
    }
    cases.retain(|case| asked_for(case.name));
    cases
}

/// Repairs that need no encoder: of a sound set, and of damaged ones.
pub fn repairs(folder: &Path) -> Vec<Case> {
    let mut cases = without_encoders(folder);
    cases.retain(|case| case.words[0] == "repair");
    let plain = folder.join("plain");
    let older = folder.join("an older manifest");
    copy(&plain, &older);
    let path = older.join("a.asif/generations/g000002.json");
    let mut bytes = fs_err::read(&path).unwrap();
    bytes[300] ^= 1;
    fs_err::write(&path, bytes).unwrap();
    for (name, template) in [
        ("repair: a sound set", &plain),
        ("repair: an older manifest", &older),
    ] {
        let words = ["repair", "{}/a.asif"];
        cases.push(case(name, Subject::Damaged, template, &words));
    }
    cases.retain(|case| asked_for(case.name));
    cases
}

/// Changes of a sound set.
pub fn changes(folder: &Path) -> Vec<Case> {
    const NAMES: [&str; 8] = [
        "build --overwrite",
        "anchors add",
        "anchors remove",
        "anchors remove --keep 1",
        "anchors compact --keep 1",
        "swap --to",
        "swap --from",
        "rollback",
    ];
    let mut cases = cases(folder);
    cases.retain(|case| NAMES.contains(&case.name));
    cases
}

fn case(name: &'static str, subject: Subject, template: &Path, words: &[&str]) -> Case {
    Case {
        name,
        subject,
        template: template.to_owned(),
        words: words.iter().map(|w| (*w).to_owned()).collect(),
    }
}

fn remove_pair(set: &Path, n: u64) {
    let selection = PairSelection::Ids {
        ids: [pair(n).record.id].into(),
        missing_ok: false,
    };
    remove(set, &selection, &WriteOptions::default()).unwrap();
}

fn without_encoders(folder: &Path) -> Vec<Case> {
    use Subject::{Damaged, Generation, Report};
    let plain = folder.join("plain");
    fs_err::create_dir_all(&plain).unwrap();
    let own = plain.join("a.asif");
    set(&own, 0..8);
    set(&plain.join("b.asif"), 20..25);
    for n in [1, 2] {
        remove_pair(&own, n);
    }
    let old = "{\"captions\":[\"old\"],\"id\":\"old\",\"image\":\"/old.png\"}\n";
    fs_err::write(plain.join("report"), old).unwrap();
    let id = pair(5).record.id;
    let damaged = |name: &str, damage: &dyn Fn(&Path)| {
        let template = folder.join(name);
        copy(&plain, &template);
        damage(&template.join("a.asif"));
        template
    };
    // Two generations that share no segment, the live one's records gone: only going back helps.
    let lost = damaged("lost records", &|set| {
        compact(set, GraphPolicy::Never, &WriteOptions::default()).unwrap();
        fs_err::remove_file(live_segment(set).join("pairs.rec")).unwrap();
    });
    let sums = damaged("lost sums", &|set| {
        fs_err::write(live_segment(set).join("skipped.jsonl"), "{\"a row\": 1}\n").unwrap();
        fs_err::remove_file(live_segment(set).join("moments.sum")).unwrap();
    });
    let rows = damaged("damaged rows", &|set| {
        let list = "{\"a row\": 1}\nno row\n";
        fs_err::write(live_segment(set).join("skipped.jsonl"), list).unwrap();
    });
    let current = damaged("lost CURRENT", &|set| {
        fs_err::remove_file(set.join("CURRENT")).unwrap();
    });
    let repair = ["repair", "{}/a.asif"];
    vec![
        case(
            "anchors remove",
            Generation,
            &plain,
            &["anchors", "remove", "{}/a.asif", "--id", &id],
        ),
        case(
            "anchors remove --keep 1",
            Generation,
            &plain,
            &["anchors", "remove", "{}/a.asif", "--keep", "1", "--id", &id],
        ),
        case(
            "anchors compact",
            Generation,
            &plain,
            &["anchors", "compact", "{}/a.asif"],
        ),
        case(
            "anchors compact --keep 1",
            Generation,
            &plain,
            &["anchors", "compact", "{}/a.asif", "--keep", "1"],
        ),
        case("rollback", Generation, &plain, &["rollback", "{}/a.asif"]),
        case(
            "swap --to",
            Generation,
            &plain,
            &["swap", "{}/a.asif", "--to", "1"],
        ),
        case(
            "swap --from",
            Generation,
            &plain,
            &["swap", "{}/a.asif", "--from", "{}/b.asif"],
        ),
        case(
            "audit --purge",
            Generation,
            &plain,
            &["audit", "{}/a.asif", "--purge"],
        ),
        case("tune: respace", Generation, &plain, &["worker", "respace"]),
        case("repair: a derived file", Damaged, &sums, &repair),
        case("repair: skipped rows", Damaged, &rows, &repair),
        case("repair: CURRENT", Damaged, &current, &repair),
        case("repair: going back", Damaged, &lost, &repair),
        case(
            "anchors export",
            Report,
            &plain,
            &["anchors", "export", "{}/a.asif", "--out", "{}/report"],
        ),
    ]
}

/// The folder of the first segment of the live generation.
pub fn live_segment(set: &Path) -> PathBuf {
    let live = AnchorSet::open(set).unwrap();
    live.segments()[0].path().to_owned()
}

/// What is given to commands that encode: models of a few nodes, pictures, lists of pairs. Never
/// changed, and so outside the folder that is watched.
struct Inputs {
    folder: PathBuf,
}

impl Inputs {
    fn new(folder: PathBuf) -> Self {
        fs_err::create_dir_all(&folder).unwrap();
        tiny_onnx::encoders(&folder);
        tiny_onnx::brightest(&folder);
        Self { folder }
    }

    fn at(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn pairs(&self, name: &str, numbers: std::ops::Range<u8>) -> String {
        let mut lines = String::new();
        for n in numbers {
            let image = self.at(&format!("{n}.png"));
            let colour = image::Rgb([n * 9, 255 - n, 40]);
            image::RgbImage::from_pixel(8, 8, colour)
                .save(&image)
                .unwrap();
            let caption = ["dog", "cat", "tree", "dog cat"][usize::from(n) % 4];
            let line = json!({"id": format!("p{n}"), "image": image, "caption": caption});
            lines += &format!("{line}\n");
        }
        // A row that is skipped makes one more file, and speaks of a pair that another segment has.
        lines += "{\"id\": \"bad\", \"image\": \"p7.png\", \"caption\": \"dog\"}\n";
        fs_err::write(self.folder.join(name), lines).unwrap();
        self.at(name)
    }

    /// The words, and the encoders and pairs.
    fn words(&self, words: &[&str], pairs: Option<&str>) -> Vec<String> {
        let named = |key: &str, tiny: &str| std::env::var(key).unwrap_or_else(|_| self.at(tiny));
        let image = named("ASIF_TEST_IMAGE_ENCODER", "image");
        let text = named("ASIF_TEST_TEXT_ENCODER", "text");
        let mut all: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
        all.extend([
            "--image-encoder".into(),
            image,
            "--text-encoder".into(),
            text,
        ]);
        if let Some(pairs) = pairs {
            all.extend(["--pairs".to_owned(), pairs.to_owned()]);
        }
        all
    }
}

fn with_encoders(folder: &Path) -> Vec<Case> {
    use Subject::{Damaged, Generation, Model, NewSet, Report};
    let inputs = Inputs::new(folder.join("inputs"));
    let first = inputs.pairs("first.jsonl", 0..6);
    let more = inputs.pairs("more.jsonl", 6..9);
    let other = inputs.pairs("other.jsonl", 3..8);
    let of = |name, subject, template: &Path, words: Vec<String>| Case {
        name,
        subject,
        template: template.to_owned(),
        words,
    };
    let empty = folder.join("empty");
    fs_err::create_dir_all(empty.join("home")).unwrap();
    let build = |name, out| {
        let words = inputs.words(&["build", "--out", out], Some(&first));
        of(name, NewSet, &empty, words)
    };
    let encoded = folder.join("encoded");
    copy(&empty, &encoded);
    run(&build("", "{}/a.asif"), &encoded);
    // A page is replaced by one only if asif wrote it.
    let old = asif::eval::page::page(
        &AnchorSet::open(&encoded.join("a.asif")).unwrap(),
        &Recipe::default(),
        asif::eval::page::ExplanationDetail::Brief,
        Vec::new(),
    );
    fs_err::write(encoded.join("report"), old).unwrap();
    let add = of(
        "anchors add",
        Generation,
        &encoded,
        inputs.words(&["anchors", "add", "{}/a.asif"], Some(&more)),
    );
    let grown = folder.join("grown");
    copy(&encoded, &grown);
    run(&add, &grown);
    let selection = PairSelection::Ids {
        ids: ["p7".to_owned()].into(),
        missing_ok: false,
    };
    let list = live_segment(&grown.join("a.asif")).join("skipped.jsonl");
    assert!(fs_err::read_to_string(list).unwrap().contains("p7"));
    remove(&grown.join("a.asif"), &selection, &WriteOptions::default()).unwrap();
    let vectors = folder.join("lost vectors");
    copy(&grown, &vectors);
    fs_err::remove_file(live_segment(&vectors.join("a.asif")).join("image.vec")).unwrap();
    let cold = folder.join("cold");
    copy(&grown, &cold);
    fs_err::remove_dir_all(cold.join("cache")).unwrap();
    let model = of(
        "models add",
        Model,
        &empty,
        ["models", "add", "new", &inputs.at("text")]
            .map(str::to_owned)
            .to_vec(),
    );
    let models = folder.join("models");
    copy(&empty, &models);
    let mut old = of("", Model, &models, model.words.clone());
    old.words[2] = "old".to_owned();
    run(&old, &models);
    vec![
        build("build", "{}/a.asif"),
        of(
            "build --overwrite",
            Generation,
            &encoded,
            inputs.words(
                &[
                    "build",
                    "--overwrite",
                    "--graph",
                    "always",
                    "--out",
                    "{}/a.asif",
                ],
                Some(&other),
            ),
        ),
        add,
        of(
            "audit --purge, encoded",
            Generation,
            &grown,
            ["audit", "{}/a.asif", "--purge"]
                .map(str::to_owned)
                .to_vec(),
        ),
        of(
            "tune: reweigh",
            Generation,
            &cold,
            ["worker", "reweigh"].map(str::to_owned).to_vec(),
        ),
        of(
            "repair: vectors",
            Damaged,
            &vectors,
            inputs.words(&["repair", "{}/a.asif"], None),
        ),
        Case {
            template: models,
            ..model
        },
        of(
            "classify --html",
            Report,
            &encoded,
            inputs.words(
                &[
                    "classify",
                    "--index",
                    "{}/a.asif",
                    "--labels",
                    "dog,cat",
                    "--html",
                    "{}/report",
                    &inputs.at("1.png"),
                ],
                None,
            ),
        ),
    ]
}

/// Runs a command to its end.
pub fn run(case: &Case, root: &Path) {
    let ended = case.command(root).output().unwrap();
    assert!(ended.status.success(), "{}: {ended:?}", case.name);
}

/// The changes that [`worker`] makes: what `tune --apply` does after it has found something.
pub fn change(set: &Path, change: &str) {
    let options = WriteOptions::default();
    let detail = ("tune", "a test".to_owned());
    match change {
        "respace" => {
            respace(set, &Recipe::named("asif").unwrap(), detail, &options).unwrap();
        }
        "reweigh" => {
            let recipe = AnchorSet::open(set).unwrap().manifest().space.clone();
            reweigh(
                set,
                PerModality::default(),
                &recipe,
                detail,
                GraphPolicy::Never,
                &options,
            )
            .unwrap();
        }
        other => panic!("no change is called {other}"),
    }
}

/// The next change of a set, whatever the last one was, which must succeed without a warning.
pub fn next_change(set: &Path) -> u64 {
    let live = witness::kept(set).unwrap().pop().unwrap();
    let receipt = swap(set, SwapTarget::Generation(live), &WriteOptions::default()).unwrap();
    assert!(receipt.warnings.is_empty(), "{:?}", receipt.warnings);
    receipt.change.generation
}
