//! Follows an anchor set while others change it: classifies an image, and again after each change.
//!
//! ```text
//! cargo run --release --example follow -- SET.asif LABEL,LABEL IMAGE SECONDS
//! ```
//!
//! While it runs, change the set: `asif anchors remove SET.asif --id ...`. It ends after so many
//! seconds.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example prints"
)]

use std::error::Error;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use asif::{AnchorModel, RefreshOutcome, Watcher};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [set, labels, image, seconds] = arguments.as_slice() else {
        return Err("usage: follow SET.asif LABEL,LABEL IMAGE SECONDS".into());
    };
    let end = Instant::now() + Duration::from_secs(seconds.parse()?);
    let model = AnchorModel::open(set)?;
    let (report, news) = mpsc::channel();
    let _watcher = model.follow(Watcher::INTERVAL, move |refreshed| {
        // Nobody listens once the program ends.
        let _ = report.send(refreshed);
    })?;
    answer(&model, labels, image)?;
    while let Ok(refreshed) = news.recv_timeout(end.saturating_duration_since(Instant::now())) {
        match refreshed {
            Ok(RefreshOutcome::Swapped(_)) => answer(&model, labels, image)?,
            Ok(RefreshOutcome::Unchanged) => eprintln!("the live generation is as it was"),
            Err(error) => eprintln!("stays with the generation that it has: {error}"),
        }
    }
    Ok(())
}

/// Answers from the generation that is live now.
fn answer(model: &AnchorModel, labels: &str, image: &str) -> Result<(), Box<dyn Error>> {
    let classifier = model.classifier(labels.split(','))?;
    for answer in classifier.classify(&[image])? {
        let best = &classifier.ranked(&answer?, 1)[0];
        println!(
            "generation {}: {} {:.3}",
            classifier.generation(),
            best.label,
            best.score
        );
    }
    Ok(())
}
