//! Recipes by name, in manifests, and the senseless ones.

use super::*;

#[test]
fn every_name_is_a_valid_space_and_survives_json() {
    for (name, _) in known_spaces() {
        let recipe = Recipe::named(name).unwrap();
        recipe.validate().unwrap();
        let json = serde_json::to_string(&recipe).unwrap();
        assert_eq!(
            serde_json::from_str::<Recipe>(&json).unwrap(),
            recipe,
            "{json}"
        );
    }
    let two = Recipe::named("asif+canonical").unwrap();
    two.validate().unwrap();
    assert_eq!(two.parts.len(), 2);
    assert_eq!(two.shares(), [0.5, 0.5]);
    let error = Recipe::named("asif+cca").unwrap_err().to_string();
    assert!(
        error.contains("\"cca\"") && error.contains("canonical"),
        "{error}"
    );
}

#[test]
fn a_manifest_with_plain_parameters_is_plain_rows() {
    let json = r#"{"k": 800, "p": 8.0, "center": false, "negatives": "raw"}"#;
    let recipe: Recipe = serde_json::from_str(json).unwrap();
    assert_eq!(recipe, RelativeParams::PAPER.into());
    assert_eq!(
        recipe.to_string(),
        "1 paper (k 800, p 8, not centred, negatives raw)"
    );
}

#[test]
fn few_anchors_leave_plain_rows() {
    let fused = Recipe::fused();
    assert_eq!(fused.for_anchors(FEW - 1), RelativeParams::default().into());
    assert_eq!(fused.for_anchors(FEW), fused);
    assert!(fused.few_anchors(FEW).is_none() && fused.few_anchors(3).is_some());
    assert!(
        fused.in_use(3).starts_with("1 asif ("),
        "{}",
        fused.in_use(3)
    );
    assert!(
        fused
            .in_use(360)
            .ends_with("calibrated on all 360 anchors, best 36")
    );
    assert_eq!(fused.in_use(1000), fused.to_string());
    let canonical = Recipe::named("canonical").unwrap();
    assert_eq!(canonical.for_anchors(3), canonical);
}

#[test]
fn senseless_recipes_are_refused() {
    let with = |change: fn(&mut Recipe)| {
        let mut recipe = Recipe::fused();
        change(&mut recipe);
        recipe.validate()
    };
    assert_eq!(with(|r| r.parts.clear()), Err(RecipeError::Empty));
    assert_eq!(with(|r| r.calibration = None), Err(RecipeError::Scales));
    assert!(with(|r| r.parts[1].weight = f64::NAN).is_err());
    assert!(
        with(|r| r.calibration = Some(ScoreCalibration {
            cohort: 5,
            ..ScoreCalibration::default()
        }))
        .is_err()
    );
    assert!(with(|r| r.calibration = Some(ScoreCalibration::of(HubnessCorrection::Nnn { alpha: -1.0 }))).is_err());
    assert!(with(|r| r.parts[0].part.rows_mut().unwrap().k = 0).is_err());
}

const ALL: [HubnessCorrection; 4] = [
    HubnessCorrection::SNorm,
    HubnessCorrection::Csls,
    HubnessCorrection::NNN,
    HubnessCorrection::None,
];

#[test]
fn every_correction_goes_with_every_space_and_survives_json() {
    for name in ["asif", "canonical", "fused", "asif+ridge"] {
        for hubness in ALL {
            let recipe = Recipe::named(name).unwrap().with_hubness(hubness);
            recipe.validate().unwrap();
            assert_eq!(recipe.hubness(), hubness);
            let json = serde_json::to_string(&recipe).unwrap();
            assert_eq!(
                serde_json::from_str::<Recipe>(&json).unwrap(),
                recipe,
                "{json}"
            );
        }
    }
    assert_eq!(
        Recipe::fused().with_hubness(HubnessCorrection::SNorm),
        Recipe::fused()
    );
    let plain = Recipe::from(RelativeParams::default());
    let corrected = plain.clone().with_hubness(HubnessCorrection::Csls);
    assert_eq!(corrected.with_hubness(HubnessCorrection::None), plain);
}

#[test]
fn a_correction_that_is_there_keeps_its_numbers() {
    let own = ScoreCalibration {
        cohort: 500,
        top: 7,
        hubness: HubnessCorrection::Nnn { alpha: 0.5 },
    };
    let recipe = Recipe {
        calibration: Some(own),
        ..Recipe::fused()
    };
    assert_eq!(recipe.clone().with_hubness(HubnessCorrection::NNN), recipe);
    let other = recipe.with_hubness(HubnessCorrection::Csls).calibration;
    assert_eq!(other, Some(ScoreCalibration::of(HubnessCorrection::Csls)));
}

#[test]
fn a_manifest_that_names_no_correction_means_s_norm() {
    let part = r#"{"weight": 1.0, "kind": "procrustes"}"#;
    let json = |calibration: &str| {
        let json = format!(r#"{{"parts": [{part}], "calibration": {calibration}}}"#);
        serde_json::from_str::<Recipe>(&json).map(|r| r.calibration)
    };
    let s_norm = json(r#"{"cohort": 1000, "top": 100}"#).unwrap();
    assert_eq!(s_norm, Some(ScoreCalibration::default()));
    assert_eq!(
        serde_json::to_string(&s_norm).unwrap(),
        r#"{"cohort":1000,"top":100}"#,
        "an older reader understands it too"
    );
    let csls = json(r#"{"cohort": 1000, "top": 10, "hubness": "csls"}"#).unwrap();
    assert_eq!(csls, Some(ScoreCalibration::of(HubnessCorrection::Csls)));
    let nnn = json(r#"{"cohort": 1000, "top": 128, "hubness": {"nnn": {"alpha": 0.75}}}"#).unwrap();
    assert_eq!(nnn, Some(ScoreCalibration::of(HubnessCorrection::NNN)));
    assert!(json(r#"{"cohort": 1000, "top": 10, "hubness": "zca"}"#).is_err());
}
