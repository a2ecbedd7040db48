//! One row after another, as HNSW was first described: for adding to a graph that exists.
//!
//! Rows are inserted in groups. Each row of a group is searched for in the graph as it was before
//! the group, in parallel, and compared with the rest of its group; then all links are made in one
//! order. So the graph does not depend on the number of threads, and a group of growing size costs
//! little quality because it is a small share of what is there.

use rayon::prelude::*;

use super::NIL;
use super::beam::{Beam, Place};
use super::cosine::Cosine;
use super::file::Graph;
use super::layers::{Build, Layer, Layers};
use super::prune::{Room, Rule, choose};
use super::reach::make_reachable;
use crate::error::{Error, Result};
use crate::random::mix;
use crate::search::top_k::{id_of, key_of, score_of};
use crate::vectors::VectorSet;

/// Places of a node that pruning leaves free, so that [`make_reachable`] has room.
const SPARE: usize = 2;
/// A group is at most this share of the rows before it, and at most so many rows.
const GROUP_SHARE: usize = 8;
const LARGEST_GROUP: usize = 512;

/// Builds by insertion, from nothing or from a graph over the first rows of the set.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Inserter {
    /// Links a node has in the upper layers; twice as many in layer 0. 4 to 128.
    pub m: usize,
    /// The beam of an insertion, 1 to 10000.
    pub ef_construction: usize,
    /// Decides the layers.
    pub seed: u64,
    from: Layers,
}

impl Default for Inserter {
    fn default() -> Self {
        Self {
            m: 16,
            ef_construction: 200,
            seed: 1,
            from: Layers::default(),
        }
    }
}

impl Inserter {
    /// The same, going on from `graph`: its rows are the first rows of the set that is to be built,
    /// and stay linked as they are but for what the new ones change.
    pub fn from_graph(mut self, graph: &Graph) -> Self {
        self.from = graph.to_layers();
        self
    }

    fn check(&self, set: &VectorSet) -> Result<()> {
        let old = self.from.layers.first().map_or(0, |layer| layer.rows.len());
        let fits = (4..=128).contains(&self.m)
            && (1..=10_000).contains(&self.ef_construction)
            && old <= set.len();
        if fits {
            return Ok(());
        }
        Err(Error::Argument {
            what: "m, ef_construction and rows of the first graph",
            expected: format!("4 to 128, 1 to 10000 and at most {}", set.len()),
            found: format!("{}, {} and {old}", self.m, self.ef_construction),
            advice: "choose others",
        })
    }

    /// The highest layer of a row: one row in `m` of each layer is in the next.
    fn level_of(&self, row: u32) -> usize {
        let up = |level: usize| {
            let seed = mix(self.seed.wrapping_add(level as u64));
            mix(seed ^ mix(u64::from(row))).is_multiple_of(self.m as u64)
        };
        (0..super::MAX_UPPER).take_while(|&level| up(level)).count()
    }
}

impl Build for Inserter {
    fn name(&self) -> &'static str {
        "insertion"
    }

    fn build(&self, set: &VectorSet) -> Result<Layers> {
        self.check(set)?;
        let cosine = Cosine::new(set);
        let mut work = Work::new(&cosine, self, set.len());
        let mut next = work.layers[0].rows.len();
        while next < set.len() {
            let group = (next / GROUP_SHARE)
                .clamp(1, LARGEST_GROUP)
                .min(set.len() - next);
            let rows: Vec<u32> = (next as u32..(next + group) as u32).collect();
            work.insert(&rows);
            next += group;
        }
        Ok(work.finish())
    }
}

/// A graph that grows. Layers are pushed to in the order of insertion, which is ascending.
struct Work<'a> {
    cosine: &'a Cosine<'a>,
    options: &'a Inserter,
    layers: Vec<Layer>,
}

/// The new links of one row in one layer: keys of rows, best first.
struct Chosen {
    level: usize,
    row: u32,
    keys: Vec<u64>,
}

impl<'a> Work<'a> {
    fn new(cosine: &'a Cosine<'a>, options: &'a Inserter, rows: usize) -> Self {
        let mut layers = Vec::new();
        for (level, old) in options.from.layers.iter().enumerate() {
            let width = Self::width_of(options, level).max(old.width);
            let mut links = Vec::with_capacity(if level == 0 { rows * width } else { 0 });
            for of_row in old.links.chunks_exact(old.width) {
                // Positions become rows: layers grow, and rows stay what they are.
                let named = of_row.iter().map(|&to| old.rows.get(to as usize).copied());
                links.extend(named.map(|row| row.unwrap_or(NIL)));
                links.resize(links.len() + width - old.width, NIL);
            }
            layers.push(Layer {
                rows: old.rows.clone(),
                links,
                width,
            });
        }
        if layers.is_empty() {
            layers.push(Layer {
                width: Self::width_of(options, 0),
                ..Layer::default()
            });
        }
        Self {
            cosine,
            options,
            layers,
        }
    }

    fn width_of(options: &Inserter, level: usize) -> usize {
        SPARE + if level == 0 { 2 * options.m } else { options.m }
    }

    /// Inserts rows that follow those that are there.
    fn insert(&mut self, rows: &[u32]) {
        let chosen: Vec<Chosen> = rows
            .par_iter()
            .with_min_len(4)
            .map_init(Default::default, |(beam, room), &row| {
                self.choose_for(row, rows, beam, room)
            })
            .flatten_iter()
            .collect();
        for &row in rows {
            for level in 0..=self.options.level_of(row) {
                if level == self.layers.len() {
                    let width = Self::width_of(self.options, level);
                    self.layers.push(Layer {
                        width,
                        ..Layer::default()
                    });
                }
                let layer = &mut self.layers[level];
                layer.rows.push(row);
                layer.links.resize(layer.rows.len() * layer.width, NIL);
            }
        }
        for level in 0..self.layers.len() {
            let mut ends: Vec<(u32, u64)> = Vec::new();
            for chosen in chosen.iter().filter(|c| c.level == level) {
                for &key in &chosen.keys {
                    ends.push((chosen.row, key));
                    ends.push((id_of(key), key_of(score_of(key), chosen.row)));
                }
            }
            ends.sort_unstable();
            ends.dedup();
            self.link(level, &ends);
        }
    }

    /// What to link a row to, in each of its layers.
    fn choose_for(&self, row: u32, group: &[u32], beam: &mut Beam, room: &mut Room) -> Vec<Chosen> {
        let own_level = self.options.level_of(row);
        let mut starts: Vec<u64> = Vec::new();
        if let Some(&first) = self.layers.last().and_then(|top| top.rows.first()) {
            starts.push(key_of(self.cosine.between(row, first), first));
        }
        let mut out = Vec::new();
        for level in (0..=own_level.max(self.layers.len() - 1)).rev() {
            let mut found = match self.layers.get(level) {
                Some(layer) if !starts.is_empty() => {
                    let ef = if level > own_level {
                        1
                    } else {
                        self.options.ef_construction
                    };
                    let place = Place {
                        cosine: self.cosine,
                        layer,
                        whole: level == 0,
                    };
                    beam.search(&place, row, &starts, ef)
                }
                _ => Vec::new(),
            };
            if level <= own_level {
                starts.clone_from(&found);
                let others = group
                    .iter()
                    .filter(|&&other| other != row && self.options.level_of(other) >= level);
                found.extend(others.map(|&x| key_of(self.cosine.between(row, x), x)));
                found.sort_unstable_by(|a, b| b.cmp(a));
                found.truncate(self.options.ef_construction);
                let rule = Rule {
                    most: self.options.m,
                    slack: 1.0,
                    same: 0.0,
                    fill: 0,
                };
                let mut keys = Vec::new();
                choose(self.cosine, None, &found, rule, room, &mut keys);
                out.push(Chosen { level, row, keys });
            } else {
                starts = found;
            }
        }
        out
    }

    /// Adds links `(from, key of to)`, sorted by `from`; where there are too many, chooses again.
    fn link(&mut self, level: usize, ends: &[(u32, u64)]) {
        let width = self.layers[level].width;
        let layer = &self.layers[level];
        let rule = Rule {
            most: width - SPARE,
            slack: 1.0,
            same: 0.0,
            fill: 0,
        };
        let changed: Vec<(usize, Vec<u64>)> = ends
            .chunk_by(|a, b| a.0 == b.0)
            .collect::<Vec<_>>()
            .into_par_iter()
            .with_min_len(16)
            .filter_map(|of_row| Some((layer.rows.binary_search(&of_row[0].0).ok()?, of_row)))
            .map_init(Room::default, |room, (position, of_row)| {
                let row = of_row[0].0;
                let old = layer.links_of(position);
                let mut keys: Vec<u64> = old
                    .iter()
                    .map(|&to| key_of(self.cosine.between(row, to), to))
                    .collect();
                keys.extend(of_row.iter().map(|&(_, key)| key));
                keys.sort_unstable_by(|a, b| b.cmp(a));
                keys.dedup();
                if keys.len() > rule.most {
                    let mut fewer = Vec::with_capacity(rule.most);
                    choose(self.cosine, None, &keys, rule, room, &mut fewer);
                    keys = fewer;
                }
                (position, keys)
            })
            .collect();
        let links = &mut self.layers[level].links;
        for (position, keys) in changed {
            let links = &mut links[position * width..][..width];
            links.fill(NIL);
            for (link, &key) in links.iter_mut().zip(&keys) {
                *link = id_of(key);
            }
        }
    }

    /// Rows become positions, and every node reachable.
    fn finish(mut self) -> Layers {
        for layer in &mut self.layers[1..] {
            for link in &mut layer.links {
                if *link != NIL {
                    *link = layer.rows.binary_search(link).map_or(NIL, |at| at as u32);
                }
            }
        }
        let first = self.layers.last().and_then(|top| top.rows.first().copied());
        for layer in &mut self.layers {
            if let Some(Ok(entry)) = first.map(|first| layer.rows.binary_search(&first)) {
                make_reachable(entry as u32, &mut layer.links, layer.width);
            }
        }
        Layers {
            layers: self.layers,
            entry: 0,
            order: self.options.from.order_for(self.cosine.len()),
        }
    }
}
