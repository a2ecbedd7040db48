//! Vectors instead of images, and labels that came before: requests a second.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use crate::measure::{processor, quantile, served_rate};
use crate::serve_support::{Server, base64};
use crate::{Bench, LABELS};

/// Requests of one vector each.
pub fn fast(bench: &Bench) -> Result<()> {
    let server = Server::start(&[("a", &bench.index)], &[]);
    let mut bodies = Vec::new();
    for image in &bench.images {
        let input = format!("data:image/jpeg;base64,{}", base64(image));
        let vector = server
            .post("/v1/embeddings", &json!({"input": input}))
            .json();
        let vector = vector["data"][0]["embedding"].clone();
        bodies.push(json!({"vectors": [vector], "labels": LABELS}).to_string());
    }
    for clients in [1, 4, 16] {
        served_rate(&server, &bodies, clients, Duration::from_secs(1))?;
        let before = processor(server.pid())?;
        let (rate, mut took) = served_rate(&server, &bodies, clients, Duration::from_secs(10))?;
        let used = processor(server.pid())? - before;
        println!(
            "fast: {clients} clients: {rate:.0} requests/s, {:.3} ms of processor time each, p50 \
             {:.2} ms, p99 {:.2} ms",
            1e3 * used / took.len() as f64,
            quantile(&mut took, 0.5),
            quantile(&mut took, 0.99)
        );
    }
    println!();
    Ok(())
}
