//! No error type of the sources is left out of the table, and what messages name exists.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::elsewhere::{ANSWERS, ELSEWHERE};
use super::{anchors, index, models, pairs, questions, serve};

/// The product's sources without comments and tests, by path.
fn sources() -> BTreeMap<PathBuf, String> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let mut all = BTreeMap::new();
    for entry in ["cli/src", "index/src", "server/src", "src"]
        .iter()
        .flat_map(|part| walkdir::WalkDir::new(root.join(part)))
    {
        let path = entry.unwrap().into_path();
        let is_source = path.extension().is_some_and(|ending| ending == "rs");
        if !is_source || path.ends_with("tests.rs") {
            continue;
        }
        let text = fs_err::read_to_string(&path).unwrap();
        // Tests in a file of their own are declared where product code follows.
        let text = text
            .split("#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or_default();
        let code = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        let code: Vec<&str> = code.collect();
        all.insert(path.strip_prefix(root).unwrap().to_owned(), code.join("\n"));
    }
    all
}

/// The name at the beginning of a text.
fn name(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

/// The error types of a source: each variant of an enum, and each struct.
fn error_types(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("thiserror::Error") {
        let rest = &code[at..];
        let kinds = ["enum ", "struct "].iter();
        let (begin, is_enum) = kinds
            .filter_map(|kind| {
                // A private type begins its line.
                let at = [" ", "\n"].iter();
                let at = at.filter_map(|before| rest.find(&format!("{before}{kind}")));
                Some((at.min()? + 1 + kind.len(), *kind == "enum "))
            })
            .min()
            .unwrap();
        let of_type = name(&rest[begin..]);
        if !is_enum {
            found.insert(of_type.to_owned());
            continue;
        }
        let body = &rest[begin..begin + rest[begin..].find("\n}").unwrap()];
        for line in body.lines().skip(1) {
            let Some(line) = line.strip_prefix("    ") else {
                continue;
            };
            let variant = name(line);
            let is_variant = variant.starts_with(char::is_uppercase)
                && line[variant.len()..].starts_with([' ', '(', ',']);
            if is_variant {
                found.insert(format!("{of_type}::{variant}"));
            }
        }
    }
    found
}

#[test]
fn every_error_of_the_sources_is_provoked_or_said_to_be_out_of_reach() {
    let mut all = BTreeSet::new();
    for (path, code) in sources() {
        let found = error_types(&code);
        // What is an error by its name or its trait and is told in another way would not be seen.
        for (at, _) in code.match_indices("enum ") {
            let named = name(&code[at + "enum ".len()..]);
            let is_error = named.ends_with("Error") && !named.is_empty();
            let is_seen = found
                .iter()
                .any(|variant| variant.starts_with(&format!("{named}::")));
            assert!(!is_error || is_seen, "{}: {named}", path.display());
        }
        assert!(
            !code.contains("Error for "),
            "{}: an error without thiserror",
            path.display()
        );
        all.extend(found);
    }
    assert!(all.len() > 120, "{all:?}");
    let provoked = [
        anchors::messages(),
        pairs::messages(),
        models::messages(),
        questions::messages(),
        index::messages(),
        serve::messages(),
    ];
    let mut known: BTreeSet<String> = ELSEWHERE.iter().map(|(v, _)| (*v).to_owned()).collect();
    known.extend(
        provoked
            .iter()
            .flatten()
            .map(|told| told.variant.to_owned()),
    );
    known.extend(pairs::bad_rows().iter().map(|row| row.0.to_owned()));
    known.extend(pairs::BAD_FILES.iter().map(|file| file.0.to_owned()));
    let missing: Vec<_> = all.difference(&known).collect();
    assert!(missing.is_empty(), "without a row: {missing:?}");
    let gone: Vec<_> = known.difference(&all).filter(|v| *v != "usage").collect();
    assert!(gone.is_empty(), "no such error: {gone:?}");
}

#[test]
fn every_code_that_a_server_answers_has_a_test() {
    let mut codes = BTreeSet::new();
    for (path, code) in sources() {
        if !path.starts_with("server/src") {
            continue;
        }
        for kind in ["invalid", "not_found", "conflict", "head", "new"] {
            for of_type in ["Refusal", "Self"] {
                for (at, call) in code.match_indices(&format!("{of_type}::{kind}(")) {
                    let rest = &code[at + call.len()..];
                    let literal = rest.split('"').nth(1).filter(|_| rest.find('"') < Some(80));
                    codes.extend(literal.map(str::to_owned).filter(|text| name(text) == text));
                }
            }
        }
    }
    assert!(codes.len() > 30, "{codes:?}");
    let mut known: BTreeSet<String> = serve::answers().iter().map(|a| a.4.to_owned()).collect();
    known.extend(ANSWERS.iter().map(|(code, _)| (*code).to_owned()));
    // The kind of a refusal, not its code.
    known.insert("not_found_error".to_owned());
    let missing: Vec<_> = codes.difference(&known).collect();
    assert!(missing.is_empty(), "without a test: {missing:?}");
    for (code, file) in ANSWERS {
        let text = fs_err::read_to_string(
            Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(file),
        )
        .unwrap();
        assert!(
            text.contains(&format!("\"{code}\"")),
            "{file} has no {code}"
        );
    }
}

#[test]
fn the_tests_that_the_list_names_are_there() {
    for (variant, reason) in ELSEWHERE {
        for word in reason
            .split([' ', ';', ','])
            .filter(|word| word.ends_with(".rs"))
        {
            let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(word);
            assert!(path.is_file(), "{variant}: {reason}");
        }
    }
}

/// All options of the program, and the subcommands of each command.
fn command_line() -> (BTreeSet<String>, BTreeMap<String, BTreeSet<String>>) {
    let (mut options, mut commands) = (BTreeSet::new(), BTreeMap::new());
    let mut open = vec![String::new()];
    while let Some(path) = open.pop() {
        let mut command = Command::new(env!("CARGO_BIN_EXE_asif"));
        let help = command
            .args(path.split_whitespace())
            .arg("--help")
            .output()
            .unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        for line in help
            .lines()
            .map(str::trim_start)
            .filter(|line| line.starts_with('-'))
        {
            options.extend(options_in(line.split("  ").next().unwrap_or_default()));
        }
        let listed = help.split("\nCommands:\n").nth(1).unwrap_or_default();
        let listed = listed.split("\n\n").next().unwrap_or_default().lines();
        let subcommands: BTreeSet<String> = listed
            .filter_map(|line| line.strip_prefix("  "))
            .map(|line| name(line).to_owned())
            .filter(|name| !name.is_empty() && name != "help")
            .collect();
        open.extend(subcommands.iter().map(|name| format!("{path} {name}")));
        commands.insert(path.trim().to_owned(), subcommands);
    }
    (options, commands)
}

/// The options that a text names.
fn options_in(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("--") {
        let is_begin = !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '-');
        let rest = &text[at + 2..];
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '-');
        let name = rest[..end.unwrap_or(rest.len())].trim_end_matches('-');
        if is_begin && name.starts_with(|c: char| c.is_ascii_lowercase()) {
            found.push(format!("--{name}"));
        }
    }
    found
}

/// The string literals of a source.
fn literals(code: &str) -> Vec<String> {
    let (mut found, mut text) = (Vec::new(), None::<String>);
    let mut characters = code.chars().peekable();
    while let Some(character) = characters.next() {
        match (&mut text, character) {
            (None, '\'') if characters.peek() == Some(&'"') => drop(characters.next()),
            (None, '"') => text = Some(String::new()),
            (Some(said), '\\') => match characters.next() {
                Some('\n') => while characters.next_if(|c| c.is_whitespace()).is_some() {},
                Some(escaped) => said.push(escaped),
                None => {}
            },
            (Some(_), '"') => found.extend(text.take()),
            (Some(said), other) => said.push(other),
            _ => {}
        }
    }
    found
}

#[test]
fn what_messages_name_exists() {
    let (options, commands) = command_line();
    assert!(
        options.len() > 90 && commands.len() > 30,
        "{options:?} {commands:?}"
    );
    let (mut unknown, mut seen) = (Vec::new(), 0);
    for (path, code) in sources() {
        for literal in literals(&code) {
            for option in options_in(&literal) {
                seen += 1;
                // Named where it is refused.
                let is_refused = path.ends_with("cli/src/errors/usage.rs") && option == "--set";
                if !options.contains(&option) && !is_refused {
                    unknown.push(format!("{}: {option}", path.display()));
                }
            }
            for part in literal.split("`asif ").skip(1) {
                seen += 1;
                let mut words = part.split([' ', '`']);
                let command = words.next().unwrap_or_default();
                let next = words.next().unwrap_or_default();
                let is_known = match commands.get(command) {
                    None => command.starts_with('{'),
                    Some(below) if below.is_empty() || next.starts_with('{') => true,
                    Some(below) => below.contains(next) || command == "models",
                };
                if !is_known {
                    unknown.push(format!("{}: asif {command} {next}", path.display()));
                }
            }
        }
    }
    assert!(seen > 100, "{seen}");
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
}

/// Whether a text names a command of the program, or a script of the repository.
fn names_command(text: &str, commands: &BTreeMap<String, BTreeSet<String>>) -> bool {
    let is_script = |word: &str| {
        let word = word.trim_end_matches(|c: char| !c.is_alphanumeric());
        [".sh", ".py"].iter().any(|ending| word.ends_with(ending))
            || ["tools/", ".ci/"]
                .iter()
                .any(|folder| word.contains(folder))
    };
    let mut words = text.split(|c: char| c.is_whitespace() || "`\"'(".contains(c));
    let mut before = "";
    words.any(|word| {
        // The space is called as the program is, and may be followed by one of its settings.
        let is_command = before == "asif" && commands[""].contains(name(word));
        before = word;
        is_command || is_script(word)
    })
}

/// The name of a command in the log of a set, which older sets have as well.
const LOGGED: &str = "audit --purge";

/// What the log of a server tells its operator; no answer has it.
const OPERATORS: &str = "asif repair {}";

#[test]
fn only_the_command_line_names_its_options_commands_and_scripts() {
    let (_, commands) = command_line();
    let (mut named, mut seen) = (Vec::new(), 0);
    for (path, code) in sources() {
        // The page's styles have properties that begin with two dashes.
        if path.starts_with("cli/src") || path.starts_with("src/eval/html") {
            continue;
        }
        for literal in literals(&code) {
            seen += 1;
            let is_named = literal.contains("`asif ") || names_command(&literal, &commands);
            let is_named = is_named || !options_in(&literal).is_empty();
            if is_named && ![LOGGED, OPERATORS].contains(&literal.as_str()) {
                named.push(format!("{}: {literal:?}", path.display()));
            }
        }
    }
    assert!(seen > 2_000, "{seen}");
    assert!(named.is_empty(), "{}", named.join("\n"));
}

#[test]
fn options_commands_and_scripts_are_found_in_texts() {
    assert_eq!(
        options_in("give --api-key-file FILE, or --x; a -- b, ---, a--b"),
        ["--api-key-file", "--x"]
    );
    let (_, commands) = command_line();
    for text in [
        "run tools/quickstart.sh, or set",
        "use `asif build`",
        "x; asif repair mends it",
        "with .ci/run",
    ] {
        assert!(names_command(text, &commands), "{text}");
    }
    for text in ["asif k", "an older asif wrote it", "asif 0.1", "build it"] {
        assert!(!names_command(text, &commands), "{text}");
    }
    assert_eq!(literals(r#"f("a \"b\" c", '"', "d")"#), ["a \"b\" c", "d"]);
}
