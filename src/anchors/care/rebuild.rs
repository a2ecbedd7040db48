//! Rebuilds a damaged segment from its intact files and from its images and captions.

use std::io::Read;
use std::path::Path;

use super::aside;
use crate::anchors::change::build::mean_text;
use crate::anchors::change::recover;
use crate::anchors::error::{AnchorsError, if_whole};
use crate::anchors::stored::content;
use crate::anchors::stored::layout;
use crate::anchors::stored::manifest::{Manifest, SegmentEntry};
use crate::anchors::stored::plan::GraphPolicy;
use crate::anchors::stored::records::PairRecords;
use crate::anchors::stored::segment;
use crate::anchors::stored::segment::writer::SegmentWriter;
use crate::anchors::stored::skipped_rows;
use crate::anchors::stored::thumbnails::StoredPicture;
use crate::anchors::stored::thumbnails::Thumbnails;
use crate::embed::{Embedder, WorkControl};
use crate::image_source::ImageSource;
use crate::modality::PerModality;

/// Rewrites a damaged segment from its records; false when the same content cannot be reproduced.
pub(crate) fn rebuild<Error: From<AnchorsError>>(
    set: &Path,
    entry: &SegmentEntry,
    manifest: &Manifest,
    encoders: &impl Fn(&Manifest) -> Result<Embedder, Error>,
    watch: WorkControl<'_>,
) -> Result<bool, Error> {
    // Leftovers of killed writers may have what the segment's own folder lacks.
    let mut sources = vec![layout::segments_folder(set).join(&entry.id)];
    sources.extend(recover::hidden_folders(set)?);
    let mut records = Vec::new();
    for folder in &sources {
        let opened = PairRecords::open(&folder.join(layout::PAIRS));
        let sound = opened.and_then(|records| records.verify().map(|()| records));
        records.extend(if_whole(sound)?.filter(|r| r.len() as u64 == entry.pairs));
    }
    for records in &records {
        records.refuse_unknown()?;
    }
    let dims = manifest.dims();
    for records in &records {
        // Copies may be damaged in different files: any combination with the segment's name is its content.
        for image in &sources {
            for text in &sources {
                if let Some(vectors) = stored(PerModality { image, text }, records.len(), dims)?
                    && write_same(set, entry, manifest, records, &vectors)?
                {
                    return Ok(true);
                }
            }
        }
    }
    if records.is_empty() {
        return Ok(false);
    }
    // Asked for last: it takes a model, and mostly some copy of the vectors is intact.
    let embedder = encoders(manifest)?;
    for records in &records {
        if let Some(vectors) = embedded(records, &embedder, watch)?
            && write_same(set, entry, manifest, records, &vectors)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The vectors of both modalities, `[n, dim]` each.
fn stored(
    folders: PerModality<&Path>,
    pairs: usize,
    dims: PerModality<usize>,
) -> Result<Option<PerModality<Vec<f32>>>, AnchorsError> {
    let read = |folder: &Path, name: &str, dim: usize| {
        let opened = asif_index::VectorSet::open(folder.join(name)).map_err(AnchorsError::from);
        let fits = if_whole(opened)?.filter(|set| set.len() == pairs && set.dim() == dim);
        Ok::<_, AnchorsError>(fits.map(|set| set.vectors().to_vec()))
    };
    let image = read(folders.image, layout::IMAGE, dims.image)?;
    let text = read(folders.text, layout::TEXT, dims.text)?;
    Ok(image
        .zip(text)
        .map(|(image, text)| PerModality { image, text }))
}

/// Vectors of images; `None` where one of them is no longer a readable image.
///
/// # Errors
/// When the encoder fails, or an image cannot be read for lack of permission or resources.
fn of_pictures(
    images: &[ImageSource],
    embedder: &Embedder,
    watch: WorkControl<'_>,
) -> Result<Option<Vec<Vec<f32>>>, AnchorsError> {
    let vectors = embedder.images(images, watch)?;
    let rejected = images.iter().zip(&vectors).filter(|(_, v)| v.is_err());
    let mut is_whole = true;
    for (image, _) in rejected {
        is_whole = false;
        let Some(path) = image.path() else {
            continue;
        };
        let read = fs_err::File::open(path).and_then(|mut file| file.read(&mut [0]));
        if_whole(read.map_err(AnchorsError::from))?;
    }
    // A file that can be opened now may have failed before.
    let vectors = match is_whole {
        true => vectors,
        false => embedder.images(images, watch)?,
    };
    Ok(vectors.into_iter().collect::<Result<_, _>>().ok())
}

fn embedded(
    records: &PairRecords,
    embedder: &Embedder,
    watch: WorkControl<'_>,
) -> Result<Option<PerModality<Vec<f32>>>, AnchorsError> {
    let all: Vec<_> = (0..records.len())
        .map(|i| records.get(i))
        .collect::<Result<_, _>>()?;
    let images = (0..records.len()).map(|i| records.image(i));
    // A pair whose image lies nowhere cannot be encoded again.
    let images: Option<Vec<ImageSource>> = images.collect::<Result<_, _>>()?;
    let images = match images {
        Some(images) => of_pictures(&images, embedder, watch)?,
        None => None,
    };
    let captions: Vec<&str> = all
        .iter()
        .flat_map(|r| r.captions.iter().map(String::as_str))
        .collect();
    let mut texts = embedder.texts(&captions, watch)?.into_iter();
    let of_pairs: Result<Vec<Vec<f32>>, _> = all
        .iter()
        .map(|r| {
            let of_pair = texts.by_ref().take(r.captions.len()).collect();
            mean_text(of_pair, embedder.text())
        })
        .collect();
    let sides = images.zip(of_pairs.ok());
    Ok(sides.map(|(images, texts)| PerModality {
        image: images.concat(),
        text: texts.concat(),
    }))
}

fn write_same(
    set: &Path,
    entry: &SegmentEntry,
    manifest: &Manifest,
    records: &PairRecords,
    vectors: &PerModality<Vec<f32>>,
) -> Result<bool, AnchorsError> {
    let dims = manifest.dims();
    let mut new = SegmentWriter::create(set, dims)?;
    let images = vectors.image.chunks(dims.image);
    let sides = images.zip(vectors.text.chunks(dims.text));
    let old = layout::segments_folder(set).join(&entry.id);
    let thumbnails = Thumbnails::open(&old.join(layout::THUMBNAILS), records.len() as u64);
    // Damaged ones are left out, and made again once the segment is whole.
    let sound = thumbnails.and_then(|found| found.map(|t| t.verify().map(|()| t)).transpose());
    let thumbnails = if_whole(sound)?.flatten();
    for (i, (image, text)) in sides.enumerate() {
        let thumbnail = thumbnails
            .as_ref()
            .map(|t| if_whole(t.get(i)))
            .transpose()?;
        let picture = StoredPicture {
            place: records.place(i)?,
            thumbnail: thumbnail.flatten().flatten(),
        };
        // Damaged vectors may be non-finite; then they are not the original ones.
        let vectors = PerModality { image, text };
        if if_whole(new.push_pair(&records.get(i)?, picture, vectors))?.is_none() {
            return Ok(false);
        }
    }
    // The name is a hash of all records and vectors, so that nothing but the same content passes.
    let same = new.id() == entry.id;
    if same {
        // Existing graphs are rebuilt: which graphs pay off was decided when the segment was written.
        let had_graphs = segment::has_graphs(&old)? || content::has_graphs(entry);
        let graphs = match had_graphs {
            true => GraphPolicy::Always,
            false => GraphPolicy::Never,
        };
        let rows = skipped_rows::readable_rows(&old.join(layout::SKIPPED))?;
        if rows.contains(&skipped_rows::lost_row()) {
            aside::keep(set, &old, layout::SKIPPED)?;
        }
        new.finish(graphs, manifest.space.k())?;
    }
    Ok(same)
}
