//! How long until a change of a large set is live, and where the time goes.
//!
//! ```text
//! cargo bench --bench anchors_change            100,000 pairs
//! ASIF_BENCH_PAIRS=10000 cargo bench --bench anchors_change
//! ```
//!
//! The vectors are invented and put into an embedding cache of its own, so nothing is encoded; the
//! encoders of the home are opened all the same, because a build asks them who they are. Images are
//! files of a few bytes. Everything lies in a temporary folder of the build's target folder.
#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

#[path = "../tests/synthetic/mod.rs"]
mod synthetic;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use asif::anchors::change::add::{AddOptions, add};
use asif::anchors::change::build::{BuildOptions, build};
use asif::anchors::change::remove::{PairSelection, remove};
use asif::anchors::change::swap::{SwapTarget, swap};
use asif::anchors::stored::plan::GraphPolicy;
use asif::anchors::{AnchorSet, AnchorsError, WriteOptions};
use asif::embed::cache::{ContentKey, EmbeddingCache};
use asif::embed::{Embedder, WorkControl};
use asif::encode::{
    DEFAULT_IMAGE_ENCODER, DEFAULT_TEXT_ENCODER, EncoderOptions, ImageEncoder, ModelFolder,
    TextEncoder, registry, runtime,
};
use asif::home::DataFolder;
use asif::modality::{Modality, PerModality};
use asif::progress::{CancelToken, NoProgress};
use asif::space::RelativeParams;

/// Pairs that are added and removed.
const FEW: usize = 1000;

fn main() -> anyhow::Result<()> {
    let Some(home) = DataFolder::from_env().filter(|h| h.models().is_dir()) else {
        println!("skipped: no encoders are installed; tools/quickstart.sh does it");
        return Ok(());
    };
    let pairs: usize = match std::env::var("ASIF_BENCH_PAIRS") {
        Ok(text) => text.parse()?,
        Err(_) => 100_000,
    };
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let cache = folder.path().join("cache");
    let embedder = embedder(&home)?;
    let dims = embedder.dims();
    println!(
        "{pairs} pairs of {} and {} numbers, all cached",
        dims.image, dims.text
    );
    let files = [
        write_csv(folder.path(), "all", 0..pairs)?,
        write_csv(folder.path(), "more", pairs..pairs + FEW)?,
    ];
    fill(&cache, &embedder, pairs + FEW)?;
    let begun = Instant::now();
    let embedder = embedder.with_cache(&cache, std::sync::Arc::new(|_: &str| {}))?;
    println!("opening the cache {:.2} s", begun.elapsed().as_secs_f64());

    let set = folder.path().join("a.asif");
    let cancel = CancelToken::default();
    let watch = WorkControl {
        progress: &NoProgress,
        cancel: &cancel,
    };
    for graphs in [GraphPolicy::Never, GraphPolicy::Auto] {
        if set.exists() {
            fs_err::remove_dir_all(&set)?;
        }
        let report = build(
            &BuildOptions {
                pairs: vec![files[0].clone()],
                out: set.clone(),
                overwrite: false,
                keep: 5,
                selection: Default::default(),
                reading: asif::pairs::PairOptions::default(),
                strict: true,
                space: RelativeParams::default().into(),
                thumbnails: false,
                graphs,
            },
            &embedder,
            watch,
        )?;
        let s = report.seconds;
        println!(
            "rebuild from CSV, graphs {graphs:?}: {:.2} s = rows {:.2} + image look-ups {:.2} + \
             caption look-ups {:.2} + writing, verifying, planning {:.2} + the rest; {} from the cache",
            s.total, s.read, s.images, s.captions, s.write, report.from_cache
        );
    }
    let write = WriteOptions::default();
    let report = add(
        &AddOptions {
            set: set.clone(),
            pairs: vec![files[1].clone()],
            selection: Default::default(),
            reading: asif::pairs::PairOptions::default(),
            strict: true,
            thumbnails: false,
            graphs: GraphPolicy::Auto,
            accept_encoder: false,
        },
        &write,
        |_| Ok::<_, AnchorsError>(&embedder),
        watch,
    )?;
    show(&format!("add {FEW}"), &report.receipt.seconds);
    let ids = (0..FEW).map(|i| name(i * (pairs / FEW))).collect();
    let selection = PairSelection::Ids {
        ids,
        missing_ok: false,
    };
    show(
        &format!("remove {FEW}"),
        &remove(&set, &selection, &write)?.seconds,
    );
    show(
        "rollback",
        &swap(&set, SwapTarget::Previous, &write)?.seconds,
    );
    show(
        "swap to a generation",
        &swap(&set, SwapTarget::Generation(3), &write)?.seconds,
    );
    let other = folder.path().join("b.asif");
    synthetic_set(&other, dims, pairs / 10)?;
    show(
        "swap from another set",
        &swap(&set, SwapTarget::Set(&other), &write)?.seconds,
    );
    let begun = Instant::now();
    AnchorSet::open(&set)?;
    println!(
        "opening the set {:.1} ms",
        begun.elapsed().as_secs_f64() * 1e3
    );
    Ok(())
}

fn show(what: &str, seconds: &BTreeMap<&'static str, f64>) {
    let total = seconds.get("total").copied().unwrap_or_default();
    let parts: Vec<String> = seconds
        .iter()
        .filter(|(phase, _)| **phase != "total")
        .map(|(phase, s)| format!("{phase} {:.1} ({:.0} %)", s * 1e3, 100.0 * s / total))
        .collect();
    println!("{what}: {:.1} ms = {}", total * 1e3, parts.join(" + "));
}

fn embedder(home: &DataFolder) -> anyhow::Result<Embedder> {
    runtime::load(None, home)?;
    let options = EncoderOptions::latency();
    let open = |name, modality| {
        let path = registry::resolve(home, name, modality)?;
        anyhow::Ok(ModelFolder::open(&path)?)
    };
    Ok(Embedder::new(
        ImageEncoder::open(&open(DEFAULT_IMAGE_ENCODER, Modality::Image)?, &options)?,
        TextEncoder::open(&open(DEFAULT_TEXT_ENCODER, Modality::Text)?, &options)?,
        2,
    ))
}

fn name(i: usize) -> String {
    format!("pair{i:07}")
}

fn caption(i: usize) -> String {
    format!("the caption of pair number {i}")
}

fn write_csv(
    folder: &Path,
    name_: &str,
    numbers: std::ops::Range<usize>,
) -> anyhow::Result<PathBuf> {
    let images = folder.join("images");
    fs_err::create_dir_all(&images)?;
    let mut csv = "id,image,caption,source,licence\n".to_owned();
    for i in numbers {
        fs_err::write(images.join(format!("{i}.jpg")), (i as u64).to_le_bytes())?;
        csv.push_str(&format!(
            "{},images/{i}.jpg,{},invented,CC0-1.0\n",
            name(i),
            caption(i)
        ));
    }
    let path = folder.join(format!("{name_}.csv"));
    fs_err::write(&path, csv)?;
    Ok(path)
}

fn fill(cache: &Path, embedder: &Embedder, pairs: usize) -> anyhow::Result<()> {
    let (image, text) = (embedder.image().identity(), embedder.text().identity());
    let images = EmbeddingCache::open(cache, &image.fingerprint, image.dim)?;
    let texts = EmbeddingCache::open(cache, &text.fingerprint, text.dim)?;
    for first in (0..pairs).step_by(1000) {
        let numbers: Vec<usize> = (first..pairs.min(first + 1000)).collect();
        let vectors = |dim, side: u64| -> Vec<f32> {
            let of = |&i: &usize| synthetic::unit(2 * i as u64 + side, dim);
            numbers.iter().flat_map(of).collect()
        };
        let keys = |of: &dyn Fn(usize) -> Vec<u8>| -> Vec<ContentKey> {
            numbers.iter().map(|&i| ContentKey::of(&of(i))).collect()
        };
        let image_keys = keys(&|i| (i as u64).to_le_bytes().to_vec());
        images.put(&image_keys, &vectors(image.dim, 1))?;
        let text_keys = keys(&|i| caption(i).into_bytes());
        texts.put(&text_keys, &vectors(text.dim, 2))?;
    }
    Ok(())
}

fn synthetic_set(path: &Path, dims: PerModality<usize>, pairs: usize) -> anyhow::Result<()> {
    let making = synthetic::making(dims);
    let pairs = (0..pairs as u64).map(|n| synthetic::pair_of(n, dims));
    Ok(asif::anchors::change::vectors::create(
        path, &making, pairs,
    )?)
}
