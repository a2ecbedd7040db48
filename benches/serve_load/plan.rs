//! What is to be run, of the command line.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

const PARTS: [&str; 7] = [
    "idle",
    "saturation",
    "fast",
    "overload",
    "swaps",
    "soak",
    "hostile",
];

/// What is to be run.
pub struct Plan {
    pub parts: Vec<String>,
    pub index: Option<PathBuf>,
    pub images: Option<PathBuf>,
    pub seconds: u64,
    pub swaps: u64,
}

impl Plan {
    pub fn from_args() -> Result<Self> {
        let mut plan = Self {
            parts: Vec::new(),
            index: None,
            images: None,
            seconds: 60,
            swaps: 1_000,
        };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            let mut value = || args.next().with_context(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "--bench" => {}
                "--index" => plan.index = Some(value()?.into()),
                "--images" => plan.images = Some(value()?.into()),
                "--seconds" => plan.seconds = value()?.parse()?,
                "--swaps" => plan.swaps = value()?.parse()?,
                part if PARTS.contains(&part) => plan.parts.push(arg),
                _ => bail!("unknown argument {arg}"),
            }
        }
        if plan.parts.is_empty() {
            plan.parts = PARTS.map(str::to_owned).to_vec();
        }
        Ok(plan)
    }
}
