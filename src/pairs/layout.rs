//! Where the images of published lists lie: beside the list, or in the folder that its publishers made for them.

use std::path::{Component, Path, PathBuf};

use super::endings::unpacked_ending;
use super::path_text::path_of;
use super::source::base_of;

/// Folders that images of captioned data sets are published in, beside the list or beside its folder. The first is
/// the list's own.
const FOLDERS: [&str; 7] = [
    "",
    "images",
    "Images",
    "Flicker8k_Dataset",
    "Flickr8k_Dataset",
    "flickr30k-images",
    "flickr30k_images",
];
/// How many images are looked for: not all of a list need be there.
const LOOKED_FOR: usize = 100;

/// Whether a path stays in the folder that it is relative to.
pub(super) fn is_within(path: &Path) -> bool {
    let mut depth = 0_u32;
    path.components().all(|part| match part {
        Component::CurDir => true,
        Component::Normal(_) => {
            depth += 1;
            true
        }
        Component::ParentDir => match depth.checked_sub(1) {
            Some(above) => {
                depth = above;
                true
            }
            None => false,
        },
        Component::RootDir | Component::Prefix(_) => false,
    })
}

/// The folder that the image names of a list are relative to: the first in which one of its images is, of the
/// list's own, of [`FOLDERS`], and of the split that the list is named after (`captions_val2017.json`), each in the
/// folder of the list and in the one above. The list's own if there is none.
pub(super) fn image_folder<'a>(list: &Path, names: impl Iterator<Item = &'a str>) -> PathBuf {
    let base = base_of(list);
    // One that leads elsewhere says nothing of the folder.
    let names = names.map(path_of).filter(|name| is_within(name));
    let names: Vec<PathBuf> = names.take(LOOKED_FOR).collect();
    let stem = list.file_name().and_then(|name| name.to_str());
    let stem = stem.and_then(|name| name.strip_suffix(&unpacked_ending(list))?.strip_suffix('.'));
    let split = stem.and_then(|stem| stem.rsplit('_').next());
    let above = base.join("..");
    let mut folders = [&base, &above].into_iter().flat_map(|place| {
        let named = FOLDERS.into_iter().chain(split);
        named.map(move |folder| place.join(folder))
    });
    let has_one = |folder: &PathBuf| names.iter().any(|name| folder.join(name).is_file());
    let found = folders.find(has_one);
    found.unwrap_or_else(|| base_of(list))
}
