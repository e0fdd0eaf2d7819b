use super::{answer, times};

const CUSTOMERS: &str = "id, region, segment, credit_limit";
const CONSENTS: &str = "customer_id, channel, purpose, granted, revoked_at";

/// Rows with numbers from `first` on: `id`, then the same for all.
fn numbered(first: usize, rows: &[String]) -> Vec<String> {
    rows.iter().enumerate().map(|(n, row)| format!("({}, {row})", first + n)).collect()
}

#[tokio::test]
async fn no_figure_of_a_region_is_about_one_to_four_customers() {
    let limits = |with: usize, without: usize, group: &str| {
        let with = times(with, &format!("{group}, 100.01"));
        [with, times(without, &format!("{group}, null"))].concat()
    };
    let customers = [
        numbered(100, &limits(4, 0, "'AC', 'retail'")),
        numbered(200, &limits(5, 0, "'AC', 'premium'")),
        numbered(300, &limits(4, 6, "'AM', 'retail'")),
        // Five with a limit, but their number would tell that four have none.
        numbered(400, &limits(5, 4, "'AM', 'premium'")),
        numbered(500, &limits(5, 5, "'SP', 'retail'")),
        numbered(600, &limits(0, 5, "'SP', 'premium'")),
    ]
    .concat();
    let consent = |id: usize, granted: u8, revoked: &str| {
        format!("({id}, 'email', 'marketing', {granted}, {revoked})")
    };
    // All but one of SP's retail customers, four of AM's, all of AC's; one is counted once.
    let consents: Vec<String> = (500..509)
        .chain(300..304)
        .chain(200..205)
        .map(|id| consent(id, 1, "null"))
        .chain([
            "(200, 'email', 'billing', 1, null)".to_owned(),
            consent(600, 1, "'2026-01-01T00:00:00'"),
            consent(601, 0, "null"),
        ])
        .collect();
    let found = answer(
        "customers_by_region",
        &[
            ("silver.crm_customers", CUSTOMERS, customers.join(", ")),
            ("silver.crm_consents", CONSENTS, consents.join(", ")),
        ],
    )
    .await;
    assert_eq!(
        found,
        [
            "AC|premium|5|5|5|500.05|100.01",
            "AM|premium|9|0|NULL|NULL|NULL",
            "AM|retail|10|NULL|NULL|NULL|NULL",
            "SP|premium|5|0|0|NULL|NULL",
            "SP|retail|10|NULL|5|500.05|100.01",
        ]
    );
}

#[tokio::test]
async fn the_parts_of_the_answers_are_told_all_or_not_at_all() {
    let customers = numbered(1, &times(60, "'SP', 'retail', null"));
    let answers = |first: usize, purpose: &str, parts: [usize; 3]| {
        let rows = [
            times(parts[0], &format!("'email', '{purpose}', 1, null")),
            times(parts[1], &format!("'email', '{purpose}', 0, null")),
            times(parts[2], &format!("'email', '{purpose}', 1, '2026-01-01T00:00:00'")),
        ];
        numbered(first, &rows.concat())
    };
    let consents = [
        answers(1, "all", [7, 0, 0]),
        answers(1, "enough", [5, 7, 6]),
        answers(1, "few", [2, 2, 0]),
        answers(1, "one_small", [10, 10, 4]),
        answers(1, "two", [5, 6, 0]),
        // Answers of customers who are gone.
        answers(500, "gone", [9, 9, 9]),
    ]
    .concat();
    let found = answer(
        "consent_coverage",
        &[
            ("silver.crm_customers", CUSTOMERS, customers.join(", ")),
            ("silver.crm_consents", CONSENTS, consents.join(", ")),
        ],
    )
    .await;
    assert_eq!(
        found,
        [
            "SP|email|all|7|7|0|0|1.0000",
            "SP|email|enough|18|5|7|6|0.2778",
            "SP|email|one_small|24|NULL|NULL|NULL|NULL",
            "SP|email|two|11|5|6|0|0.4545",
        ]
    );
}
