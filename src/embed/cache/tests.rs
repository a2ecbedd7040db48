use fs_err::OpenOptions;

use super::file::{self, HEADER_BYTES};
use super::key::KEY_BYTES;
use super::*;

const PRINT: &str = "0123456789abcdef";

fn open(folder: &Path) -> EmbeddingCache {
    EmbeddingCache::open(folder, PRINT, 3).unwrap()
}

fn filled(folder: &Path) -> [ContentKey; 2] {
    let keys = [ContentKey::of(b"one"), ContentKey::of(b"two")];
    open(folder)
        .put(&keys, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
        .unwrap();
    keys
}

#[test]
fn what_was_put_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let keys = filled(folder.path());
    let cache = open(folder.path());
    assert_eq!(cache.get(&keys[1]), Some(vec![4.0, 5.0, 6.0]));
    assert_eq!(cache.get(&ContentKey::of(b"three")), None);
    assert_eq!(cache.hits(), 1);
}

#[test]
fn what_an_older_decoder_made_of_a_picture_is_forgotten_but_never_found() {
    let folder = tempfile::tempdir().unwrap();
    let cache = open(folder.path());
    let ever: Vec<ContentKey> = ContentKey::of_picture_ever(b"picture").collect();
    let now = ContentKey::of_picture(b"picture");
    assert_eq!(ever.first(), Some(&ContentKey::of(b"picture")));
    assert_eq!(ever.last(), Some(&now));
    cache.put(&ever[..1], &[1.0, 2.0, 3.0]).unwrap();
    assert_eq!(cache.get(&now), None);
    let all = ever.into_iter().collect();
    assert_eq!(cache.forget(&all, &DirectionLookup::default()).unwrap(), 1);
    assert!(cache.is_empty());
}

#[test]
fn two_handles_append_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (open(folder.path()), open(folder.path()));
    let keys = [ContentKey::of(b"a"), ContentKey::of(b"b")];
    a.put(&keys[..1], &[1.0; 3]).unwrap();
    b.put(&keys[1..], &[2.0; 3]).unwrap();
    let c = open(folder.path());
    assert_eq!(c.get(&keys[0]), Some(vec![1.0; 3]));
    assert_eq!(c.get(&keys[1]), Some(vec![2.0; 3]));
}

#[test]
fn a_torn_tail_is_ignored_and_then_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let keys = filled(folder.path());
    let path = open(folder.path()).path.clone();
    let length = fs_err::metadata(&path).unwrap().len();
    OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(length - 5)
        .unwrap();
    let cache = open(folder.path());
    assert!(cache.get(&keys[0]).is_some());
    assert_eq!(cache.get(&keys[1]), None);
    cache.put(&keys[1..], &[7.0; 3]).unwrap();
    assert_eq!(open(folder.path()).get(&keys[1]), Some(vec![7.0; 3]));
}

#[test]
fn a_flipped_byte_counts_as_absent() {
    let folder = tempfile::tempdir().unwrap();
    let keys = filled(folder.path());
    let path = open(folder.path()).path.clone();
    let mut bytes = fs_err::read(&path).unwrap();
    bytes[HEADER_BYTES as usize + KEY_BYTES + 2] ^= 1;
    fs_err::write(&path, bytes).unwrap();
    let cache = open(folder.path());
    assert_eq!(cache.get(&keys[0]), None);
    assert!(cache.get(&keys[1]).is_some());
}

#[test]
fn what_is_forgotten_leaves_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let keys = filled(folder.path());
    let more = [ContentKey::of(b"three"), ContentKey::of(b"four")];
    let cache = open(folder.path());
    cache.put(&more, &[7.0, 8.0, 9.0, 0.5, 0.5, 0.5]).unwrap();
    let vector: Vec<u8> = [7.0f32, 8.0, 9.0]
        .iter()
        .flat_map(|x| x.to_le_bytes())
        .collect();
    let mut directions = DirectionLookup::default();
    // At another length, and rounded, as a reweighed set stores it.
    directions.insert(&[7.0, 8.0, 9.0].map(|x: f32| x * 0.3_f32.sqrt() * 1.7));
    assert!(!directions.contains(&[7.0, 8.0, 9.001]));
    let forgotten = cache.forget(&[keys[0]].into(), &directions).unwrap();
    assert_eq!(forgotten, 2);
    let bytes = fs_err::read(&cache.path).unwrap();
    assert!(!bytes.windows(12).any(|w| w == vector));
    assert_eq!(cache.get(&keys[0]), None);
    for cache in [cache, open(folder.path())] {
        assert_eq!(cache.get(&keys[1]), Some(vec![4.0, 5.0, 6.0]));
        assert_eq!(cache.get(&more[1]), Some(vec![0.5; 3]));
        assert_eq!(cache.get(&more[0]), None);
    }
    let none = EmbeddingCache::existing(folder.path(), "another", 3).unwrap();
    assert!(none.is_none());
}

#[test]
fn a_file_of_another_kind_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    fs_err::write(
        folder.path().join(format!("{PRINT}.emb")),
        b"something else",
    )
    .unwrap();
    let keys = filled(folder.path());
    assert!(open(folder.path()).get(&keys[0]).is_some());
}

#[test]
fn a_torn_tail_is_forgotten_with_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let keys = filled(folder.path());
    let cache = open(folder.path());
    let mut bytes = fs_err::read(&cache.path).unwrap();
    bytes.truncate(bytes.len() - 5);
    fs_err::write(&cache.path, &bytes).unwrap();
    let cache = open(folder.path());
    let forgotten = cache
        .forget(&[].into(), &DirectionLookup::default())
        .unwrap();
    assert_eq!(forgotten, 0);
    let left = fs_err::read(&cache.path).unwrap();
    assert!(!left.windows(KEY_BYTES).any(|w| w == keys[1].0));
    cache.put(&keys[1..], &[7.0; 3]).unwrap();
    for cache in [cache, open(folder.path())] {
        assert_eq!(cache.get(&keys[0]), Some(vec![1.0, 2.0, 3.0]));
        assert_eq!(cache.get(&keys[1]), Some(vec![7.0; 3]));
    }
}

/// What cannot be read is not known to be another encoder's.
#[test]
fn a_file_that_cannot_be_read_is_not_emptied() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path());
    let path = open(folder.path()).path.clone();
    let before = fs_err::read(&path).unwrap();
    // Reading is refused through a descriptor that is only for writing.
    let mut options = fs_err::OpenOptions::new();
    let mut file = options.write(true).open(&path).unwrap();
    let header = file::header("whatever", 3);
    assert!(file::prepare(&mut file, &header, record_bytes(3)).is_err());
    assert!(file::dimension(&mut file).is_err());
    assert_eq!(fs_err::read(&path).unwrap(), before);
}

#[test]
fn a_fingerprint_is_no_way_out_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let outside = folder.path().join("precious.emb");
    fs_err::write(&outside, "ten years of work").unwrap();
    let cache = folder.path().join("cache");
    fs_err::create_dir(&cache).unwrap();
    let long = "\u{e9}".repeat(40);
    for fingerprint in ["../precious", "", &long] {
        assert!(EmbeddingCache::open(&cache, fingerprint, 3).is_err());
        assert!(EmbeddingCache::existing(&cache, fingerprint, 3).is_err());
    }
    assert_eq!(fs_err::read(&outside).unwrap(), b"ten years of work");
}
