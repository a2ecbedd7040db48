//! `asif inspect`.

use std::path::PathBuf;

use asif::anchors::AnchorSet;
use asif::anchors::stored::plan::{SearchPlan, make};
use asif::encode::EncoderEntry;
use asif::modality::Modality;
use asif::space::Recipe;
use asif_index::MachineCosts;
use clap::Args;
use serde_json::json;

use crate::context::{CommandContext, open};
use crate::output::format;

/// Show the contents of an anchor set: pairs, encoders, space, sources, licences.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// The anchor set.
    #[arg(env = "ASIF_INDEX", value_name = "DIR.asif")]
    set: PathBuf,

    /// Also read all files and check every checksum.
    #[arg(long, env = "ASIF_VERIFY")]
    verify: bool,

    /// Also measure the search methods on this machine, for about a second each, and explain the plan.
    #[arg(long, env = "ASIF_PLAN")]
    plan: bool,
}

pub fn run(args: &InspectArgs, context: &CommandContext) -> anyhow::Result<()> {
    let set = open(&args.set, context)?;
    if args.verify {
        set.verify()?;
    }
    let bytes = set.bytes()?;
    let manifest = set.manifest();
    let space = &manifest.space;
    let plans = if args.plan { plans(&set)? } else { Vec::new() };
    if context.json {
        let mut json = serde_json::to_value(manifest)?;
        json["path"] = args.set.display().to_string().into();
        json["bytes"] = bytes.into();
        json["space_in_use"] = space.in_use(set.len()).into();
        if args.plan {
            json["plans"] = plans.iter().map(|(_, plan)| json!(plan)).collect();
        }
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
    let tally = |counts: &std::collections::BTreeMap<String, u64>| {
        if counts.is_empty() {
            return "not stated".to_owned();
        }
        let line = |(name, n): (&String, &u64)| format!("{:>9}  {name}", format::count(*n));
        format::list(&counts.iter().map(line).collect::<Vec<_>>())
    };
    let mut rows = vec![
        ("set", format::path(&args.set)),
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
                "{} with {} in {}; {} {} skipped",
                format::count(manifest.counts.pairs),
                format::number_of(manifest.counts.captions, "caption"),
                format::number_of(manifest.segments.len() as u64, "segment"),
                format::number_of(manifest.counts.skipped, "row"),
                if manifest.counts.skipped == 1 {
                    "was"
                } else {
                    "were"
                }
            ),
        ),
        ("images", encoder(&manifest.image_encoder)),
        ("texts", encoder(&manifest.text_encoder)),
        ("space", space_of(space, set.len())),
        ("sources", tally(&manifest.sources)),
        ("licences", tally(&manifest.licences)),
        ("on disk", format::bytes(bytes)),
    ];
    if args.verify {
        rows.push(("verified", "all checksums match".to_owned()));
    }
    let plans: Vec<_> = plans
        .into_iter()
        .map(|(what, plan)| (what, plan.reason))
        .collect();
    rows.extend(
        plans
            .iter()
            .map(|(what, reason)| (what.as_str(), reason.clone())),
    );
    context.print(format::facts(&rows))
}

/// The space in use, followed by the stored one where they differ.
fn space_of(space: &Recipe, pairs: usize) -> String {
    let used = space.in_use(pairs);
    match space.few_anchors(pairs) {
        Some(why) => format!("{used}\n({why})\nstored: {space}"),
        None => used,
    }
}

/// The search plan of each modality of each segment, measured on this machine.
fn plans(set: &AnchorSet) -> anyhow::Result<Vec<(String, SearchPlan)>> {
    let k = set.manifest().space.k();
    let mut plans = Vec::new();
    for (segment, entry) in set.segments().iter().zip(&set.manifest().segments) {
        for modality in Modality::BOTH {
            let (vectors, graph) = (segment.vectors(modality), segment.graph(modality));
            let name = format!("{modality} plan");
            let mut plan = make(vectors, graph, k)?;
            let expected = MachineCosts::calibrate()
                .graph_pays(vectors.len(), vectors.dim(), k)
                .1;
            plan.reason = format!(
                "segment {}: {}\nexpected before building: {expected}",
                entry.id, plan.reason
            );
            plans.push((name, plan));
        }
    }
    Ok(plans)
}
