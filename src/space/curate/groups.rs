//! Connected components.

/// The connected components of the numbers below `n` with two or more members: each ascending, ordered by
/// their first member.
pub(crate) fn connected(n: usize, links: impl IntoIterator<Item = (u32, u32)>) -> Vec<Vec<u32>> {
    let mut parent: Vec<u32> = (0..n as u32).collect();
    for (a, b) in links {
        let (a, b) = (root(&mut parent, a), root(&mut parent, b));
        // The lower number is the root, so that groups do not depend on the order of links.
        parent[a.max(b) as usize] = a.min(b);
    }
    let mut groups: Vec<Vec<u32>> = vec![Vec::new(); n];
    for i in 0..n as u32 {
        let root = root(&mut parent, i);
        groups[root as usize].push(i);
    }
    groups.retain(|group| group.len() > 1);
    groups
}

fn root(parent: &mut [u32], mut i: u32) -> u32 {
    while parent[i as usize] != i {
        let above = parent[parent[i as usize] as usize];
        parent[i as usize] = above;
        i = above;
    }
    i
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_carry_over_in_any_order() {
        let mut links = vec![(5, 3), (1, 0), (3, 4), (4, 9)];
        for _ in 0..links.len() {
            assert_eq!(connected(10, links.clone()), [vec![0, 1], vec![3, 4, 5, 9]]);
            links.rotate_left(1);
        }
        assert!(connected(3, []).is_empty());
    }
}
