//! What decoding takes at once stays within one budget, counted before a decoder sees the data.

use std::io::Cursor;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use asif::encode::InputError;
use asif::encode::image::decode::{DecodeBudget, decode};
use image::codecs::gif::GifEncoder;
use image::{DynamicImage, ImageFormat, RgbImage};
use libjpeg_turbo_rs::{Encoder, PixelFormat, Subsampling};
use serde_json::json;

use super::files::*;
use super::{in_own_process, mebibytes};
use crate::serve_support::{Server, base64};
use crate::{support, tiny_onnx};

/// Above the budget: what threads, stacks and the allocator take, in MiB.
const SLACK: u64 = 48;
/// MiB that a server's threads may keep of what they freed: 44 to 53 were seen, and 87 to 117 where
/// decoding was left to threads that stay.
const KEPT: u64 = 64;
/// What the bombs below inflate to, in bytes.
const BOMB: usize = 300 << 20;

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    image.write_to(&mut file, format).unwrap();
    file.into_inner()
}

fn jpeg(image: &RgbImage, progressive: bool, subsampling: Subsampling) -> Vec<u8> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let encoder = Encoder::new(image.as_raw(), width, height, PixelFormat::Rgb);
    let encoder = encoder.quality(60).subsampling(subsampling);
    encoder.progressive(progressive).encode().unwrap()
}

/// A large picture in every format and variant.
fn large_pictures() -> Vec<(&'static str, Vec<u8>)> {
    let rgb = RgbImage::from_fn(2_400, 2_000, |x, y| {
        image::Rgb([(x / 10) as u8, (y / 9) as u8, (x / 200 * y / 200) as u8])
    });
    let image = DynamicImage::from(rgb.clone());
    let mut gif = Vec::new();
    GifEncoder::new_with_speed(&mut gif, 30)
        .encode(rgb.as_raw(), 2_400, 2_000, image::ExtendedColorType::Rgb8)
        .unwrap();
    vec![
        ("baseline.jpg", jpeg(&rgb, false, Subsampling::S420)),
        ("full.jpg", jpeg(&rgb, false, Subsampling::S444)),
        ("progressive.jpg", jpeg(&rgb, true, Subsampling::S444)),
        ("progressive-420.jpg", jpeg(&rgb, true, Subsampling::S420)),
        ("rgb.png", encoded(&image, ImageFormat::Png)),
        (
            "rgba16.png",
            encoded(&image.to_rgba16().into(), ImageFormat::Png),
        ),
        (
            "grey.png",
            encoded(&image.to_luma8().into(), ImageFormat::Png),
        ),
        ("lossless.webp", encoded(&image, ImageFormat::WebP)),
        (
            "lossless-alpha.webp",
            encoded(&image.to_rgba8().into(), ImageFormat::WebP),
        ),
        ("still.gif", gif),
        ("rgb.bmp", encoded(&image, ImageFormat::Bmp)),
    ]
}

/// Small pictures that hold what inflates.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let small = encoded(&support::drawing(10, 10, 1).into(), ImageFormat::Png);
    let zeros = zeros_deflated(BOMB);
    let with = |kind: &[u8; 4], head: &[u8]| {
        with_chunks(&small, |chunks| {
            chunks.insert(1, (*kind, joined(&[head, &zeros])));
        })
    };
    let more_rows = with_chunks(&small, |chunks| {
        let at = chunks.iter().position(|(kind, _)| kind == b"IDAT").unwrap();
        // All rows of the picture, and then millions more, in one stream.
        chunks[at].1 = zeros.clone();
    });
    let endless_exif = |claimed: u32| {
        let file = seed("lossless.webp");
        let picture = &file[12..];
        let mut header = vec![8, 0, 0, 0];
        header.extend(&47u32.to_le_bytes()[..3]);
        header.extend(&39u32.to_le_bytes()[..3]);
        let length = |n: usize| (n as u32).to_le_bytes();
        let exif = [&b"EXIF"[..], &claimed.to_le_bytes(), b"II*\0"].concat();
        let body = joined(&[b"WEBPVP8X", &length(10), &header, picture, &exif]);
        joined(&[b"RIFF", &length(body.len()), &body])
    };
    vec![
        ("iCCP", with(b"iCCP", b"a\0\0")),
        ("zTXt", with(b"zTXt", b"a\0\0")),
        ("iTXt", with(b"iTXt", b"a\0\x01\0\0\0")),
        ("zTXt of EXIF", with(b"zTXt", b"Raw profile type exif\0\0")),
        ("more rows", more_rows),
        ("EXIF of 4 GB", endless_exif(u32::MAX - 8)),
    ]
}

fn write_all(folder: &Path, files: &[(&'static str, Vec<u8>)]) {
    for (name, bytes) in files {
        fs_err::write(folder.join(name), bytes).unwrap();
    }
}

fn read_all(folder: &str) -> Vec<Vec<u8>> {
    let files = fs_err::read_dir(folder).unwrap();
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths
        .iter()
        .map(|path| fs_err::read(path).unwrap())
        .collect()
}

/// Decodes the files of `PICTURES` with `THREADS` threads under a budget of `BUDGET` MiB, and prints
/// how much memory that took.
#[test]
#[ignore = "runs in a process of its own, started by other tests"]
fn decodes_files() {
    let number = |name: &str| std::env::var(name).unwrap().parse::<usize>().unwrap();
    let files = read_all(&std::env::var("PICTURES").unwrap());
    DecodeBudget::process().set_limit((number("BUDGET") as u64) << 20);
    let before = mebibytes("self", "VmHWM:");
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..number("THREADS") {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    decode(file, true).unwrap();
                }
            });
        }
    });
    assert_eq!(DecodeBudget::process().taken(), 0);
    println!("took {} MiB", mebibytes("self", "VmHWM:") - before);
}

fn took(folder: &Path, budget: &str, threads: &str) -> u64 {
    let environment = [
        ("PICTURES", folder.to_str().unwrap()),
        ("BUDGET", budget),
        ("THREADS", threads),
    ];
    let out = in_own_process("memory::decodes_files", &environment);
    let told = out.lines().find_map(|l| l.split("took ").nth(1)).unwrap();
    told.strip_suffix(" MiB").unwrap().parse().unwrap()
}

#[test]
fn large_pictures_of_every_kind_at_once_stay_within_the_budget() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path(), &large_pictures());
    let took = took(folder.path(), "80", "11");
    assert!(took <= 80 + SLACK, "{took} MiB");
}

#[test]
fn what_is_not_asked_for_is_not_inflated() {
    let folder = tempfile::tempdir().unwrap();
    let bombs = bombs();
    for (name, bytes) in &bombs {
        assert!(bytes.len() < 3 << 20, "{name}: {} bytes", bytes.len());
    }
    write_all(folder.path(), &bombs);
    let took = took(folder.path(), "1024", "6");
    assert!(took < 20, "{took} MiB");
}

#[test]
fn one_that_would_exceed_the_budget_alone_is_refused_with_sizes() {
    let out = in_own_process("memory::refuses_what_never_fits", &[]);
    assert!(out.contains("refused"), "{out}");
}

#[test]
#[ignore = "runs in a process of its own, started by another test"]
fn refuses_what_never_fits() {
    DecodeBudget::process().set_limit(8 << 20);
    let image = DynamicImage::new_rgb8(2_000, 1_000);
    for format in [
        ImageFormat::Png,
        ImageFormat::Jpeg,
        ImageFormat::WebP,
        ImageFormat::Bmp,
    ] {
        let error = decode(&encoded(&image, format), true)
            .map(|_| ())
            .unwrap_err();
        assert!(
            matches!(
                error,
                InputError::OverBudget {
                    width: 2_000,
                    height: 1_000,
                    limit_mib: 8,
                    ..
                }
            ),
            "{format:?}: {error}"
        );
    }
    assert!(decode(seed("rgb.png"), true).is_ok());
    println!("refused");
}

#[test]
fn a_server_stays_flat_under_large_pictures_and_bombs_and_gives_memory_back() {
    let folder = tempfile::tempdir().unwrap();
    tiny_onnx::encoders(folder.path());
    let at = |name: &str| folder.path().join(name);
    let encoder = |name: &str| format!("{}/", at(name).display());
    let (image, text) = (encoder("image"), encoder("text"));
    let encoders = ["--image-encoder", &image, "--text-encoder", &text];
    let records: Vec<_> = (0..3)
        .map(|i| {
            let path = support::draw(folder.path(), &format!("{i}.png"), i);
            json!({"image": path.display().to_string(), "caption": "dog cat tree"})
        })
        .collect();
    let pairs = support::write_jsonl(folder.path(), "pairs.jsonl", &records);
    let set = at("set.asif");
    let mut build = support::asif();
    build
        .args(["build", "--quiet", "--space", "asif"])
        .args(encoders);
    support::run(build.arg("--pairs").arg(pairs).arg("--out").arg(&set)).ok();
    let mut options = encoders.to_vec();
    // What is tried is not how fast this machine decodes.
    options.extend(["--max-decode-memory", "100", "--timeout", "100"]);
    let server = Server::try_start_in(&[], &[("set", &set)], &options).unwrap();
    let asked =
        |file: &[u8]| json!({"images": [base64(file)], "labels": ["dog", "cat"]}).to_string();
    let mut bodies: Vec<String> = bombs().iter().map(|(_, file)| asked(file)).collect();
    bodies.extend(large_pictures().iter().map(|(_, file)| asked(file)));
    // Threads and what they keep from their first work on are there before: as many small pictures at
    // once as there will be large ones.
    let small = asked(&support::jpeg(1));
    let small_ones_at_once = || {
        std::thread::scope(|scope| {
            for _ in &bodies {
                let ask = || {
                    server
                        .connect()
                        .send("POST", "/v1/classify", &[], small.as_bytes())
                };
                scope.spawn(ask);
            }
        });
    };
    small_ones_at_once();
    let pid = server.pid().to_string();
    let before = mebibytes(&pid, "VmRSS:");
    for _ in 0..2 {
        std::thread::scope(|scope| {
            for body in &bodies {
                let server = &server;
                scope.spawn(move || {
                    let answer =
                        server
                            .connect()
                            .send("POST", "/v1/classify", &[], body.as_bytes());
                    // Where too much is being sent at once, that is said.
                    assert!([200, 429].contains(&answer.status), "{}", answer.text());
                });
            }
        });
    }
    let peak = mebibytes(&pid, "VmHWM:");
    let sent: usize = bodies.iter().map(String::len).sum();
    // A body is held as it came and decoded from base64.
    let bound = before + 100 + 2 * (sent >> 20) as u64 + SLACK;
    assert!(peak <= bound, "{peak} MiB, at most {bound}");
    // A thread gives back what it freed when it next works.
    let begun = std::time::Instant::now();
    let mut after = mebibytes(&pid, "VmRSS:");
    while after > before + KEPT {
        assert!(
            begun.elapsed() < crate::serve_support::PATIENCE,
            "{after} MiB stay of {peak}, {before} before"
        );
        small_ones_at_once();
        std::thread::sleep(std::time::Duration::from_millis(50));
        after = mebibytes(&pid, "VmRSS:");
    }
}
