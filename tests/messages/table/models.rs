//! Encoders, the runtime library, pictures and texts.

use super::super::{Bench, support, tiny_onnx};
use super::{ProvokedMessage, judge, told};

pub fn messages() -> Vec<ProvokedMessage> {
    let classify = "classify --index a.asif --labels dog,cat plain/0.png";
    let with = |variant, more: &str, code, says| {
        told(variant, &format!("{classify} {more}"), code, says, classify)
    };
    let image = |variant, folder: &str, says| {
        told(
            variant,
            &format!("models add new {folder}"),
            4,
            says,
            "models",
        )
    };
    let picture = |variant, more: &str, says| {
        told(
            variant,
            &format!("classify --index a.asif --labels dog,cat {more}"),
            3,
            says,
            &format!("{classify} {more}"),
        )
    };
    vec![
        image(
            "ModelError::Missing",
            "empty",
            &[
                "preprocessor_config.json",
                "copy it from the model's source",
            ],
        ),
        image(
            "ModelError::NoFolder",
            "nowhere",
            &["the model folder is missing", "hint: `asif models`"],
        ),
        image(
            "ModelError::NotAFolder",
            "text.png",
            &["expected a model folder, found a file"],
        ),
        image(
            "ModelError::Json",
            "bad-json",
            &["preprocessor_config.json", "not valid JSON"],
        ),
        image(
            "ModelError::StandIn",
            "pointed-json",
            &["preprocessor_config.json", "`git lfs pull`"],
        ),
        image(
            "ModelError::StandIn",
            "pointed-graph",
            &["model.onnx", "`git lfs pull`"],
        ),
        image(
            "ModelError::Setting",
            "bad-size",
            &["preprocessor_config.json", "expected"],
        ),
        image(
            "ModelError::Tokenizer",
            "bad-tokenizer",
            &["tokenizer.json", "copy tokenizer.json again"],
        ),
        image("ModelError::Graph", "bad-graph", &["model.onnx"]),
        image(
            "ModelError::WrongDimension",
            "bad-dim",
            &["2 numbers", "config.json", "3"],
        ),
        told(
            "ModelError::OnnxFile",
            "models add chosen image --onnx-file none.onnx",
            4,
            &["hint: `asif models add NAME", "--onnx-file model.onnx"],
            "models add chosen image --onnx-file model.onnx",
        ),
        told(
            "ModelError::BadName",
            "models add .x image",
            2,
            &["use letters, digits"],
            "models add x image",
        ),
        told(
            "ModelError::NameTaken",
            "models add x image",
            3,
            &["choose another name"],
            "models add y image",
        ),
        with(
            "ModelError::Ensemble",
            "--image-encoder image:x",
            2,
            &["a:0.7+b:0.3"],
        ),
        with(
            "ModelError::NotInstalled",
            "--image-encoder none",
            4,
            &["no image encoder `none`"],
        ),
        with(
            "ModelError::Missing",
            "--image-encoder empty",
            4,
            &["empty", "preprocessor_config.json"],
        ),
        with(
            "ModelError::NotAFolder",
            "--image-encoder text.png",
            4,
            &["found a file"],
        ),
        with(
            "EncodeError::RuntimeMissing",
            "--onnxruntime none.so",
            4,
            &["none.so", "ASIF_ONNXRUNTIME"],
        ),
        with(
            "EncodeError::RuntimeUnusable",
            "--onnxruntime text.png",
            4,
            &["text.png", "1.17"],
        ),
        picture(
            "InputError::Empty",
            "empty.png",
            &["empty.png: not an image: no content"],
        ),
        picture(
            "InputError::NotAnImage",
            "text.png",
            &["the content is text", "convert it"],
        ),
        picture(
            "InputError::StandIn",
            "pointed.png",
            &["not an image", "`git lfs pull`"],
        ),
        picture("InputError::Truncated", "cut.png", &["truncated"]),
        picture("InputError::Undecodable", "bad.png", &["cannot be decoded"]),
        picture("InputError::TooLarge", "claim.png", &["scale it down"]),
        picture("InputError::FileTooLarge", "sparse.png", &["scale it down"]),
        told(
            "InputError::OverBudget",
            "classify --index a.asif --labels dog,cat large.png --max-decode-memory 1",
            3,
            &["more memory for decoding", "hint: --max-decode-memory"],
            "classify --index a.asif --labels dog,cat large.png --max-decode-memory 64",
        ),
        told(
            "InputError::NoVector",
            "build --strict --pairs black.jsonl --image-encoder fragile-image --out f.asif",
            5,
            &["not finite or is zero", "remove it or change it"],
            "build --pairs black.jsonl --image-encoder fragile-image --out f.asif",
        ),
        told(
            "InputError::ModelFailed",
            "build --strict --pairs white.jsonl --image-encoder fragile-image --out g.asif",
            5,
            &["but not on other inputs", "remove it or change it"],
            "build --pairs white.jsonl --image-encoder fragile-image --out g.asif",
        ),
        told(
            "StrictInput",
            "classify --index a.asif --labels dog,cat --strict text.png plain/0.png",
            5,
            &["1 of 2 images could not be used"],
            "classify --index a.asif --labels dog,cat text.png plain/0.png",
        ),
    ]
}

/// What Git LFS leaves in place of a file.
pub const POINTER: &[u8] =
    b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n";

/// A copy of one of the folders of encoders with one file changed.
fn spoil(bench: &Bench, from: &str, to: &str, file: &str, content: &[u8]) {
    support::copy_folder(&bench.at(from), &bench.at(to));
    fs_err::write(bench.at(to).join(file), content).unwrap();
}

#[test]
fn messages_of_models_have_their_code_and_their_advice_works() {
    let bench = Bench::new();
    bench.set("a.asif", 5);
    tiny_onnx::fragile(bench.path());
    fs_err::create_dir(bench.at("empty")).unwrap();
    spoil(
        &bench,
        "image",
        "bad-json",
        "preprocessor_config.json",
        b"{\"size\": ",
    );
    for (folder, file) in [
        ("pointed-json", "preprocessor_config.json"),
        ("pointed-graph", "model.onnx"),
    ] {
        spoil(&bench, "image", folder, file, POINTER);
    }
    fs_err::write(bench.at("pointed.png"), POINTER).unwrap();
    spoil(
        &bench,
        "image",
        "bad-size",
        "preprocessor_config.json",
        b"{\"size\": -1}",
    );
    spoil(&bench, "image", "bad-graph", "model.onnx", b"no graph");
    spoil(
        &bench,
        "text",
        "bad-tokenizer",
        "tokenizer.json",
        b"{\"version\": \"1.0\"}",
    );
    let pooling = b"{\"word_embedding_dimension\": 3, \"pooling_mode_mean_tokens\": true}";
    spoil(&bench, "text", "bad-dim", "1_Pooling/config.json", pooling);

    let large = support::drawing(600, 600, 1);
    large.save(bench.at("large.png")).unwrap();
    let whole = fs_err::read(bench.at("large.png")).unwrap();
    fs_err::write(bench.at("cut.png"), &whole[..whole.len() / 2]).unwrap();
    let mut bad = fs_err::read(bench.at("plain/0.png")).unwrap();
    // The checksum of the header.
    bad[29] ^= 0xff;
    fs_err::write(bench.at("bad.png"), bad).unwrap();
    fs_err::write(bench.at("empty.png"), b"").unwrap();
    fs_err::write(bench.at("text.png"), b"some text\n").unwrap();
    fs_err::write(bench.at("claim.png"), support::png_header(100_000, 100_000)).unwrap();
    let sparse = fs_err::File::create(bench.at("sparse.png")).unwrap();
    sparse.set_len(1 << 40).unwrap();
    for (name, value) in [("black", 0), ("white", 255)] {
        let picture = image::RgbImage::from_pixel(8, 8, image::Rgb([value; 3]));
        picture.save(bench.at(&format!("{name}.png"))).unwrap();
        let own = serde_json::json!({"image": format!("{name}.png"), "caption": "dog"});
        bench.pairs(
            &format!("{name}.jsonl"),
            &[bench.pair(1), bench.pair(2), own],
        );
    }
    judge(&bench, messages());
    // Another content, which no cache knows.
    let large = support::drawing(600, 600, 2);
    large.save(bench.at("large.png")).unwrap();
    let classify =
        "classify --index a.asif --labels dog,cat --json --max-decode-memory 1 large.png";
    let words: Vec<&str> = classify.split(' ').collect();
    let json = bench.run(&words).fails(3, &["large.png"]).json();
    let said = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
    assert!(said("error").contains("more memory") && !said("error").contains("--"));
    assert!(said("hint").contains("--max-decode-memory"), "{json}");
}
