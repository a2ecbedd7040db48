//! Reachability from the entry: checks it, and adds links until every node is reachable.

use super::NIL;

/// Marks the nodes reachable from `entry` over `links` `[n, width]`; returns their number.
pub(super) fn mark_from(entry: u32, links: &[u32], width: usize, seen: &mut [bool]) -> usize {
    let n = seen.len();
    let mut todo = Vec::new();
    let mut count = 0;
    if (entry as usize) < n && !seen[entry as usize] {
        seen[entry as usize] = true;
        todo.push(entry);
    }
    while let Some(node) = todo.pop() {
        count += 1;
        for &next in &links[node as usize * width..][..width] {
            // `NIL` is past the end, too.
            if (next as usize) < n && !seen[next as usize] {
                seen[next as usize] = true;
                todo.push(next);
            }
        }
    }
    count
}

/// Adds links until all nodes are reachable from `entry`.
///
/// An unreachable node is linked from one of its own neighbours that is reachable and has a free slot, else
/// from any such node. Links are never removed, so reachable nodes stay reachable. There is always a free
/// slot because `width` is larger than what pruning fills.
pub(super) fn make_reachable(entry: u32, links: &mut [u32], width: usize) {
    let n = links.len() / width;
    let mut seen = vec![false; n];
    let mut reached = mark_from(entry, links, width, &mut seen);
    let mut from = 0;
    while reached < n {
        let before = reached;
        // Prefers nodes with a reachable neighbour; for an island without one, links its first node.
        for node in from..n {
            if seen[node] {
                continue;
            }
            let neighbour = links[node * width..][..width]
                .iter()
                .copied()
                .take_while(|&x| x != NIL)
                .find(|&x| seen[x as usize] && free_slot(links, width, x).is_some());
            if let Some(neighbour) = neighbour {
                attach(links, width, neighbour, node as u32);
                reached += mark_from(node as u32, links, width, &mut seen);
            }
        }
        if reached == before {
            // Reached nodes stay reached, so `from` only grows, and all looks for an island take one pass.
            while from < n && seen[from] {
                from += 1;
            }
            let spare = (0..n).find(|&x| seen[x] && free_slot(links, width, x as u32).is_some());
            let Some(spare) = spare else { return };
            attach(links, width, spare as u32, from as u32);
            reached += mark_from(from as u32, links, width, &mut seen);
        }
    }
}

fn free_slot(links: &[u32], width: usize, node: u32) -> Option<usize> {
    let start = node as usize * width;
    links[start..start + width]
        .iter()
        .position(|&x| x == NIL)
        .map(|at| start + at)
}

fn attach(links: &mut [u32], width: usize, from: u32, to: u32) {
    if let Some(slot) = free_slot(links, width, from) {
        links[slot] = to;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn islands_are_joined_without_taking_links_away() {
        // 0-1, 2-3, 4 alone, 5 pointing at 1.
        let (width, n) = (3, 6);
        let mut links = vec![NIL; n * width];
        for (a, b) in [(0, 1), (1, 0), (2, 3), (3, 2), (5, 1)] {
            attach(&mut links, width, a, b);
        }
        let before = links.clone();
        make_reachable(0, &mut links, width);
        let mut seen = vec![false; n];
        assert_eq!(mark_from(0, &links, width, &mut seen), n);
        for (now, was) in links.iter().zip(before) {
            assert!(was == NIL || *now == was);
        }
        assert!(
            links[width..2 * width].contains(&5),
            "5 is linked from its own neighbour"
        );
    }

    #[test]
    fn a_chain_of_single_nodes_has_room() {
        let (width, n) = (2, 100);
        let mut links = vec![NIL; n * width];
        make_reachable(7, &mut links, width);
        assert_eq!(mark_from(7, &links, width, &mut vec![false; n]), n);
    }
}
