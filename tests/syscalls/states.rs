//! What a power cut may leave of a [`Disk`].

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashSet};
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::disk::{Disk, Id, Names, Node};

/// Files with their bytes and folders, by their paths.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tree(pub BTreeMap<PathBuf, Option<Rc<[u8]>>>);

impl Tree {
    /// Puts it into a folder that is empty or not there.
    pub fn write(&self, folder: &Path) {
        fs_err::create_dir_all(folder).unwrap();
        for (path, bytes) in &self.0 {
            match bytes {
                Some(bytes) => fs_err::write(folder.join(path), bytes).unwrap(),
                None => fs_err::create_dir_all(folder.join(path)).unwrap(),
            }
        }
    }

    /// A number that differs where trees do.
    pub fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        Hash::hash(self, &mut hasher);
        hasher.finish()
    }

    /// The part below a path, without what `passed_over` says of the rest of the path.
    pub fn below(&self, path: &str, passed_over: impl Fn(&Path) -> bool) -> Self {
        let below = self.0.iter().filter_map(|(at, bytes)| {
            let at = at.strip_prefix(path).ok()?;
            (!passed_over(at)).then(|| (at.to_owned(), bytes.clone()))
        });
        Self(below.collect())
    }
}

/// How much of a file's bytes that were not synced is there.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Bytes {
    Durable,
    Now,
    /// The length, and the first half of what differs.
    Torn,
    /// The length, and zeros for what differs.
    Zeros,
}

/// All that a power cut may leave, each once: what it is, and the tree. Not every combination of what
/// may be forgotten, but of each kind: all of it; bytes but not names; names but not bytes, empty,
/// torn or zero; the names of each single folder, kept or forgotten; each single change of a folder's
/// names, kept or forgotten.
pub fn after_power_cut(disk: &Disk) -> Vec<(String, Tree)> {
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let mut add = |what: String, tree: Tree| {
        if seen.insert(tree.hash()) {
            found.push((what, tree));
        }
    };
    add("all forgotten".into(), durable(disk));
    for bytes in [Bytes::Now, Bytes::Durable, Bytes::Torn, Bytes::Zeros] {
        let tree = tree(disk, bytes, |id| names(disk, id).1.clone());
        add(format!("all names, bytes {bytes:?}"), tree);
    }
    let forgotten = tree(disk, Bytes::Now, |id| names(disk, id).0.clone());
    add("no names, all bytes".into(), forgotten);
    for (id, node) in disk.nodes.iter().enumerate() {
        let Node::Folder {
            durable,
            now,
            pending,
        } = node
        else {
            continue;
        };
        if pending.is_empty() {
            continue;
        }
        let mut folder = |what: &str, kept: bool, own: &Names| {
            for bytes in [Bytes::Now, Bytes::Durable] {
                let tree = tree(disk, bytes, |other| match (other == id, kept) {
                    (true, _) => own.clone(),
                    (false, true) => names(disk, other).1.clone(),
                    (false, false) => names(disk, other).0.clone(),
                });
                add(format!("folder {id}: {what}, bytes {bytes:?}"), tree);
            }
        };
        folder("its names only", false, now);
        folder("all names but its own", true, durable);
        for skipped in 0..pending.len() {
            let (mut without, mut alone) = (durable.clone(), durable.clone());
            for (i, naming) in pending.iter().enumerate() {
                naming.apply(if i == skipped {
                    &mut alone
                } else {
                    &mut without
                });
            }
            folder(&format!("not {:?}", pending[skipped]), true, &without);
            folder(&format!("only {:?}", pending[skipped]), true, &alone);
        }
    }
    found
}

/// What is left if all is forgotten that was not synced.
pub fn durable(disk: &Disk) -> Tree {
    tree(disk, Bytes::Durable, |id| names(disk, id).0.clone())
}

/// What is there while the machine runs.
pub fn now(disk: &Disk) -> Tree {
    tree(disk, Bytes::Now, |id| names(disk, id).1.clone())
}

/// A folder's durable names, and its present ones.
fn names(disk: &Disk, id: Id) -> (&Names, &Names) {
    match &disk.nodes[id] {
        Node::Folder { durable, now, .. } => (durable, now),
        Node::File { .. } => unreachable!("names are asked of folders only"),
    }
}

fn tree(disk: &Disk, bytes: Bytes, names: impl Fn(Id) -> Names) -> Tree {
    let mut tree = BTreeMap::new();
    let mut left = vec![(PathBuf::new(), 0)];
    while let Some((path, id)) = left.pop() {
        // A folder that two names lead to is there twice; deeper, it would be in itself.
        assert!(path.iter().count() < 20, "{} is in itself", path.display());
        match &disk.nodes[id] {
            Node::File { durable, now } => {
                tree.insert(path, Some(content(durable, now, bytes)));
            }
            Node::Folder { .. } => {
                left.extend(
                    names(id)
                        .into_iter()
                        .map(|(name, id)| (path.join(name), id)),
                );
                if !path.as_os_str().is_empty() {
                    tree.insert(path, None);
                }
            }
        }
    }
    Tree(tree)
}

fn content(durable: &Rc<[u8]>, now: &Rc<[u8]>, bytes: Bytes) -> Rc<[u8]> {
    if durable == now || bytes == Bytes::Durable {
        return durable.clone();
    }
    if bytes == Bytes::Now {
        return now.clone();
    }
    let same = durable
        .iter()
        .zip(now.iter())
        .take_while(|(a, b)| a == b)
        .count();
    let kept = match bytes {
        Bytes::Torn => same + (now.len() - same) / 2,
        _ => same,
    };
    let mut torn = now[..kept].to_vec();
    torn.extend(durable.iter().take(now.len()).skip(kept));
    torn.resize(now.len(), 0);
    torn.into()
}
