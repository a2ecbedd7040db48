//! One client: what does a request take beyond decoding and encoding its image?

use std::time::Instant;

use anyhow::Result;
use asif::encode::image::decode::PictureLimits;

use crate::Bench;
use crate::given::embedder;
use crate::measure::{ms, post, quantile};
use crate::serve_support::Server;

/// Own time and the server's by turns, so that a busy neighbour disturbs both.
pub fn idle(bench: &Bench) -> Result<()> {
    const ROUNDS: usize = 200;
    let embedder = embedder(&bench.index)?;
    let server = Server::start(&[("a", &bench.index)], &[]);
    let mut client = server.connect();
    for body in &bench.bodies {
        post(&mut client, body)?;
    }
    let (mut own, mut served) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let at = round % bench.images.len();
        let begun = Instant::now();
        let prepared = embedder.prepare_image(&bench.images[at], PictureLimits::default())?;
        embedder.encode_prepared(vec![prepared])?;
        own.push(ms(begun));
        let begun = Instant::now();
        post(&mut client, &bench.bodies[at])?;
        served.push(ms(begun));
    }
    // A tenth lies below the lower quantile: the moments in which no other process was in the way.
    for (name, q) in [("median", 0.5), ("lower tenth", 0.1)] {
        let (own, served) = (quantile(&mut own, q), quantile(&mut served, q));
        println!(
            "idle: {name} of {ROUNDS}: decoding and encoding {own:.2} ms, a request {served:.2} \
             ms, added {:.2} ms",
            served - own
        );
    }
    println!();
    Ok(())
}
