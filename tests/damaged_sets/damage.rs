//! What is done to a set.

use std::path::{Path, PathBuf};

use super::sets::files;

/// One damage.
#[derive(Debug, Clone)]
pub enum FileDamage {
    /// The file is gone.
    Deleted(PathBuf),
    /// It has so many bytes left.
    Cut(PathBuf, usize),
    /// A bit of this byte is another.
    Flipped(PathBuf, usize, u8),
    /// Both have the other's bytes.
    Exchanged(PathBuf, PathBuf),
    /// An empty folder stands in its place.
    Folder(PathBuf),
    /// A link that leads nowhere stands in its place.
    Link(PathBuf),
}

impl FileDamage {
    /// Does it.
    pub fn apply(&self, set: &Path) {
        match self {
            Self::Deleted(file) => fs_err::remove_file(set.join(file)).unwrap(),
            Self::Cut(file, length) => {
                let bytes = fs_err::read(set.join(file)).unwrap();
                fs_err::write(set.join(file), &bytes[..*length]).unwrap();
            }
            Self::Flipped(file, at, bit) => {
                let mut bytes = fs_err::read(set.join(file)).unwrap();
                bytes[*at] ^= bit;
                fs_err::write(set.join(file), bytes).unwrap();
            }
            Self::Exchanged(one, other) => {
                let [one, other] = [one, other].map(|file| set.join(file));
                let [a, b] = [&one, &other].map(|file| fs_err::read(file).unwrap());
                fs_err::write(one, b).unwrap();
                fs_err::write(other, a).unwrap();
            }
            Self::Folder(file) => {
                fs_err::remove_file(set.join(file)).unwrap();
                fs_err::create_dir(set.join(file)).unwrap();
            }
            Self::Link(file) => {
                fs_err::remove_file(set.join(file)).unwrap();
                std::os::unix::fs::symlink("/nowhere/at/all", set.join(file)).unwrap();
            }
        }
    }

    /// The files that are no longer what they were.
    pub fn hit(&self) -> Vec<&Path> {
        match self {
            Self::Exchanged(one, other) => vec![one, other],
            Self::Deleted(f)
            | Self::Cut(f, _)
            | Self::Flipped(f, ..)
            | Self::Folder(f)
            | Self::Link(f) => vec![f],
        }
    }
}

/// Every damage of the collection to every file of the set.
pub fn all(set: &Path) -> Vec<FileDamage> {
    let mut all = Vec::new();
    let files = files(set);
    for (file, bytes) in &files {
        all.push(FileDamage::Deleted(file.clone()));
        all.push(FileDamage::Folder(file.clone()));
        all.push(FileDamage::Link(file.clone()));
        let n = bytes.len();
        if n == 0 {
            continue;
        }
        let mut lengths = vec![0, n / 2, n - 1];
        if file.ends_with("CURRENT") {
            lengths = (0..n).collect();
        }
        all.extend(
            lengths
                .into_iter()
                .map(|l| FileDamage::Cut(file.clone(), l)),
        );
        // The page of a container that says where its sections lie, then its content.
        let mut places: Vec<usize> = vec![
            0,
            9,
            33,
            64,
            77,
            4096,
            4100,
            n / 3,
            n / 2,
            n * 2 / 3,
            n.saturating_sub(100),
        ];
        if bytes.starts_with(b"{") || n < 100 {
            let step = (n / 24).max(1);
            places = (0..n).step_by(step).collect();
        }
        places.retain(|at| *at < n);
        places.sort_unstable();
        places.dedup();
        for at in places {
            // A flip of this bit makes another letter, digit or sign of every sign.
            for bit in [1, 0x10] {
                all.push(FileDamage::Flipped(file.clone(), at, bit));
            }
        }
    }
    let names: Vec<&PathBuf> = files.keys().collect();
    for (i, one) in names.iter().enumerate() {
        for other in &names[i + 1..] {
            let kind = |path: &Path| match path.extension() {
                Some(ending) if ending == "json" || ending == "del" || ending == "jsonl" => {
                    (path.parent().map(Path::to_owned), ending.to_owned())
                }
                _ => (None, path.file_name().unwrap_or_default().to_owned()),
            };
            let skipped = |path: &Path| path.ends_with("skipped.jsonl");
            let alike = kind(one) == kind(other) || skipped(one) && skipped(other);
            if alike && files[*one] != files[*other] {
                all.push(FileDamage::Exchanged((*one).clone(), (*other).clone()));
            }
        }
    }
    all
}
