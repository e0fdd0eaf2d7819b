//! Transactions of every shape.

use super::{
    Case, committed, ended, fixed_address, fixed_consent, fixed_customer, loaded_id, new_id,
    set_customer,
};
use crate::workload::record::{Record, insert_all};

pub(super) fn cases() -> Vec<Case> {
    let mut out = within_one_second();
    out.extend(taken_back());
    out.extend(many_rows());
    out
}

fn within_one_second() -> Vec<Case> {
    let id = new_id(10, 0);
    let new = fixed_customer(id);
    let apart = new_id(10, 2);
    let mut ties = vec![fixed_customer(apart).insert()];
    ties.extend((0..20).map(|n| set_customer(apart, format!("visits = {n}"))));
    vec![
        Case::new(
            "insert and updates in one transaction",
            committed(vec![
                new.insert(),
                set_customer(id, "tier = 1"),
                set_customer(id, "tier = 2, notes = 'final'"),
            ]),
        ),
        Case::new(
            "insert and delete in one transaction",
            committed(vec![
                fixed_customer(new_id(10, 1)).insert(),
                fixed_customer(new_id(10, 1)).delete(),
            ]),
        ),
        Case::new("many transactions on one row within a second", ties),
        Case::new(
            "insert, update and delete apart",
            vec![
                fixed_customer(new_id(10, 3)).insert(),
                set_customer(new_id(10, 3), "tier = 3"),
                fixed_customer(new_id(10, 3)).delete(),
            ],
        ),
    ]
}

fn taken_back() -> Vec<Case> {
    let id = loaded_id(21);
    let changes = |n| {
        vec![
            set_customer(id, "region = 'AM', tier = -9"),
            fixed_customer(new_id(11, n)).insert(),
            fixed_address(id, 1).delete(),
        ]
    };
    let mut partly = vec!["START TRANSACTION".to_owned(), set_customer(id, "zone = 1")];
    partly.push("SAVEPOINT a".to_owned());
    partly.extend(changes(1));
    partly.push("ROLLBACK TO SAVEPOINT a".to_owned());
    partly.push(set_customer(id, "zone = zone + 1"));
    partly.push("SAVEPOINT b".to_owned());
    partly.push(set_customer(id, "zone = zone + 1"));
    partly.push("RELEASE SAVEPOINT b".to_owned());
    partly.push("COMMIT".to_owned());
    vec![
        Case::new("a transaction is rolled back", ended(changes(0), "ROLLBACK")),
        Case::new("a transaction is rolled back to a savepoint", partly),
        Case::new(
            "an update that changes nothing",
            vec![set_customer(loaded_id(22), "region = region, zone = zone")],
        ),
        Case::new(
            "an update and its opposite",
            committed(vec![
                set_customer(loaded_id(22), "loyalty_points = loyalty_points + 1"),
                set_customer(loaded_id(22), "loyalty_points = loyalty_points - 1"),
            ]),
        ),
        Case::new(
            "changes that meet no row",
            vec![set_customer(new_id(11, 50), "tier = 1"), fixed_customer(new_id(11, 51)).delete()],
        ),
    ]
}

fn many_rows() -> Vec<Case> {
    let crowd: Vec<Record> = (0..300).map(|n| fixed_customer(new_id(12, n))).collect();
    let (first, last) = (new_id(12, 0), new_id(12, 299));
    let id = loaded_id(23);
    vec![
        Case::new("statements of many rows", {
            let mut out = insert_all(&crowd);
            let range = format!("id BETWEEN {first} AND {last}");
            out.push(format!("UPDATE crm.customers SET tier = id % 100 WHERE {range}"));
            out.push(format!("DELETE FROM crm.customers WHERE {range} AND id % 3 = 0"));
            out.push(format!(
                "UPDATE crm.customers SET id = id + 400 WHERE {range} AND id % 5 = 0"
            ));
            out
        }),
        Case::new(
            "a transaction over all tables",
            committed(vec![
                set_customer(id, "segment = 'corporate', email = ' CORP@Example.COM '"),
                fixed_address(id, 3).insert(),
                fixed_address(id, 1).delete(),
                fixed_consent(id, "whatsapp", "marketing").insert(),
                fixed_consent(id, "email", "marketing").update("granted = 1, revoked_at = NULL"),
                set_customer(id, "zone = 5"),
            ]),
        ),
        Case::new(
            "a customer leaves with all that belongs to it",
            committed(vec![
                format!("DELETE FROM crm.consents WHERE customer_id = {}", loaded_id(24)),
                format!("DELETE FROM crm.addresses WHERE customer_id = {}", loaded_id(24)),
                fixed_customer(loaded_id(24)).delete(),
            ]),
        ),
        Case::new(
            "one statement over two tables",
            vec![format!(
                "UPDATE crm.customers c JOIN crm.addresses a ON a.customer_id = c.id \
                 SET c.zone = 77, a.is_current = b'1' WHERE c.id = {}",
                loaded_id(25)
            )],
        ),
    ]
}
