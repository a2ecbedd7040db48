//! A file system in memory on which what was not synced is not durable.
//!
//! Files and folders apart, as POSIX has it: syncing a file makes its bytes durable and no name,
//! syncing a folder makes the names in it durable and no bytes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::calls::{Call, Change};

/// The number of a file or folder, whatever its names.
pub type Id = usize;
/// The names in a folder.
pub type Names = BTreeMap<String, Id>;

/// A change of a folder's names that is not durable yet.
#[derive(Debug, Clone)]
pub enum Naming {
    Set(String, Id),
    Gone(String),
    Moved(String, String),
    Swapped(String, String),
}

impl Naming {
    /// Does it to these names, as far as they have what it is about.
    pub fn apply(&self, names: &mut Names) {
        match self {
            Self::Set(name, id) => {
                names.insert(name.clone(), *id);
            }
            Self::Gone(name) => {
                names.remove(name);
            }
            Self::Moved(from, to) => {
                if let Some(id) = names.remove(from) {
                    names.insert(to.clone(), id);
                }
            }
            Self::Swapped(a, b) => {
                if let (Some(of_a), Some(of_b)) = (names.get(a).copied(), names.get(b).copied()) {
                    names.insert(a.clone(), of_b);
                    names.insert(b.clone(), of_a);
                }
            }
        }
    }
}

/// A file or folder.
#[derive(Debug, Clone)]
pub enum Node {
    File {
        durable: Rc<[u8]>,
        now: Rc<[u8]>,
    },
    Folder {
        durable: Names,
        now: Names,
        pending: Vec<Naming>,
    },
}

/// The file system.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    pub nodes: Vec<Node>,
}

impl Disk {
    /// All of a folder, durable. Its own number is 0.
    pub fn of(root: &Path) -> Self {
        let mut disk = Self::default();
        disk.take(root);
        disk
    }

    fn take(&mut self, path: &Path) -> Id {
        let id = self.nodes.len();
        if path.is_dir() {
            self.nodes.push(folder());
            let mut names = Names::new();
            for entry in fs_err::read_dir(path).unwrap() {
                let entry = entry.unwrap();
                let name = entry.file_name().into_string().unwrap();
                names.insert(name, self.take(&entry.path()));
            }
            self.nodes[id] = Node::Folder {
                durable: names.clone(),
                now: names,
                pending: Vec::new(),
            };
        } else {
            let bytes: Rc<[u8]> = fs_err::read(path).unwrap().into();
            self.nodes.push(Node::File {
                durable: bytes.clone(),
                now: bytes,
            });
        }
        id
    }

    /// Does what a call did.
    pub fn apply(&mut self, call: &Call) {
        if call.failed {
            return;
        }
        match &call.change {
            Change::Create(path) => {
                let empty: Rc<[u8]> = Rc::new([]);
                let file = Node::File {
                    durable: empty.clone(),
                    now: empty,
                };
                self.add(path, file);
            }
            Change::MakeFolder(path) => self.add(path, folder()),
            Change::Content(path, bytes) => {
                let id = self.find(path);
                let Node::File { now, .. } = &mut self.nodes[id] else {
                    panic!("{} is not a file", path.display());
                };
                *now = bytes.as_slice().into();
            }
            Change::Sync(path) => {
                let id = self.find(path);
                match &mut self.nodes[id] {
                    Node::File { durable, now } => *durable = now.clone(),
                    Node::Folder {
                        durable,
                        now,
                        pending,
                    } => {
                        durable.clone_from(now);
                        pending.clear();
                    }
                }
            }
            Change::Link(from, to) => {
                let (id, (folder, name)) = (self.find(from), self.place(to));
                self.name(folder, Naming::Set(name, id));
            }
            Change::Unlink(path) | Change::RemoveFolder(path) => {
                let (folder, name) = self.place(path);
                self.name(folder, Naming::Gone(name));
            }
            Change::Rename(from, to) => {
                let id = self.find(from);
                let ((old, from), (new, to)) = (self.place(from), self.place(to));
                if old == new {
                    self.name(old, Naming::Moved(from, to));
                } else {
                    self.name(old, Naming::Gone(from));
                    self.name(new, Naming::Set(to, id));
                }
            }
            Change::Exchange(a, b) => {
                let ((old, a), (new, b)) = (self.place(a), self.place(b));
                assert_eq!(old, new, "names are exchanged within a folder");
                self.name(old, Naming::Swapped(a, b));
            }
        }
    }

    fn add(&mut self, path: &Path, node: Node) {
        let (folder, name) = self.place(path);
        let id = self.nodes.len();
        self.nodes.push(node);
        self.name(folder, Naming::Set(name, id));
    }

    fn name(&mut self, folder: Id, naming: Naming) {
        let Node::Folder { now, pending, .. } = &mut self.nodes[folder] else {
            panic!("a name in what is not a folder");
        };
        naming.apply(now);
        pending.push(naming);
    }

    fn find(&self, path: &Path) -> Id {
        path.iter().fold(0, |id, name| {
            let Node::Folder { now, .. } = &self.nodes[id] else {
                panic!("{} leads through a file", path.display());
            };
            let found = now.get(name.to_str().unwrap());
            *found.unwrap_or_else(|| panic!("{} is not there", path.display()))
        })
    }

    /// The folder that a path lies in, and its name there.
    fn place(&self, path: &Path) -> (Id, String) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let parent = path.parent().map_or_else(PathBuf::new, Path::to_owned);
        (self.find(&parent), name)
    }
}

fn folder() -> Node {
    Node::Folder {
        durable: Names::new(),
        now: Names::new(),
        pending: Vec::new(),
    }
}
