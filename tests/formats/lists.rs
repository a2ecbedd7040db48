//! JSON lists, and lists that are compressed.

use super::*;

#[test]
fn lists_that_python_wrote_are_those_of_their_text() {
    let folder = tempfile::tempdir().unwrap();
    let place = tempfile::tempdir_in(folder.path()).unwrap();
    copy_folder(&written("pictures"), &place.path().join("pictures"));
    let rows = records(
        |number, name, _| json!({"image": format!("pictures/{name}"), "source": "drawn", "number": number}),
    );
    let plain = write_jsonl(place.path(), "list.jsonl", &rows);
    let plain = segment(&whole(folder.path(), "plain.asif", &[plain]));
    for name in ["list.jsonl.gz", "list.json"] {
        let set = whole(folder.path(), &format!("{name}.asif"), &[written(name)]);
        assert_eq!(segment(&set), plain, "{name}");
    }
}

#[test]
fn lists_that_are_cut_say_where_and_keep_what_was_read() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    copy_folder(&written("pictures"), &place.join("pictures"));
    let list = cut(place, &written("list.json"));
    let report = build(place, "json.asif", std::slice::from_ref(&list), &[])
        .ok()
        .json();
    let said = said_of_rows(&report);
    assert!(report["pairs"].as_u64().unwrap() >= 1, "{report}");
    assert!(
        said.contains("cut-list.json, row ") && said.contains("line "),
        "{said}"
    );
    build(place, "strict.asif", &[list], &["--strict"]).fails(5, &["cut-list.json", "broke off"]);
    // Nothing of this one is left.
    let list = cut(place, &written("list.jsonl.gz"));
    build(place, "gz.asif", &[list], &[]).fails(3, &["cut-list.jsonl.gz", "compressed with gzip"]);
}
