use std::collections::BTreeSet;

use medallion_definition::contract::{Check, OnFail};

use super::{answer, shipped};

const OPERATIONS: &str = "day, table_name, loaded, inserted, updated, deleted, quarantined";
const REJECTED: &str = "change_seq, rules, quarantined_at";

/// The rules of the contracts that can reject a change, as rows of quarantine name them.
fn rejecting_rules() -> BTreeSet<String> {
    let mut rules = BTreeSet::new();
    for contract in shipped().tables {
        for column in &contract.columns {
            let names = column.checks.iter().map(Check::name);
            rules.extend(names.map(|name| format!("{}|{}:{name}", contract.table, column.name)));
        }
        let rejecting = contract.row_rules.iter().filter(|r| r.on_fail == OnFail::Quarantine);
        rules.extend(rejecting.map(|rule| format!("{}|{}", contract.table, rule.name)));
    }
    rules
}

#[tokio::test]
async fn the_list_of_rules_is_that_of_the_contracts() {
    let found = answer("data_quality", &[]).await;
    let mut listed = BTreeSet::new();
    for row in &found {
        let (rule, rest) = row.rsplitn(6, '|').last().zip(row.splitn(3, '|').last()).unwrap();
        assert_eq!(rest, "0|0|NULL|NULL|NULL", "nothing was checked: {row}");
        assert!(listed.insert(rule.to_owned()), "{rule} stands twice");
    }
    assert_eq!(listed, rejecting_rules());
}

#[tokio::test]
async fn a_rejected_change_counts_once_for_each_of_its_rules() {
    let operations = "('2026-03-01', 'crm.customers', 4, 1, 1, 9, 0),
        ('2026-03-02', 'crm.customers', 0, 0, 1, 0, 0),
        ('2026-03-02', 'crm.consents', 2, 0, 0, 0, 0),
        ('2026-03-02', 'crm.addresses', 9000000, 0, 0, 0, 0)";
    let rejected = "('', 'cpf:cpf', '2026-03-01T00:00:00Z'),
        ('', 'cpf:cpf,region:uf', '2026-03-01T00:00:01Z'),
        ('20260301120000000000000000000000001', 'cpf:cpf,born_before_registered',
            '2026-03-01T00:00:02Z'),
        ('20260301120000000000000000000000001', 'cpf:cpf,born_before_registered',
            '2026-03-03T00:00:00Z'),
        ('20260301120000000000000000000000002', 'region:uf', '2026-03-02T00:00:00Z'),
        ('20260301120000000000000000000000003', 'xcpf:cpf', '2026-03-02T00:00:00Z'),
        ('20260301120000000000000000000000004', 'cpf:cpfx', '2026-03-02T00:00:00Z')";
    // More than were checked: files of an earlier full load.
    let consents = "('', 'granted:range', '2026-03-01T00:00:00Z'),
        ('', 'granted:range', '2026-03-01T00:00:00Z'),
        ('', 'granted:range', '2026-03-01T00:00:00Z')";
    // One of nine millions rounds to nothing.
    let addresses = "('', 'cep:cep', '2026-03-01T00:00:00Z')";
    let found = answer(
        "data_quality",
        &[
            ("gold.registry_operations", OPERATIONS, operations.to_owned()),
            ("quarantine.crm_customers", REJECTED, rejected.to_owned()),
            ("quarantine.crm_consents", REJECTED, consents.to_owned()),
            ("quarantine.crm_addresses", REJECTED, addresses.to_owned()),
        ],
    )
    .await;
    let told = |rule: &str| found.iter().find(|row| row.contains(rule)).cloned().unwrap();
    for expected in [
        "crm.customers|cpf:cpf|7|3|0.571429|2026-03-01T00:00:00Z|2026-03-03T00:00:00Z",
        "crm.customers|region:uf|7|2|0.714286|2026-03-01T00:00:01Z|2026-03-02T00:00:00Z",
        "crm.customers|born_before_registered|7|1|0.857143|2026-03-01T00:00:02Z|2026-03-03T00:00:00Z",
        "crm.customers|email:email|7|0|1.000000|NULL|NULL",
        "crm.consents|granted:range|2|3|0.000000|2026-03-01T00:00:00Z|2026-03-01T00:00:00Z",
        "crm.consents|purpose:regex|2|0|1.000000|NULL|NULL",
        "crm.addresses|cep:cep|9000000|1|0.999999|2026-03-01T00:00:00Z|2026-03-01T00:00:00Z",
        "crm.addresses|region:uf|9000000|0|1.000000|NULL|NULL",
    ] {
        let rule: Vec<&str> = expected.splitn(3, '|').take(2).collect();
        assert_eq!(told(&rule.join("|")), expected);
    }
}
