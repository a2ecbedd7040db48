//! Makes damaged thumbnails again.

use std::path::Path;

use super::aside;
use crate::anchors::error::{AnchorsError, if_whole};
use crate::anchors::stored::content;
use crate::anchors::stored::layout;
use crate::anchors::stored::segment::Segment;
use crate::anchors::stored::thumbnails::{THUMBNAIL_SIDE, ThumbnailWriter, Thumbnails};
use crate::disk as fs;
use crate::embed::LARGEST_FILE;
use crate::encode::image::thumbnail::thumbnail_file;

/// Thumbnails that were made again.
pub(super) struct MendedThumbnails {
    pairs: usize,
    /// Pairs without one.
    lost: usize,
    /// Whether they are those that were written with the vectors; `None` where the damaged file does not say.
    are_as_before: Option<bool>,
}

impl MendedThumbnails {
    /// The repair of this damage, in words.
    pub(super) fn told(&self, damage: &str) -> String {
        let mut told = format!("{damage}: made again from the images");
        if self.lost > 0 {
            told.push_str(&format!(
                "; {} of {} pairs have none, as their images could not be read",
                self.lost, self.pairs
            ));
        }
        // An image may have another content than when its vector was made.
        told.push_str(match self.are_as_before {
            Some(true) => "",
            Some(false) => {
                "; they are not those that were there, since images changed or are missing: what they show may not be \
                 what the vectors were made of"
            }
            None => "; whether the images are still those that the vectors were made of is not known",
        });
        told
    }
}

/// Makes the thumbnails of a segment again from its images. Where an image cannot be read, what the damaged file
/// has for it stays if it is a picture. The damaged file is kept in `damaged/`.
///
/// # Errors
/// On an I/O error.
pub(super) fn mend(set: &Path, segment: &Segment) -> Result<MendedThumbnails, AnchorsError> {
    let folder = segment.path();
    // Under a name that the next writer clears away if this process is killed.
    let made = tempfile::Builder::new()
        .prefix(layout::WRITING)
        .tempdir_in(fs::parent(folder))?;
    let new = made.path().join(layout::THUMBNAILS);
    let mut thumbnails = ThumbnailWriter::new(new.clone());
    thumbnails.begun()?;
    // What of it is damaged is not known: there is one checksum for all pictures.
    let damaged = Thumbnails::open(&folder.join(layout::THUMBNAILS), segment.len() as u64);
    let old = if_whole(damaged)?.flatten();
    let mut lost = 0;
    for i in 0..segment.len() {
        let image = segment.image(i)?;
        let content = image
            .as_ref()
            .and_then(|image| image.read(LARGEST_FILE).ok());
        let small = content.and_then(|bytes| thumbnail_file(&bytes, None, THUMBNAIL_SIDE));
        let small = match small {
            Some(made) => Some(made),
            None => {
                let found = old.as_ref().and_then(|old| old.get(i).ok().flatten());
                let found = found.filter(|bytes| image::load_from_memory(bytes).is_ok());
                found.map(<[u8]>::to_vec)
            }
        };
        lost += usize::from(small.is_none());
        thumbnails.push(small.as_deref())?;
    }
    thumbnails.finish()?;
    // The checksum in the header is that of the whole file as it was written, whatever happened to the rest of it.
    let old = folder.join(layout::THUMBNAILS);
    let before = if_whole(content::header(&old))?;
    let made = content::header(&new)?;
    let are_as_before = before.map(|before| before == made);
    aside::keep(set, folder, layout::THUMBNAILS)?;
    fs::rename(&new, &old)?;
    fs::sync_folder(folder)?;
    Ok(MendedThumbnails {
        pairs: segment.len(),
        lost,
        are_as_before,
    })
}
