//! Generations that are not fit, and never answer.

use asif::anchors::live::{LiveError, LiveOptions, LiveSet, RefreshOutcome};
use asif::anchors::stored::manifest::Manifest;
use asif::anchors::stored::publish::publish as make_live;
use asif::encode::{EncoderEntry, EncoderIdentity, MemberIdentity};
use asif::modality::Modality;

use super::synthetic::{encoder, generation};
use super::{ask, damage, image_file, open, shape, swapped, two_generations};

#[test]
fn a_damaged_generation_never_answers() {
    let (set, [first, second]) = two_generations();
    let live = open(set.path());
    let before = ask(&live.load());
    damage(&image_file(set.path(), &second));
    make_live(set.path(), &second).unwrap();

    for failures in 1..=2 {
        let refused = live.refresh().unwrap_err();
        assert!(matches!(refused, LiveError::Anchors(_)), "{refused:?}");
        let status = live.status();
        let degraded = status.degraded.unwrap();
        assert!(degraded.reason.contains("image.vec"), "{}", degraded.reason);
        assert_eq!((degraded.failures, status.generation), (failures, 1));
        assert_eq!(ask(&live.load()), before);
    }

    // Going back is not a swap, and ends the degraded state.
    make_live(set.path(), &first).unwrap();
    assert_eq!(live.refresh().unwrap(), RefreshOutcome::Unchanged);
    assert_eq!(live.status().degraded, None);
    // So does a restored file: a change of the same bit puts it right.
    damage(&image_file(set.path(), &second));
    make_live(set.path(), &second).unwrap();
    assert_eq!(swapped(live.refresh().unwrap()), (1, 2));
}

#[test]
fn a_process_that_starts_on_a_damaged_generation_answers_from_the_last_good_one() {
    let (set, [first, second]) = two_generations();
    let good = ask(&open(set.path()).load());
    damage(&image_file(set.path(), &second));
    make_live(set.path(), &second).unwrap();
    let live = open(set.path());
    assert_eq!(ask(&live.load()), good);
    let health = serde_json::json!(live.status());
    assert_eq!(
        (&health["generation"], &health["swaps"]),
        (&1.into(), &0.into())
    );
    assert_eq!(health["degraded"]["failures"], 1);
    let reason = health["degraded"]["reason"].as_str().unwrap();
    assert!(reason.contains("image.vec"), "{reason}");
    live.refresh().unwrap_err();
    let degraded = live.status().degraded.unwrap();
    assert_eq!(degraded.failures, 2);
    assert_eq!(health["degraded"]["since"], degraded.since);
    // A change of the same bit puts it right.
    damage(&image_file(set.path(), &second));
    assert_eq!(swapped(live.refresh().unwrap()), (1, 2));
    assert_eq!(live.status().degraded, None);

    let current = set.path().join("CURRENT");
    fs_err::write(&current, "nonsense").unwrap();
    let live = open(set.path());
    let status = live.status();
    assert_eq!(status.generation, 2);
    let reason = status.degraded.unwrap().reason;
    assert!(reason.contains("does not name a generation"), "{reason}");
    make_live(set.path(), &second).unwrap();
    assert_eq!(live.refresh().unwrap(), RefreshOutcome::Unchanged);
    assert_eq!(live.status().degraded, None);

    for manifest in [&first, &second] {
        damage(&image_file(set.path(), manifest));
    }
    let refused = LiveSet::open(set.path(), LiveOptions::default()).unwrap_err();
    let second = second.segments[0].id.as_str();
    assert!(refused.to_string().contains(second), "{refused}");
}

#[test]
fn what_was_verified_once_is_verified_again_after_it_changed() {
    let (set, [first, second]) = two_generations();
    let live = open(set.path());
    make_live(set.path(), &second).unwrap();
    live.refresh().unwrap();
    damage(&image_file(set.path(), &first));
    let third = Manifest {
        generation: 3,
        ..first
    };
    make_live(set.path(), &third).unwrap();
    let refused = live.refresh().unwrap_err().to_string();
    assert!(refused.contains("image.vec"), "{refused}");
    assert_eq!(live.status().generation, 2);
}

#[test]
fn files_that_are_missing_or_no_manifest_leave_the_old_generation_live() {
    let (set, [_, second]) = two_generations();
    let live = open(set.path());
    let current = set.path().join("CURRENT");
    for (breakage, word) in [
        (None, "no file CURRENT"),
        (Some("g000009\n"), "g000009"),
        (Some("nonsense"), "does not name a generation"),
    ] {
        match breakage {
            None => fs_err::remove_file(&current).unwrap(),
            Some(name) => fs_err::write(&current, name).unwrap(),
        }
        let refused = live.refresh().unwrap_err().to_string();
        assert!(refused.contains(word), "{refused}");
        assert_eq!(live.status().generation, 1);
        assert_eq!(live.status().degraded.unwrap().reason, refused);
    }
    assert_eq!(live.status().degraded.unwrap().failures, 3);
    make_live(set.path(), &second).unwrap();
    assert_eq!(swapped(live.refresh().unwrap()), (1, 2));
    assert_eq!(live.status().degraded, None);
}

#[test]
fn a_failing_canary_keeps_the_old_generation() {
    let (set, [_, second]) = two_generations();
    let options = LiveOptions {
        canary: Some(Box::new(|set| match set.manifest().generation {
            1 => Ok(()),
            2 => Err("a cat is a dog".to_owned()),
            _ => panic!("this check is broken"),
        })),
        ..LiveOptions::default()
    };
    let live = LiveSet::open(set.path(), options).unwrap();
    let before = ask(&live.load());
    let third = generation(set.path(), shape(), 3, 50);
    for (manifest, reason) in [(&second, "a cat is a dog"), (&third, "panicked")] {
        make_live(set.path(), manifest).unwrap();
        let refused = live.refresh().unwrap_err();
        let LiveError::Canary { generation, .. } = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(generation, manifest.generation);
        assert!(live.status().degraded.unwrap().reason.contains(reason));
        assert_eq!(ask(&live.load()), before);
    }
    let options = LiveOptions {
        canary: Some(Box::new(|_| Err("never".to_owned()))),
        ..LiveOptions::default()
    };
    let refused = LiveSet::open(set.path(), options).unwrap_err();
    assert!(matches!(refused, LiveError::Canary { .. }), "{refused:?}");
}

#[test]
fn a_generation_of_another_encoder_is_refused() {
    let (set, [_, mut second]) = two_generations();
    let live = open(set.path());
    second.text_encoder = encoder(Modality::Text, shape().text_dim, "1");
    make_live(set.path(), &second).unwrap();
    let refused = live.refresh().unwrap_err();
    let LiveError::OtherEncoder { modality, .. } = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(modality, Modality::Text);
    assert_eq!(live.status().generation, 1);
    // A process that starts now has the encoders of its choice.
    assert_eq!(open(set.path()).status().generation, 2);
}

#[test]
fn other_weights_are_taken_by_who_can_answer_with_them() {
    let (set, [_, mut second]) = two_generations();
    let mut third = generation(set.path(), shape(), 3, 50);
    let dim = shape().text_dim;
    let weighed = |weight: f64| {
        let member = |name: &str, dim: usize, weight: f64| MemberIdentity {
            name: name.to_owned(),
            fingerprint: name.repeat(64),
            dim,
            weight,
        };
        let members = vec![member("a", 1, weight), member("b", dim - 1, 1.0 - weight)];
        EncoderEntry {
            identity: EncoderIdentity::joined(Modality::Text, serde_json::json!({}), members),
            ..encoder(Modality::Text, dim, "0")
        }
    };
    second.text_encoder = weighed(0.5);
    third.text_encoder = weighed(0.25);
    make_live(set.path(), &second).unwrap();
    let strict = open(set.path());
    let options = LiveOptions {
        any_weights: true,
        ..LiveOptions::default()
    };
    let live = LiveSet::open(set.path(), options).unwrap();
    make_live(set.path(), &third).unwrap();
    let refused = strict.refresh().unwrap_err();
    assert!(
        matches!(refused, LiveError::OtherEncoder { .. }),
        "{refused:?}"
    );
    assert_eq!(swapped(live.refresh().unwrap()), (2, 3));
}
