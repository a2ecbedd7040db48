//! `asif inspect`.

use std::path::PathBuf;

use asif::anchors::AnchorSet;
use asif::anchors::manifest::EncoderEntry;
use clap::Args;

use super::context::Context;
use super::format;

/// Show what an anchor set holds: pairs, encoders, space, sources, licences.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// The set.
    #[arg(env = "ASIF_INDEX", value_name = "DIR.asif")]
    set: PathBuf,

    /// Also read everything and check every checksum.
    #[arg(long, env = "ASIF_VERIFY")]
    verify: bool,
}

pub fn run(args: &InspectArgs, context: &Context) -> anyhow::Result<()> {
    let set = AnchorSet::open(&args.set)?;
    if args.verify {
        set.verify()?;
    }
    let bytes = set.bytes()?;
    let manifest = set.manifest();
    if context.json {
        let mut json = serde_json::to_value(manifest)?;
        json["path"] = args.set.display().to_string().into();
        json["bytes"] = bytes.into();
        if args.verify {
            json["verified"] = true.into();
        }
        return context.print_json(&json);
    }
    let encoder = |e: &EncoderEntry| {
        let print: String = e.identity.fingerprint.chars().take(12).collect();
        format!(
            "{}, {} numbers, fingerprint {print}",
            e.identity.name, e.identity.dim
        )
    };
    let space = &manifest.space;
    let tally = |counts: &std::collections::BTreeMap<String, u64>| {
        if counts.is_empty() {
            return "not stated".to_owned();
        }
        let line = |(name, n): (&String, &u64)| format!("{:>9}  {name}", format::count(*n));
        counts.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    let mut rows = vec![
        ("set", args.set.display().to_string()),
        (
            "generation",
            format!(
                "{}, made {} by {}",
                manifest.generation, manifest.created, manifest.made_by
            ),
        ),
        (
            "pairs",
            format!(
                "{} with {} captions in {} segment(s); {} rows were skipped",
                format::count(manifest.counts.pairs),
                format::count(manifest.counts.captions),
                manifest.segments.len(),
                format::count(manifest.counts.skipped)
            ),
        ),
        ("images", encoder(&manifest.image_encoder)),
        ("texts", encoder(&manifest.text_encoder)),
        (
            "space",
            format!(
                "k {}, p {}, {}, negatives {}",
                space.k,
                space.p,
                if space.center {
                    "centred"
                } else {
                    "not centred"
                },
                serde_json::to_value(space.negatives)?
                    .as_str()
                    .unwrap_or_default()
            ),
        ),
        ("sources", tally(&manifest.sources)),
        ("licences", tally(&manifest.licences)),
        ("on disk", format::bytes(bytes)),
    ];
    if args.verify {
        rows.push(("verified", "every checksum agrees".to_owned()));
    }
    context.print(format::facts(&rows))
}
