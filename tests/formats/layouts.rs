//! COCO, Flickr tokens, class folders, and how they are read.

use super::*;

/// A folder with the pictures in a folder of it.
fn pictures_in(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&written("pictures"), &folder.path().join(name));
    folder
}

/// The ids and captions of a set.
fn listed(set: &Path) -> Vec<(String, Value)> {
    let listed = run(asif().args(["anchors", "list", "--json"]).arg(set))
        .ok()
        .json_lines();
    let pair = |pair: Value| {
        (
            pair["id"].as_str().unwrap().to_owned(),
            pair["captions"].clone(),
        )
    };
    listed.into_iter().map(pair).collect()
}

#[test]
fn coco_captions_and_flickr_tokens_make_the_pairs_of_their_pictures() {
    let folder = pictures_in("drawn");
    let place = folder.path();
    let mut coco = json!({"licenses": [{"id": 1, "name": "CC0"}], "images": [], "annotations": []});
    let mut tokens = String::new();
    for (id, (name, captions)) in PICTURES.iter().enumerate() {
        let images = coco["images"].as_array_mut().unwrap();
        images.push(json!({"id": id, "file_name": name, "license": 1}));
        for (number, caption) in captions.iter().enumerate() {
            let annotations = coco["annotations"].as_array_mut().unwrap();
            annotations.push(json!({"image_id": id, "id": number, "caption": caption}));
            tokens.push_str(&format!("{name}#{number}\t{caption}\n"));
        }
    }
    fs_err::create_dir(place.join("annotations")).unwrap();
    let annotations = place.join("annotations/captions_drawn.json");
    fs_err::write(&annotations, coco.to_string()).unwrap();
    let rows = records(|id, name, _| json!({"image": name, "coco_id": id, "licence": "CC0"}));
    let set = whole(place, "coco.asif", std::slice::from_ref(&annotations));
    assert_eq!(segment(&set), expected(place, &rows));
    let list = place.join("results_drawn.token");
    fs_err::write(&list, &tokens).unwrap();
    let rows = records(|_, name, _| json!({"image": name}));
    let set = whole(place, "token.asif", std::slice::from_ref(&list));
    assert_eq!(segment(&set), expected(place, &rows));

    // Broken ones.
    let half = cut(&place.join("annotations"), &annotations);
    build(place, "half.asif", &[half], &[]).fails(3, &["cut-captions_drawn.json", "not JSON"]);
    fs_err::write(&list, format!("{tokens}red.jpg a red wave\n")).unwrap();
    let report = build(place, "bad.asif", std::slice::from_ref(&list), &[])
        .ok()
        .json();
    let said = said_of_rows(&report);
    assert!(
        said.contains("results_drawn.token, row 6: the line: expected"),
        "{said}"
    );
    let stopped = build(
        place,
        "stopped.asif",
        std::slice::from_ref(&list),
        &["--max-errors", "0"],
    );
    stopped.fails(
        5,
        &[
            "results_drawn.token, row 6",
            "over 0 bad rows",
            "--max-errors",
        ],
    );
    build(place, "allowed.asif", &[list], &["--max-errors", "1"]).ok();
}

#[test]
fn class_folders_captions_and_columns_are_read_as_asked() {
    let folder = pictures_in("all");
    let place = folder.path();
    for (name, class) in [("red.jpg", "warm_colours"), ("blue.webp", "cold_colours")] {
        let class = place.join("classes").join(class);
        fs_err::create_dir_all(&class).unwrap();
        fs_err::copy(written("pictures").join(name), class.join(name)).unwrap();
    }
    let classes = place.join("classes");
    build(place, "none.asif", std::slice::from_ref(&classes), &[])
        .fails(3, &["no usable pair", "blue.txt"]);
    let template = ["--class-template", "a picture of {}"];
    build(
        place,
        "classes.asif",
        std::slice::from_ref(&classes),
        &template,
    )
    .ok();
    let found = listed(&place.join("classes.asif"));
    assert_eq!(
        found[0].1,
        json!(["a picture of cold colours"]),
        "{found:?}"
    );
    build(
        place,
        "x.asif",
        &[classes],
        &["--class-template", "a picture"],
    )
    .fails(2, &["{}"]);

    let rows =
        [json!({"photo": "all/red.jpg", "alt": ["a wave", "a red wave"], "caption": "not this"})];
    let list = write_jsonl(place, "list.jsonl", &rows);
    let columns = ["--image-column", "photo", "--caption-column", "alt"];
    for (choice, captions) in [
        ("mean", json!([["a wave", "a red wave"]])),
        ("each", json!([["a wave"], ["a red wave"]])),
        ("longest", json!([["a red wave"]])),
        ("first", json!([["a wave"]])),
    ] {
        let name = format!("{choice}.asif");
        let more = [&columns[..], &["--captions", choice]].concat();
        build(place, &name, std::slice::from_ref(&list), &more).ok();
        let found: Vec<_> = listed(&place.join(name))
            .into_iter()
            .map(|(_, of)| of)
            .collect();
        assert_eq!(json!(found), captions, "{choice}");
    }

    // What others wrote names nothing outside.
    fs_err::create_dir(place.join("given")).unwrap();
    fs_err::write(
        place.join("given/metadata.csv"),
        "file_name,text\n../all/red.jpg,x\n",
    )
    .unwrap();
    let given = [place.join("given")];
    build(place, "given.asif", &given, &[]).fails(3, &["metadata.csv, row 2", "outside"]);
    build(place, "given.asif", &given, &["--allow-outside"]).ok();
}
