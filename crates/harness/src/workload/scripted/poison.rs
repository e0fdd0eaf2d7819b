//! Rows that fail quality checks. Before a valid row becomes invalid it is copied to `kept`.

use super::{
    Case, Poisoned, committed, fixed_address, fixed_consent, fixed_customer, loaded_id,
    move_customer, new_id, set_customer,
};
use crate::workload::literal::text;
use crate::workload::record::Record;

pub(super) fn cases() -> Vec<Case> {
    let mut out = each_rule();
    out.extend(never_valid());
    out.extend(histories());
    out.push(healed());
    out
}

/// A way in which the workload breaks a rule.
pub(crate) struct Broken {
    /// The source table.
    pub(crate) table: &'static str,
    /// The rule, as quarantine names it.
    pub(crate) rule: &'static str,
    /// What is true of a row as it stands in MySQL, and of no valid row of the workload. A dollar
    /// sign stands before each column.
    pub(crate) when: &'static str,
}

/// Every rule that the cases here break, and by what. Nothing else in the workload breaks a rule
/// that rejects.
pub(crate) const BROKEN: [Broken; 14] = [
    Broken {
        table: "crm.customers",
        rule: "cpf:cpf",
        when: "$cpf IN ('529.982.247-26', '111.111.111-11', '123', '000.000.000-00')",
    },
    Broken {
        table: "crm.customers",
        rule: "employer_cnpj:cnpj",
        when: "$employer_cnpj = '12ABC34501DE36'",
    },
    Broken { table: "crm.customers", rule: "full_name:not_null", when: "$full_name = ' \t '" },
    Broken {
        table: "crm.customers",
        rule: "email:email",
        when: "$email IN ('a@@example.com', 'nobody')",
    },
    Broken {
        table: "crm.customers",
        rule: "phone:phone_br",
        when: "$phone IN ('ramal 12', 'no phone')",
    },
    Broken {
        table: "crm.customers",
        rule: "region:uf",
        when: "$region IN ('XX', '??', 'ZZ', '00')",
    },
    Broken {
        table: "crm.customers",
        rule: "birth_date:not_future",
        when: "$birth_date = '2999-01-01'",
    },
    Broken { table: "crm.customers", rule: "credit_limit:range", when: "$credit_limit < 0" },
    Broken {
        table: "crm.customers",
        rule: "born_before_registered",
        when: "$birth_date > DATE($created_at)",
    },
    Broken { table: "crm.addresses", rule: "cep:cep", when: "$cep IN ('1310-100', '1234')" },
    Broken { table: "crm.addresses", rule: "city:regex", when: "$city = '3 Corações'" },
    Broken { table: "crm.consents", rule: "purpose:regex", when: "$purpose = 'Marketing!'" },
    Broken { table: "crm.consents", rule: "granted:range", when: "$granted NOT IN (0, 1)" },
    Broken {
        table: "crm.consents",
        rule: "source:accepted_values",
        when: "$source IN ('fax', 'carrier pigeon')",
    },
];

fn keep(record: &Record) -> String {
    let (kept, source) = (record.table().lake(), record.table().source());
    let condition = record.condition();
    format!("REPLACE INTO kept.{kept} SELECT * FROM {source} WHERE {condition}")
}

fn poisoned(record: &Record, last_valid: bool) -> Option<Poisoned> {
    let table = record.table().source().parse().ok()?;
    Some(Poisoned { table, key: record.key(), last_valid })
}

/// A valid row of the initial load becomes invalid and is then changed once more.
fn each_rule() -> Vec<Case> {
    let customer = [
        ("cpf: a wrong check digit", "cpf = '529.982.247-26'"),
        ("employer_cnpj: a wrong check digit", "employer_cnpj = '12ABC34501DE36'"),
        ("full_name: blank", "full_name = ' \t '"),
        ("email: two signs", "email = 'a@@example.com'"),
        ("phone: no number", "phone = 'ramal 12'"),
        ("region: unknown", "region = 'XX'"),
        ("birth_date: in the future", "birth_date = '2999-01-01', created_at = '2999-01-02'"),
        ("credit_limit: negative", "credit_limit = -0.01"),
        ("born_before_registered", "birth_date = '2016-05-05', created_at = '2016-05-04'"),
    ];
    let mut out = Vec::new();
    for ((name, set), n) in customer.into_iter().zip(31..) {
        let record = fixed_customer(loaded_id(n));
        out.push(spoilt(name, &record, set, "tier = 5"));
    }
    let id = loaded_id(31);
    let cep = fixed_address(id, 1);
    out.push(spoilt("cep: too short", &cep, "cep = '1310-100'", "kind = 'work'"));
    let city = fixed_address(id, 2);
    out.push(spoilt("city: a number", &city, "city = '3 Corações'", "kind = 'work'"));
    let range = fixed_consent(id, "email", "marketing");
    out.push(spoilt("granted: out of range", &range, "granted = -128", "user_agent = 'x'"));
    let source = fixed_consent(id, "sms", "billing");
    out.push(spoilt("source: unknown", &source, "source = 'fax'", "user_agent = 'x'"));
    out
}

fn spoilt(name: &'static str, record: &Record, set: &str, later: &str) -> Case {
    let statements = vec![keep(record), record.update(set), record.update(later)];
    Case { name, statements, poisoned: poisoned(record, true).into_iter().collect() }
}

fn never_valid() -> Vec<Case> {
    let customer = fixed_customer(new_id(30, 0)).set("cpf", text("111.111.111-11"));
    let consent =
        fixed_consent(new_id(30, 0), "post", "Marketing!").set("source", text("carrier pigeon"));
    let gone = fixed_customer(new_id(30, 1)).set("region", text("??"));
    vec![
        Case {
            name: "inserted invalid",
            statements: vec![customer.insert(), consent.insert()],
            poisoned: [poisoned(&customer, false), poisoned(&consent, false)]
                .into_iter()
                .flatten()
                .collect(),
        },
        // MySQL has no row either in the end, so nothing is poisoned.
        Case::new("inserted invalid and deleted", vec![gone.insert(), gone.delete()]),
    ]
}

/// What came before in the same batch decides what Silver keeps.
fn histories() -> Vec<Case> {
    let young = fixed_customer(new_id(31, 0));
    let reborn = fixed_customer(loaded_id(40));
    let from = new_id(31, 1);
    let moved = fixed_customer(new_id(31, 2));
    vec![
        Case {
            name: "valid and invalid in one transaction",
            statements: committed(vec![
                young.insert(),
                young.update("tier = 1"),
                young.update("tier = 2, region = 'rj'"),
                keep(&young),
                young.update("tier = 3, email = 'nobody'"),
            ]),
            poisoned: poisoned(&young, true).into_iter().collect(),
        },
        Case {
            name: "deleted and inserted anew, invalid",
            statements: vec![
                reborn.delete(),
                reborn.clone().set("phone", text("no phone")).insert(),
            ],
            poisoned: poisoned(&reborn, false).into_iter().collect(),
        },
        Case {
            name: "a key change that makes the row invalid",
            statements: vec![
                fixed_customer(from).insert(),
                set_customer(from, format!("id = {}, region = 'ZZ'", new_id(31, 2))),
            ],
            poisoned: poisoned(&moved, false).into_iter().collect(),
        },
    ]
}

/// Made invalid, then valid again: Silver holds what MySQL does.
fn healed() -> Case {
    let id = new_id(32, 0);
    let invalid = fixed_customer(id).set("email", text("nobody"));
    let statements = vec![
        fixed_customer(new_id(32, 1)).insert(),
        set_customer(new_id(32, 1), "cpf = '123'"),
        set_customer(new_id(32, 1), "cpf = '529.982.247-25', tier = 7"),
        invalid.insert(),
        set_customer(id, "email = 'Somebody@Example.com'"),
        set_customer(loaded_healed(), "cpf = '111.444.777-35'"),
        set_customer(new_id(32, 1), "region = '00'"),
        move_customer(new_id(32, 1), new_id(32, 2)),
        set_customer(new_id(32, 2), "region = 'to'"),
    ];
    Case::new("healed by a later change", statements)
}

/// The customer that is invalid in the initial load and healed later.
fn loaded_healed() -> u64 {
    new_id(33, 1)
}

/// Rows that are invalid from the beginning.
pub(crate) fn poisoned_before_load() -> Case {
    let spoil = |id| fixed_customer(id).set("cpf", text("000.000.000-00"));
    let customer = spoil(new_id(33, 0));
    let address = fixed_address(loaded_id(1), 50).set("cep", text("1234"));
    Case {
        name: "poison before the load",
        statements: vec![customer.insert(), address.insert(), spoil(loaded_healed()).insert()],
        poisoned: [poisoned(&customer, false), poisoned(&address, false)]
            .into_iter()
            .flatten()
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts in single quotes.
    fn literals(sql: &str) -> Vec<&str> {
        sql.split('\'').skip(1).step_by(2).collect()
    }

    #[test]
    fn what_breaks_a_rule_is_written_by_a_case() {
        let mut written = poisoned_before_load().statements;
        written.extend(cases().into_iter().flat_map(|case| case.statements));
        let written = written.join("\n");
        let values: Vec<&str> = BROKEN.iter().flat_map(|broken| literals(broken.when)).collect();
        assert!(values.len() >= 18, "{}", values.len());
        for value in values {
            assert!(written.contains(&text(value)), "no case writes {value:?}");
        }
    }
}
