//! JSON objects as the lines of a file, each with a checksum: lists of skipped rows, and of ids.

pub(super) const CHECK_KEY: &str = ",\"check\":\"";

/// JSON objects as the lines of a file, each with its position, the number of lines, and a checksum of
/// these, the object and the file's name.
pub(crate) fn sealed_rows(file: &str, objects: &[String]) -> String {
    let all = objects.len();
    let line = |(i, object): (usize, &String)| {
        let body = unsealed(object);
        let place = format!("{}/{all}", i + 1);
        let sum = row_sum(file, &place, body);
        format!("{body}{CHECK_KEY}{place} {sum}\"}}\n")
    };
    objects.iter().enumerate().map(line).collect()
}

fn row_sum(file: &str, place: &str, body: &str) -> String {
    let hash = blake3::hash(format!("{file} {place} {body}").as_bytes());
    hash.to_hex()[..16].to_owned()
}

/// The position stored in a row, if its checksum is right.
pub(super) fn sealed_place<'a>(file: &str, line: &'a str) -> Option<&'a str> {
    let (body, seal) = line.split_at(line.rfind(CHECK_KEY)?);
    let seal = seal[CHECK_KEY.len()..].strip_suffix("\"}")?;
    let (place, sum) = seal.split_once(' ')?;
    (row_sum(file, place, body) == sum).then_some(place)
}

/// A row without its checksum and without its last brace.
pub(crate) fn unsealed(line: &str) -> &str {
    let body = line.rfind(CHECK_KEY).map(|at| &line[..at]);
    body.unwrap_or_else(|| line.strip_suffix('}').unwrap_or(line))
}

/// Whether rows have checksums; if so they are verified.
///
/// # Errors
/// What is wrong, naming the line.
pub(crate) fn rows_sound(file: &str, text: &str) -> Result<bool, String> {
    let lines: Vec<&str> = text.lines().collect();
    if !text.is_empty() && !text.ends_with('\n') {
        return Err("its last line is cut off".to_owned());
    }
    let sealed = lines.iter().filter(|l| l.contains(CHECK_KEY)).count();
    for (i, line) in lines.iter().enumerate() {
        if let Err(error) = serde_json::from_str::<serde_json::Map<_, serde_json::Value>>(line) {
            return Err(format!("line {} is not a row: {error}", i + 1));
        }
        let place = format!("{}/{}", i + 1, lines.len());
        if sealed > 0 && sealed_place(file, line) != Some(&place) {
            return Err(format!("the checksum of line {} does not match", i + 1));
        }
    }
    Ok(sealed > 0)
}
