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
    let found =
        answer("customers_by_region", &[("silver.crm_customers", CUSTOMERS, customers.join(", "))])
            .await;
    assert_eq!(
        found,
        [
            "AC|premium|5|5|500.05|100.01",
            "AM|premium|9|NULL|NULL|NULL",
            "AM|retail|10|NULL|NULL|NULL",
            "SP|premium|5|0|NULL|NULL",
            "SP|retail|10|5|500.05|100.01",
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
            "SP|retail|email|all|7|7|0|0|1.0000",
            "SP|retail|email|enough|18|5|7|6|0.2778",
            "SP|retail|email|one_small|24|NULL|NULL|NULL|NULL",
            "SP|retail|email|two|11|5|6|0|0.4545",
        ]
    );
}

/// The customers of a group, and for each purpose how many of them granted, refused and revoked.
struct Group {
    place: (&'static str, &'static str),
    customers: usize,
    purposes: Vec<[usize; 3]>,
}

impl Group {
    fn rows(&self, first: usize) -> (Vec<String>, Vec<String>) {
        let (region, segment) = self.place;
        let customers =
            numbered(first, &times(self.customers, &format!("'{region}', '{segment}', null")));
        let answers = |[granted, refused, revoked]: &[usize; 3]| {
            let purpose = format!("g{granted}_r{refused}_v{revoked}");
            let rows = [
                times(*granted, &format!("'email', '{purpose}', 1, null")),
                times(*refused, &format!("'email', '{purpose}', 0, null")),
                times(*revoked, &format!("'email', '{purpose}', 1, '2026-01-01T00:00:00'")),
            ];
            numbered(first, &rows.concat())
        };
        (customers, self.purposes.iter().flat_map(answers).collect())
    }

    /// What may be told of the answers, but for the share.
    fn told(&self) -> Vec<String> {
        let (region, segment) = self.place;
        let row = |parts: &[usize; 3]| {
            let [granted, refused, revoked] = parts;
            let answers: usize = parts.iter().sum();
            let silent = self.customers - answers;
            if answers == 0 || is_small(answers) || is_small(silent) {
                return None;
            }
            let purpose = format!("g{granted}_r{refused}_v{revoked}");
            let parts = match parts.iter().any(|part| is_small(*part)) {
                true => "NULL|NULL|NULL".to_owned(),
                false => format!("{granted}|{refused}|{revoked}"),
            };
            Some(format!("{region}|{segment}|email|{purpose}|{answers}|{parts}"))
        };
        self.purposes.iter().filter_map(row).collect()
    }
}

fn is_small(customers: usize) -> bool {
    (1..5).contains(&customers)
}

/// Groups of many sizes, each with all ways to answer that have such parts and fit into it.
fn groups() -> Vec<Group> {
    let places = ["AC", "SP"].into_iter().flat_map(|region| {
        ["corporate", "digital", "premium", "retail"].map(|segment| (region, segment))
    });
    let group = |(place, customers)| {
        let part = [0, 1, 4, 5];
        let pairs = part.into_iter().flat_map(|a| part.map(|b| [a, b]));
        let all = pairs.flat_map(|[a, b]| part.map(|c| [a, b, c]));
        let fitting = all.filter(|parts| parts.iter().sum::<usize>() <= customers);
        Group { place, customers, purposes: fitting.collect() }
    };
    places.zip([3, 4, 5, 9, 10, 13, 15, 20]).map(group).collect()
}

/// Both tables that marketing reads, over the same customers.
#[tokio::test]
async fn no_figure_about_one_to_four_follows_from_both_tables_together() {
    let groups = groups();
    let (mut customers, mut consents) = (Vec::new(), Vec::new());
    for (n, group) in groups.iter().enumerate() {
        let (some, answers) = group.rows(100 * n);
        customers.extend(some);
        consents.extend(answers);
    }
    let customers = ("silver.crm_customers", CUSTOMERS, customers.join(", "));
    let consents = ("silver.crm_consents", CONSENTS, consents.join(", "));
    let regions = answer("customers_by_region", std::slice::from_ref(&customers)).await;
    let coverage = answer("consent_coverage", &[customers, consents]).await;

    let mut expected: Vec<String> = groups.iter().flat_map(Group::told).collect();
    expected.sort();
    let without_share = |row: &String| row.rsplit_once('|').unwrap().0.to_owned();
    let mut found: Vec<String> = coverage.iter().map(without_share).collect();
    found.sort();
    assert_eq!(found, expected);

    // What a reader computes: parts, their sums, and what is left of the group.
    for row in &coverage {
        let cells: Vec<&str> = row.split('|').collect();
        let start = format!("{}|{}|", cells[0], cells[1]);
        let group = regions.iter().find_map(|row| row.strip_prefix(start.as_str()));
        let all: usize = group.unwrap().split('|').next().unwrap().parse().unwrap();
        let mut questions = vec![vec![cells[4].parse::<usize>().unwrap()]];
        if cells[5] != "NULL" {
            questions.push(cells[5..8].iter().map(|cell| cell.parse().unwrap()).collect());
        }
        for mut parts in questions {
            parts.push(all - parts.iter().sum::<usize>());
            for chosen in 0..1_usize << parts.len() {
                let chosen = parts.iter().enumerate().filter(|(n, _)| (chosen >> n) & 1 == 1);
                assert!(!is_small(chosen.map(|(_, part)| part).sum()), "{row} of {all}");
            }
        }
    }
}

#[tokio::test]
async fn a_small_segment_stands_in_no_total() {
    let customers = [
        numbered(1, &times(10, "'SP', 'retail', null")),
        numbered(11, &times(3, "'SP', 'premium', null")),
    ];
    let consents = numbered(1, &times(13, "'email', 'marketing', 1, null"));
    let customers = ("silver.crm_customers", CUSTOMERS, customers.concat().join(", "));
    let regions = answer("customers_by_region", std::slice::from_ref(&customers)).await;
    assert_eq!(regions, ["SP|retail|10|0|NULL|NULL"]);
    let consents = ("silver.crm_consents", CONSENTS, consents.join(", "));
    let coverage = answer("consent_coverage", &[customers, consents]).await;
    assert_eq!(coverage, ["SP|retail|email|marketing|10|10|0|0|1.0000"]);
}
