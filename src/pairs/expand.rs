//! Ranges in names, as shards are given: `shards/{00000..00150}.tar` and `{train,test}.parquet`.
//!
//! A shell expands them itself unless they are quoted; then, and without a shell, they are expanded here.

use std::path::{Path, PathBuf};

/// The most names that one path stands for.
const MAX_NAMES: usize = 100_000;

/// The paths that a path with ranges stands for, in order; `None` of one without a range, of a file that has this
/// very name, and of a range of too many names.
pub(super) fn expanded(path: &Path) -> Option<Vec<PathBuf>> {
    let text = path.to_str().filter(|text| text.contains('{'))?;
    if path.exists() {
        return None;
    }
    let mut names = vec![text.to_owned()];
    let mut any = false;
    // Each round expands the first range of each name.
    loop {
        let mut next = Vec::new();
        let mut more = false;
        for name in &names {
            match first_range(name) {
                Some((before, choices, after)) => {
                    more = true;
                    next.extend(
                        choices
                            .iter()
                            .map(|choice| format!("{before}{choice}{after}")),
                    );
                }
                None => next.push(name.clone()),
            }
            if next.len() > MAX_NAMES {
                return None;
            }
        }
        if !more {
            break;
        }
        (names, any) = (next, true);
    }
    any.then(|| names.into_iter().map(PathBuf::from).collect())
}

/// The first range of a name: what is before it, what it stands for, and what is behind it.
fn first_range(name: &str) -> Option<(&str, Vec<String>, &str)> {
    name.match_indices('{').find_map(|(open, _)| {
        let close = open + name[open..].find('}')?;
        let choices = choices_of(&name[open + 1..close])?;
        Some((&name[..open], choices, &name[close + 1..]))
    })
}

/// `00000..00150`, or `train,test`.
fn choices_of(range: &str) -> Option<Vec<String>> {
    if let Some((first, last)) = range.split_once("..") {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let (from, to) = (first.parse::<u64>().ok()?, last.parse::<u64>().ok()?);
        let is_range = is_number(first) && is_number(last);
        if !is_range || from.abs_diff(to) >= MAX_NAMES as u64 {
            return None;
        }
        let is_padded = |text: &str| text.len() > 1 && text.starts_with('0');
        let width = match is_padded(first) || is_padded(last) {
            true => first.len().max(last.len()),
            false => 1,
        };
        let name = |number: u64| {
            let number = number.to_string();
            "0".repeat(width.saturating_sub(number.len())) + &number
        };
        // Downwards where the first number is the larger one.
        let mut names: Vec<_> = (from.min(to)..=from.max(to)).map(name).collect();
        if from > to {
            names.reverse();
        }
        return Some(names);
    }
    let choices: Vec<_> = range.split(',').map(str::to_owned).collect();
    (choices.len() > 1).then_some(choices)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(path: &str) -> Option<Vec<String>> {
        let names = expanded(Path::new(path))?;
        Some(
            names
                .iter()
                .map(|name| name.display().to_string())
                .collect(),
        )
    }

    #[test]
    fn ranges_are_what_bash_makes_of_them() {
        let is =
            |path: &str, expected: &[&str]| assert_eq!(names(path).unwrap(), expected, "{path}");
        is(
            "s/{008..011}.tar",
            &["s/008.tar", "s/009.tar", "s/010.tar", "s/011.tar"],
        );
        is("{8..10}", &["8", "9", "10"]);
        is(
            "{a,b}/{1..2}.tar",
            &["a/1.tar", "a/2.tar", "b/1.tar", "b/2.tar"],
        );
        is("{x}{1..2}", &["{x}1", "{x}2"]);
        is("{03..1}", &["03", "02", "01"]);
        for path in [
            "a.tar",
            "{x}.tar",
            "{a..b}",
            "{",
            "}{",
            "{1..9999999}",
            "{+1..2}",
        ] {
            assert_eq!(names(path), None, "{path}");
        }
    }
}
