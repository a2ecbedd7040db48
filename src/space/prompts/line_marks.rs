//! Marks in a single entry that names do not have: quotation marks, program syntax, paths.

/// Quotation marks, opening and closing.
const QUOTES: [(char, &str); 12] = [
    ('"', "\""),
    ('\'', "'"),
    ('`', "`'"),
    ('“', "”“"),
    ('”', "”"),
    ('„', "“”"),
    ('‘', "’"),
    ('‚', "‘’"),
    ('«', "»"),
    ('»', "«"),
    ('‹', "›"),
    ('「', "」"),
];

pub(super) fn is_quoted(entry: &str) -> bool {
    let entry = entry.trim_end_matches([',', ';']);
    let mut inner = entry.chars();
    let (open, close) = (inner.next(), inner.next_back());
    let closes = |(opening, closing): &(char, &str)| {
        open == Some(*opening) && close.is_some_and(|mark| closing.contains(mark))
    };
    QUOTES.iter().any(closes)
}

/// A line that opens or closes a block: `item {`, `}`, `item { id: 1 }`.
pub(super) fn is_structure(entry: &str) -> bool {
    let Some((before, inside)) = entry.split_once('{') else {
        return ["}", "};", "},", "];", "],", ")", ");"].contains(&entry);
    };
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let inside = inside.trim();
    // `{c}: {c}` is a template.
    let is_pairs = inside.contains(':') && !inside.contains('{');
    let is_block = inside.is_empty() || inside.ends_with('}') && is_pairs;
    is_block && before.trim_end().chars().all(is_word)
}

/// `&amp;`, `&#39;` or `\u00e9`.
pub(super) fn has_web_code(entry: &str) -> bool {
    let is_entity = |after: &str| {
        after.split_once(';').is_some_and(|(name, _)| {
            let number = name.strip_prefix('#');
            let letters = || name.len() > 1 && name.bytes().all(|b| b.is_ascii_alphabetic());
            let digits = |n: &str| !n.is_empty() && n.bytes().all(|b| b.is_ascii_alphanumeric());
            name.len() < 10 && number.map_or_else(letters, digits)
        })
    };
    let is_escape = |after: &str| {
        let code = after.get(..4);
        code.is_some_and(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    entry.split('&').skip(1).any(is_entity) || entry.split("\\u").skip(1).any(is_escape)
}

/// `- cat`, `▪cat`, `[x] cat`, `**cat**`, `<li>cat`.
pub(super) fn is_marked(entry: &str) -> bool {
    let after = |marks: &[&str]| marks.iter().find_map(|mark| entry.strip_prefix(mark));
    let bullet = || {
        let spaced = after(&[
            "-", "*", "+", ">", "\u{2013}", "\u{b7}", "\u{2192}", "[x]", "[X]", "[ ]",
        ]);
        let rest = after(&[
            "\u{2022}", "\u{25aa}", "\u{25e6}", "\u{2023}", "\u{2610}", "\u{2611}",
        ]);
        spaced.is_some_and(|rest| rest.starts_with(' '))
            || rest.is_some_and(|rest| !rest.is_empty())
    };
    let emphasis = || {
        let inside = |mark: &str| entry.strip_prefix(mark)?.strip_suffix(mark);
        let is_text = |inner: &str| inner.contains(char::is_alphanumeric);
        inside("**").or_else(|| inside("~~")).is_some_and(is_text)
    };
    let tag = || {
        let lower = entry.to_ascii_lowercase();
        let begins = [
            "<li>", "<li ", "<ul", "</ul", "<ol", "</ol", "<option", "<td>", "<p>",
        ];
        begins.iter().any(|tag| lower.starts_with(tag)) || lower.ends_with("<br>")
    };
    bullet() || emphasis() || tag()
}

/// `<<<<<<< HEAD`, `>>>>>>> theirs`.
pub(super) fn is_conflict(entry: &str) -> bool {
    let begins = |mark: &&str| entry.starts_with(*mark);
    ["<<<<<<< ", ">>>>>>> "].iter().any(begins)
}

pub(super) fn is_file_name(entry: &str) -> bool {
    const ENDINGS: [&str; 18] = [
        "jpg", "jpeg", "png", "gif", "webp", "bmp", "tif", "tiff", "svg", "heic", "avif", "txt",
        "json", "jsonl", "csv", "tsv", "xml", "yaml",
    ];
    let ending = entry.rsplit_once('.').map(|(_, ending)| ending);
    ending.is_some_and(|found| ENDINGS.iter().any(|e| e.eq_ignore_ascii_case(found)))
}

pub(super) fn is_path(entry: &str) -> bool {
    let is_drive = || {
        let mut letters = entry.chars();
        letters.next().is_some_and(|c| c.is_ascii_alphabetic())
            && letters.next() == Some(':')
            && letters.next() == Some('\\')
    };
    let begins = |start: &&str| entry.starts_with(*start);
    ["/", "./", "../", "~/", "http://", "https://"]
        .iter()
        .any(begins)
        || is_drive()
}

/// `[labels]`.
pub(super) fn is_section(entry: &str) -> bool {
    entry.starts_with('[') && entry.ends_with(']')
}
