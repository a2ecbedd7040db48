//! Which pairs of the sources a command takes.

use asif::anchors::AnchorsError;
use asif::anchors::change::selection::{IncomingSelection, PairSample, SelectionCounts};
use asif::filter::PairFilter;
use clap::{Args, ValueEnum};

use crate::errors::exit::UsageError;
use crate::output::format;

/// Which pairs of the sources are taken.
#[derive(Debug, Args)]
pub struct SelectionArgs {
    /// Only pairs that match: `source=shop licence=CC0-1.0`, or an expression such as "source = 'shop' and
    /// licence like 'CC-BY%' and year >= 2020" with =, !=, <, <=, >, >=, like, ilike, in, between, is null,
    /// and, or, not; `id`, `image` and `caption` are those of the pair.
    #[arg(long = "where", env = "ASIF_WHERE", value_name = "FILTER")]
    filter: Option<String>,

    /// Leave out pairs that repeat an earlier one of the sources.
    #[arg(long, env = "ASIF_DEDUP", value_enum, value_name = "HOW")]
    dedup: Option<DedupArg>,

    /// Take so many pairs at random; the same ones for the same seed.
    #[arg(long, env = "ASIF_SAMPLE", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    sample: Option<u64>,

    /// The seed of --sample [default: 0].
    #[arg(long, env = "ASIF_SEED", value_name = "N")]
    seed: Option<u64>,

    /// Take at most so many pairs, the first ones.
    #[arg(long, env = "ASIF_LIMIT", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DedupArg {
    /// The same image, to the byte, with the same captions.
    Exact,
}

impl SelectionArgs {
    /// Refuses a selection beside vectors.
    ///
    /// # Errors
    /// [`UsageError`] if there is one.
    pub fn refuse_with_vectors(&self) -> anyhow::Result<()> {
        let Self {
            filter,
            dedup,
            sample,
            limit,
            seed: _,
        } = self;
        self.check_seed()?;
        if filter.is_none() && dedup.is_none() && sample.is_none() && limit.is_none() {
            return Ok(());
        }
        let said = "--where, --dedup, --sample and --limit select among the pairs of --pairs, not among rows of \
                    vectors; write the rows that are wanted to files of their own";
        Err(UsageError(said.to_owned()).into())
    }

    /// Refuses a seed without a sample, which would select nothing. The variable may be set for other commands.
    fn check_seed(&self) -> Result<(), UsageError> {
        let is_of_variable = std::env::var_os("ASIF_SEED").is_some();
        match self.seed.is_some() && self.sample.is_none() && !is_of_variable {
            true => Err(UsageError(
                "--seed is the seed of --sample; give --sample N too, or leave it out".to_owned(),
            )),
            false => Ok(()),
        }
    }

    /// What they select.
    ///
    /// # Errors
    /// When the filter cannot be read.
    pub fn selection(&self) -> anyhow::Result<IncomingSelection> {
        self.check_seed()?;
        let seed = self.seed.unwrap_or(0);
        Ok(IncomingSelection {
            filter: self.filter.as_deref().map(filter_of).transpose()?,
            is_distinct: matches!(self.dedup, Some(DedupArg::Exact)),
            sample: self.sample.map(|size| PairSample { size, seed }),
            limit: self.limit,
        })
    }
}

/// The filter of a command line.
///
/// # Errors
/// When it cannot be read.
pub fn filter_of(text: &str) -> Result<PairFilter, AnchorsError> {
    Ok(PairFilter::parse(text)?)
}

/// The row of a report on what was not taken; `None` if everything was.
pub fn not_taken(counts: &SelectionCounts) -> Option<(&'static str, String)> {
    let of = |n: u64, what: &str| (n > 0).then(|| format!("{} {what}", format::count(n)));
    let parts = [
        of(counts.filtered, "by the filter"),
        of(counts.duplicates, "as duplicates"),
        of(counts.not_sampled, "outside the sample"),
        counts
            .reached_limit
            .then(|| "all after the limit".to_owned()),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| ("not taken", parts.join(", ")))
}
