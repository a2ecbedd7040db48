//! Whatever happened to a set, its answers in exact mode are those of a fresh one with the same
//! pairs, to the bit.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod synthetic;

use std::collections::HashSet;
use std::path::Path;

use asif::anchors::change::compact::compact;
use asif::anchors::change::remove::{PairSelection, remove};
use asif::anchors::change::swap::{SwapTarget, swap};
use asif::anchors::change::vectors;
use asif::anchors::stored::history;
use asif::anchors::stored::plan::{GraphPolicy, SearchMode};
use asif::anchors::stored::witness;
use asif::anchors::{AnchorId, AnchorSet, AnchorsError, Searcher, WriteOptions};
use asif::filter::PairFilter;
use asif::modality::Modality;
use asif::space::{RelativeParams, RelativeRow};
use proptest::prelude::*;
use synthetic::{DIMS, pair, set, unit};

#[derive(Debug, Clone)]
enum Step {
    Add(Vec<u64>),
    Remove(Vec<usize>),
    RemoveWhere(u64),
    Compact,
    Rollback,
    SwapTo(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => prop::collection::vec(0u64..40, 1..6).prop_map(Step::Add),
        4 => prop::collection::vec(0usize..100, 1..5).prop_map(Step::Remove),
        1 => (0u64..3).prop_map(Step::RemoveWhere),
        1 => Just(Step::Compact),
        2 => Just(Step::Rollback),
        1 => (0usize..5).prop_map(Step::SwapTo),
    ];
    prop::collection::vec(step, 1..12)
}

/// What the plain model knows of a generation.
#[derive(Debug, Clone)]
struct Generation {
    pairs: Vec<u64>,
    parent: Option<usize>,
}

const KEEP: usize = 100;

fn options() -> WriteOptions {
    WriteOptions {
        dry_run: false,
        keep: KEEP,
    }
}

/// Does `step` to both; returns whether both agreed that it can be done.
fn apply(path: &Path, model: &mut Vec<Generation>, step: &Step) -> bool {
    let live = model.len() - 1;
    let now = model[live].pairs.clone();
    let id = |n: &u64| pair(*n).record.id;
    let (done, next) = match step {
        Step::Add(numbers) => {
            let mut new: Vec<u64> = numbers.clone();
            let mut seen = HashSet::new();
            new.retain(|n| !now.contains(n) && seen.insert(*n));
            let done = vectors::add(
                path,
                new.iter().map(|&n| pair(n)),
                GraphPolicy::Never,
                &options(),
            );
            let pairs = [now, new.clone()].concat();
            (done, (!new.is_empty()).then_some((pairs, Some(live))))
        }
        Step::Remove(places) => {
            let gone: HashSet<u64> = places.iter().map(|p| now[p % now.len()]).collect();
            let selection = PairSelection::Ids {
                ids: gone.iter().map(id).collect(),
                missing_ok: false,
            };
            let left: Vec<u64> = now.iter().copied().filter(|n| !gone.contains(n)).collect();
            let done = remove(path, &selection, &options());
            (done, (!left.is_empty()).then_some((left, Some(live))))
        }
        Step::RemoveWhere(licence) => {
            let text = [
                "licence=CC0-1.0",
                "licence=CC BY 4.0",
                "licence=CC BY-NC 4.0",
            ];
            let filter = PairFilter::parse(text[*licence as usize]).unwrap();
            let left: Vec<u64> = now.iter().copied().filter(|n| n % 3 != *licence).collect();
            let possible = !left.is_empty() && left.len() < now.len();
            let done = remove(path, &PairSelection::Where(filter), &options());
            (done, possible.then_some((left, Some(live))))
        }
        Step::Compact => {
            let done = compact(path, GraphPolicy::Never, &options());
            let changed = done.as_ref().unwrap().change.generation as usize > model.len();
            if !changed {
                return true;
            }
            (done, Some((now, Some(live))))
        }
        Step::Rollback => {
            let to = model[live].parent;
            let done = swap(path, SwapTarget::Previous, &options());
            let next = to.map(|to| (model[to].pairs.clone(), model[to].parent));
            (done, next)
        }
        Step::SwapTo(back) => {
            let to = live.saturating_sub(*back);
            let done = swap(path, SwapTarget::Generation(to as u64 + 1), &options());
            (done, Some((model[to].pairs.clone(), Some(live))))
        }
    };
    let possible = next.is_some();
    if let Some((pairs, parent)) = next {
        model.push(Generation { pairs, parent });
    }
    assert_eq!(done.is_ok(), possible, "{step:?}: {done:?}");
    if let Ok(receipt) = done {
        assert_eq!(receipt.change.generation as usize, model.len());
        assert_eq!(
            receipt.change.pairs_after as usize,
            model[model.len() - 1].pairs.len()
        );
        assert!(receipt.warnings.is_empty(), "{:?}", receipt.warnings);
    }
    possible
}

/// The rows of some queries in several spaces, as bits.
fn answers(set: &AnchorSet) -> Vec<Vec<(u32, u32)>> {
    let bits = |row: RelativeRow| {
        row.entries()
            .iter()
            .map(|&(a, w)| (a, w.to_bits()))
            .collect()
    };
    let plain = RelativeParams {
        center: false,
        k: 5,
        ..RelativeParams::default()
    };
    let centred = RelativeParams {
        k: 7,
        ..RelativeParams::default()
    };
    let mut all = Vec::new();
    for params in [plain, centred, RelativeParams::PAPER] {
        let searcher = Searcher::new(set, params, SearchMode::Exact).unwrap();
        for (modality, dim) in [(Modality::Image, DIMS.image), (Modality::Text, DIMS.text)] {
            let queries: Vec<f32> = (900..906).flat_map(|seed| unit(seed, dim)).collect();
            all.extend(
                searcher
                    .rows(modality, &queries)
                    .unwrap()
                    .into_iter()
                    .map(bits),
            );
        }
    }
    all
}

fn ids(set: &AnchorSet) -> Vec<String> {
    (0..set.len() as AnchorId)
        .map(|a| set.record(a).unwrap().id)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn any_sequence_of_changes_answers_like_a_fresh_set(
        first in 1u64..20,
        steps in steps(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.asif");
        set(&path, 0..first);
        let mut model = vec![Generation { pairs: (0..first).collect(), parent: None }];
        for (i, step) in steps.iter().enumerate() {
            if !apply(&path, &mut model, step) {
                continue;
            }
            let live = AnchorSet::open(&path).unwrap();
            live.verify().unwrap();
            let expected = &model[model.len() - 1].pairs;
            let fresh_path = folder.path().join(format!("fresh{i}.asif"));
            set(&fresh_path, expected.iter().copied());
            let fresh = AnchorSet::open(&fresh_path).unwrap();
            prop_assert_eq!(ids(&live), ids(&fresh));
            prop_assert_eq!(answers(&live), answers(&fresh));
            let (mine, theirs) = (live.manifest(), fresh.manifest());
            prop_assert_eq!(mine.counts, theirs.counts);
            prop_assert_eq!(&mine.licences, &theirs.licences);
            prop_assert_eq!(&mine.sources, &theirs.sources);
            prop_assert_eq!(live.sum(Modality::Image), fresh.sum(Modality::Image));
        }
        let history = history::read(&path).unwrap();
        prop_assert_eq!(history.len(), model.len());
        for (change, generation) in history.iter().zip(&model) {
            prop_assert_eq!(change.pairs_after as usize, generation.pairs.len());
        }
        for (n, generation) in model.iter().enumerate() {
            let old = AnchorSet::open_generation(&path, n as u64 + 1).unwrap();
            let expected: Vec<String> =
                generation.pairs.iter().map(|&p| pair(p).record.id).collect();
            prop_assert_eq!(ids(&old), expected);
        }
    }
}

#[test]
fn only_the_wanted_generations_are_kept_and_all_of_them_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.asif");
    set(&path, 0..10);
    let keep = WriteOptions {
        keep: 3,
        ..WriteOptions::default()
    };
    let one = |n: u64| PairSelection::Ids {
        ids: [pair(n).record.id].into(),
        missing_ok: false,
    };
    for n in 0..4 {
        remove(&path, &one(n), &keep).unwrap();
    }
    compact(&path, GraphPolicy::Never, &keep).unwrap();
    assert_eq!(witness::kept(&path).unwrap(), [4, 5, 6]);
    for n in [4, 5, 6] {
        AnchorSet::open_generation(&path, n)
            .unwrap()
            .verify()
            .unwrap();
    }
    let error = AnchorSet::open_generation(&path, 2).unwrap_err();
    assert!(
        matches!(error, AnchorsError::NoGeneration { .. }),
        "{error}"
    );
    let segments = || fs_err::read_dir(path.join("segments")).unwrap().count();
    assert_eq!(
        segments(),
        2,
        "the old one is in use by generations 4 and 5"
    );
    let keep = WriteOptions {
        keep: 1,
        ..WriteOptions::default()
    };
    remove(&path, &one(9), &keep).unwrap();
    assert_eq!(segments(), 1);
    assert_eq!(
        history::read(&path).unwrap().len(),
        7,
        "the log forgets nothing"
    );
}

#[test]
fn a_damaged_live_generation_is_reported_and_the_last_good_one_answers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.asif");
    set(&path, 0..6);
    let selection = PairSelection::Ids {
        ids: [pair(2).record.id].into(),
        missing_ok: false,
    };
    remove(&path, &selection, &WriteOptions::default()).unwrap();
    let manifest = path.join("generations/g000002.json");
    let good = fs_err::read(&manifest).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs_err::write(&manifest, &bad).unwrap();
        let Err(damage) = AnchorSet::open(&path) else {
            // Only the name of the checksum may change unseen: nothing else depends on it.
            let key = String::from_utf8_lossy(&good).find("\"checksum\"").unwrap();
            assert!((key..key + 12).contains(&at), "byte {at}");
            continue;
        };
        let (set, fallback) = AnchorSet::open_or_last_good(&path).unwrap();
        let fallback = fallback.unwrap();
        assert_eq!((set.len(), fallback.generation), (6, 1));
        assert_eq!(fallback.damage.to_string(), damage.to_string());
    }
    let mut bad = good.clone();
    bad[good.len() / 2] ^= 1;
    fs_err::write(&manifest, &bad).unwrap();
    let receipt = swap(&path, SwapTarget::Previous, &WriteOptions::default()).unwrap();
    assert_eq!(
        (receipt.change.generation, receipt.change.pairs_after),
        (3, 6)
    );
    AnchorSet::open(&path).unwrap();
}

#[test]
fn another_set_goes_live_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a.asif", "b.asif"].map(|n| folder.path().join(n));
    set(&a, 0..6);
    set(&b, 10..30);
    let some = PairSelection::Ids {
        ids: [pair(12).record.id].into(),
        missing_ok: false,
    };
    remove(&b, &some, &WriteOptions::default()).unwrap();
    swap(&a, SwapTarget::Set(&b), &WriteOptions::default()).unwrap();
    let [mine, theirs] = [&a, &b].map(|p| AnchorSet::open(p).unwrap());
    assert_eq!(answers(&mine), answers(&theirs));
    assert_eq!(ids(&mine), ids(&theirs));
    fs_err::remove_dir_all(&b).unwrap();
    AnchorSet::open(&a).unwrap().verify().unwrap();
    swap(&a, SwapTarget::Previous, &WriteOptions::default()).unwrap();
    assert_eq!(AnchorSet::open(&a).unwrap().len(), 6);
}
