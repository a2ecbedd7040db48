//! What a bad row, name or id costs, in every form of a source.

use super::tests::{folder, ids, read, read_text};

#[test]
fn texts_belong_to_images_of_the_same_name_in_any_form() {
    let dir = folder(&[
        ("a.JPEG", b""),
        ("a.Txt", b"a"),
        ("b.png", b""),
        ("b.tXt", b"b"),
        ("caf\u{e9}.jpg", b""),
        ("cafe\u{301}.txt", b"composed"),
        ("nai\u{308}ve.jpg", b""),
        ("na\u{ef}ve.TXT", b"decomposed"),
    ]);
    let (pairs, errors) = read(dir.path());
    assert_eq!(errors, [""; 0]);
    let captions: Vec<_> = pairs.iter().flat_map(|pair| &pair.captions).collect();
    assert_eq!(captions, ["a", "b", "composed", "decomposed"]);
}

#[test]
fn no_text_of_a_folder_is_passed_over_in_silence() {
    let dir = folder(&[
        ("a.jpg", b""),
        ("a.txt", b"one"),
        ("a.TXT", b"two"),
        // One text for two images.
        ("b.jpg", b""),
        ("b.png", b""),
        ("b.txt", b"shared"),
        // Nothing here is an image.
        ("notes.md", b"x"),
        ("notes.txt", b"x"),
        ("folder.jpg/inner.txt", b"x"),
        ("folder.txt", b"x"),
        ("zero.jpg", b""),
        ("zero.txt", b"c\0a\0t\0"),
    ]);
    let (pairs, errors) = read(dir.path());
    assert_eq!(ids(&pairs), ["a.jpg", "b.jpg", "b.png"]);
    assert_eq!(pairs[0].captions, ["two", "one"]);
    assert_eq!(pairs[2].captions, ["shared"]);
    for name in [
        "notes.md",
        "notes.txt",
        "inner.txt",
        "folder.txt",
        "zero.jpg",
    ] {
        assert!(
            errors.iter().any(|e| e.contains(name)),
            "{name}: {errors:?}"
        );
    }
    assert_eq!(errors.len(), 5, "{errors:?}");
}

#[test]
fn a_list_finds_images_whose_names_are_stored_in_another_form() {
    let dir = folder(&[
        (
            "p.csv",
            "image,caption\ncaf\u{e9}.jpg,x\nno\u{e9}.jpg,x\n".as_bytes(),
        ),
        ("cafe\u{301}.jpg", b""),
    ]);
    let (pairs, errors) = read(&dir.path().join("p.csv"));
    assert_eq!(ids(&pairs), ["caf\u{e9}.jpg"]);
    assert!(pairs[0].image.path().unwrap().is_file());
    assert_eq!(errors.len(), 1, "{errors:?}");
}

#[test]
fn an_id_that_breaks_lists_costs_its_row() {
    for id in [
        "a\\u0000b",
        "a\\nb",
        "\\u001b[31m",
        "a\\u200bb",
        "a\\u202eb",
    ] {
        let bad = format!("{{\"image\":\"a.jpg\",\"caption\":\"x\",\"id\":\"{id}\"}}\n");
        let good = "{\"image\":\"b.jpg\",\"caption\":\"y\",\"id\":\"b\"}\n";
        let (pairs, errors) = read_text("p.jsonl", format!("{bad}{good}"));
        assert_eq!(ids(&pairs), ["b"], "{id}");
        assert!(
            errors[0].starts_with("p.jsonl, row 1: the id ") && errors[0].ends_with("remove it"),
            "{errors:?}"
        );
    }
    let (pairs, errors) = read_text("p.csv", "id,image,caption\n\"a\nb\",a.jpg,x\nb,b.jpg,y\n");
    assert_eq!((ids(&pairs), errors.len()), (vec!["b"], 1), "{errors:?}");
    // An id that is made of a file's name shows what the name holds.
    let dir = folder(&[("l\n\u{1b}x.jpg", b""), ("l\n\u{1b}x.txt", b"x")]);
    assert_eq!(ids(&read(dir.path()).0), ["l\\n\\x1bx.jpg"]);
}

#[test]
fn a_row_without_its_image_takes_no_id_from_others() {
    let text = "{\"image\":\"none.jpg\",\"caption\":\"x\",\"id\":\"same\"}\n\
                {\"image\":\"a.jpg\",\"caption\":\"x\",\"id\":\"same\"}\n";
    let (pairs, errors) = read_text("p.jsonl", text);
    assert_eq!((ids(&pairs), errors.len()), (vec!["same"], 1), "{errors:?}");
}

#[test]
fn joined_files_and_foreign_encodings_are_told() {
    let row = |image| format!("{{\"image\":\"{image}.jpg\",\"caption\":\"x\"}}\n");
    let joined = format!("{}\u{feff}{}", row("a"), row("b"));
    assert_eq!(ids(&read_text("p.jsonl", joined).0), ["a.jpg", "b.jpg"]);
    let joined = "image,caption\na.jpg,x\n\u{feff}b.jpg,y\n";
    assert_eq!(ids(&read_text("p.csv", joined).0), ["a.jpg", "b.jpg"]);
    let text: Vec<u8> = row("a").bytes().flat_map(|byte| [byte, 0]).collect();
    assert!(super::tests::fatal("p.jsonl", text).contains("found UTF-16 or UTF-32"));
    let (pairs, errors) = read_text(
        "p.jsonl",
        "{\"image\":\"a.jpg\",\"caption\":\"c\\u0000t\"}\n{\"image\":\"b.jpg\",\"caption\":\"x\"}\n",
    );
    assert_eq!(ids(&pairs), ["b.jpg"]);
    assert!(errors[0].contains("NUL character"), "{errors:?}");
}

#[test]
fn a_field_of_several_lines_before_the_image_is_whole() {
    let text = "caption,image\n\"a cat\non a mat\",a.jpg\n\"so, two\nlines\",b.jpg\n";
    let (pairs, errors) = read_text("p.csv", text);
    assert_eq!(
        (ids(&pairs), errors.len()),
        (vec!["a.jpg", "b.jpg"], 0),
        "{errors:?}"
    );
    assert_eq!(pairs[0].captions, ["a cat\non a mat"]);
    // One that never closes still takes no other row along.
    let text = "caption,image\n\"a cat,a.jpg\na dog,b.jpg\n\"a cow\",a.jpg\n";
    let (pairs, errors) = read_text("p.csv", text);
    assert_eq!(
        (ids(&pairs), errors.len()),
        (vec!["b.jpg", "a.jpg"], 1),
        "{errors:?}"
    );
}

#[test]
fn two_fields_for_one_thing_lose_neither() {
    let row = |fields: &str| read_text("p.jsonl", format!("{{{fields}}}\n"));
    for fields in [
        r#""image":"a.jpg","caption":"cat","captions":["tree"]"#,
        r#""image":"a.jpg","caption":"cat","text":"tree""#,
        r#""image":"a.jpg","file_name":"b.jpg","caption":"cat""#,
    ] {
        let (pairs, errors) = row(fields);
        assert_eq!((pairs.len(), errors.len()), (0, 1), "{fields}");
        assert!(errors[0].contains("keep one"), "{errors:?}");
    }
    // The same value twice, or none, is not a contradiction.
    for fields in [
        r#""image":"a.jpg","file_name":"a.jpg","caption":"cat","text":null"#,
        r#""image":null,"file_name":"a.jpg","captions":[],"caption":"cat""#,
        r#""image":"a.jpg","captions":["cat","tree"],"caption":"tree""#,
    ] {
        let (pairs, errors) = row(fields);
        assert_eq!((pairs.len(), errors.len()), (1, 0), "{fields}: {errors:?}");
    }
    // Nor are fewer of the same texts, whichever name they stand under, nor blanks and lists in a cell.
    for (fields, captions) in [
        (
            r#""caption":"cat","text":["cat","pet"]"#,
            &["cat", "pet"][..],
        ),
        (r#""caption":"cat ","text":"cat""#, &["cat"]),
        (r#""caption":"[\"cat\"]","text":"cat""#, &["cat"]),
    ] {
        let (pairs, errors) = row(&format!(r#""image":"a.jpg",{fields}"#));
        assert_eq!(errors, [""; 0], "{fields}");
        assert_eq!(pairs[0].captions, captions, "{fields}");
        assert!(pairs[0].meta.is_empty(), "{fields}");
    }
    for table in [
        "image,captions,caption\na.jpg,\"[\"\"cat\"\", \"\"pet\"\"]\",cat\n",
        "image,caption,captions\na.jpg,cat,\"[\"\"cat\"\", \"\"pet\"\"]\"\n",
        "image,caption,text,text\na.jpg,,cat,pet\n",
        "image,caption,text,text\na.jpg,cat,cat,pet\n",
    ] {
        let (pairs, errors) = read_text("p.csv", table);
        assert_eq!(errors, [""; 0], "{table}");
        assert_eq!(pairs[0].captions, ["cat", "pet"], "{table}");
        assert!(pairs[0].meta.is_empty(), "{table}: {:?}", pairs[0].meta);
    }
    // In a table it is each row's own matter.
    let table = "file_name,image,caption,text\na.jpg,,cat,\n,b.jpg,,tree\na.jpg,,cat,tree\n\
                 a.jpg,a.jpg,dog,dog\n";
    let (pairs, errors) = read_text("p.csv", table);
    let captions: Vec<&str> = pairs
        .iter()
        .flat_map(|pair| &pair.captions)
        .map(String::as_str)
        .collect();
    assert_eq!(captions, ["cat", "tree", "dog"], "{errors:?}");
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("\"caption\" and \"text\""), "{errors:?}");
}

#[test]
fn a_folder_is_read_once_whatever_links_lead_back_to_it() {
    let dir = folder(&[
        ("F/a.jpg", b""),
        ("F/a.txt", b"x"),
        ("F/in/b.jpg", b""),
        ("F/in/b.txt", b"y"),
    ]);
    let link = |to: &str, at: &str| std::os::unix::fs::symlink(to, dir.path().join(at)).unwrap();
    link("..", "F/around");
    link("../..", "F/in/around");
    link(".", "F/self");
    let (pairs, errors) = read(&dir.path().join("F"));
    assert_eq!(ids(&pairs), ["a.jpg", "in/b.jpg"]);
    assert_eq!(errors.len(), 3, "{errors:?}");
    assert!(
        errors.iter().all(|error| error.contains("remove the link")),
        "{errors:?}"
    );
}

#[test]
fn a_list_in_a_caption_is_read_as_a_list_or_costs_its_row() {
    let row = |name: &str, caption: &str| match name {
        "p.csv" => format!(
            "image,caption\na.jpg,\"{}\"\n",
            caption.replace('"', "\"\"")
        ),
        _ => format!(
            "{}\n",
            serde_json::json!({ "image": "a.jpg", "captions": caption })
        ),
    };
    for name in ["p.csv", "p.jsonl"] {
        let (pairs, errors) = read_text(name, row(name, r#"["a dog", " hound ", ""]"#));
        assert_eq!(errors, [""; 0]);
        assert_eq!(pairs[0].captions, ["a dog", "hound"]);
        for bad in [
            "['a cat', 'kitty']",
            "['a cat' 'kitty']",
            r#"["a cat's toy", 'kitty']"#,
            "['a cat']",
            "[u'a cat', u'kitty']",
            "('a cat', 'kitty')",
            r#"["a cat", null]"#,
            r#"[{"raw": "a cat"}]"#,
            r#"[["a cat"]]"#,
            r#"{"en": "a cat"}"#,
            "[null]",
            "{'en': 'a cat'}",
            "[{'raw': 'a cat', 'id': 3}]",
            "[['a cat']]",
        ] {
            let (pairs, errors) = read_text(name, row(name, bad));
            assert_eq!(pairs.len(), 0, "{bad}: {pairs:?}");
            assert!(errors[0].contains("write [\"a cat\""), "{errors:?}");
        }
        for good in [
            "[sic] a dog",
            "[outdoor] a dog",
            "[2012]",
            "['70s] a dog in a van",
            "['quoted'] a dog",
            "a dog ['quoted']",
            "[]ust a dog",
            "(\"Hello\")",
            "[\"Stop\"] and [\"Go\"]",
            "[1, 2.5]",
            "{laughing} a dog",
            "('quoted') a dog",
            "\u{201c}a dog\u{201d}",
        ] {
            let (pairs, errors) = read_text(name, row(name, good));
            assert_eq!(errors, [""; 0], "{good}");
            assert_eq!(pairs[0].captions, [good]);
        }
        let (_, errors) = read_text(name, row(name, "[]"));
        assert!(errors[0].contains("no caption"), "{errors:?}");
    }
}

#[test]
fn what_meta_would_lose_costs_its_row() {
    let row = |meta: &str| {
        read_text(
            "p.jsonl",
            format!("{{\"image\":\"a.jpg\",\"caption\":\"x\",{meta}}}\n"),
        )
    };
    for (meta, says) in [
        (r#""meta":{"a":1,"a":2}"#, "the key \"meta.a\" occurs twice"),
        (
            r#""n":12345678901234567890123"#,
            "the number 12345678901234567890123",
        ),
        (r#""m":{"n":[-12345678901234567890123]}"#, "quotation marks"),
    ] {
        let (pairs, errors) = row(meta);
        assert_eq!(pairs.len(), 0, "{meta}");
        assert!(errors[0].contains(says), "{errors:?}");
    }
    let (pairs, errors) =
        row(r#""n":18446744073709551615,"t":"12345678901234567890123","a":{"n":0.25}"#);
    assert_eq!(errors, [""; 0]);
    assert_eq!(pairs[0].meta["n"], 18_446_744_073_709_551_615_u64);
    assert_eq!(pairs[0].meta["t"], "12345678901234567890123");
}

#[test]
fn a_text_file_that_is_another_gives_no_captions() {
    let lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n";
    let dir = folder(&[
        ("a.jpg", b""),
        ("a.txt", lfs),
        ("b.jpg", b""),
        ("b.txt", b"404: Not Found"),
        ("c.jpg", b""),
        ("c.txt", b"[\n \"a cat\",\n \"a pet\"\n]\n"),
        ("d.jpg", b""),
        ("d.txt", b"[\n 'a cat',\n 'a pet'\n]\n"),
        ("e.jpg", b""),
        ("e.txt", b"[\n\"a cat\",\n"),
        ("f.jpg", b""),
        ("f.txt", b"{\n\"en\": \"a cat\"\n}\n"),
        // The way out that the message names.
        ("g.jpg", b""),
        ("g.txt", b"[\"404: Not Found\"]"),
        ("h.jpg", b""),
        ("h.txt", b"[sic] a cat\n[\"a pet\"]\n"),
    ]);
    let (pairs, errors) = read(dir.path());
    assert_eq!(ids(&pairs), ["c.jpg", "g.jpg", "h.jpg"]);
    assert_eq!(pairs[0].captions, ["a cat", "a pet"]);
    assert_eq!(pairs[1].captions, ["404: Not Found"]);
    assert_eq!(pairs[2].captions, ["[sic] a cat", "a pet"]);
    let says = [
        "git lfs pull",
        "a server",
        "is a list",
        "is a list",
        "is a list",
    ];
    for (error, says) in errors.iter().zip(says) {
        assert!(error.contains(says), "{error}");
    }
    assert_eq!(errors.len(), 5, "{errors:?}");
    let row = r#"{"image":"b.jpg","caption":"x","message":"Not Found"}"#;
    assert_eq!(read_text("p.jsonl", row).0.len(), 1);
}
