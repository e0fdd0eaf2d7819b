use super::{Rows, answer};

const FEED: &str = "op, dms_ts, change_seq";
const STATE: &str = "_change_seq, _changed_at, _loaded_at";
const REJECTED: &str = "change_seq, quarantined_at";

/// The number of a change of a day.
fn seq(day: &str, number: u64) -> String {
    format!("{}23595900{number:019}", day.replace('-', ""))
}

fn change(op: &str, day: &str, number: u64) -> String {
    format!("('{op}', '{day} 23:59:59.000000', '{}')", seq(day, number))
}

fn rows<'a>(table: &'a str, columns: &'a str, rows: &[String]) -> Rows<'a> {
    (table, columns, rows.join(", "))
}

#[tokio::test]
async fn every_row_and_every_change_counts_once_on_its_day() {
    let feed = [
        "('I', '2026-03-01 08:00:00.000001', '')".to_owned(),
        "('I', '2026-03-01 08:00:00.000001', null)".to_owned(),
        "('I', '2026-03-02 00:00:00.000000', '')".to_owned(),
        change("I", "2026-03-01", 1),
        // Delivered again after a break.
        change("I", "2026-03-01", 1),
        change("U", "2026-03-02", 2),
        change("U", "2026-03-02", 3),
        change("U", "2026-03-02", 3),
        change("D", "2026-03-02", 4),
    ];
    // The same number in another table is another change.
    let addresses = [change("D", "2026-03-02", 4)];
    let rejected = [
        format!("('{}', '2026-03-05T00:00:00Z')", seq("2026-03-02", 3)),
        format!("('{}', '2026-03-06T00:00:00Z')", seq("2026-03-02", 3)),
        "('', '2026-03-02T23:59:59.999999Z')".to_owned(),
        "('', '2026-03-03T00:00:00Z')".to_owned(),
        "('', '2026-03-03T00:00:00Z')".to_owned(),
    ];
    let found = answer(
        "registry_operations",
        &[
            rows("bronze.crm_customers", FEED, &feed),
            rows("bronze.crm_addresses", FEED, &addresses),
            rows("quarantine.crm_customers", REJECTED, &rejected),
        ],
    )
    .await;
    assert_eq!(
        found,
        [
            "2026-03-01|crm.customers|2|1|0|0|0|NULL|NULL|NULL",
            "2026-03-02|crm.addresses|0|0|0|1|0|NULL|NULL|NULL",
            "2026-03-02|crm.customers|1|0|2|1|2|NULL|NULL|NULL",
            "2026-03-03|crm.customers|0|0|0|0|2|NULL|NULL|NULL",
        ]
    );
}

#[tokio::test]
async fn latencies_are_those_of_changes_by_the_day_of_their_commit() {
    // One to a hundred and one seconds, in no order.
    let mut state: Vec<String> = (1..=101)
        .map(|n| {
            let seconds = n * 37 % 102;
            let (minutes, rest) = (seconds / 60, seconds % 60);
            let at = "2026-03-02T23:58:00Z";
            let loaded = if minutes < 1 {
                format!("2026-03-02T23:58:{rest:02}.000007Z")
            } else {
                format!("2026-03-02T23:59:{rest:02}.000007Z")
            };
            format!("('{}', '{at}', '{loaded}')", seq("2026-03-02", n))
        })
        .collect();
    let of_other_days = [
        // A full load's row says when it was read, not when it was committed.
        "('', '2026-03-02T10:00:00Z', '2026-03-02T22:00:00Z')".to_owned(),
        format!("('{}', null, '2026-03-02T22:00:00Z')", seq("2026-03-02", 900)),
        format!("('{}', '2026-03-01T23:59:59Z', '2026-03-02T00:00:00.5Z')", seq("2026-03-01", 901)),
    ];
    state.extend(of_other_days);
    let found = answer("registry_operations", &[rows("silver.crm_consents", STATE, &state)]).await;
    assert_eq!(
        found,
        [
            "2026-03-01|crm.consents|0|0|0|0|0|1.500000|1.500000|1.500000",
            "2026-03-02|crm.consents|0|0|0|0|0|51.000007|96.000007|100.000007",
        ]
    );
}

#[tokio::test]
async fn a_lake_without_rows_has_no_day() {
    assert!(answer("registry_operations", &[]).await.is_empty());
}
