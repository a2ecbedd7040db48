//! Lists that are not names by the shape of all their entries, and names that look a little like them.

use super::tests::{labels_in, named};
use super::*;

#[test]
fn files_whose_lines_all_have_a_shape_that_names_do_not_are_refused() {
    let mut wrong = Vec::new();
    for (text, seems) in [
        ("id,name\n0,cat\n1,dog\n", "header"),
        ("label,count\ncat,5\n", "header"),
        ("label,description\ncat,a pet\n", "header"),
        ("id\tname\n0\tcat\n1\tdog\n", "header"),
        ("Nummer\tTier\n0\tcat\n1\tdog\n", "header"),
        ("id name\n0 cat\n1 dog\n", "header"),
        ("class_id;class_name\n0;cat\n", "header"),
        ("wnid\tname\nn02119789\tkit fox\n", "header"),
        ("Classes:\n0: cat\n1: dog\n", "header"),
        ("1|cat\n2|dog\n", "number"),
        ("cat|1\ndog|2\n", "number"),
        ("class 0: cat\nclass 1: dog\n", "number"),
        ("Label 3 = cat\nLabel 7 = dog\n", "number"),
        ("0 - cat\n1 - dog\n", "number"),
        ("0-cat\n1-dog\n2-horse\n", "number"),
        ("0_cat\n1_dog\n", "number"),
        (
            "001.Black_footed_Albatross\n002.Laysan_Albatross\n",
            "number",
        ),
        ("0 => cat\n1 => dog\n", "number"),
        ("a) cat\nb) dog\nc) horse\n", "number"),
        ("A. cat\nB. dog\n", "number"),
        ("①cat\n②dog\n", "number"),
        ("٠ cat\n١ dog\n", "number"),
        ("0：cat\n1：dog\n", "number"),
        ("cat (0)\ndog (1)\n", "number"),
        ("cat -> 0\ndog -> 1\n", "number"),
        ("\"cat\": 0,\n\"dog\": 1\n", "behind each entry"),
        ("cat;0\ndog;1\n", "number"),
        ("cat;7\ndog;3\n", "number"),
        ("cat\t12\ndog\t5\n", "number"),
        ("cat_0\ndog_1\n", "number"),
        ("cat\ta pet\t3\ndog\ta friend\t9\n", "number"),
        ("cat,0.95\ndog,0.05\n", "number"),
        ("cat n02119789\ndog n02100735\n", "WordNet"),
        ("tench,n01440764\n", "several labels"),
        ("0: cat, 1: dog\n", "several labels"),
        ("cat,feline\ndog,canine\n", "several columns"),
        ("[labels]\n0=cat\n1=dog\n", "settings"),
        ("0=cat\n1=dog\n", "number"),
        ("a=cat\nb=dog\n", "settings"),
        ("cat,\ndog,\nhorse\n", "behind each entry"),
        ("cat;\ndog;\n", "behind each entry"),
        ("“cat”\n“dog”\n", "quotation marks"),
        ("„cat“\n„dog“\n", "quotation marks"),
        ("«cat»\n", "quotation marks"),
        ("`cat`\n`dog`\n", "quotation marks"),
        ("cat&amp;dog\nhorse\n", "web page"),
        ("it&#39;s\nhorse\n", "web page"),
        ("caf\\u00e9\nhorse\n", "web page"),
        ("\u{2013} cat\n\u{2013} dog\n", "a bullet"),
        ("\u{b7} cat\n\u{b7} dog\n", "a bullet"),
        ("\u{25aa}cat\n\u{25aa} dog\n", "a bullet"),
        ("\u{25e6} cat\n\u{25e6} dog\n", "a bullet"),
        ("> cat\n> dog\n", "a bullet"),
        ("\u{2192} cat\n\u{2192} dog\n", "a bullet"),
        ("[x] cat\n[ ] dog\n", "a bullet"),
        ("**cat**\n**dog**\n", "a bullet"),
        ("<li>cat\n<li>dog\n", "a bullet"),
        (
            "<<<<<<< HEAD\ncat\n=======\ndog\n>>>>>>> theirs\n",
            "a merge",
        ),
        ("cat.jpg\ndog.jpg\n", "files"),
        ("a/cat.PNG\n", "files"),
        ("/a/abbey\n/a/airport\n", "files"),
        ("https://a.org/cat\nhttps://a.org/dog\n", "files"),
        (
            "path: ../coco\ntrain: images\nnc: 2\nnames:\n  0: cat\n  1: dog\n",
            "YAML",
        ),
        ("train: images\nnames:\n- cat\n- dog\n", "YAML"),
        ("nc: 2\nnames: [cat,\n  dog]\n", "YAML"),
        (
            "item {\n  id: 1\n  name: 'cat'\n}\nitem {\n  id: 2\n  name: 'dog'\n}\n",
            ".pbtxt",
        ),
        ("item { id: 1 name: 'cat' }\n", ".pbtxt"),
        ("a photo of a {label}.\n", "templates"),
        ("a photo of a %s.\n", "templates"),
        ("a photo of a <label>.\n", "templates"),
        ("a photo of a %(name)s.\n", "templates"),
        ("a photo of a {0}.\n", "templates"),
        ("a photo of a ${class}.\n", "templates"),
        ("a photo of a [CLASS].\n", "templates"),
        ("class 0\nclass 1\n", "without class names"),
    ] {
        match labels_in("l.txt", text) {
            Err(said) if said.contains(seems) && said.contains("l.txt") => {}
            other => wrong.push(format!("{text}: {other:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        labels_in("l.tsv", "id,name\n0,cat\n")
            .unwrap_err()
            .contains("header")
    );
    let said = labels_in("l.json", r#"["cat\u0000", "dog"]"#).unwrap_err();
    assert!(said.contains("NUL character"), "{said}");
    // The advice followed.
    let list = r#"["1 cat", "2 dog", "/a/abbey", "cat,0", "cat&amp;dog", "a.jpg"]"#;
    assert_eq!(labels_in("l.json", list).unwrap().as_slice().len(), 6);
}

#[test]
fn names_with_numbers_and_signs_in_them_stay_names() {
    for text in [
        "Alien: Covenant\nHeat\n24\n7-Eleven\nBoeing 747\n3.5 inch floppy\n",
        "Boeing 737\nBoeing 747\nBoeing 717\n",
        "A320\nA321\nDC-10\nF-14\n",
        "Audi 100 Wagon 1994\nAcura TL Sedan 2012\nBMW M3 Coupe 2012\n",
        "cat 32\ndog 17\n",
        "type 1\ntype 2\ntype 3\n",
        "grade 0\ngrade 1\n",
        "1 euro\n2 euro\n5 euro\n",
        "3.5 inch floppy\n5.25 inch floppy\n",
        "16:9\n4:3\n",
        "0-2\n3-9\n10-19\n",
        "1-2 years\n2-3 years\n",
        "1,000 islands\n2,000 leagues\n",
        "24/7\n50/50\n",
        "12 Monkeys\n21 Grams\n",
        "12 Main Street\n7 Oak Avenue\n",
        "1. FC K\u{f6}ln\n1. FSV Mainz 05\n",
        "2012 Acura RL Sedan\n2012 Acura TL Sedan\n",
        "Alien (1979)\nHeat (1995)\n",
        "tench, Tinca tinca\ngoldfish, Carassius auratus\n",
        "cat: small,furry\ndog: big,loud\n",
        "cat\ta small pet\ndog\ta loyal pet\n",
        "AT&T\nR&B; soul\nQ&A\n",
        "Vue.js\nNode.js\n",
        "E=mc2\ncat\n",
        "rock 'n' roll\n'n Sync\n",
        "100%\n50%\n",
        "AC/DC\nTCP/IP\n",
        "[REC]\nAlien\nHeat\n",
        "[x] cat\ndog\n",
        "> cat\ndog\n",
        "\u{2192}\n\u{2190}\n",
        "\u{2022}\n\u{25e6}\n",
        "*NSYNC\nM*A*S*H\n",
        "**\n~~\n",
        "<3\n=======\n",
        "name tag\nlabel maker\nclass room\n",
        "No Country for Old Men\nNo Time to Die\n",
        "Ford [2012]\nSeat <3\n",
        "zero|0\none|1\n",
        "cat|gato\ndog|perro\n",
        "$100 bill\nA$AP\n",
        "A. Lincoln\nJ. Kennedy\n",
        "½ moon\ncat\n",
        "Alien (1979)\nAlien (1986)\n",
        "Item\nClass\nThing\n",
    ] {
        let labels = labels_in("l.txt", text);
        let labels = labels.unwrap_or_else(|said| panic!("{text}: {said}"));
        assert_eq!(labels.as_slice().len(), text.lines().count(), "{text}");
    }
}

#[test]
fn lists_of_the_command_line_are_names_alone() {
    let mut wrong = Vec::new();
    for (list, seems) in [
        ("labels.txt", "name of a file"),
        ("@labels.json", "name of a file"),
        ("a {} photo", "templates"),
        ("a photo of a %s", "templates"),
        ("0:cat,1:dog", "number"),
        ("cat=0,dog=1", "number"),
        ("1|cat,2|dog", "number"),
        ("0 cat, 1 dog", "number"),
        ("cat:0,dog:1", "number"),
        ("“cat”,“dog”", "quotation marks"),
        ("cat.jpg,dog.jpg", "files"),
        ("cat&amp;dog", "web page"),
        ("n02119789,n02100735", "WordNet"),
        ("LABEL_0,LABEL_1", "without class names"),
    ] {
        match LabelList::parse(list).map_err(|error| error.to_string()) {
            Err(said) if said.contains(seems) && !said.contains("one a line") => {}
            other => wrong.push(format!("{list}: {other:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for list in [
        "Boeing 737,Boeing 747",
        "7-Eleven,24",
        "zero|0,one|1",
        "A320,A321",
        "Vue.js",
        "cat:0",
    ] {
        let labels = LabelList::parse(list).unwrap();
        assert_eq!(labels.notes(), [""; 0], "{list}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("names");
    fs_err::write(&file, "cat\n").unwrap();
    let said = LabelList::parse(&file.display().to_string())
        .unwrap_err()
        .to_string();
    assert!(said.contains("as a file of labels"), "{said}");
}

#[test]
fn numbers_alone_are_labels_with_a_note() {
    let digits = LabelList::parse("0,1,2,3").unwrap();
    assert!(
        digits.notes()[0].contains("all labels are numbers"),
        "{:?}",
        digits.notes()
    );
    for (name, text) in [("l.txt", "0\n1\n2\n"), ("l.json", r#"["0", "1"]"#)] {
        let labels = labels_in(name, text).unwrap();
        assert!(
            labels.notes()[0].contains("all labels are numbers"),
            "{name}"
        );
    }
    assert_eq!(LabelList::parse("24,Heat").unwrap().notes(), [""; 0]);
}

#[test]
fn objects_whose_values_are_codes_are_refused() {
    for text in [
        r#"{"cat": "n02119789", "dog": "n02100735"}"#,
        r#"{"cat": ["0"], "dog": ["1"]}"#,
        r#"{"cat": ["n02119789"]}"#,
        r#"{"cat": "0.5", "dog": "0.5"}"#,
    ] {
        let said = labels_in("l.json", text).unwrap_err();
        assert!(
            said.contains("WordNet ids instead of prompts"),
            "{text}: {said}"
        );
    }
    assert!(labels_in("l.json", r#"{"3": ["three", "3"], "cat": "a pet"}"#).is_ok());
}

#[test]
fn templates_of_another_shape_are_refused() {
    for (text, seems) in [
        ("1. a {}\n2. b {}\n", "number"),
        ("0\ta {}\n1\tb {}\n", "number"),
        ("a {},b {}\n", "several templates on one line"),
        ("a {}; b {}\n", "several templates on one line"),
        ("a {},\nb {},\nc {}\n", "behind each entry"),
        ("“a {}”\n“b {}”\n", "quotation marks"),
        ("t1=a {}\nt2=b {}\n", "settings"),
        ("a {} &amp; more\n", "web page"),
    ] {
        let (_folder, path) = named("t.txt", text);
        let said = PromptTemplates::from_file(&path).unwrap_err().to_string();
        assert!(
            said.contains(seems) && said.contains("t.txt"),
            "{text}: {said}"
        );
    }
    // The advice followed, and templates with commas and several places.
    for (name, text) in [
        ("t.json", r#"["a {},b {}", "1. a {}"]"#),
        ("t.txt", "a photo of a {}, a type of pet.\nart of the {}.\n"),
        ("t.txt", "{} beside a {c}, outdoors\n"),
        ("t.txt", "{}\n"),
        ("t.txt", "a photo of the number: \"{}\".\n"),
    ] {
        let (_folder, path) = named(name, text);
        assert!(PromptTemplates::from_file(&path).is_ok(), "{text}");
    }
}

#[test]
fn a_file_of_comments_alone_says_so() {
    let said = labels_in("l.txt", "#0 cat\n#1 dog\n").unwrap_err();
    assert!(
        said.contains("comment because it begins with #, such as \"#0 cat\""),
        "{said}"
    );
    let (_folder, path) = named("t.txt", "#a {}\n");
    let said = PromptTemplates::from_file(&path).unwrap_err().to_string();
    assert!(
        said.contains("comment because it begins with #, such as \"#a {}\""),
        "{said}"
    );
    assert!(!labels_in("l.txt", "\n").unwrap_err().contains("comment"));
}

#[test]
fn two_entries_beside_a_blank_show_no_numbering_and_numbers_left_are_told_of() {
    let read = |text: &str| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("labels.txt");
        fs_err::write(&path, text).unwrap();
        LabelList::from_file(&path)
    };
    for text in ["1 person\n2 people\n", "3 cat\n7 dog\n", "5. cat\n6. dog\n"] {
        let labels = read(text).unwrap();
        let notes = labels.notes().join("\n");
        assert!(notes.contains("begin with a number"), "{text}: {notes}");
    }
    for text in ["1. cat\n2. dog\n", "1 cat\n2 dog\n3 cow\n"] {
        assert!(read(text).is_err(), "{text}");
    }
    for text in [
        "cat\n7 dogs\n",
        "50 euro\n100 euro\n",
        "7-Eleven\n3-D film\n",
    ] {
        assert!(read(text).unwrap().notes().is_empty(), "{text}");
    }
}

#[test]
fn a_character_of_value_zero_is_refused_in_labels_and_templates() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("list.json");
    fs_err::write(&path, r#"["a photo of a {}\u0000"]"#).unwrap();
    let said = PromptTemplates::from_file(&path).unwrap_err().to_string();
    assert!(said.contains("NUL character"), "{said}");
    fs_err::write(&path, r#"["a cat\u0000", "a dog"]"#).unwrap();
    let said = LabelList::from_file(&path).unwrap_err().to_string();
    assert!(said.contains("NUL character"), "{said}");
    assert!(PromptTemplates::parse(["a {}\0"]).is_err());
}
