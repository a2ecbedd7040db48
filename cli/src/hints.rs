//! What to type about an error or a finding of the library.
//!
//! Messages of the library, the index and the server say what is wrong in words of their own, as callers
//! without a command line read them. Here a variant gets the option or the command that does something
//! about it; it is printed below the message, on a line that begins with `hint: `.

use std::collections::BTreeSet;
use std::error::Error;

use asif::anchors::AnchorsError;
use asif::anchors::live::LiveError;
use asif::embed::{EmbedError, Rejected};
use asif::encode::doctor::Finding;
use asif::encode::{EncodeError, EncoderChoice, ModelError};
use asif::eval::anchors::advice::{Advice, AdviceTopic};
use asif::eval::measure::MeasureError;
use asif::remedy::InputRemedy;
use asif::space::RecipeError;
use asif::space::params::ParamsError;
use asif::space::prompts::PromptsError;
use asif::space::tune::NotAsked;

const DOCTOR: &str = "`asif doctor` checks the installed encoders";
const POOL: &str = "`asif models add NAME DIR --pool POOLING` installs the model with a pooling";

/// The lines for an error and all that led to it, each once.
pub fn of_error(error: &anyhow::Error) -> Vec<String> {
    let mut lines = Vec::new();
    for hint in error.chain().filter_map(of_cause) {
        let line = line(&hint);
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

/// The lines for what a set is found to be.
pub fn of_set(error: &AnchorsError) -> Option<String> {
    anchors(error).map(|hint| line(&hint))
}

/// The lines for inputs that were left out, each once.
pub fn of_inputs(remedies: impl IntoIterator<Item = Option<InputRemedy>>) -> Vec<String> {
    let all: BTreeSet<InputRemedy> = remedies.into_iter().flatten().collect();
    let hints = all.into_iter().filter_map(of_input);
    hints.map(line).collect()
}

/// What to do about an input that was left out.
pub fn of_input(remedy: InputRemedy) -> Option<&'static str> {
    Some(match remedy {
        InputRemedy::OwnSource => "--pairs FILE_OR_DIR ... takes several sources",
        InputRemedy::DecodeMemory => "--max-decode-memory MIB allows more memory for decoding",
        _ => return None,
    })
}

/// What to do about a finding on the pairs of a set.
pub fn of_advice(advice: &Advice) -> Option<String> {
    let hint = match advice.about {
        _ if advice.good => return None,
        AdviceTopic::Hubness => "--center, where a space is chosen, centres both sides",
        AdviceTopic::Duplicates => "`asif anchors curate` lists them",
        _ => return None,
    };
    Some(line(hint))
}

/// What to do about a finding on what is installed.
pub fn of_finding(finding: &Finding) -> Option<String> {
    let hint = "`asif models add NAME DIR` installs an encoder";
    finding.installs_encoder.then(|| line(hint))
}

/// What to do where a task of a choice of recipes was not asked.
pub fn of_not_asked(why: NotAsked) -> Option<String> {
    let hint = "--validation FOLDER takes labelled images";
    matches!(why, NotAsked::FewGroups).then(|| line(hint))
}

/// A hint as it is printed.
pub fn line(hint: &str) -> String {
    format!("hint: {hint}")
}

fn of_cause(cause: &(dyn Error + 'static)) -> Option<String> {
    let found = cause.downcast_ref().and_then(anchors);
    let found = found.or_else(|| cause.downcast_ref().and_then(live));
    let found = found.or_else(|| cause.downcast_ref().and_then(measure));
    let found = found.or_else(|| cause.downcast_ref().and_then(model));
    let found = found.or_else(|| cause.downcast_ref().and_then(encode));
    let found = found.or_else(|| cause.downcast_ref().and_then(embed));
    let found = found.or_else(|| cause.downcast_ref().and_then(recipe));
    let found = found.or_else(|| cause.downcast_ref().and_then(prompts));
    let found = found.or_else(|| {
        let rejected = cause.downcast_ref::<Rejected>()?;
        of_input(rejected.remedy?).map(str::to_owned)
    });
    found.or_else(|| server(cause))
}

fn anchors(error: &AnchorsError) -> Option<String> {
    let hint = match error {
        AnchorsError::NotASet { .. } => "`asif build` makes a set from pairs",
        AnchorsError::Exists { .. } => {
            "choose another --out, or add --overwrite to replace the set"
        }
        AnchorsError::MadeMeanwhile { .. } => {
            "give the same command with another --out, or with --overwrite if it is a set"
        }
        AnchorsError::InTheWay { .. } => "choose another --out",
        AnchorsError::Manifest { .. } | AnchorsError::Damaged { .. } => {
            "`asif repair` mends the set, or goes back to a generation that is whole"
        }
        AnchorsError::NeedsRepair { set, .. } => {
            return Some(format!("`asif repair {}` fixes it", set.display()));
        }
        AnchorsError::NoSuchPair { .. } => {
            "`asif anchors list` shows the ids of a set; --missing-ok passes over ids that are not there"
        }
        AnchorsError::NoneOfThese { .. } => "`asif anchors list` shows the ids of a set",
        AnchorsError::NoMatch { .. } => "`asif inspect` shows sources and licences",
        AnchorsError::WouldBeEmpty { .. } => {
            "`asif build --overwrite` builds another set in its place"
        }
        AnchorsError::NoGeneration { .. } => "`asif history` shows the generations",
        AnchorsError::NothingToPurge { .. } => {
            "`asif anchors list` shows ids, `asif inspect` sources and licences"
        }
        AnchorsError::StillLive { .. } => "`asif anchors remove` removes it",
        AnchorsError::Strict { remedy, .. } => {
            let strict = "--strict stops at the first bad row; without it bad rows are left out";
            return Some(match remedy.and_then(of_input) {
                Some(hint) => format!("{strict}; {hint}"),
                None => strict.to_owned(),
            });
        }
        AnchorsError::PurgeStopped { source, .. } => {
            let again = "give the same command again";
            return Some(match anchors(source) {
                Some(hint) => format!("{hint}; then {again}"),
                None => again.to_owned(),
            });
        }
        // Its own source is what comes next in the chain.
        AnchorsError::Embed(error) => return embed(error),
        _ => return None,
    };
    Some(hint.to_owned())
}

fn embed(error: &EmbedError) -> Option<String> {
    match error {
        EmbedError::Encode(error) => encode(error),
        _ => None,
    }
}

fn live(error: &LiveError) -> Option<String> {
    let path = match error {
        LiveError::Anchors(error) => return anchors(error),
        LiveError::Canary { path, .. }
        | LiveError::OtherEncoder { path, .. }
        | LiveError::Older { path, .. } => path,
        _ => return None,
    };
    Some(format!(
        "`asif rollback {}` goes back to the generation before",
        path.display()
    ))
}

fn measure(error: &MeasureError) -> Option<String> {
    match error {
        MeasureError::Task { found, .. } => {
            Some(format!("`asif eval {found}` measures with this data set"))
        }
        MeasureError::Anchors(error) => anchors(error),
        MeasureError::Embed(error) => embed(error),
        MeasureError::Prompts(error) => prompts(error),
        _ => None,
    }
}

fn model(error: &ModelError) -> Option<String> {
    let hint = match error {
        ModelError::NoFolder { .. } => "`asif models` lists the installed encoders",
        ModelError::OnnxFile { folder, others, .. } => {
            let (folder, first) = (folder.display(), others.first()?.display());
            return Some(format!(
                "`asif models add NAME {folder} --onnx-file {first}` installs one of them"
            ));
        }
        ModelError::Setting {
            choice: Some(choice),
            ..
        } => match choice {
            EncoderChoice::Pooling => POOL,
            EncoderChoice::TrustedPreprocessing => {
                "--trust-preprocessing takes the files at their word"
            }
            _ => return None,
        },
        ModelError::NoOutput { .. } => {
            "`asif models add NAME DIR --output NAME` chooses the output, --pool how it is pooled"
        }
        ModelError::Runtime(error) => return encode(error),
        _ => return None,
    };
    Some(hint.to_owned())
}

fn encode(error: &EncodeError) -> Option<String> {
    let hint = match error {
        EncodeError::Run { .. } | EncodeError::NotAVector { .. } => DOCTOR,
        EncodeError::NoPooling { .. } => POOL,
        _ => return None,
    };
    Some(hint.to_owned())
}

/// Of what the command line asks for; a recipe in a manifest is an [`AnchorsError`].
fn recipe(error: &RecipeError) -> Option<String> {
    let hint = match error {
        RecipeError::Rows(ParamsError::ZeroK) => "--k N takes how many anchors a row keeps",
        RecipeError::Rows(ParamsError::Power(_)) => "--p P takes the power",
        RecipeError::Rows(ParamsError::FractionalRaw(_)) => {
            "--negatives clamp or --negatives signed goes with every --p"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

fn prompts(error: &PromptsError) -> Option<String> {
    let hint = "--labels-file FILE reads labels from a file, --templates FILE templates";
    matches!(error, PromptsError::ListForm { .. }).then(|| hint.to_owned())
}

#[cfg(not(feature = "server"))]
fn server(_: &(dyn Error + 'static)) -> Option<String> {
    None
}

#[cfg(feature = "server")]
fn server(cause: &(dyn Error + 'static)) -> Option<String> {
    use asif_server::{LimitName, ServeError};
    let hint = match cause.downcast_ref()? {
        ServeError::NoSets => "--index DIR.asif names a set",
        ServeError::Name { .. } | ServeError::TwoSets { .. } => {
            "--index NAME=DIR.asif gives a set a name"
        }
        ServeError::Open { .. } => {
            "--api-key-file FILE sets a key; --insecure allows requests without one"
        }
        ServeError::ImageHost { .. } => {
            "--image-hosts HOST[:PORT] takes hosts, with commas between"
        }
        ServeError::Limit { limit, .. } => match limit {
            LimitName::Pixels => "--max-pixels sets this limit, in millions",
            LimitName::Labels => "--max-labels sets this limit",
            LimitName::Prompts => "--max-prompts sets this limit",
            LimitName::Requests => "--max-requests sets this limit",
            LimitName::Images => "--max-images sets this limit",
            LimitName::Connections => "--max-connections sets this limit",
            LimitName::Seconds => "--timeout sets this limit",
            _ => return None,
        },
        ServeError::BindProbe { .. } => "choose another --probe-listen",
        ServeError::Bind { .. } => "choose another --listen",
        ServeError::Uploads { .. } => "--uploads DIR takes the folder for uploads",
        ServeError::Encoders { .. } => DOCTOR,
        ServeError::Live(error) => return live(error),
        ServeError::Anchors(error) => return anchors(error),
        _ => return None,
    };
    Some(hint.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_found_behind_what_was_said_of_it() {
        let met = AnchorsError::Exists {
            path: "a.asif".into(),
        };
        let stopped = AnchorsError::PurgeStopped {
            set: "a.asif".into(),
            done: String::new(),
            left: String::new(),
            source: Box::new(met),
        };
        let found = of_error(&anyhow::Error::from(stopped).context("x"));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("hint: ") && found[0].contains("--overwrite"));
        assert_eq!(of_error(&anyhow::anyhow!("x")), [""; 0]);
    }

    #[test]
    fn a_finding_has_a_hint_where_something_is_to_be_done() {
        let advice = |about, good| Advice {
            about,
            found: String::new(),
            advice: "",
            good,
        };
        let found = of_advice(&advice(AdviceTopic::Duplicates, false));
        assert_eq!(found.unwrap(), "hint: `asif anchors curate` lists them");
        assert_eq!(of_advice(&advice(AdviceTopic::Duplicates, true)), None);
        assert_eq!(of_advice(&advice(AdviceTopic::Languages, false)), None);
    }

    #[test]
    fn inputs_that_lack_the_same_have_one_hint() {
        let memory = Some(InputRemedy::DecodeMemory);
        assert_eq!(of_inputs([memory, None, memory]).len(), 1);
        let rejected = Rejected {
            reason: "a.png: too large".to_owned(),
            remedy: memory,
        };
        assert_eq!(of_error(&rejected.into()), of_inputs([memory]));
    }
}
