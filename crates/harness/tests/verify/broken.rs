//! Tables that somebody broke, each in a way of its own.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, StringArray, TimestampMicrosecondArray};
use medallion_harness::small_lake::Endpoints;
use medallion_transforms::verify::{Counts, Kind, RowDifference, Shown, Verification};

use crate::lake::{Lake, change, changes, file, load, loaded, sequence, with};

/// What must not be seen anywhere.
const SECRET: &str = "maria das dores";

fn text(value: &str) -> ArrayRef {
    Arc::new(StringArray::from(vec![value]))
}

async fn healthy<'a>(endpoints: &'a Endpoints, name: &str, rows: u32) -> Lake<'a> {
    let lake = Lake::new(endpoints, name).await;
    let row = |id: u32| {
        let (id, amount) = (id.to_string(), format!("{}.25", id % 97));
        loaded([&id, SECRET, &amount, "1.5", "2026-01-01"])
    };
    lake.put(0, &load(1), file((1..=rows).map(row).collect())).await;
    let update = vec![change("U", 5, Some("7"), ["7", SECRET, "0.07", "1.5", "2026-01-01"])];
    lake.put(1, &changes(1), file(update)).await;
    lake.run().await;
    lake
}

/// Text and JSON; neither may hold a personal value.
fn shown(found: &Verification) -> String {
    let json = serde_json::to_string(&found.to_json()).unwrap();
    let text = found.to_string();
    for output in [&json, &text] {
        for personal in [SECRET, "joana", "eva"] {
            assert!(!output.contains(personal), "{output}");
        }
    }
    text
}

/// Kind, id and differing columns of the rows that are shown.
fn told(found: &Verification) -> Vec<(Kind, String, Vec<String>)> {
    let row = |row: &RowDifference| {
        let Shown::Text(id) = &row.key[0].1 else { panic!("{row:?}") };
        (row.kind, id.clone(), row.columns.iter().map(|c| c.column.clone()).collect())
    };
    let mut told: Vec<_> = found.shown().map(row).collect();
    told.sort();
    told
}

fn expect(kind: Kind, id: &str, columns: &[&str]) -> (Kind, String, Vec<String>) {
    (kind, id.to_owned(), columns.iter().map(|c| (*c).to_owned()).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_way_to_break_a_row_is_told() {
    let endpoints = Endpoints::start().await.unwrap();
    let lake = healthy(&endpoints, "each", 40).await;
    lake.assert_equal("before").await;
    lake.delete(&[3]).await;
    lake.replace(7, "amount", text("0.08")).await;
    lake.replace(9, "name", text("joana")).await;
    lake.add(lake.row(11).await).await;
    lake.add(with(&lake.row(12).await, "id", Arc::new(Int32Array::from(vec![900])))).await;
    let found = lake.verify().await;
    use Kind::{Differs, Missing, Repeated, Unexpected};
    let expected = [
        expect(Missing, "3", &[]),
        expect(Unexpected, "900", &[]),
        expect(Differs, "7", &["amount"]),
        expect(Differs, "9", &["name"]),
        expect(Repeated, "11", &[]),
    ];
    assert_eq!(told(&found), expected, "{found}");
    let counts = Counts { missing: 1, unexpected: 1, differing: 2, repeated: 1, untold: 0 };
    assert_eq!((found.counts(), found.rows()), (counts, (41, 40)));
    let text = shown(&found);
    for line in [
        "verify shop.items against Bronze: DIFFERENT",
        "  id `3`: missing in Silver\n",
        "  id `7`: differs\n    amount: `0.08` in Silver, `0.07` expected\n",
        "  id `9`: differs\n    name: <personal> in Silver, <personal> expected\n",
        "  id `11`: repeated (2 rows in Silver)\n",
        "  id `900`: unexpected in Silver\n",
        "1 missing, 1 unexpected, 2 differ, 1 repeated\n",
    ] {
        assert!(text.contains(line), "`{line}` is not in\n{text}");
    }
    let json = found.to_json();
    assert_eq!((&json["equal"], &json["differences"]["differing"]), (&false.into(), &2.into()));
    let buckets = json["buckets"].as_array().unwrap();
    let rows = buckets.iter().flat_map(|bucket| bucket["rows"].as_array().unwrap());
    let nine = rows.into_iter().find(|row| row["key"]["id"] == "9").unwrap();
    assert_eq!(nine["columns"][0]["silver"], serde_json::json!({"personal": true}));

    let two = lake.verify_job(1 << 30, 2).against_bronze().await.unwrap();
    assert_eq!((two.shown().count(), two.counts()), (2, counts));
    assert!(two.to_string().contains("2 of 5 shown"), "{two}");
    endpoints.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_no_applied_change_made_is_told() {
    let endpoints = Endpoints::start().await.unwrap();
    let lake = healthy(&endpoints, "untold", 10).await;
    // An update that changes nothing leaves the row with its older sequence, which is fine.
    let same = vec![change("U", 9, Some("7"), ["7", SECRET, "0.07", "1.5", "2026-01-01"])];
    lake.put(2, &changes(2), file(same)).await;
    lake.run().await;
    lake.assert_equal("an older change with the same values").await;
    for (number, id) in [(99, 2), (1, 7)] {
        lake.replace(id, "_change_seq", text(&sequence(number))).await;
    }
    let time: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![1]));
    lake.replace(3, "_changed_at", time).await;
    let found = lake.verify().await;
    let changed = ["_change_seq", "_changed_at"];
    let expected = [
        expect(Kind::Untold, "2", &changed[..1]),
        expect(Kind::Untold, "3", &changed[1..]),
        expect(Kind::Untold, "7", &changed),
    ];
    assert_eq!(told(&found), expected, "{found}");
    assert!(shown(&found).contains("id `2`: no applied change made this row"));
    endpoints.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_the_broken_rows_among_many_are_found() {
    let endpoints = Endpoints::start().await.unwrap();
    let mut lake = healthy(&endpoints, "many", 50_000).await;
    lake.memories = [1 << 19, 1 << 21];
    assert!(lake.try_verify().await.unwrap().is_equal());
    lake.delete(&[17, 49_999]).await;
    for (id, column, value) in
        [(1, "name", "eva"), (25_000, "amount", "77.77"), (50_000, "due", "2025-12-31")]
    {
        lake.replace(id, column, text(value)).await;
    }
    let found = lake.verify().await;
    use Kind::{Differs, Missing};
    let expected = [
        expect(Missing, "17", &[]),
        expect(Missing, "49999", &[]),
        expect(Differs, "1", &["name"]),
        expect(Differs, "25000", &["amount"]),
        expect(Differs, "50000", &["due"]),
    ];
    assert_eq!(told(&found), expected, "{found}");
    let counts = Counts { missing: 2, differing: 3, ..Counts::default() };
    assert_eq!((found.counts(), found.rows()), (counts, (49_998, 50_000)));
    shown(&found);
    endpoints.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_is_wrong_altogether_is_counted_in_full() {
    let endpoints = Endpoints::start().await.unwrap();
    let mut lake = healthy(&endpoints, "altogether", 3_000).await;
    lake.memories = [1 << 16, 1 << 18];
    let ids: Vec<i32> = (1..=3_000).collect();
    lake.delete(&ids).await;
    let found = lake.verify().await;
    let counts = Counts { missing: 3_000, ..Counts::default() };
    assert_eq!((found.counts(), found.shown().count()), (counts, 20));
    assert!(shown(&found).contains("20 of 3000 shown"));
    endpoints.stop().await;
}
