//! Warming: reads the pages that searches need before the first query.

use std::hint::black_box;

use crate::anchors::AnchorSet;
use crate::anchors::stored::plan::SearchMode;
use crate::modality::Modality;

/// The stride of touched bytes: no page is smaller.
const PAGE: usize = 4096;

/// Touches every page of codes, then of graphs, then of vectors, until `limit` bytes are mapped;
/// returns how many. Codes first: whatever the search, it begins with them. Graphs, where they
/// may be searched, before vectors: a graph search reads graphs at random, and few vectors.
pub(super) fn warm(set: &AnchorSet, search: SearchMode, limit: u64) -> u64 {
    let sides = || {
        let segments = set.segments().iter();
        segments.flat_map(|segment| Modality::BOTH.map(|modality| (segment, modality)))
    };
    let mut left = limit;
    for (segment, modality) in sides() {
        let v = segment.vectors(modality);
        left -= touch(v.codes(), left);
        left -= touch(v.scales(), left);
    }
    if matches!(search, SearchMode::Auto | SearchMode::Hnsw) {
        for graph in sides().filter_map(|(segment, modality)| segment.graph(modality)) {
            left -= touch(graph.bytes(), left);
        }
    }
    for (segment, modality) in sides() {
        left -= touch(segment.vectors(modality).vectors(), left);
    }
    limit - left
}

/// Reads an item in each page of at most `limit` bytes; returns the bytes of the pages.
fn touch<T: Copy>(items: &[T], limit: u64) -> u64 {
    let size = size_of::<T>();
    let bytes = (size_of_val(items) as u64).min(limit);
    let items = &items[..bytes as usize / size];
    for item in items.iter().step_by(PAGE / size) {
        black_box(*item);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anchors::change::vectors::{NewSetOptions, PairVectors, create};
    use crate::anchors::stored::plan::GraphPolicy;
    use crate::anchors::stored::records::PairRecord;
    use crate::encode::EncoderEntry;
    use crate::encode::EncoderIdentity;
    use crate::space::RelativeParams;

    #[test]
    fn no_more_is_touched_than_allowed() {
        let numbers = vec![1.0f32; 5000];
        assert_eq!(touch(&numbers, u64::MAX), 20_000);
        assert_eq!(touch(&numbers, 4097), 4097);
        assert_eq!(touch(&numbers, 0), 0);
        assert_eq!(touch::<u8>(&[], 10), 0);
    }

    #[test]
    fn graphs_are_touched_where_they_may_be_searched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.asif");
        let encoder = |modality| {
            let nothing = serde_json::json!({});
            EncoderEntry {
                identity: EncoderIdentity::new(
                    "invented".into(),
                    modality,
                    2,
                    "00".into(),
                    None,
                    nothing,
                ),
                canary: vec![1.0, 0.0],
            }
        };
        let making = NewSetOptions {
            image_encoder: encoder(Modality::Image),
            text_encoder: encoder(Modality::Text),
            space: RelativeParams::default().into(),
            graphs: GraphPolicy::Always,
        };
        let pair = |n: u32| PairVectors {
            record: PairRecord {
                id: n.to_string(),
                image: String::new(),
                captions: Vec::new(),
                meta: "{}".to_owned(),
            },
            image: vec![f32::sin(n as f32), f32::cos(n as f32)],
            text: vec![f32::cos(n as f32), f32::sin(n as f32)],
        };
        create(&path, &making, (0..50).map(pair)).unwrap();
        let set = AnchorSet::open(&path).unwrap();
        let graphs: u64 = Modality::BOTH
            .map(|modality| set.segments()[0].graph(modality).unwrap().file_bytes())
            .iter()
            .sum();
        let all = |mode| warm(&set, mode, u64::MAX);
        assert_eq!(all(SearchMode::Auto), all(SearchMode::Exact) + graphs);
        assert_eq!(all(SearchMode::Hnsw), all(SearchMode::Auto));
        assert_eq!(warm(&set, SearchMode::Auto, graphs), graphs);
    }
}
