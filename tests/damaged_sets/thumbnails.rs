//! Damaged thumbnails: told, answers unchanged, and made again from the images.

use std::path::{Path, PathBuf};

use super::damage::FileDamage;
use super::sets::{SetWorkshop, done, files};

#[test]
fn damaged_thumbnails_are_told_and_made_again_from_the_images() {
    let folder = tempfile::tempdir().unwrap();
    let Some(workshop) = SetWorkshop::of_this(folder.path()) else {
        return;
    };
    let pairs = workshop.pairs("pairs.jsonl", 0..12);
    let set = folder.path().join("a.asif");
    let path = set.display().to_string();
    done(workshop.encoding(&["build", "--pairs", &pairs, "--out", &path]));
    let whole = files(&set);
    let of = |name: &str| -> PathBuf {
        let found = whole.keys().find(|file| file.ends_with(name));
        found.unwrap().clone()
    };
    let thumbnails = of("thumbs.bin");
    let length = whole[&thumbnails].len();
    let damages = [
        vec![FileDamage::Deleted(thumbnails.clone())],
        vec![FileDamage::Cut(thumbnails.clone(), length / 2)],
        vec![FileDamage::Flipped(thumbnails.clone(), length / 2, 0x10)],
        vec![FileDamage::Flipped(thumbnails.clone(), 3, 0x10)],
        vec![FileDamage::Folder(thumbnails.clone())],
        vec![FileDamage::Link(thumbnails.clone())],
        // The vectors are rebuilt too, which writes all files of the segment.
        vec![
            FileDamage::Flipped(thumbnails.clone(), length / 2, 0x10),
            FileDamage::Deleted(of("moments.sum")),
        ],
    ];
    for damages in damages {
        damages.iter().for_each(|damage| damage.apply(&set));
        let verified = workshop.plain(&["verify", "--full"], &set);
        let told = String::from_utf8_lossy(&verified.stdout).into_owned()
            + &String::from_utf8_lossy(&verified.stderr);
        assert_eq!(verified.status.code(), Some(3), "{damages:?}: {told}");
        if damages.len() == 1 {
            assert!(told.contains("thumbs.bin"), "{damages:?}: {told}");
            done(workshop.plain(&["anchors", "list"], &set));
        }
        done(workshop.encoding(&["repair", &path]));
        // What the repair put aside is its own.
        let verified = done(workshop.plain(&["verify", "--full"], &set));
        let told = String::from_utf8_lossy(&verified.stdout).into_owned()
            + &String::from_utf8_lossy(&verified.stderr);
        assert!(!told.contains("thumbs.bin"), "{damages:?}: {told}");
        assert_eq!(files(&set)[&thumbnails], whole[&thumbnails], "{damages:?}");
    }
    // Pictures of images that changed meanwhile are not made without a word.
    let flip = FileDamage::Flipped(thumbnails.clone(), length / 2, 0x10);
    let (own, other) = (folder.path().join("5.png"), folder.path().join("6.png"));
    let kept = fs_err::read(&own).unwrap();
    for (content, is_told) in [(fs_err::read(&other).unwrap(), true), (kept, true)] {
        fs_err::write(&own, content).unwrap();
        flip.apply(&set);
        let repaired = done(workshop.encoding(&["repair", &path]));
        let told = String::from_utf8_lossy(&repaired.stdout);
        assert_eq!(
            told.contains("they are not those that were there"),
            is_told,
            "{told}"
        );
    }
    flip.apply(&set);
    let repaired = done(workshop.encoding(&["repair", &path]));
    let told = String::from_utf8_lossy(&repaired.stdout);
    assert!(
        told.contains("made again") && !told.contains("not those"),
        "{told}"
    );
    // What no image can be read for stays without, and is counted.
    fs_err::remove_file(folder.path().join("3.png")).unwrap();
    FileDamage::Cut(thumbnails.clone(), 9).apply(&set);
    let repaired = done(workshop.encoding(&["repair", &path]));
    let told = String::from_utf8_lossy(&repaired.stdout);
    assert!(told.contains("1 of 12 pairs have none"), "{told}");
    done(workshop.plain(&["verify", "--full"], &set));
    let left = &files(&set)[Path::new(&thumbnails)];
    assert!(left.len() < length && left.len() > length / 2);
}

/// Where the images are gone, the pictures of a damaged file are all there is.
#[test]
fn intact_thumbnails_of_a_damaged_file_are_kept_where_the_images_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let Some(workshop) = SetWorkshop::of_this(folder.path()) else {
        return;
    };
    let pairs = workshop.pairs("pairs.jsonl", 0..12);
    let set = folder.path().join("a.asif");
    let path = set.display().to_string();
    done(workshop.encoding(&["build", "--pairs", &pairs, "--out", &path]));
    let whole = files(&set);
    let found = whole.keys().find(|file| file.ends_with("thumbs.bin"));
    let thumbnails = found.unwrap().clone();
    for n in 0..12 {
        fs_err::remove_file(folder.path().join(format!("{n}.png"))).unwrap();
    }
    // Within the blob, which begins behind the first page: one picture is hit.
    FileDamage::Flipped(thumbnails.clone(), 4096 + 40, 0x10).apply(&set);
    let repaired = done(workshop.encoding(&["repair", &path]));
    let told = String::from_utf8_lossy(&repaired.stdout);
    assert!(told.contains("1 of 12 pairs have none"), "{told}");
    done(workshop.plain(&["verify", "--full"], &set));
    let left = &files(&set)[&thumbnails];
    assert!(left.len() > whole[&thumbnails].len() * 3 / 4);
}
