use image::DynamicImage;

use super::*;
use crate::encode::image::thumbnail::{ThumbnailImage, thumbnail};
use crate::modality::PerModality;

const HOSTILE: &str = "</p><script>alert(1)</script><img src=x onerror='alert(2)'> \"&\u{202e}";

fn thumb() -> ThumbnailImage {
    thumbnail(&DynamicImage::new_rgb8(4, 3), 64).unwrap()
}

fn card(text: &str) -> ImageCard {
    let anchor = |share: f64, thumbnail: Option<ThumbnailImage>, captions: &[&str]| AnchorCard {
        id: text.to_owned(),
        captions: captions.iter().map(|&caption| caption.to_owned()).collect(),
        thumbnail,
        contribution_share: share,
        amount: share * 2.0,
        similarities: PerModality {
            image: 0.25,
            text: share,
        },
        source: Some(text.to_owned()),
        licence: None,
    };
    ImageCard {
        name: text.to_owned(),
        thumbnail: Some(thumb()),
        predictions: vec![
            LabelBar {
                label: text.to_owned(),
                score: 0.75,
                similarity: 0.5,
            },
            LabelBar {
                label: "none".to_owned(),
                score: f32::NAN,
                similarity: f32::INFINITY,
            },
        ],
        without: Some(CounterfactualCard {
            what: text.to_owned(),
            predictions: vec![],
        }),
        why: Some(ExplanationCard {
            label: text.to_owned(),
            anchors: vec![
                anchor(0.5, Some(thumb()), &[text, text, text]),
                anchor(f64::NAN, None, &[]),
            ],
            against: vec![anchor(-0.125, None, &[text, text])],
            sum: vec![(text.to_owned(), -1.5), (text.to_owned(), f64::NAN)],
        }),
    }
}

/// The elements of a page in order, without what stands in them.
fn tags(page: &str) -> Vec<&str> {
    let opened = page.split('<').skip(1);
    opened
        .map(|tag| tag.split([' ', '>', '\n']).next().unwrap_or_default())
        .collect()
}

#[test]
fn hostile_text_adds_no_element_and_no_attribute() {
    let facts = |text: &str| [(text.to_owned(), text.to_owned())];
    let tame = contact_sheet("tame", &facts("tame"), &[card("tame")]);
    let page = contact_sheet(HOSTILE, &facts(HOSTILE), &[card(HOSTILE)]);
    assert_eq!(tags(&page), tags(&tame));
    assert_eq!(
        page.matches("onerror=&#39;").count(),
        page.matches("onerror=").count()
    );
    assert!(!page.contains("<script") && !page.contains('\u{202e}'));
}

#[test]
fn every_element_is_closed() {
    let page = contact_sheet(
        "t",
        &[("a".to_owned(), "b".to_owned())],
        &[card("x"), card("y")],
    );
    let mut open = Vec::new();
    for tag in tags(&page) {
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "closed out of order"),
            None if ["!doctype", "meta", "img", "br"].contains(&tag) => {}
            None => open.push(tag),
        }
    }
    assert_eq!(open, [""; 0]);
}

#[test]
fn nothing_is_loaded_from_elsewhere() {
    let page = contact_sheet("t", &[], &[card("x")]);
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("url("));
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn figures_are_shown_and_odd_ones_survive() {
    let page = contact_sheet("t", &[], &[card("x")]);
    for part in [
        "<span class=\"label\" dir=\"auto\">x</span>",
        "--share:75.00%",
        "0.5000",
        "<span class=\"share\" style=\"--share:100.00%\">50.0 %</span>",
        "<span class=\"share against\" style=\"--share:25.00%\">-12.5 %</span>",
        "2 more captions",
        "1 more caption<",
        "+1.0000 · image 0.2500 · text 0.5000",
        "Anchors against x",
        "<dd class=\"amount against\" style=\"--share:100.00%\">-1.5000</dd>",
        "image not available",
    ] {
        assert!(page.contains(part), "no {part} in {page}");
    }
    assert!(!page.contains("NaN") && !page.contains("inf%"));
}

#[test]
fn an_image_without_predictions_and_a_page_without_images_are_pages() {
    let bare = ImageCard {
        name: "x".to_owned(),
        thumbnail: Some(thumb()),
        predictions: vec![],
        without: None,
        why: None,
    };
    assert!(contact_sheet("t", &[], &[bare]).contains("no prediction"));
    assert!(contact_sheet("t", &[], &[]).ends_with("</html>\n"));
}

/// A page from real pictures, to be looked at; written where `ASIF_TEST_PAGE` says.
#[test]
fn a_page_of_real_pictures() {
    use super::super::{Dataset, EvaluationTask};
    use crate::pairs;

    let Some(data) = pairs::test_data() else {
        return;
    };
    let read = |path: &std::path::Path| {
        thumbnail(
            &image::load_from_memory(&fs_err::read(path).unwrap()).unwrap(),
            448,
        )
        .unwrap()
    };
    let anchors: Vec<_> = pairs::open(&[data.join("anchors")])
        .unwrap()
        .map(Result::unwrap)
        .step_by(977)
        .map(|pair| AnchorCard {
            thumbnail: Some(read(pair.image.path().unwrap())),
            contribution_share: 0.0,
            amount: 0.0,
            similarities: PerModality::of(|_| 0.5),
            source: pair
                .meta
                .get("source")
                .map(|text| text.as_str().unwrap().to_owned()),
            licence: Some("CC0".to_owned()).filter(|_| pair.id.len() % 2 == 0),
            id: pair.id,
            captions: pair.captions,
        })
        .collect();
    let mut cards = Vec::new();
    for name in ["caltech101", "pacs-photo", "flowers5", "cifar10"] {
        let dataset = Dataset::load(&data.join("tests").join(name), None).unwrap();
        let EvaluationTask::Classification(task) = dataset.task else {
            panic!("expected classes")
        };
        for at in (0..task.images.len()).step_by(task.images.len() / 2) {
            let image = &task.images[at];
            let shift = at % task.classes.len();
            let classes = task.classes.iter().cycle().skip(task.labels[at]).step_by(3);
            let scores = [0.71, 0.16, 0.06, 0.04, 0.03];
            let predictions = classes.zip(scores).map(|(class, score)| LabelBar {
                label: class.name.clone(),
                score,
                similarity: 0.2 + score / 3.0,
            });
            let shares = [0.081, 0.066, 0.041, 0.03, 0.018, 0.011];
            let anchors = anchors.iter().cycle().skip(shift).zip(shares);
            cards.push(ImageCard {
                name: image.file_name().unwrap().to_string_lossy().into_owned(),
                thumbnail: Some(read(image)),
                without: None,
                why: Some(ExplanationCard {
                    label: task.classes[task.labels[at]].name.clone(),
                    anchors: anchors
                        .map(|(anchor, share)| AnchorCard {
                            contribution_share: share,
                            ..anchor.clone()
                        })
                        .collect(),
                    against: vec![],
                    sum: vec![],
                }),
                predictions: predictions.collect(),
            });
        }
    }
    cards.insert(2, odd_card(&data, &cards[0]));
    let facts = [
        ("index", "demo.asif"),
        ("anchors", "785"),
        ("k", "400"),
        ("p", "4"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let page = contact_sheet("What asif sees in 8 photos", &facts, &cards);
    assert_eq!(page.matches("<article").count(), cards.len());
    if let Some(path) = std::env::var_os("ASIF_TEST_PAGE") {
        fs_err::write(path, page).unwrap();
    }
}

/// A card of extremes: long words, another direction of writing, cut-outs, wide and tall pictures.
fn odd_card(data: &std::path::Path, like: &ImageCard) -> ImageCard {
    let stamps = data.join("anchors");
    let cutouts = crate::pairs::open(&[stamps])
        .unwrap()
        .map(Result::unwrap)
        .filter(|pair| pair.meta["source"] == "tuxpaint-stamps")
        .step_by(190);
    let mut anchors: Vec<_> = cutouts
        .zip(&like.why.as_ref().unwrap().anchors)
        .map(|(pair, anchor)| AnchorCard {
            thumbnail: thumbnail(&image::open(pair.image.path().unwrap()).unwrap(), 256).ok(),
            captions: pair.captions,
            id: pair.id,
            ..anchor.clone()
        })
        .collect();
    anchors[1].contribution_share = -0.04;
    anchors[2].thumbnail = None;
    anchors[3].thumbnail = thumbnail(&DynamicImage::new_rgb8(6000, 400), 256).ok();
    let label = |label: &str, score| LabelBar {
        label: label.to_owned(),
        score,
        similarity: -0.01,
    };
    ImageCard {
        name: "a/very/long/path/without_any_place_to_break_".repeat(3) + ".jpg",
        thumbnail: thumbnail(&DynamicImage::new_luma8(40, 900), 448).ok(),
        predictions: vec![
            label(
                "Donaudampfschifffahrtsgesellschaftskapit\u{e4}n of a boat",
                0.999,
            ),
            label("\u{645}\u{631}\u{62d}\u{628}\u{627}", 0.001),
            label("\u{732b}", f32::NAN),
        ],
        without: None,
        why: Some(ExplanationCard {
            against: anchors.clone(),
            anchors,
            ..like.why.clone().unwrap()
        }),
    }
}
