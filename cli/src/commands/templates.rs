//! `asif templates`.

use asif::space::prompts::named::{self, TemplateSet};
use clap::Args;
use serde::Serialize;

use crate::context::CommandContext;
use crate::errors::exit::BadInput;

/// List the named prompt templates, or show the templates of one name.
///
/// `--templates NAME` of `asif classify` and `asif eval zeroshot` uses them.
#[derive(Debug, Args)]
pub struct TemplatesArgs {
    /// Show the templates of this name, one per line, as a start for your own file.
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

#[derive(Serialize)]
struct TemplateListing {
    name: &'static str,
    purpose: &'static str,
    source: &'static str,
    templates: Vec<String>,
}

pub fn run(args: &TemplatesArgs, context: &CommandContext) -> anyhow::Result<()> {
    let Some(name) = &args.name else {
        let all = named::ALL
            .iter()
            .map(listed)
            .collect::<Result<Vec<_>, _>>()?;
        if context.json {
            return context.print_json(&all);
        }
        let row = |set: &TemplateListing| {
            format!(
                "{:<16} {:>3}  {}",
                set.name,
                set.templates.len(),
                set.purpose
            )
        };
        return context.print(all.iter().map(row).collect::<Vec<_>>().join("\n"));
    };
    let set = named::find(name).ok_or_else(|| {
        BadInput(format!(
            "no templates are named {name:?}; `asif templates` lists the names"
        ))
    })?;
    let set = listed(set)?;
    if context.json {
        return context.print_json(&set);
    }
    context.print(format!(
        "# {}.\n# Source: {}.\n{}",
        set.purpose,
        set.source,
        set.templates.join("\n")
    ))
}

fn listed(set: &TemplateSet) -> anyhow::Result<TemplateListing> {
    Ok(TemplateListing {
        name: set.name,
        purpose: set.purpose(),
        source: set.source(),
        templates: set.templates()?.iter().map(str::to_owned).collect(),
    })
}
