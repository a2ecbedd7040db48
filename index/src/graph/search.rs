//! The search: a greedy descent through the upper layers, then a beam search in layer 0.

use std::cell::RefCell;
use std::collections::BinaryHeap;

use super::NIL;
use super::file::HnswGraph;
use super::layout::ROWS;
use crate::error::{Error, Result};
use crate::search::top_k::{TopK, id_of, key_of};
use crate::search::{FlatSearch, RescorePrecision, SearchHit, VectorQuery, VectorSearch};
use crate::simd::{KernelTable, prefetch};
use crate::vectors::VectorSet;
use crate::vectors::quantize::QueryCodes;

/// Nodes expanded together, so that the memory latencies of their neighbours overlap. With a beam of hundreds
/// the order within such a group does not matter.
const TOGETHER: usize = 4;
/// A filter that passes fewer than one in this many leaves too few nodes to walk over; the scan is used
/// instead.
const SPARSE: usize = 16;

/// Searches a vector set through its graph.
#[derive(Debug, Clone, Copy)]
pub struct HnswSearch<'a> {
    set: &'a VectorSet,
    graph: &'a HnswGraph,
    ef: Option<usize>,
    rescore: RescorePrecision,
}

impl<'a> HnswSearch<'a> {
    /// Searches `set` through `graph`, which was opened for it.
    pub fn new(set: &'a VectorSet, graph: &'a HnswGraph) -> Self {
        Self {
            set,
            graph,
            ef: None,
            rescore: RescorePrecision::Exact,
        }
    }

    /// Sets the beam to `ef` nodes; the default is `k`.
    ///
    /// The walk uses 4-bit codes, whose order is inexact near the end of the beam, so it keeps a
    /// quarter more than `ef`, and never fewer than `k`, all of which are rescored. So an `ef` somewhat
    /// below `k` is useful too.
    pub fn ef(mut self, ef: usize) -> Self {
        self.ef = Some(ef);
        self
    }

    /// The `ef` that was set.
    pub fn wanted_ef(&self) -> Option<usize> {
        self.ef
    }

    /// Sets the precision with which answers are rescored.
    pub fn rescore(mut self, rescore: RescorePrecision) -> Self {
        self.rescore = rescore;
        self
    }

    fn search_one(&self, query: &VectorQuery<'_>, k: usize) -> Result<Vec<SearchHit>> {
        let n = self.set.len();
        let candidates = query.candidates(n);
        let k = query.wanted(k).min(candidates);
        let ef = self.ef.unwrap_or(k);
        let ef = ef.saturating_add(ef / 4).saturating_add(16);
        let ef = ef.max(k).min(candidates);
        // A beam of a large share of the nodes would cost more than a scan.
        if k == 0 || candidates < n / SPARSE || ef > n / 4 {
            return Ok(self.scan(query, k));
        }
        let nodes = SCRATCH.with_borrow_mut(|scratch| {
            GraphWalk::new(self.set, self.graph, query).run(ef, scratch)
        });
        if nodes.len() < k {
            // With fewer answers than the beam holds, the walk ends only where no link leads on: the rest
            // cannot be reached, as in a graph that damage cut in two.
            return Ok(self.scan(query, k));
        }
        let rows = self.graph.rows();
        let ids: Vec<u32> = nodes.iter().map(|&node| rows[node as usize]).collect();
        // Rows are not read when the file is opened, so what is damaged shows here.
        if let Some(row) = ids.iter().find(|&&row| row as usize >= n) {
            let problem = format!("expected rows below {n}, found {row}");
            return Err(Error::section(self.graph.path(), ROWS, problem));
        }
        let mut top = TopK::new(k);
        self.rescore.score(self.set, query, &ids, &mut top);
        Ok(top.finish())
    }

    fn scan(&self, query: &VectorQuery<'_>, k: usize) -> Vec<SearchHit> {
        FlatSearch::new(self.set)
            .rescore(self.rescore)
            .search_one(query, k)
    }
}

impl VectorSearch for HnswSearch<'_> {
    fn len(&self) -> usize {
        self.set.len()
    }

    fn search(&self, query: &VectorQuery<'_>, k: usize) -> Result<Vec<SearchHit>> {
        query.check(self.set.len(), self.set.dim())?;
        self.search_one(query, k)
    }
}

thread_local! {
    static SCRATCH: RefCell<WalkScratch> = RefCell::default();
}

/// The buffers of a walk, which a thread reuses for its queries.
#[derive(Default)]
struct WalkScratch {
    /// One bit a node: whether it was visited.
    met: Vec<u64>,
    /// Visited nodes that were not expanded yet, best first.
    open: BinaryHeap<u64>,
    /// Nodes visited first in this step.
    new: Vec<u32>,
    products: Vec<i32>,
}

/// The walk of one query through the graph.
struct GraphWalk<'a> {
    graph: &'a HnswGraph,
    query: &'a VectorQuery<'a>,
    codes: QueryCodes,
    /// 15 times the sum of the query's codes.
    offset: i32,
    base: f32,
}

impl<'a> GraphWalk<'a> {
    fn new(set: &VectorSet, graph: &'a HnswGraph, query: &'a VectorQuery<'a>) -> Self {
        let codes = QueryCodes::new(query.vector, 2 * graph.meta().nibble_width);
        let sum: i32 = codes.codes.iter().map(|&c| i32::from(c)).sum();
        let center = set
            .center()
            .map_or(0.0, |c| KernelTable::detect().f32_dot(query.vector, c));
        Self {
            graph,
            query,
            codes,
            offset: 15 * sum,
            base: query.bias + center,
        }
    }

    #[inline(always)]
    fn score(&self, node: u32, product: i32) -> f32 {
        let half_step = self.graph.steps()[node as usize];
        // A code c stands for 2 c - 15 half steps, hence twice the product less 15 times the query's sum.
        let dot = (2 * product - self.offset) as f32 * (self.codes.scale * half_step) + self.base;
        match self.query.weights {
            None => dot,
            Some(weights) => {
                let row = self.graph.rows()[node as usize] as usize;
                // Every row has a weight, which the query was checked for. A row of a damaged file has none:
                // the best of all scores carries it into the answers, where it is refused.
                weights.get(row).map_or(f32::INFINITY, |w| dot * w)
            }
        }
    }

    /// Whether the filter allows a node as an answer.
    #[inline(always)]
    fn allows(&self, node: u32) -> bool {
        self.query
            .allowed
            .is_none_or(|a| a.contains(self.graph.rows()[node as usize] as usize))
    }

    fn multiply(&self, nodes: &[u32], products: &mut Vec<i32>) {
        products.resize(nodes.len(), 0);
        KernelTable::detect().u4_at(&self.codes.codes, self.graph.nibbles(), nodes, products);
    }

    /// The best `ef` allowed nodes visited by the walk, unordered.
    fn run(&self, ef: usize, scratch: &mut WalkScratch) -> Vec<u32> {
        let n = self.graph.len();
        scratch.met.clear();
        scratch.met.resize(n.div_ceil(64), 0);
        scratch.open.clear();
        let mut top = TopK::tight(ef);
        scratch.new.clear();
        self.meet(&[self.descend(scratch)], scratch);
        self.weigh(scratch, &mut top);
        let width = self.graph.meta().width;
        let links = self.graph.links();
        loop {
            scratch.new.clear();
            for _ in 0..TOGETHER {
                let Some(&key) = scratch.open.peek() else {
                    break;
                };
                // Only the upper halves, the order of the scores, are compared: nodes whose score equals the
                // floor are still expanded.
                if key >> 32 < top.floor() >> 32 {
                    break;
                }
                scratch.open.pop();
                let node = id_of(key) as usize;
                self.meet(&links[node * width..][..width], scratch);
            }
            // Nothing new, but more may be open: nodes whose links were all visited before.
            if scratch.new.is_empty() {
                match scratch.open.peek() {
                    Some(&key) if key >> 32 >= top.floor() >> 32 => continue,
                    _ => break,
                }
            }
            // The first elements of a heap are mostly the next ones to be expanded.
            for &key in scratch.open.as_slice().iter().take(2 * TOGETHER) {
                prefetch(&links[id_of(key) as usize * width..][..width]);
            }
            self.weigh(scratch, &mut top);
        }
        top.into_ids()
    }

    /// Marks those of `nodes` that were not visited before, and adds them to the new ones.
    #[inline(always)]
    fn meet(&self, nodes: &[u32], scratch: &mut WalkScratch) {
        for &node in nodes {
            // Past the end: NIL, which fills unused slots at the end of a node's links, or a damaged file.
            let Some(word) = scratch.met.get_mut(node as usize / 64) else {
                break;
            };
            let bit = 1 << (node % 64);
            if *word & bit == 0 && (node as usize) < self.graph.len() {
                *word |= bit;
                scratch.new.push(node);
                // `score` needs the step only after the product, so that it arrives meanwhile.
                prefetch(&self.graph.steps()[node as usize..=node as usize]);
            }
        }
    }

    /// Scores the new nodes. Those above the floor are opened, and offered as answers if allowed.
    #[inline(always)]
    fn weigh(&self, scratch: &mut WalkScratch, top: &mut TopK) {
        let WalkScratch {
            open,
            new,
            products,
            ..
        } = scratch;
        self.multiply(new, products);
        for (&node, &product) in new.iter().zip(&*products) {
            let score = self.score(node, product);
            // NaN must be opened and offered too: with a damaged step it is the only way to `k` answers.
            if score >= top.floor_score() || score.is_nan() {
                open.push(key_of(score, node));
                if self.allows(node) {
                    top.push(score, node);
                }
            }
        }
    }

    /// The node of layer 0 at which the greedy walk through the upper layers ends.
    fn descend(&self, scratch: &mut WalkScratch) -> u32 {
        let n = self.graph.len();
        let width = self.graph.meta().upper_width;
        // The node is read from the file, where only its place in the top layer was checked.
        let mut node = self.graph.entry_node().min(n as u32 - 1);
        let mut best = self.score_of(node);
        for layer in self.graph.upper_layers().rev() {
            // A node of a layer is in all below; where a damaged file lacks it, the next layer may have it.
            let Ok(mut at) = layer.nodes.binary_search(&node) else {
                continue;
            };
            loop {
                let links = &layer.links[at * width..][..width];
                let WalkScratch { new, products, .. } = scratch;
                new.clear();
                let inside = links.iter().take_while(|&&to| to != NIL);
                new.extend(inside.filter_map(|&to| layer.nodes.get(to as usize)));
                new.retain(|&node| (node as usize) < n);
                self.multiply(new, products);
                let scored = new
                    .iter()
                    .zip(&*products)
                    .map(|(&x, &p)| (x, self.score(x, p)));
                let Some((next, score)) = scored.max_by(|a, b| a.1.total_cmp(&b.1)) else {
                    break;
                };
                // Strictly better, or two equal nodes would lead to each other for ever.
                if score.is_nan() || score <= best {
                    break;
                }
                let Ok(position) = layer.nodes.binary_search(&next) else {
                    break;
                };
                (at, node, best) = (position, next, score);
            }
        }
        scratch.new.clear();
        node
    }

    fn score_of(&self, node: u32) -> f32 {
        let mut product = [0];
        KernelTable::detect().u4_at(
            &self.codes.codes,
            self.graph.nibbles(),
            &[node],
            &mut product,
        );
        self.score(node, product[0])
    }
}
