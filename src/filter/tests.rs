use serde_json::{Map, Value, json};

use super::{NearestValues, PairFields, PairFilter};

fn matches(filter: &str, meta: &Value) -> bool {
    let filter = PairFilter::parse(filter).unwrap_or_else(|error| panic!("{error}"));
    let meta: &Map<String, Value> = meta.as_object().unwrap();
    let pair = PairFields {
        id: "p-1",
        image: "dogs/1.jpg",
        captions: &["a grey dog".to_owned(), "the dog's park".to_owned()],
        meta,
    };
    let matches = filter.matches(&pair);
    // What stands in the log of an anchor set is read back with the same meaning.
    let read_back = PairFilter::parse(&filter.to_string()).unwrap();
    assert_eq!(read_back, filter, "{filter}");
    assert_eq!(read_back.matches(&pair), matches, "{filter}");
    matches
}

#[test]
fn values_may_hold_spaces_and_every_term_counts() {
    let both = json!({"license": "CC BY 4.0", "source": "mine"});
    let filter = PairFilter::parse("licence=CC BY 4.0 source=mine").unwrap();
    assert_eq!(filter.to_string(), "licence=CC BY 4.0 source=mine");
    assert!(matches("licence=CC BY 4.0 source=mine", &both));
    let yours = json!({"license": "CC BY 4.0", "source": "yours"});
    assert!(!matches("licence=CC BY 4.0 source=mine", &yours));
    assert!(!matches(
        "licence=CC BY 4.0 source=mine",
        &json!({"source": "mine"})
    ));
    assert!(matches("year=2026", &json!({"year": 2026})));
    let bad_quotes = ["a=\"b", "a=\"b\"c", "a=\"b\\\"", "a=\"\""];
    for bad in ["", "  ", "mine", "=x", "licence=", "licence= source=x"]
        .into_iter()
        .chain(bad_quotes)
    {
        assert!(PairFilter::parse(bad).is_err(), "{bad:?}");
    }
}

/// What stands in a pair can be asked for, whatever it is, in both forms, and is read back from the log.
#[test]
fn every_value_can_be_written() {
    for value in [
        "Zo\u{eb} \"Q=\" O\u{2019}Hara",
        "two  spaces",
        " at the ends ",
        "a b=c",
        "\"",
        "'",
        "\\",
        "a\nb",
        "x=y",
        "a=1 and b=2",
        "\"a\" b",
        "100%_x",
    ] {
        let meta = json!({"photographer": value, "people": ["Bob", value]});
        for key in ["photographer", "people"] {
            let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
            assert!(matches(
                &format!("people=Bob {key}=\"{escaped}\" people=Bob"),
                &meta
            ));
            let quoted = value.replace('\'', "''");
            assert!(matches(&format!("{key} = '{quoted}'"), &meta), "{value:?}");
            assert!(
                !matches(&format!("{key} != '{quoted}'"), &meta),
                "{value:?}"
            );
            let escaped = quoted
                .replace('~', "~~")
                .replace('%', "~%")
                .replace('_', "~_");
            assert!(
                matches(&format!("{key} like '{escaped}' escape '~'"), &meta),
                "{value:?}"
            );
        }
    }
    assert!(!matches("people=Eve", &json!({"people": ["Bob"]})));
}

#[test]
fn expressions_mean_what_they_mean_in_sql() {
    let meta = json!({
        "source": "shop", "licence": "CC-BY-4.0", "year": 2021, "size": "1500", "ratio": 0.5,
        "tags": ["red", "old"], "sold": true, "gone": null, "big": 9007199254740993u64,
    });
    for (filter, expected) in [
        (
            "source = 'shop' and licence like 'CC-BY%' and year >= 2020",
            true,
        ),
        ("source='shop' and year>=2020", true),
        ("source = 'shop' and year > 2021", false),
        ("2020 <= year", true),
        ("2022 <= year", false),
        ("year between 2020 and 2021", true),
        ("year not between 2020 and 2021", false),
        ("year in (2019, 2021)", true),
        ("year not in (2019, 2021)", false),
        // Text of a table, and a number that is asked for as text.
        ("size > 1000", true),
        ("size > 999.5", true),
        ("year = '2021'", true),
        ("year > '300'", true),
        ("ratio = 0.50", true),
        ("ratio > -1", true),
        ("big = 9007199254740992", false),
        ("big = 9007199254740993", true),
        ("tags = 'old'", true),
        ("tags != 'old'", false),
        ("tags in ('new', 'red')", true),
        ("tags like 'r_d'", true),
        ("sold = true", true),
        ("sold", false),
        ("license ilike 'cc-by%'", true),
        ("licence like 'cc-by%'", false),
        ("licence not like '%NC%'", true),
        ("source = 'other' or year = 2021 and sold = true", true),
        ("(source = 'other' or year = 2021) and sold = false", false),
        ("not source = 'other'", true),
        // A key that the pair lacks.
        ("price = 1", false),
        ("price != 1", false),
        ("not (price = 1)", false),
        ("price is null", true),
        ("gone is null", true),
        ("source is null", false),
        ("source is not null", true),
        ("price = 1 or source = 'shop'", true),
        ("not (price = 1 and source = 'other')", true),
        ("not (price = 1 and source = 'shop')", false),
        // What is not metadata.
        ("id = 'p-1'", true),
        ("image like 'dogs/%'", true),
        ("caption like '%dog''s%'", true),
        ("captions ilike 'A GREY%'", true),
        ("\"source\" = 'shop'", true),
    ] {
        if filter == "sold" {
            assert!(PairFilter::parse(filter).is_err());
            continue;
        }
        assert_eq!(matches(filter, &meta), expected, "{filter}");
    }
}

/// What reads as the short form, but was meant as an expression, would select nothing without a word.
#[test]
fn slips_between_the_forms_are_the_right_meaning_or_an_error() {
    let meta =
        json!({"source": "shop", "year": 2003, "title": "salt and pepper", "n": "a and b=c"});
    for filter in [
        "(year=2003)",
        "(year=2003 and source='shop')",
        "year=2003 and source='shop'",
        "year=2003 AND (source = 'shop')",
        "year=2003 or source='x'",
        // Still the short form.
        "title=salt and pepper source=shop",
        "title=salt and pepper",
        "n=\"a and b=c\" source=shop",
        "source=shop year=2003",
    ] {
        assert!(matches(filter, &meta), "{filter}");
    }
    for filter in [
        "year=2003 and source=shop",
        "year=2003 and",
        "year=2003 or not source=shop",
        "source=shop and year > 2020",
        "source=shop and title like 'salt%'",
        "upper(source)='SHOP'",
        "year>=2003 source=shop",
        "source!=shop",
        "source=shop year<2005",
        "year=>2003",
    ] {
        let parsed = PairFilter::parse(filter);
        assert!(parsed.is_err(), "{filter}: {parsed:?}");
    }
}

#[test]
fn what_has_no_meaning_is_refused_with_the_reason() {
    for (filter, reason) in [
        ("year >= ", "is not an expression"),
        ("year >= 2020 and", "is not an expression"),
        ("source like 5", "not a text"),
        ("lower(source) = 'shop'", "in the place of a key"),
        ("year + 1 > 3", "in the place of a key"),
        ("year > other", "single quotes"),
        ("year is true", "not a comparison"),
        ("source in (select 1)", "not a comparison"),
        ("year > null", "is null"),
        ("1 > 2", "in the place of a key"),
        ("year >= 2020 2021", "continues no comparison"),
    ] {
        let error = PairFilter::parse(filter).unwrap_err().to_string();
        assert!(error.contains(reason), "{filter}: {error}");
    }
    let deep = format!("{}a > 1{}", "(".repeat(2000), ")".repeat(2000));
    assert!(PairFilter::parse(&deep).is_err());
    let long = vec!["a > 1"; 900].join(" or ");
    assert!(PairFilter::parse(&long).is_ok());
    let longer = vec!["a > 1"; 9000].join(" or ");
    assert!(
        PairFilter::parse(&longer)
            .unwrap_err()
            .to_string()
            .contains("more than")
    );
}

#[test]
fn values_of_an_expression_can_be_replaced() {
    let filter = "source = 'a' or not (year in (1, 2) and name like 'J%' escape '!') or x is null";
    let filter = PairFilter::parse(filter).unwrap();
    let values: Vec<String> = filter.terms().into_iter().map(|(_, value)| value).collect();
    assert_eq!(values, ["a", "1", "2", "J%", "null"]);
    let hidden = filter.with_values(|_| "-".to_owned()).to_string();
    assert_eq!(
        hidden,
        "(\"source\" = '-' or (not (\"year\" in ('-', '-') and \"name\" like '-')) or \"x\" is null)"
    );
    assert!(PairFilter::parse(&hidden).is_ok());
}

#[test]
fn the_nearest_keys_and_values_are_named() {
    let told = |filter: &str| {
        let mut nearest = NearestValues::of(&PairFilter::parse(filter).unwrap());
        for source in ["shop", "flickr", "museum", "archive"] {
            let meta = json!({"source": source, "year": 2020});
            nearest.see(&PairFields {
                id: "a",
                image: "a.jpg",
                captions: &[],
                meta: meta.as_object().unwrap(),
            });
        }
        nearest.to_string()
    };
    assert!(told("source=Shops").starts_with("of \"source\" the nearest values are \"shop\", "));
    assert!(told("sorce = 'shop'").contains("a key \"sorce\", the nearest are \"source\""));
    assert!(told("source = 'shop' and year = 2020").contains("together"));
}
