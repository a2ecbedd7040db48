//! File types by extension and by first bytes.

use std::io::Read as _;
use std::path::Path;

use image::ImageFormat;

use super::input::PACKINGS;

/// File extensions that are taken for images without reading the content; case-insensitive.
pub const IMAGE_EXTENSIONS: [&str; 6] = ["jpg", "jpeg", "png", "webp", "gif", "bmp"];

/// Endings of images that are not read.
const UNREAD_IMAGES: [&str; 26] = [
    "", "avif", "arw", "cr2", "cr3", "dng", "eps", "exr", "hdr", "heic", "heif", "ico", "j2k",
    "jfif", "jp2", "jpe", "jxl", "nef", "pgm", "ppm", "psd", "qoi", "svg", "tga", "tif", "tiff",
];

/// Whether a file's name ends like an image's.
pub(crate) fn is_image_name(path: &Path) -> bool {
    IMAGE_EXTENSIONS.contains(&ending_of(path).as_str())
}

/// Whether an ending, as [`ending_of`] gives it, is that of images that are not read.
pub(super) fn is_unread_image(ending: &str) -> bool {
    UNREAD_IMAGES.contains(&ending.split('.').next().unwrap_or_default())
        || IMAGE_EXTENSIONS.contains(&ending.split('.').next().unwrap_or_default())
}

/// Whether a file is an image that can be read: by the ending of its name, else by its first bytes.
pub(crate) fn is_image(path: &Path) -> bool {
    if is_image_name(path) {
        return true;
    }
    let mut head = Vec::new();
    let read = fs_err::File::open(path).and_then(|file| file.take(64).read_to_end(&mut head));
    let readable = [
        ImageFormat::Jpeg,
        ImageFormat::Png,
        ImageFormat::WebP,
        ImageFormat::Gif,
        ImageFormat::Bmp,
    ];
    let is_readable = |format| readable.contains(&format);
    read.is_ok() && image::guess_format(&head).is_ok_and(is_readable)
}

/// As [`ending_of`], without the ending of a compression that is read: `jsonl` of `pairs.jsonl.gz`.
pub(super) fn unpacked_ending(path: &Path) -> String {
    let ending = ending_of(path);
    let unpacked = PACKINGS
        .iter()
        .find_map(|(_, _, packed)| ending.strip_suffix(packed)?.strip_suffix('.'));
    unpacked.map(str::to_owned).unwrap_or(ending)
}

/// The ending of a file's name in lower case, without the dot; of a compressed file the one before
/// it too (`tar.gz`). Empty if it has none.
pub(crate) fn ending_of(path: &Path) -> String {
    let lower = |ending: &std::ffi::OsStr| ending.to_string_lossy().to_ascii_lowercase();
    let ending = path.extension().map(lower).unwrap_or_default();
    if !["gz", "bz2", "xz", "zst"].contains(&ending.as_str()) {
        return ending;
    }
    let inner = path.file_stem().map(Path::new).and_then(Path::extension);
    match inner.map(lower) {
        Some(inner) => format!("{inner}.{ending}"),
        None => ending,
    }
}
