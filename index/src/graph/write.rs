//! Writes a graph in memory to a file.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::layers::{GraphBuilder, GraphLayer, GraphLayers};
use super::layout::{
    GraphMeta, KIND, LINKS, MAX_UPPER, MAX_WIDTH, META, NIBBLES, ROWS, STEPS, links_of, nodes_of,
};
use super::{NIL, nibbles};
use crate::container::ContainerWriter;
use crate::error::{Error, Result};
use crate::vectors::VectorSet;

/// Nodes coded at a time.
const BLOCK: usize = 16 << 10;

/// Summary of a written graph.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GraphSummary {
    /// The path of the file.
    pub path: PathBuf,
    /// The number of nodes.
    pub nodes: usize,
    /// The number of layers above layer 0.
    pub upper_layers: usize,
    /// Length of the file in bytes.
    pub file_bytes: u64,
}

/// Builds a graph over `set` and writes it to `path`.
///
/// The file is published atomically. It contains the fingerprint of the vector set and can be opened
/// with that one only.
///
/// # Errors
/// As the builder; [`Error::Io`] when writing fails; [`Error::Argument`] when the builder's result is not a
/// valid graph over the vector set.
pub fn write_graph(
    path: impl AsRef<Path>,
    set: &VectorSet,
    builder: &dyn GraphBuilder,
) -> Result<GraphSummary> {
    let layers = builder.build(set)?;
    // Before the first byte is written: a bad graph must not begin a file.
    check(&layers, set.len())?;
    let order = if layers.order.is_empty() {
        (0..set.len() as u32).collect()
    } else {
        layers.order.clone()
    };
    // Links are stored as nodes in the order of the file, so rows must be translated.
    let mut node_of = vec![0u32; set.len()];
    for (node, &row) in (0u32..).zip(&order) {
        node_of[row as usize] = node;
    }

    // A set without vectors still gets a file, so that reading it needs no special case.
    let empty = GraphLayer {
        width: 2,
        ..GraphLayer::default()
    };
    let (base, upper) = layers.layers.split_first().unwrap_or((&empty, &[]));
    let mut writer = ContainerWriter::create(path, KIND)?;
    let meta = GraphMeta {
        nodes: set.len() as u64,
        dim: set.dim(),
        width: base.width,
        upper_width: upper.first().map_or(1, |layer| layer.width),
        upper: upper.len(),
        entry: entry_of(&layers, &node_of),
        nibble_width: nibbles::width_of(set.dim()),
        fingerprint: set.fingerprint(),
    };
    writer.section(META, &meta.encode())?;
    writer.section(ROWS, bytemuck::cast_slice(&order))?;
    // In blocks: the links of a large graph need not be held a second time.
    writer.begin(LINKS)?;
    let mut links = Vec::new();
    for rows in order.chunks(BLOCK) {
        links.clear();
        // Rows stand in the order of the file, which the builder chose so that neighbours lie together.
        for &row in rows {
            let of_row = &base.links[row as usize * base.width..][..base.width];
            links.extend(
                of_row
                    .iter()
                    .map(|&to| if to == NIL { NIL } else { node_of[to as usize] }),
            );
        }
        writer.write(bytemuck::cast_slice(&links))?;
    }
    write_nibbles(&mut writer, set, &order, meta.nibble_width)?;
    for (level, layer) in (1..).zip(upper) {
        let (nodes, links) = renumber(layer, &node_of);
        writer.section(nodes_of(level), bytemuck::cast_slice(&nodes))?;
        writer.section(links_of(level), bytemuck::cast_slice(&links))?;
    }
    let path = writer.path().to_owned();
    let file_bytes = writer.finish()?.file_bytes;
    Ok(GraphSummary {
        path,
        nodes: set.len(),
        upper_layers: upper.len(),
        file_bytes,
    })
}

fn write_nibbles(
    writer: &mut ContainerWriter,
    set: &VectorSet,
    order: &[u32],
    width: usize,
) -> Result<()> {
    let center = set.center().unwrap_or(&[]);
    let mut steps = vec![0f32; order.len()];
    let mut codes = vec![0u8; width * BLOCK.min(order.len())];
    writer.begin(NIBBLES)?;
    // A block's codes are made on all cores and written by one thread, so the file stays in order.
    for (rows, steps) in order.chunks(BLOCK).zip(steps.chunks_mut(BLOCK)) {
        let codes = &mut codes[..rows.len() * width];
        rows.par_iter()
            .zip(codes.par_chunks_exact_mut(width))
            .zip(steps)
            .with_min_len(64)
            // Short tasks would cost more to hand out than to run.
            .for_each(|((&row, out), step)| {
                *step = nibbles::encode(set.vector(row as usize), center, out);
            });
        writer.write(codes)?;
    }
    writer.section(STEPS, bytemuck::cast_slice(&steps))
}

/// A layer's nodes in ascending order, and its links as positions in that order.
fn renumber(layer: &GraphLayer, node_of: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let mut sorted: Vec<(u32, u32)> = layer
        .rows
        .iter()
        .zip(0u32..)
        .map(|(&row, at)| (node_of[row as usize], at))
        .collect();
    // Readers search an upper layer's nodes by bisection, so they are sorted by node, not by row.
    sorted.sort_unstable();
    let mut position = vec![0u32; sorted.len()];
    for (new, &(_, old)) in (0u32..).zip(&sorted) {
        position[old as usize] = new;
    }
    let links = sorted
        .iter()
        .flat_map(|&(_, old)| &layer.links[old as usize * layer.width..][..layer.width])
        .map(|&to| {
            if to == NIL {
                NIL
            } else {
                position[to as usize]
            }
        })
        .collect();
    (sorted.into_iter().map(|(node, _)| node).collect(), links)
}

/// The entry as a position in the top layer's nodes, in the order of the file.
fn entry_of(layers: &GraphLayers, node_of: &[u32]) -> u32 {
    let Some(top) = layers.layers.last() else {
        return 0;
    };
    // An empty graph has no entry row; 0 is what readers expect there.
    let Some(&row) = top.rows.get(layers.entry as usize) else {
        return 0;
    };
    let node = node_of[row as usize];
    // In layer 0 a node's position is its number.
    if layers.layers.len() == 1 {
        return node;
    }
    // The position after sorting is the number of nodes before it.
    top.rows
        .iter()
        .filter(|&&other| node_of[other as usize] < node)
        .count() as u32
}

/// Validates the layers. Any type can implement the builder trait, so its result is not trusted.
fn check(layers: &GraphLayers, rows: usize) -> Result<()> {
    let refuse = |found: &str| {
        Err(Error::Argument {
            what: "layers",
            expected: "a graph over the vector set's rows".to_owned(),
            found: found.to_owned(),
            advice: "report this as a bug of the builder",
        })
    };
    if layers.layers.len() > MAX_UPPER + 1 {
        return refuse("too many layers");
    }
    if layers.layers.first().map_or(0, |layer| layer.rows.len()) != rows {
        return refuse("a layer 0 that does not hold every row");
    }
    let mut below: Option<&GraphLayer> = None;
    for layer in &layers.layers {
        let ascending = layer.rows.windows(2).all(|w| w[0] < w[1]);
        // Rows ascend, so the last one bounds them all.
        let inside = layer.rows.last().is_none_or(|&row| (row as usize) < rows);
        let width = (1..=MAX_WIDTH).contains(&layer.width);
        if !ascending || !inside || !width || layer.links.len() != layer.rows.len() * layer.width {
            return refuse("a layer whose rows or links do not fit");
        }
        let n = layer.rows.len();
        if layer.links.iter().any(|&to| to != NIL && to as usize >= n) {
            return refuse("a link to nowhere");
        }
        if below.is_some_and(|b| {
            layer
                .rows
                .iter()
                .any(|row| b.rows.binary_search(row).is_err())
        }) {
            return refuse("a layer that is not part of the one below");
        }
        below = Some(layer);
    }
    // The file has one width for all upper layers, and searches begin in the top one, which cannot be empty.
    let upper = layers.layers.get(1..).unwrap_or(&[]);
    if upper
        .iter()
        .any(|layer| layer.width != upper[0].width || layer.rows.is_empty())
    {
        return refuse("upper layers that are empty or of different widths");
    }
    if below.is_some_and(|top| layers.entry as usize >= top.rows.len().max(1)) {
        return refuse("an entry outside the top layer");
    }
    if !layers.order.is_empty() {
        let mut seen = vec![false; rows];
        for &row in &layers.order {
            match seen.get_mut(row as usize) {
                Some(seen) if !*seen => *seen = true,
                _ => return refuse("an order that is not a permutation of the rows"),
            }
        }
        // Without repetitions and with the right length it is a permutation.
        if layers.order.len() != rows {
            return refuse("an order that leaves rows out");
        }
    }
    Ok(())
}
