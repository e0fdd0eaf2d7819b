//! Headers that are wrong: each mistake with its place, its rule and a hint.

use super::{changed, read};

/// What is replaced in the right header, by what, and what is found then.
type Case = (&'static str, &'static str, &'static str);

const IN_CHECKS: &[Case] = &[
    ("kind = \"not_null\"", "kind = \"null\"", "33 definition/bad-value"),
    ("kind = \"not_null\"\n", "", "32 definition/missing-key"),
    ("kind = \"not_null\"", "kind = 1", "33 definition/bad-value"),
    ("severity = \"warn\"", "severity = \"info\"", "64 definition/bad-value"),
    ("column = \"orders\"", "column = \"order\"", "34 model/check-column"),
    ("column = \"orders\"", "column = \"Orders\"", "34 definition/bad-value"),
    ("column = \"orders\"\n", "", "32 definition/missing-key"),
    ("column = \"orders\"", "column = \"orders\"\nvalues = [\"1\"]", "35 definition/unknown-key"),
    ("[\"shop\", \"day\"]", "[\"shop\", \"days\"]", "38 model/check-column"),
    ("[\"shop\", \"day\"]", "[\"shop\", \"shop\"]", "38 model/check"),
    ("[\"shop\", \"day\"]", "[]", "38 model/check"),
    ("[\"shop\", \"day\"]", "\"shop\"", "38 definition/bad-value"),
    ("columns = [\"shop\", \"day\"]\n", "", "36 definition/missing-key"),
    ("[\"1\", \"2\"]", "[]", "43 model/check"),
    ("[\"1\", \"2\"]", "[1]", "43 definition/bad-value"),
    ("values = [\"1\", \"2\"]\n", "", "40 definition/missing-key"),
    ("bronze.shop_orders", "shop_orders", "48 model/check"),
    ("bronze.shop_orders", "copper.shop_orders", "48 model/check"),
    ("bronze.shop_orders", "bronze.orders", "45 model/relationship"),
    ("bronze.shop_orders", "gold.days", "45 model/relationship"),
    ("to_column = \"op\"", "to_column = \"od\"", "45 model/relationship"),
    ("to_column = \"op\"\n", "", "45 definition/missing-key"),
    ("max_drop = 0.2\nmax_growth = 1.5\n", "", "51 model/check"),
    ("max_drop = 0.2", "max_drop = 1.001", "53 model/check"),
    ("max_drop = 0.2", "max_drop = -0.0001", "53 model/check"),
    ("max_drop = 0.2", "max_drop = nan", "53 model/check"),
    ("max_drop = 0.2", "max_drop = 0.0005", "53 model/check"),
    ("max_drop = 0.2", "max_drop = \"20 %\"", "53 definition/bad-value"),
    ("max_growth = 1.5", "max_growth = -0.5", "54 model/check"),
    ("max_growth = 1.5", "max_growth = inf", "54 model/check"),
    ("column = \"day\"\nmax_age", "column = \"shop\"\nmax_age", "58 model/check"),
    ("\"36h\"", "\"0h\"", "59 model/check"),
    ("\"36h\"", "\"36\"", "59 model/check"),
    ("\"36h\"", "\"h\"", "59 model/check"),
    ("\"36h\"", "\"+3h\"", "59 model/check"),
    ("\"36h\"", "\"1.5h\"", "59 model/check"),
    ("\"36h\"", "\"2hh\"", "59 model/check"),
    ("\"36h\"", "\"36526d\"", "59 model/check"),
    ("\"36h\"", "\"99999999999999999999d\"", "59 model/check"),
    ("\"36h\"", "36", "59 definition/bad-value"),
    ("max_age = \"36h\"\n", "", "56 definition/missing-key"),
    ("\"select * from this where share < 0;\"", "\" ; \"", "65 model/check"),
    ("\"no negative shares\"", "\" \"", "63 model/check"),
    ("\"no negative shares\"", "\"a\\nb\"", "63 model/check"),
    ("\"no negative shares\"", "\"not_null(orders)\"", "63 model/duplicate"),
];

/// `line rule` of everything that is found.
fn found(model: &str) -> Vec<String> {
    let findings = read(model).unwrap_err();
    findings.iter().map(|f| format!("{} {}", f.line, f.rule)).collect()
}

#[test]
fn each_mistake_in_a_check_is_one_finding_with_its_place() {
    for (from, to, expected) in IN_CHECKS {
        assert_eq!(found(&changed(from, to)), [*expected], "{to}");
    }
    let again = changed("---*/", "[[check]]\nkind = \"not_null\"\ncolumn = \"orders\"\n---*/");
    assert_eq!(found(&again), ["66 model/duplicate"]);
}

#[test]
fn each_mistake_in_how_a_table_is_kept_is_one_finding_with_its_place() {
    let incremental = "{ incremental = [\"shop\"] }";
    let bucket = "\"bucket(shop, 8)\"";
    let cases = [
        (incremental, "\"partly\"", "5 model/materialisation"),
        (incremental, "1", "5 model/materialisation"),
        (incremental, "{ incremental = [] }", "5 model/materialisation"),
        (incremental, "{}", "5 model/materialisation"),
        (incremental, "{ incremental = \"shop\" }", "5 definition/bad-value"),
        (incremental, "{ incremental = [\"shop\"], by = 1 }", "5 definition/unknown-key"),
        (incremental, "{ incremental = [\"shop\", \"orders\"] }", "5 model/materialisation"),
        (incremental, "{ incremental = [\"shop\", \"shop\"] }", "5 model/materialisation"),
        ("type = \"long\"\nnullable = false", "type = \"long\"", "14 model/materialisation"),
        ("type = \"date\"\nnullable = false", "type = \"date\"", "8 model/materialisation"),
        ("[\"day\", \"shop\"]", "[\"share\", \"shop\"]", "26 model/materialisation"),
        (bucket, "\"none\"", "6 model/partitioning"),
        (bucket, "\"day(day)\"", "6 model/partitioning"),
        (bucket, "\"bucket(shop)\"", "6 model/partitioning"),
        (bucket, "\"bucket(shop, 1)\"", "6 model/partitioning"),
        (bucket, "\"bucket(shop, 1025)\"", "6 model/partitioning"),
        (bucket, "\"bucket(shop, 8, 9)\"", "6 model/partitioning"),
        (bucket, "\"bucket(Shop, 8)\"", "6 model/partitioning"),
        (bucket, "\"bucket(store, 8)\"", "6 model/partitioning"),
        (bucket, "\"bucket(day, 8)\"", "6 model/partitioning"),
        (bucket, "8", "6 definition/bad-value"),
        ("type = \"long\"\nnullable", "type = \"boolean\"\nnullable", "6 model/partitioning"),
        ("[\"day\", \"shop\"]", "[\"day\", \"shop\", \"shop\"]", "4 model/grain"),
        ("\" counts of at least five people \"", "\" \"", "24 model/safe"),
        ("\" counts of at least five people \"", "true", "24 definition/bad-value"),
        ("sensitivity = \"internal\"", "sensitivity = \"personal\"", "24 model/safe"),
    ];
    for (from, to, expected) in cases {
        let model = changed(from, to);
        // A full model is found by its grain, and no bucket begins with `shop` then.
        let unread = to == "1" || to == "\"partly\"";
        let model = if unread { model.replace("bucket(shop", "bucket(day") } else { model };
        assert_eq!(found(&model), [expected], "{to}");
    }
}

#[test]
fn a_full_model_in_buckets_is_found_by_its_grain() {
    let full = changed("{ incremental = [\"shop\"] }", "\"full\"");
    assert_eq!(found(&full), ["6 model/partitioning"]);
    let nullable = full
        .replace("bucket(shop", "bucket(day")
        .replace("type = \"long\"\nnullable = false", "type = \"long\"");
    assert_eq!(found(&nullable), ["14 model/partitioning"]);
}

#[test]
fn a_mistake_comes_with_what_to_do_about_it() {
    let cases = [
        ("kind = \"not_null\"", "kind = \"null\"", "known are not_null, unique, accepted_values"),
        ("column = \"orders\"", "columns = [\"orders\"]", "did you mean `column`?"),
        ("\"bucket(shop, 8)\"", "\"day(day)\"", "only hash buckets are written"),
        ("bronze.shop_orders", "bronze.orders", "tables of bronze: shop_orders"),
        ("to_column = \"op\"", "to_column = \"od\"", "op, dms_ts, id, bi_id, change_seq"),
        ("bronze.shop_orders", "gold.days", "reads this one as `this`"),
        ("[\"day\", \"shop\"]", "[\"share\", \"shop\"]", "no floating-point numbers"),
    ];
    for (from, to, expected) in cases {
        let findings = read(&changed(from, to)).unwrap_err();
        assert!(findings.iter().any(|f| f.hint.contains(expected)), "{to}: {findings}");
    }
}

#[test]
fn all_findings_of_a_header_come_at_once() {
    let model = changed("incremental = [\"shop\"]", "incremental = []")
        .replace("bucket(shop, 8)", "bucket(share, 8)")
        .replace("column = \"orders\"", "column = \"order\"")
        .replace("max_drop = 0.2", "max_drop = 2");
    let expected = [
        "5 model/materialisation",
        "6 model/partitioning",
        "34 model/check-column",
        "53 model/check",
    ];
    assert_eq!(found(&model), expected);
}
