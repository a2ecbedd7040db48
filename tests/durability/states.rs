//! What must hold of what is left of a command that was cut short.

use std::collections::BTreeSet;
use std::path::Path;

use asif::anchors::care::check;
use asif::anchors::change::remove::{PairSelection, remove};
use asif::anchors::stored::layout;
use asif::anchors::stored::witness;
use asif::anchors::stored::{history, manifest};
use asif::anchors::{AnchorId, AnchorSet, WriteOptions};

use super::cases::{Case, Subject, next_change, run};
use super::syscalls::Disk;
use super::syscalls::states::{Tree, now};
use super::{copy, scratch};

/// What is live in a set, and what else is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Content {
    pub generation: u64,
    pub ids: Vec<String>,
    pub kept: BTreeSet<u64>,
}

impl Content {
    /// Of a set that must be sound: every kept generation opens, to the last byte.
    fn of(set: &Path, what: &str) -> Self {
        let live = AnchorSet::open(set).unwrap_or_else(|e| panic!("{what}: {e}"));
        let ids = (0..live.len() as AnchorId).map(|a| live.pair_id(a).unwrap().to_owned());
        let kept: BTreeSet<u64> = witness::kept(set).unwrap().into_iter().collect();
        for &generation in &kept {
            let opened = AnchorSet::open_generation(set, generation);
            let verified = opened.and_then(|opened| opened.verify());
            verified.unwrap_or_else(|e| panic!("{what}: generation {generation}: {e}"));
        }
        let log = history::read(set).unwrap_or_else(|e| panic!("{what}: {e}"));
        let generation = live.manifest().generation;
        assert_eq!(
            log.last().unwrap().generation,
            generation,
            "{what}: the log"
        );
        assert_eq!(
            log.last().unwrap().pairs_after as usize,
            live.len(),
            "{what}: the log"
        );
        Self {
            generation,
            ids: ids.collect(),
            kept,
        }
    }
}

/// A case, and what it is before and after its command.
pub struct Expected<'a> {
    pub case: &'a Case,
    before: Option<Content>,
    after: Option<Content>,
    /// The whole folder after it.
    whole: Tree,
}

impl<'a> Expected<'a> {
    /// Runs the command once, undisturbed.
    pub fn of(case: &'a Case) -> Self {
        let root = scratch();
        copy(&case.template, root.path());
        run(case, root.path());
        let content = |root: &Path| Content::of(&Case::set(root), case.name);
        let is_set = matches!(
            case.subject,
            Subject::Generation | Subject::Damaged | Subject::NewSet
        );
        Self {
            case,
            before: (case.subject == Subject::Generation).then(|| content(&case.template)),
            after: is_set.then(|| content(root.path())),
            whole: now(&Disk::of(root.path())),
        }
    }

    /// Checks what is left in `root`, and that whoever comes next loses nothing and leaves nothing
    /// behind. `done`: the command had said so.
    pub fn check(&self, root: &Path, done: bool, what: &str) {
        let what = format!("{}: {what}", self.case.name);
        let other = root.join("b.asif");
        if other.exists() {
            assert_eq!(
                check::verify(&other, true).unwrap(),
                [],
                "{what}: the other set"
            );
        }
        match self.case.subject {
            Subject::Generation => self.generation(root, done, &what),
            Subject::NewSet => self.new_set(root, done, &what),
            Subject::Damaged => self.damaged(root, &what),
            Subject::Model => self.model(root, done, &what),
            Subject::Report => self.report(root, done, &what),
        }
    }

    fn generation(&self, root: &Path, done: bool, what: &str) {
        let set = Case::set(root);
        let found = Content::of(&set, what);
        let after = self.after.as_ref().unwrap();
        let before = self.before.as_ref().unwrap();
        let new = found.generation == after.generation;
        let expected = if new { after } else { before };
        assert_eq!(
            (found.generation, &found.ids),
            (expected.generation, &expected.ids),
            "{what}"
        );
        assert!(
            found.kept.is_superset(&expected.kept),
            "{what}: {found:?} lost {expected:?}"
        );
        assert!(new || !done, "{what}: it said that it was done");
        self.failing_writer(&set, what);
        assert_eq!(
            Content::of(&set, what).ids,
            found.ids,
            "{what}: after a writer that failed"
        );
        let next = next_change(&set);
        assert_eq!(next, found.generation + 1, "{what}");
        self.settled(&set, what);
    }

    fn new_set(&self, root: &Path, done: bool, what: &str) {
        let set = Case::set(root);
        assert!(set.exists() || !done, "{what}: it said that it was done");
        if !set.exists() {
            run(self.case, root);
        }
        assert_eq!(
            Content::of(&set, what).ids,
            self.after.as_ref().unwrap().ids,
            "{what}"
        );
        next_change(&set);
        self.settled(&set, what);
    }

    fn damaged(&self, root: &Path, what: &str) {
        let set = Case::set(root);
        let after = self.after.as_ref().unwrap();
        self.failing_writer(&set, what);
        run(self.case, root);
        let found = Content::of(&set, what);
        assert_eq!(found.ids, after.ids, "{what}");
        assert!(
            found.kept.is_superset(&after.kept),
            "{what}: {found:?} lost {after:?}"
        );
        let listed = |tree: &Tree| {
            let listed = tree
                .0
                .iter()
                .filter(|(path, _)| path.ends_with("skipped.jsonl"));
            listed
                .map(|(path, node)| (path.clone(), node.clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(listed(&now(&Disk::of(root))), listed(&self.whole), "{what}");
        next_change(&set);
        self.settled(&set, what);
    }

    fn model(&self, root: &Path, done: bool, what: &str) {
        let models =
            |tree: &Tree, name: &str| tree.below(&format!("home/models/{name}"), |_| false);
        let found = now(&Disk::of(root));
        assert_eq!(
            models(&found, "old"),
            models(&self.whole, "old"),
            "{what}: another model"
        );
        let is_there = root.join("home/models/new").exists();
        assert!(is_there || !done, "{what}: it said that it was done");
        if is_there {
            assert_eq!(models(&found, "new"), models(&self.whole, "new"), "{what}");
            fs_err::remove_dir_all(root.join("home/models/new")).unwrap();
        }
        run(self.case, root);
        assert_eq!(now(&Disk::of(root)), self.whole, "{what}: the next one");
    }

    fn report(&self, root: &Path, done: bool, what: &str) {
        let report = |root: &Path| fs_err::read(root.join("report")).unwrap();
        let new = self
            .whole
            .0
            .get(Path::new("report"))
            .unwrap()
            .as_ref()
            .unwrap();
        let found = report(root);
        let is_new = found[..] == new[..];
        assert!(
            is_new || found == report(&self.case.template),
            "{what}: {} bytes",
            found.len()
        );
        assert!(is_new || !done, "{what}: it said that it was done");
        run(self.case, root);
        assert_eq!(report(root)[..], new[..], "{what}: the next one");
        let names = names(root);
        let hidden = |name: &&String| name.starts_with(".report");
        assert_eq!(names.iter().find(hidden), None, "{what}");
    }

    /// A writer that does its first step and then finds that it cannot do what it was asked for.
    fn failing_writer(&self, set: &Path, what: &str) {
        let selection = PairSelection::Ids {
            ids: ["no pair has this id".to_owned()].into(),
            missing_ok: false,
        };
        let failed = remove(set, &selection, &WriteOptions::default());
        assert!(failed.is_err(), "{what}");
    }

    /// After the next change: all is sound, the log tells of each change, and nothing is left over.
    fn settled(&self, set: &Path, what: &str) {
        assert_eq!(check::verify(set, true).unwrap(), [], "{what}");
        let log = fs_err::read_to_string(layout::log_path(set)).unwrap();
        let live = witness::kept(set).unwrap().pop().unwrap();
        assert_eq!(log.lines().count() as u64, live, "{what}: the log");
        nothing_is_left(set, what);
        let beside = names(set.parent().unwrap());
        let hidden: Vec<_> = beside.iter().filter(|n| n.starts_with('.')).collect();
        assert!(hidden.is_empty(), "{what}: {hidden:?}");
    }
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs_err::read_dir(folder).unwrap();
    let name = |e: std::io::Result<fs_err::DirEntry>| e.unwrap().file_name().into_string().unwrap();
    entries.map(name).collect()
}

/// No hidden file, and no file that no kept generation names.
fn nothing_is_left(set: &Path, what: &str) {
    for folder in ["", "generations", "segments", "log"] {
        let names = names(&set.join(folder));
        let hidden: Vec<_> = names.iter().filter(|n| n.starts_with('.')).collect();
        assert!(hidden.is_empty(), "{what}: {hidden:?}");
    }
    let (mut files, mut segments) = (BTreeSet::new(), BTreeSet::new());
    for generation in witness::kept(set).unwrap() {
        let name = layout::generation_name(generation);
        let manifest = manifest::Manifest::read(set, &name).unwrap();
        files.insert(format!("{name}.json"));
        files.extend(manifest.tombstones.map(|t| t.file));
        segments.extend(manifest.segments.into_iter().map(|s| s.id));
    }
    assert_eq!(names(&set.join("generations")), files, "{what}");
    assert_eq!(names(&set.join("segments")), segments, "{what}");
}
