use super::*;
use crate::classify::RankedLabel;

fn label(name: &str, score: f32) -> RankedLabel {
    RankedLabel {
        label: name.to_owned(),
        score,
        similarity: score * 2.0,
        class: 0,
    }
}

/// Two inputs, the second of which has no answer.
fn written(name: &str, layout: PredictionLayout) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    let format = PredictionFormat::of_name(&path).unwrap();
    let mut out = PredictionWriter::begin(&path, format, layout).unwrap();
    let labels = [label("a, b", 0.75), label("c", 0.25)];
    let target = layout.is_measured.then_some(PredictionTarget {
        dataset: "d",
        class: "a, b",
    });
    let answers = [Ok(&labels[..]), Err("y.jpg: not an image")];
    for (row, answer) in (0..).zip(answers) {
        let input = ["x.jpg", "y.jpg"][row as usize];
        let row = PredictionRow {
            row,
            input,
            target,
            answer,
        };
        out.write(&row).unwrap();
    }
    assert!(!path.exists(), "it has its name when it is complete");
    out.finish().unwrap();
    (folder, path)
}

#[test]
fn a_row_without_an_answer_has_the_reason_and_all_columns() {
    let layout = PredictionLayout {
        top: 3,
        is_measured: true,
    };
    let (_folder, path) = written("p.csv", layout);
    let text = fs_err::read_to_string(&path).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines[0],
        "row,input,dataset,target,right,answer,score,similarity,error,\
         label_1,score_1,similarity_1,label_2,score_2,similarity_2,label_3,score_3,similarity_3"
    );
    assert_eq!(
        lines[1],
        "0,x.jpg,d,\"a, b\",true,\"a, b\",0.75,1.5,,\"a, b\",0.75,1.5,c,0.25,0.5,,,"
    );
    assert_eq!(
        lines[2],
        "1,y.jpg,d,\"a, b\",false,,,,y.jpg: not an image,,,,,,,,,"
    );
    let (_folder, path) = written("p.jsonl", layout);
    let text = fs_err::read_to_string(&path).unwrap();
    assert_eq!(
        text.lines().nth(1).unwrap(),
        "{\"row\":1,\"input\":\"y.jpg\",\"dataset\":\"d\",\"target\":\"a, b\",\"right\":false,\
         \"answer\":null,\"score\":null,\"similarity\":null,\"error\":\"y.jpg: not an image\",\
         \"predictions\":[]}"
    );
}

#[test]
fn a_table_is_known_again_and_nothing_else_is_taken_for_one() {
    for name in ["p.csv", "p.JSONL", "p.ndjson", "p.parquet"] {
        let Some(format) = PredictionFormat::of_name(Path::new(name)) else {
            assert!(cfg!(not(feature = "parquet")) && name == "p.parquet");
            continue;
        };
        for (top, is_measured) in [(1, false), (2, true), (12, false)] {
            let layout = PredictionLayout { top, is_measured };
            let (folder, path) = written(name, layout);
            let head = fs_err::read(&path).unwrap();
            assert!(format.is_own(&path, &head), "{name} {layout:?}");
            let other = folder.path().join("other");
            for text in [
                "row,input\n",
                "row,input,answer,score,similarity,error,mine\n",
                "row,input,answer,score,similarity,error,label_2,score_2,similarity_2\n",
                "{\"row\":0,\"input\":\"a\"}\n",
                "PAR1",
            ] {
                fs_err::write(&other, text).unwrap();
                assert!(!format.is_own(&other, text.as_bytes()), "{name} {text}");
            }
        }
    }
    assert_eq!(PredictionFormat::of_name(Path::new("p.txt")), None);
    assert_eq!(PredictionFormat::of_name(Path::new("csv")), None);
}
