//! Does `asif` encode at the encoder's own speed? ONNX Runtime alone, with tensors that are ready
//! in memory, against files and captions going through [`Embedder`], which is what `asif build` calls.
//!
//! ```text
//! cargo bench --bench encode_throughput -- [FOLDER] [--images N] [--captions N] [--rounds N]
//! ```
//!
//! FOLDER has a `pairs.jsonl` (`image`, `captions`), or pictures and no captions; by default
//! `../shared/data/anchors`. The models are the home folder's defaults. The bare sessions run in a
//! child process, because a process has one ONNX Runtime environment and the library owns it.
//! Rounds alternate, so that a busy neighbour disturbs both; the best round of each counts.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use asif::embed::{Embedder, WorkControl};
use asif::encode::image::decode;
use asif::encode::image::preprocess::ImagePreprocessor;
use asif::encode::{
    DEFAULT_IMAGE_ENCODER, DEFAULT_TEXT_ENCODER, EncoderOptions, ImageEncoder, ModelFolder,
    TextEncoder, runtime,
};
use asif::home::DataFolder;
use asif::image_source::ImageSource;
use asif::progress::{CancelToken, NoProgress};
use ort::session::Session;
use ort::value::{Tensor, TensorRef};

struct Work {
    images: Vec<PathBuf>,
    captions: Vec<String>,
    rounds: usize,
}

fn main() -> Result<()> {
    // Cargo adds --bench; the rest is ours.
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let alone = args.first().is_some_and(|a| a == "ort-alone");
    let home = DataFolder::from_env().context("no home folder: set ASIF_HOME")?;
    let Some(work) = work(&args)? else {
        println!("skipped: no pictures; give a folder with pairs.jsonl or pictures");
        return Ok(());
    };
    if alone {
        bare_sessions(&home, &work)
    } else {
        compare(&home, &args, &work)
    }
}

/// The sessions and threads that are tried: one session over all cores, one for each core.
fn splits() -> Vec<(usize, usize)> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut splits = vec![(1, cores)];
    if cores > 1 {
        splits.push((cores.min(4), cores / cores.min(4)));
    }
    splits
}

fn compare(home: &DataFolder, args: &[String], work: &Work) -> Result<()> {
    runtime::load(None, home)?;
    let folder = |name: &str| ModelFolder::open(home.models().join(name));
    let options = EncoderOptions::throughput();
    // Without a cache: every round encodes everything.
    let embedder = Embedder::new(
        ImageEncoder::open(&folder(DEFAULT_IMAGE_ENCODER)?, &options)?,
        TextEncoder::open(&folder(DEFAULT_TEXT_ENCODER)?, &options)?,
        options.sessions,
    );
    println!(
        "{} pictures, {} captions; library: {} sessions x {} threads",
        work.images.len(),
        work.captions.len(),
        options.sessions,
        options.threads_per_session
    );
    let mut bare: Vec<(String, f64)> = Vec::new();
    let (mut whole_images, mut whole_texts) = (0f64, 0f64);
    for round in 0..work.rounds {
        let output = Command::new(std::env::current_exe()?)
            .arg("ort-alone")
            .args(args)
            .output()?;
        if !output.status.success() {
            bail!("bare sessions: {}", String::from_utf8_lossy(&output.stderr));
        }
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let (what, rate) = line.rsplit_once('\t').context("a line of the child")?;
            let rate: f64 = rate.parse()?;
            match bare.iter_mut().find(|(name, _)| name == what) {
                Some((_, best)) => *best = best.max(rate),
                None => bare.push((what.to_owned(), rate)),
            }
        }
        let watch = WorkControl {
            progress: &NoProgress,
            cancel: &CancelToken::default(),
        };
        let start = Instant::now();
        embedder.images(&ImageSource::files(&work.images), watch)?;
        let image_rate = work.images.len() as f64 / start.elapsed().as_secs_f64();
        whole_images = whole_images.max(image_rate);
        let start = Instant::now();
        embedder.texts(&work.captions, watch)?;
        let text_rate = work.captions.len() as f64 / start.elapsed().as_secs_f64();
        whole_texts = whole_texts.max(text_rate);
        println!("round {round}: {image_rate:.1} images/s, {text_rate:.1} captions/s end to end");
    }
    for (what, whole) in [("images", whole_images), ("captions", whole_texts)] {
        let mut best = 0f64;
        for (name, rate) in bare.iter().filter(|(name, _)| name.starts_with(what)) {
            println!("{name:44} {rate:9.1} /s");
            best = best.max(*rate);
        }
        if best > 0.0 {
            let name = format!("{what} end to end");
            println!(
                "{name:44} {whole:9.1} /s   {:.1} % of ONNX Runtime alone",
                whole / best * 100.0
            );
        }
    }
    Ok(())
}

/// The child: nothing but sessions and ready tensors. Prints `name TAB rate`.
fn bare_sessions(home: &DataFolder, work: &Work) -> Result<()> {
    let environment = ort::init_from(home.runtime_library())?
        .with_telemetry(false)
        .build()?;
    let image_folder = ModelFolder::open(home.models().join(DEFAULT_IMAGE_ENCODER))?;
    let text_folder = ModelFolder::open(home.models().join(DEFAULT_TEXT_ENCODER))?;
    let tensors = ready_images(&image_folder, &work.images)?;
    let captions = ready_texts(&text_folder, &work.captions)?;
    for (sessions, threads) in splits() {
        let open = |folder: &ModelFolder| -> Result<Vec<Session>> {
            (0..sessions)
                .map(|_| {
                    let mut builder = Session::builder(&environment)?
                        .with_intra_threads(threads)
                        .map_err(|e| anyhow::anyhow!("{e}"))?;
                    Ok(builder.commit_from_file(folder.model_path()?)?)
                })
                .collect()
        };
        let split = format!("{sessions} sessions x {threads} threads");
        let images = drive(
            open(&image_folder)?,
            &tensors,
            work.images.len(),
            |session, batch| {
                let (shape, data) = batch;
                session.run(ort::inputs![TensorRef::from_array_view((
                    *shape,
                    &data[..]
                ))?])?;
                Ok(())
            },
        )?;
        println!("images, ready tensors, {split}\t{images}");
        let texts = drive(
            open(&text_folder)?,
            &captions,
            work.captions.len(),
            |session, batch| {
                let (shape, ids, mask, types) = batch;
                session.run(ort::inputs! {
                    "input_ids" => TensorRef::from_array_view((*shape, &ids[..]))?,
                    "attention_mask" => TensorRef::from_array_view((*shape, &mask[..]))?,
                    "token_type_ids" => Tensor::from_array((*shape, types.clone()))?,
                })?;
                Ok(())
            },
        )?;
        println!("captions, ready tensors, {split}\t{texts}");
    }
    Ok(())
}

/// Items per second of `run` over all batches, one thread a session.
fn drive<B: Sync>(
    sessions: Vec<Session>,
    batches: &[B],
    items: usize,
    run: impl Fn(&mut Session, &B) -> Result<()> + Sync,
) -> Result<f64> {
    let next = AtomicUsize::new(0);
    let mut sessions = sessions;
    // The first run of a session allocates; it is not what is measured.
    if let Some(first) = batches.first() {
        sessions.iter_mut().try_for_each(|s| run(s, first))?;
    }
    let start = Instant::now();
    std::thread::scope(|scope| {
        let (next, run) = (&next, &run);
        let all: Vec<_> = sessions
            .iter_mut()
            .map(|session| {
                scope.spawn(move || -> Result<()> {
                    while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                        run(session, batch)?;
                    }
                    Ok(())
                })
            })
            .collect();
        all.into_iter()
            .try_for_each(|t| t.join().map_err(|_| anyhow::anyhow!("a thread died"))?)
    })?;
    Ok(items as f64 / start.elapsed().as_secs_f64())
}

type ImageBatch = ([usize; 4], Vec<f32>);

fn ready_images(folder: &ModelFolder, files: &[PathBuf]) -> Result<Vec<ImageBatch>> {
    let preprocess = ImagePreprocessor::read(folder, false)?;
    let (width, height) = preprocess.size();
    files
        .chunks(8)
        .map(|batch| {
            let mut data = Vec::new();
            for file in batch {
                let image = decode::decode(&fs_err::read(file)?, true)?;
                data.extend(preprocess.tensor(&preprocess.pixels(&image)));
            }
            Ok(([batch.len(), 3, height as usize, width as usize], data))
        })
        .collect()
}

type TextBatch = ([usize; 2], Vec<i64>, Vec<i64>, Vec<i64>);

fn ready_texts(folder: &ModelFolder, captions: &[String]) -> Result<Vec<TextBatch>> {
    let mut tokenizer = tokenizers::Tokenizer::from_file(folder.dir().join("tokenizer.json"))
        .map_err(|e| anyhow::anyhow!("{e}"))?;
    tokenizer.with_padding(None);
    let mut all = captions
        .iter()
        .map(|text| {
            Ok(tokenizer
                .encode_fast(text.as_str(), true)?
                .get_ids()
                .to_vec())
        })
        .collect::<tokenizers::Result<Vec<_>>>()
        .map_err(|e| anyhow::anyhow!("{e}"))?;
    all.sort_by_key(|ids| std::cmp::Reverse(ids.len()));
    Ok(all
        .chunks(32)
        .map(|batch| {
            let longest = batch.iter().map(Vec::len).max().unwrap_or(0);
            let (mut ids, mut mask) = (Vec::new(), Vec::new());
            for row in batch {
                let pad = longest - row.len();
                ids.extend(
                    row.iter()
                        .map(|&id| i64::from(id))
                        .chain(std::iter::repeat_n(0, pad)),
                );
                mask.extend(row.iter().map(|_| 1).chain(std::iter::repeat_n(0, pad)));
            }
            let types = vec![0; ids.len()];
            ([batch.len(), longest], ids, mask, types)
        })
        .collect())
}

/// The pictures and captions, spread evenly over the folder.
fn work(args: &[String]) -> Result<Option<Work>> {
    let number = |flag: &str, usual: usize| -> Result<usize> {
        match args.iter().position(|a| a == flag) {
            Some(i) => Ok(args
                .get(i + 1)
                .context("a number after the flag")?
                .parse()?),
            None => Ok(usual),
        }
    };
    let (max_images, max_captions) = (number("--images", 480)?, number("--captions", 1920)?);
    let rounds = number("--rounds", 3)?;
    let named = args
        .iter()
        .find(|a| Path::new(a).is_dir())
        .map(PathBuf::from);
    let folder = named.unwrap_or_else(|| {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join("../shared/data/anchors")
    });
    let (mut images, mut captions) = (Vec::new(), Vec::new());
    if let Ok(text) = fs_err::read_to_string(folder.join("pairs.jsonl")) {
        for line in text.lines() {
            let pair: serde_json::Value = serde_json::from_str(line)?;
            if let Some(image) = pair["image"].as_str() {
                images.push(folder.join(image));
            }
            let texts = pair["captions"].as_array().into_iter().flatten();
            captions.extend(texts.filter_map(|c| c.as_str()).map(str::to_owned));
        }
    } else {
        let is_image = |p: &Path| {
            let end = p.extension().map(|e| e.to_string_lossy().to_lowercase());
            end.is_some_and(|e| ["jpg", "jpeg", "png", "webp"].contains(&e.as_str()))
        };
        let entries = walkdir::WalkDir::new(&folder)
            .sort_by_file_name()
            .into_iter();
        images.extend(
            entries
                .filter_map(|e| Some(e.ok()?.into_path()))
                .filter(|p| is_image(p)),
        );
    }
    let thin = |n: usize, max: usize| n.div_ceil(max.max(1)).max(1);
    let images: Vec<_> = images
        .iter()
        .step_by(thin(images.len(), max_images))
        .cloned()
        .collect();
    let captions: Vec<_> = captions
        .iter()
        .step_by(thin(captions.len(), max_captions))
        .cloned()
        .collect();
    Ok((!images.is_empty()).then_some(Work {
        images,
        captions,
        rounds,
    }))
}
