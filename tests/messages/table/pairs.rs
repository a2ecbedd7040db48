//! Files of pairs, and each reason for which a row is skipped.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use super::super::Bench;
use super::super::support::run;
use super::{ProvokedMessage, faults_of, judge, told};

pub fn messages() -> Vec<ProvokedMessage> {
    let good = "build --pairs good.jsonl --out ";
    let build = |variant, pairs: &str, says, n: u8| {
        told(
            variant,
            &format!("build --pairs {pairs} --out x.asif"),
            3,
            says,
            &format!("{good}{n}.asif"),
        )
    };
    vec![
        build(
            "PairsError::Missing",
            "nowhere.jsonl",
            &["no such file", "give a .jsonl"],
            1,
        ),
        build(
            "PairsError::Missing",
            "good.jsonl/x",
            &["no such file", "give a .jsonl"],
            2,
        ),
        build(
            "PairsError::FolderForFile",
            "folder.jsonl",
            &["found a folder"],
            3,
        ),
        build(
            "PairsError::UnknownFormat",
            "good.data",
            &["rename it after its form"],
            4,
        ),
        build(
            "PairsError::OtherFormat",
            "table.feather",
            &["seems to be"],
            5,
        ),
        build(
            "PairsError::GivenTwice",
            "good.jsonl good.jsonl",
            &["leave one out"],
            6,
        ),
        build(
            "PairsError::Header",
            "header.csv",
            &["no column for the caption"],
            7,
        ),
        build(
            "PairsError::HeaderQuote",
            "quote.csv",
            &["correct the first line"],
            8,
        ),
        build(
            "PairsError::ColumnTwice",
            "twice.csv",
            &["\"image\" twice", "rename one"],
            9,
        ),
        build(
            "PairsError::Utf16",
            "wide.csv",
            &["save the file as UTF-8"],
            10,
        ),
        build(
            "PairsError::HeaderEncoding",
            "latin.csv",
            &["save the file as UTF-8"],
            11,
        ),
        build(
            "PairsError::Damaged",
            "cut.jsonl.gz",
            &["compressed with gzip, damaged", "get the file again"],
            14,
        ),
        build("PairsError::DeviceForFile", "socket.jsonl", &["socket"], 13),
        build("PairsError::NoPairs", "nothing", &["no pairs found"], 12),
    ]
}

/// A reason, the row that has it, what is said, and the row mended.
type BadRow = (
    &'static str,
    &'static str,
    Vec<u8>,
    &'static str,
    &'static str,
);

pub fn bad_rows() -> Vec<BadRow> {
    const GOOD: &str = "{\"image\": \"plain/0.png\", \"caption\": \"dog\"}\n";
    const CSV: &str = "image,caption\nplain/0.png,dog\n";
    let json = |reason, text: &str, says| (reason, "r.jsonl", text.into(), says, GOOD);
    let csv = |reason, text: &str, says| {
        let text = format!("image,caption\n{text}\n");
        (reason, "r.csv", text.into_bytes(), says, CSV)
    };
    let long = format!(
        "{{\"image\": \"{}\", \"caption\": \"dog\"}}",
        "x".repeat(300)
    );
    let endless = vec![b' '; asif::pairs::MAX_LINE_BYTES + 10];
    vec![
        (
            "RowRejection::Utf8",
            "r.jsonl",
            b"{\"image\": \"a\xff\"}\n".to_vec(),
            "save the file as UTF-8",
            GOOD,
        ),
        json(
            "RowRejection::Json",
            "{\"image\": ",
            "one complete JSON object",
        ),
        json(
            "RowRejection::KeyTwice",
            "{\"image\": \"plain/0.png\", \"image\": \"b\", \"caption\": \"dog\"}",
            "keep one",
        ),
        json(
            "RowRejection::Rounded",
            "{\"image\": \"plain/0.png\", \"caption\": \"dog\", \"n\": 12345678901234567890123}",
            "put it in quotation marks",
        ),
        json(
            "RowRejection::ListText",
            "{\"image\": \"plain/0.png\", \"caption\": \"['dog', 'hound']\"}",
            "or one caption without the brackets",
        ),
        json(
            "RowRejection::KeysAlike",
            "{\"image\": \"plain/0.png\", \"captions\": [\"dog\"], \"caption\": \"cat\"}",
            "keep one, or rename the other",
        ),
        json("RowRejection::Type", "[1]\n[2]", "correct the row"),
        json(
            "RowRejection::Type",
            "{\"image\": 1, \"caption\": \"dog\"}",
            "expected the path of an image as text",
        ),
        csv(
            "RowRejection::Fields",
            "plain/0.png,dog,cat",
            "in double quotes",
        ),
        csv("RowRejection::Quotes", "plain/0.png,\"dog", "close it"),
        csv(
            "RowRejection::NulByte",
            "plain/0.png,d\0g",
            "save the file as UTF-8 text",
        ),
        (
            "RowRejection::TooLong",
            "r.jsonl",
            [&endless[..], b"x\n"].concat(),
            "one record a line",
            GOOD,
        ),
        json("RowRejection::NoImage", "{\"caption\": \"dog\"}", "add it"),
        json(
            "RowRejection::NoCaption",
            "{\"image\": \"plain/0.png\", \"caption\": \" \"}",
            "add it",
        ),
        json(
            "RowRejection::ImageMissing",
            "{\"image\": \"none.png\", \"caption\": \"dog\"}",
            "image not found",
        ),
        json(
            "RowRejection::ImageIsFolder",
            "{\"image\": \"plain\", \"caption\": \"dog\"}",
            "name a file inside it",
        ),
        json(
            "RowRejection::ImageIsDevice",
            "{\"image\": \"socket.jsonl\", \"caption\": \"dog\"}",
            "name a file",
        ),
        json(
            "RowRejection::ImageIsAddress",
            "{\"image\": \"https://example.org/a.png\", \"caption\": \"dog\"}",
            "download it",
        ),
        json(
            "RowRejection::Id",
            "{\"id\": \"a\\nb\", \"image\": \"plain/0.png\", \"caption\": \"dog\"}",
            "remove it",
        ),
        (
            "RowRejection::ImageOutside",
            "r.token",
            b"../plain/0.png#0\tdog\n".to_vec(),
            "move the image into the folder",
            "plain/0.png#0\tdog\n",
        ),
        (
            "RowRejection::NoImageMember",
            "r.tar",
            tar(&[("0.txt", b"dog")]),
            "the ending of an image",
            "",
        ),
        (
            "RowRejection::SecondImageMember",
            "r.tar",
            tar(&[("0.jpg", b"x"), ("0.png", b"x"), ("0.txt", b"dog")]),
            "a name and a text of its own",
            "",
        ),
        (
            "RowRejection::MemberTooLarge",
            "r.tar",
            tar(&[("0.txt", &endless[..])]),
            "make it smaller",
            "",
        ),
        json(
            "RowRejection::ImageUnreadable",
            &long,
            "cannot look at the image",
        ),
        json(
            "RowRejection::DuplicateId",
            "{\"id\": \"a\", \"image\": \"plain/0.png\", \"caption\": \"dog\"}\n\
             {\"id\": \"a\", \"image\": \"plain/1.png\", \"caption\": \"cat\"}",
            "rename one",
        ),
    ]
}

/// An archive.
fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, content) in members {
        let mut header = [0; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        header[156] = b'0';
        header[257..263].copy_from_slice(b"ustar\0");
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        archive.extend(header);
        archive.extend(*content);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}

/// A reason, what makes it in a folder of pairs, and what is said.
type BadFile = (&'static str, fn(&Bench), &'static str);

pub const BAD_FILES: [BadFile; 9] = [
    (
        "RowRejection::NotRead",
        |bench| fs_err::write(bench.at("photos/a.heic"), b"\0\0\0 ftypheic").unwrap(),
        "convert images to one of these",
    ),
    (
        "RowRejection::NoImageFile",
        |bench| fs_err::write(bench.at("photos/alone.txt"), "dog").unwrap(),
        "add the image",
    ),
    (
        "RowRejection::NotListed",
        |bench| {
            bench.picture("photos/other.png", 2);
            let list = "file_name,text\ngood.png,dog\n";
            fs_err::write(bench.at("photos/metadata.csv"), list).unwrap();
        },
        "no readable row of metadata.csv names it",
    ),
    (
        "RowRejection::Hidden",
        |bench| fs_err::write(bench.at("photos/.hidden.png"), "dog").unwrap(),
        "rename it",
    ),
    (
        "RowRejection::NoTextFile",
        |bench| drop(bench.picture("photos/bare.png", 3)),
        "add it, or move the image",
    ),
    (
        "RowRejection::TextStandIn",
        |bench| {
            bench.picture("photos/pointed.png", 4);
            let pointer = "version https://git-lfs.github.com/spec/v1\n";
            fs_err::write(bench.at("photos/pointed.txt"), pointer).unwrap();
        },
        "`git lfs pull`",
    ),
    (
        "RowRejection::FolderUnreadable",
        |bench| symlink("itself", bench.at("photos/itself")).unwrap(),
        "check its permissions and links",
    ),
    (
        "RowRejection::BrokenLink",
        |bench| symlink(bench.at("nowhere.png"), bench.at("photos/dangling.png")).unwrap(),
        "remove the link",
    ),
    (
        "RowRejection::LinkLoop",
        |bench| symlink(bench.at("photos"), bench.at("photos/loop")).unwrap(),
        "remove the link",
    ),
];

fn bench() -> Bench {
    let bench = Bench::new();
    bench.pairs("good.jsonl", &[bench.pair(0), bench.pair(1)]);
    fs_err::copy(bench.at("good.jsonl"), bench.at("good.data")).unwrap();
    drop(UnixListener::bind(bench.at("socket.jsonl")).unwrap());
    for folder in ["folder.jsonl", "nothing"] {
        fs_err::create_dir(bench.at(folder)).unwrap();
    }
    let wide: Vec<u8> = "\u{feff}image,caption\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    for (name, content) in [
        ("table.feather", &b"ARROW1\0\0"[..]),
        ("cut.jsonl.gz", b"\x1F\x8B\x08"),
        ("header.csv", b"image,size\nplain/0.png,3\n"),
        ("quote.csv", b"\"image,caption\nplain/0.png,dog\n"),
        ("twice.csv", b"image,image,caption\nplain/0.png,b,dog\n"),
        ("latin.csv", b"image,caption,gr\xf6sse\nplain/0.png,dog,3\n"),
        ("wide.csv", &wide),
    ] {
        fs_err::write(bench.at(name), content).unwrap();
    }
    bench
}

#[test]
fn messages_of_pairs_have_their_code_and_their_advice_works() {
    judge(&bench(), messages());
}

#[test]
fn each_row_that_is_skipped_says_why_and_mended_it_is_taken() {
    let bench = bench();
    let mut faults = Vec::new();
    let strict =
        |pairs: &str, out: &str| bench.run(&["build", "--strict", "--pairs", pairs, "--out", out]);
    for (n, (reason, file, bad, says, mended)) in bad_rows().into_iter().enumerate() {
        fs_err::write(bench.at(file), bad).unwrap();
        let ended = strict(file, "bad.asif");
        let wrong = faults_of(&ended.err);
        if ended.code != Some(5) || !ended.err.contains(says) || !wrong.is_empty() {
            faults.push(format!(
                "{reason}: {:?}, no {says:?}, {wrong:?}: {}",
                ended.code, ended.err
            ));
        }
        if mended.is_empty() {
            continue;
        }
        fs_err::write(bench.at(file), mended).unwrap();
        let ended = strict(file, &format!("row{n}.asif"));
        if ended.code != Some(0) {
            faults.push(format!("{reason}: mended: {}", ended.err));
        }
    }
    for (reason, spoil, says) in BAD_FILES {
        bench.picture("photos/good.png", 1);
        fs_err::write(bench.at("photos/good.txt"), "dog").unwrap();
        spoil(&bench);
        let ended = bench.run(&["build", "--pairs", "photos", "--out", "photos.asif"]);
        let wrong = faults_of(&ended.err);
        let said = format!("{}{}", ended.err, ended.out);
        if ended.code != Some(0) || !said.contains(says) || !wrong.is_empty() {
            faults.push(format!(
                "{reason}: {:?}, no {says:?}, {wrong:?}: {said}",
                ended.code
            ));
        }
        for folder in ["photos", "photos.asif"] {
            fs_err::remove_dir_all(bench.at(folder)).unwrap();
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_list_that_is_passed_over_has_a_hint_once() {
    let bench = bench();
    bench.picture("photos/good.png", 1);
    fs_err::write(bench.at("photos/good.txt"), "dog").unwrap();
    for name in ["one.csv", "two.csv", "more.zip"] {
        fs_err::write(bench.at("photos").join(name), "image,caption\n").unwrap();
    }
    let said = bench
        .run(&["build", "--pairs", "photos", "--out", "photos.asif"])
        .ok()
        .out;
    assert!(said.contains("give it as a source of its own"), "{said}");
    assert_eq!(said.matches("hint: --pairs").count(), 1, "{said}");
}

#[test]
fn a_bad_row_in_the_middle_costs_itself_only() {
    let bench = bench();
    let rows = [
        bench.pair(0),
        serde_json::json!({"image": 1}),
        bench.pair(1),
    ];
    bench.pairs("three.jsonl", &rows);
    let ended = run(bench.asif().args([
        "build",
        "--json",
        "--pairs",
        "three.jsonl",
        "--out",
        "three.asif",
    ]))
    .ok();
    assert_eq!(ended.json()["skipped"], 1, "{}", ended.out);
}
