//! A graph's file, mapped.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::NIL;
use super::layout::{GraphMeta, KIND, LINKS, META, NIBBLES, ROWS, STEPS, links_of, nodes_of};
use super::reach::mark_from;
use crate::container::{Container, SectionName};
use crate::error::{Error, Result};
use crate::mmap::{AlignedBytes, ByteSource, MappedFile};
use crate::vectors::VectorSet;

/// A layered graph over a [`VectorSet`], used directly from the mapped file.
#[derive(Debug)]
pub struct HnswGraph {
    source: ByteSource,
    meta: GraphMeta,
    rows: Range<usize>,
    links: Range<usize>,
    nibbles: Range<usize>,
    steps: Range<usize>,
    /// Nodes and links of each upper layer, from layer 1.
    upper: Vec<(Range<usize>, Range<usize>)>,
}

/// The result of [`HnswGraph::verify`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct GraphReport {
    /// The number of nodes.
    pub nodes: usize,
    /// The number of nodes reachable from the entry.
    pub reachable: usize,
    /// The mean number of links of a node in layer 0.
    pub mean_links: f64,
}

/// The links of one upper layer, and the nodes of layer 0 that it contains.
#[derive(Clone, Copy)]
pub(super) struct UpperLayer<'a> {
    pub nodes: &'a [u32],
    pub links: &'a [u32],
}

impl HnswGraph {
    /// Maps a file and checks structure, lengths, and that it was built over `set`; reads no links.
    ///
    /// # Errors
    /// Any of [`Error`]'s file variants, naming the file and, if known, the section.
    pub fn open(path: impl AsRef<Path>, set: &VectorSet) -> Result<Self> {
        Self::from_source(ByteSource::Mapped(MappedFile::open(path)?), set)
    }

    /// Opens a copy of bytes in memory; `name` is for messages.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(name: impl Into<PathBuf>, bytes: &[u8], set: &VectorSet) -> Result<Self> {
        Self::from_source(
            ByteSource::Memory(AlignedBytes::copy_of(bytes), name.into()),
            set,
        )
    }

    fn from_source(source: ByteSource, set: &VectorSet) -> Result<Self> {
        let path = source.path();
        let container = Container::open(source.bytes(), path, KIND)?;
        let meta = GraphMeta::decode(container.section(META)?, path)?;
        // A graph of other vectors would give plausible but wrong answers, so the content is compared too.
        let found = (meta.nodes, meta.dim, meta.fingerprint);
        let expected = (set.len() as u64, set.dim(), set.fingerprint());
        if found != expected {
            return Err(Error::NotReadable {
                path: path.to_owned(),
                problem: format!(
                    "expected a graph over {} (rows, dim, fingerprint {expected:x?}), found one over {found:x?}",
                    set.path().display()
                ),
                advice: "build the graph again for this vector set",
            });
        }
        // Lengths first: every later cast and slice relies on them.
        for (section, expected) in meta.lengths() {
            expect_len(&container, path, section, expected)?;
        }
        let mut upper = Vec::with_capacity(meta.upper);
        for level in 1..=meta.upper {
            // A section's length counts bytes; here they must be whole numbers of four.
            let nodes = container.range(nodes_of(level))?;
            let count = nodes.len() as u64 / 4;
            if nodes.len() % 4 != 0 || count == 0 || count > meta.nodes {
                let problem = format!("expected 1 to {} nodes, found {count}", meta.nodes);
                return Err(Error::section(path, nodes_of(level), problem));
            }
            let len = count * meta.upper_width as u64 * 4;
            expect_len(&container, path, links_of(level), len)?;
            upper.push((nodes, container.range(links_of(level))?));
        }
        // An extra layer means that `meta` is not of this file: the search would begin in the wrong layer.
        if container.has(nodes_of(meta.upper + 1)) {
            let problem = format!("expected {} upper layers, found more", meta.upper);
            return Err(Error::section(path, META, problem));
        }
        // The entry counts nodes of the top layer, which may be layer 0 itself.
        let top = upper
            .last()
            .map_or(meta.nodes, |(nodes, _)| nodes.len() as u64 / 4);
        // An empty graph has entry 0, which is never followed.
        if u64::from(meta.entry) >= top.max(1) {
            let problem = format!("expected an entry below {top}, found {}", meta.entry);
            return Err(Error::section(path, META, problem));
        }
        let [rows, links, nibbles, steps] =
            [ROWS, LINKS, NIBBLES, STEPS].map(|section| container.range(section));
        let (rows, links, nibbles, steps) = (rows?, links?, nibbles?, steps?);
        Ok(Self {
            meta,
            rows,
            links,
            nibbles,
            steps,
            upper,
            source,
        })
    }

    /// Reads the whole file: checksums, padding, every link and row in range, no node linked to
    /// itself, upper layers part of those below; counts what can be reached.
    ///
    /// # Errors
    /// [`Error::Section`] naming the section, [`Error::Header`] for padding.
    pub fn verify(&self) -> Result<GraphReport> {
        let path = self.path();
        Container::open(self.source.bytes(), path, KIND)?.verify()?;
        let n = self.len();
        let mut seen = vec![false; n];
        for &row in self.rows() {
            match seen.get_mut(row as usize) {
                Some(seen) if !*seen => *seen = true,
                _ => {
                    let problem = format!("expected each row once, found {row} of {n}");
                    return Err(Error::section(path, ROWS, problem));
                }
            }
        }
        // NaN ranks behind every number, so the row of such a step would never be an answer.
        if let Some(at) = self.steps().iter().position(|v| !v.is_finite()) {
            let problem = format!("expected finite numbers, found {}", self.steps()[at]);
            return Err(Error::section(path, STEPS, problem));
        }
        check_links(path, LINKS, self.links(), self.meta.width, n)?;
        let mut below: Option<UpperLayer<'_>> = None;
        for (at, upper) in self.upper_layers().enumerate() {
            let section = nodes_of(at + 1);
            // Ascending, because searches find a node of an upper layer by binary search.
            let ascending = upper.nodes.windows(2).all(|w| w[0] < w[1]);
            let inside = upper.nodes.iter().all(|&node| match below {
                None => (node as usize) < n,
                Some(below) => below.nodes.binary_search(&node).is_ok(),
            });
            if !ascending || !inside {
                let problem = "expected ascending nodes of the layer below, found others";
                return Err(Error::section(path, section, problem));
            }
            let width = self.meta.upper_width;
            check_links(
                path,
                links_of(at + 1),
                upper.links,
                width,
                upper.nodes.len(),
            )?;
            below = Some(upper);
        }
        let mut seen = vec![false; n];
        // Upper layers are left out: every search ends in layer 0, and only its links decide what is found.
        let reachable = mark_from(self.entry_node(), self.links(), self.meta.width, &mut seen);
        let links = self.links().iter().filter(|&&to| to != NIL).count();
        Ok(GraphReport {
            nodes: n,
            reachable,
            mean_links: links as f64 / n.max(1) as f64,
        })
    }

    /// The number of nodes, which is the number of the set's rows.
    pub fn len(&self) -> usize {
        self.meta.nodes as usize
    }

    /// Whether there are no nodes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The file, or the name that was given with bytes.
    pub fn path(&self) -> &Path {
        self.source.path()
    }

    /// Length of the file in bytes.
    pub fn file_bytes(&self) -> u64 {
        self.source.bytes().len() as u64
    }

    /// The whole mapped file, for callers that bring it into memory before the first query.
    pub fn bytes(&self) -> &[u8] {
        self.source.bytes()
    }

    pub(super) fn meta(&self) -> &GraphMeta {
        &self.meta
    }

    /// The set's row of each node.
    pub(super) fn rows(&self) -> &[u32] {
        self.numbers(&self.rows)
    }

    pub(super) fn links(&self) -> &[u32] {
        self.numbers(&self.links)
    }

    pub(super) fn nibbles(&self) -> &[u8] {
        &self.source.bytes()[self.nibbles.clone()]
    }

    pub(super) fn steps(&self) -> &[f32] {
        bytemuck::cast_slice(&self.source.bytes()[self.steps.clone()])
    }

    /// The upper layers, from layer 1.
    pub(super) fn upper_layers(&self) -> impl DoubleEndedIterator<Item = UpperLayer<'_>> {
        self.upper.iter().map(|(nodes, links)| UpperLayer {
            nodes: self.numbers(nodes),
            links: self.numbers(links),
        })
    }

    /// The entry as a node of layer 0.
    pub(super) fn entry_node(&self) -> u32 {
        // An entry counts the nodes of its layer; the caller wants a node of layer 0.
        match self.upper.last() {
            None => self.meta.entry,
            Some((nodes, _)) => self.numbers(nodes)[self.meta.entry as usize],
        }
    }

    fn numbers(&self, range: &Range<usize>) -> &[u32] {
        bytemuck::cast_slice(&self.source.bytes()[range.clone()])
    }
}

fn expect_len(
    container: &Container<'_>,
    path: &Path,
    section: SectionName,
    expected: u64,
) -> Result<()> {
    let found = container.range(section)?.len() as u64;
    if found == expected {
        return Ok(());
    }
    Err(Error::section(
        path,
        section,
        format!("expected {expected} bytes, found {found}"),
    ))
}

/// Checks that each link is below `n` or [`NIL`], and none is to the node itself.
fn check_links(
    path: &Path,
    section: SectionName,
    links: &[u32],
    width: usize,
    n: usize,
) -> Result<()> {
    for (node, links) in links.chunks_exact(width).enumerate() {
        for &to in links {
            if to != NIL && (to as usize >= n || to as usize == node) {
                let problem = format!("expected links to others below {n}, found {node} -> {to}");
                return Err(Error::section(path, section, problem));
            }
        }
    }
    Ok(())
}
