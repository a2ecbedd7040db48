//! Classifies images and shows the pairs behind each answer.
//!
//! ```text
//! cargo run --release --example classify -- SET.asif LABEL,LABEL IMAGE...
//! ```
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example prints"
)]

use std::error::Error;

use asif::AnchorModel;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [set, labels, images @ ..] = arguments.as_slice() else {
        return Err("usage: classify SET.asif LABEL,LABEL IMAGE...".into());
    };
    let model = AnchorModel::open(set)?;
    let classifier = model.classifier(labels.split(','))?;
    for (image, answer) in images.iter().zip(classifier.classify(images)?) {
        let answer = match answer {
            Ok(answer) => answer,
            Err(rejected) => {
                eprintln!("{rejected}");
                continue;
            }
        };
        let best = &classifier.ranked(&answer, 1)[0];
        println!("{image}: {} {:.2}", best.label, best.score);
        for pair in classifier.explain(&answer, best.class, 3)?.supporting {
            println!(
                "  {:+.3} {}: {}",
                pair.amount,
                pair.id,
                pair.captions.join(" / ")
            );
        }
    }
    Ok(())
}
