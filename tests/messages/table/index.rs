//! Damaged vectors.

use std::path::{Path, PathBuf};

use super::super::{Bench, support};
use super::{ProvokedMessage, judge, told};

pub fn messages() -> Vec<ProvokedMessage> {
    let set = |variant, name: &str, code, says| {
        told(
            variant,
            &format!("classify --index {name}.asif --labels dog,cat plain/0.png"),
            code,
            says,
            &format!("repair {name}.asif"),
        )
    };
    vec![
        set(
            "AnchorsError::Damaged",
            "gone",
            3,
            &["image.vec", "it is missing"],
        ),
        told(
            "Error::Io",
            "bench index --vectors none.npy --queries words.npy",
            3,
            &["none.npy", "there is no such file or folder"],
            "",
        ),
        set(
            "Error::NotReadable",
            "junk",
            3,
            &["image.vec", "hint: `asif repair junk.asif`"],
        ),
        set(
            "Error::Header",
            "header",
            3,
            &["image.vec", "hint: `asif repair header.asif`"],
        ),
        told(
            "Error::NotReadable",
            "bench index --vectors words.npy --queries words.npy",
            3,
            &["words.npy"],
            "",
        ),
        told(
            "Error::NotAFile",
            "bench index --vectors folder --queries folder",
            3,
            &["give the path of the file itself"],
            "",
        ),
    ]
}

fn vectors(set: &Path) -> PathBuf {
    let segments = set.join("segments");
    let name = &support::names_in(&segments)[0];
    segments.join(name).join("image.vec")
}

#[test]
fn messages_of_damaged_vectors_have_their_code_and_repair_works() {
    let bench = Bench::new();
    bench.set("a.asif", 5);
    fs_err::create_dir(bench.at("folder")).unwrap();
    fs_err::write(bench.at("words.npy"), "no numbers\n".repeat(400)).unwrap();
    let spoil = |name: &str, change: &dyn Fn(&Path)| {
        let copy = bench.at(&format!("{name}.asif"));
        support::copy_folder(&bench.at("a.asif"), &copy);
        change(&vectors(&copy));
    };
    spoil("gone", &|file| fs_err::remove_file(file).unwrap());
    spoil("junk", &|file| {
        fs_err::write(file, "no vectors\n".repeat(1000)).unwrap()
    });
    spoil("header", &|file| {
        let mut bytes = fs_err::read(file).unwrap();
        // Within the first page, behind what says that it is a container.
        bytes[40] ^= 0x55;
        fs_err::write(file, bytes).unwrap();
    });
    judge(&bench, messages());
}
