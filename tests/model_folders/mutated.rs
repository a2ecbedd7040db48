//! Folders with random faults, through the program: documented exit codes, no end by a signal, no
//! hang, and no more address space than [`MEMORY_KIB`].
//!
//! `ASIF_MUTATED_FOLDERS` is the number of folders. Of 300 no process was resident with more than 67 MiB.

use std::path::Path;
use std::process::Command;

use asif_index::random::SplitMix64;
use serde_json::{Value, json};

use super::halves::asif;
use super::{runtime, tiny_onnx};

/// Of a process: the runtime's library, its threads' stacks, and room for a few tensors.
const MEMORY_KIB: u64 = 2 << 20;

fn hostile(draws: &mut SplitMix64) -> Value {
    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!([deep]);
    }
    let all = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(1e18),
        json!(1e30),
        json!(u64::MAX),
        json!(4097),
        json!("x"),
        json!(""),
        json!("../../etc"),
        json!([]),
        json!({}),
        json!([1, 2]),
        deep,
        json!("a".repeat(70_000)),
        json!(1e-300),
        json!(1e300),
        json!(4_294_967_296u64),
    ];
    all[draws.below(all.len())].clone()
}

/// Changes, removes or adds a value somewhere in `value`.
fn spoil(value: &mut Value, draws: &mut SplitMix64) {
    match value {
        Value::Object(map) if !map.is_empty() && draws.below(4) > 0 => {
            let at = draws.below(map.len());
            let Some(key) = map.keys().nth(at).cloned() else {
                return;
            };
            match draws.below(4) {
                0 => {
                    map.remove(&key);
                }
                1 => {
                    map.insert(key, hostile(draws));
                }
                _ => spoil(&mut map[&key], draws),
            }
        }
        Value::Array(list) if !list.is_empty() && draws.below(3) > 0 => {
            let at = draws.below(list.len());
            spoil(&mut list[at], draws);
        }
        other => *other = hostile(draws),
    }
}

/// More files than the tiny encoders have, so that every one that is read can be spoilt.
fn whole(root: &Path, class: &str) {
    tiny_onnx::encoders(root);
    let text = root.join("text");
    let image = root.join("image");
    for (path, value) in [
        (
            text.join("tokenizer_config.json"),
            json!({"model_max_length": 32, "pad_token": "[PAD]", "do_lower_case": false,
            "padding_side": "right", "truncation_side": "right", "tokenizer_class": "BertTokenizer"}),
        ),
        (
            text.join("special_tokens_map.json"),
            json!({"pad_token": {"content": "[PAD]"}, "unk_token": "[UNK]"}),
        ),
        (
            text.join("config.json"),
            json!({"model_type": "bert", "max_position_embeddings": 64, "pad_token_id": 0}),
        ),
        (
            text.join("sentence_bert_config.json"),
            json!({"max_seq_length": 16, "do_lower_case": false}),
        ),
        (
            text.join("config_sentence_transformers.json"),
            json!({"prompts": {"query": "dog "}, "default_prompt_name": null}),
        ),
        (
            text.join("modules.json"),
            json!([{"type": "sentence_transformers.models.Transformer", "path": ""},
                {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"}]),
        ),
        (image.join("config.json"), json!({"model_type": "clip"})),
        (
            image.join("preprocessor_config.json"),
            json!({"image_processor_type": format!("{class}ImageProcessor"), "size": 5,
            "crop_size": {"height": 4, "width": 4}, "resample": 3, "do_rescale": true, "rescale_factor": 0.00392156862745098,
            "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "do_center_crop": true}),
        ),
    ] {
        fs_err::write(path, value.to_string()).unwrap();
    }
}

/// Spoils one file of `dir`, and says how.
fn mutate(dir: &Path, draws: &mut SplitMix64) -> String {
    let mut files: Vec<_> = walkdir::WalkDir::new(dir)
        .into_iter()
        .filter_map(Result::ok)
        .filter(|e| e.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
        .collect();
    files.sort();
    let path = &files[draws.below(files.len())];
    let mut bytes = fs_err::read(path).unwrap();
    if bytes.is_empty() {
        return "nothing left to spoil".to_owned();
    }
    let parsed = serde_json::from_slice::<Value>(&bytes);
    let how = match draws.below(8) {
        0 => {
            bytes.truncate(draws.below(bytes.len()));
            "cut"
        }
        1 => {
            for _ in 0..=draws.below(4) {
                let at = draws.below(bytes.len());
                bytes[at] ^= 1 << draws.below(8);
            }
            "flipped"
        }
        2 => {
            let at = draws.below(bytes.len());
            let more = vec![b'['; 1 + draws.below(5000)];
            bytes.splice(at..at, more);
            "stretched"
        }
        _ if parsed.is_ok() => {
            let mut value = parsed.unwrap();
            for _ in 0..=draws.below(2) {
                spoil(&mut value, draws);
            }
            bytes = value.to_string().into_bytes();
            "spoilt"
        }
        _ => {
            let at = draws.below(bytes.len());
            bytes[at] = [0, 0x7f, 0x80, 0xff][draws.below(4)];
            "one byte"
        }
    };
    fs_err::write(path, bytes).unwrap();
    format!("{} {how}", path.strip_prefix(dir).unwrap().display())
}

#[test]
fn spoilt_folders_end_with_documented_codes() {
    if !runtime() {
        return;
    }
    let count = std::env::var("ASIF_MUTATED_FOLDERS").map_or(80, |n| n.parse().unwrap());
    let mut ends = std::collections::BTreeMap::new();
    for seed in 0..count {
        let mut draws = SplitMix64::new(seed);
        draws.below(2);
        let root = tempfile::tempdir().unwrap();
        let classes = [
            "CLIP",
            "DeiT",
            "Levit",
            "PoolFormer",
            "Perceiver",
            "EfficientNet",
        ];
        whole(root.path(), classes[draws.below(classes.len())]);
        let half = ["image", "text"][draws.below(2)];
        let dir = root.path().join(half);
        let how: Vec<_> = (0..=draws.below(2))
            .map(|_| mutate(&dir, &mut draws))
            .collect();
        let program = asif(root.path());
        let mut limited = Command::new("bash");
        limited
            .args([
                "-c",
                &format!("ulimit -v {MEMORY_KIB}; exec timeout 60 \"$@\""),
            ])
            .arg("bash")
            .arg(program.get_program())
            .args(["models", "add", "m"])
            .arg(&dir);
        for (name, value) in program.get_envs() {
            limited.env(name, value.unwrap());
        }
        let output = limited.output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        let code = output.status.code();
        *ends.entry(code).or_insert(0) += 1;
        assert!(
            matches!(code, Some(0 | 4)),
            "seed {seed}, {half} {how:?}: {:?} {error}",
            output.status
        );
        if code == Some(4) {
            assert!(
                error.starts_with("asif: ") && !error.contains(".adding-"),
                "seed {seed} {how:?}: {error}"
            );
        }
    }
    assert!(ends.len() == 2 || count < 50, "{ends:?}");
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "spoilt folders by exit code: {ends:?}");
}
