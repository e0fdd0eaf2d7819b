//! Keys that change, go and come back.

use super::{
    Case, committed, fixed_address, fixed_consent, fixed_customer, loaded_id, move_customer,
    new_id, set_customer,
};

pub(super) fn cases() -> Vec<Case> {
    let mut out = changed();
    out.extend(reused());
    out.extend(composite());
    out
}

fn changed() -> Vec<Case> {
    let chain = |first, case, count| -> Vec<String> {
        let last = (0..count).map(|n| new_id(case, n));
        let from = std::iter::once(first).chain(last.clone());
        from.zip(last).map(|(from, to)| move_customer(from, to)).collect()
    };
    let swap = |a, b, temporary| {
        vec![move_customer(a, temporary), move_customer(b, a), move_customer(temporary, b)]
    };
    vec![
        Case::new("key change", vec![move_customer(loaded_id(1), new_id(0, 0))]),
        Case::new(
            "key change together with other columns",
            vec![set_customer(
                loaded_id(2),
                format!("id = {}, tier = -1, region = 'ba'", new_id(0, 1)),
            )],
        ),
        Case::new("key change chain in one transaction", committed(chain(loaded_id(3), 1, 3))),
        Case::new("key change chain over transactions", chain(loaded_id(4), 2, 3)),
        Case::new("key swap", committed(swap(loaded_id(5), loaded_id(6), new_id(3, 0)))),
        Case::new(
            "key change and back",
            vec![
                move_customer(loaded_id(7), new_id(3, 1)),
                set_customer(new_id(3, 1), "tier = 9"),
                move_customer(new_id(3, 1), loaded_id(7)),
            ],
        ),
        Case::new(
            "key change of a row inserted in the same transaction",
            committed(vec![
                fixed_customer(new_id(3, 2)).insert(),
                move_customer(new_id(3, 2), new_id(3, 3)),
                set_customer(new_id(3, 3), "visits = 1"),
            ]),
        ),
        Case::new(
            "key change, then the new key deleted",
            vec![move_customer(loaded_id(8), new_id(3, 4)), fixed_customer(new_id(3, 4)).delete()],
        ),
    ]
}

fn reused() -> Vec<Case> {
    let (a, b) = (loaded_id(10), loaded_id(11));
    let again = |id| fixed_customer(id).set("nickname", "'second life'");
    vec![
        Case::new(
            "delete and reinsert in one transaction",
            committed(vec![fixed_customer(a).delete(), again(a).insert()]),
        ),
        Case::new("delete and reinsert apart", vec![fixed_customer(b).delete(), again(b).insert()]),
        Case::new(
            "delete, reinsert and delete",
            committed(vec![
                fixed_customer(loaded_id(12)).delete(),
                again(loaded_id(12)).insert(),
                fixed_customer(loaded_id(12)).delete(),
            ]),
        ),
        Case::new(
            "key change onto a deleted key",
            vec![
                fixed_customer(loaded_id(13)).delete(),
                move_customer(loaded_id(14), loaded_id(13)),
            ],
        ),
        Case::new(
            "key change, then the old key inserted anew",
            committed(vec![
                move_customer(loaded_id(15), new_id(4, 0)),
                again(loaded_id(15)).insert(),
            ]),
        ),
        Case::new("replace", vec![again(loaded_id(16)).insert().replacen("INSERT", "REPLACE", 1)]),
    ]
}

fn composite() -> Vec<Case> {
    let (a, b, c) = (loaded_id(17), loaded_id(18), loaded_id(19));
    vec![
        Case::new(
            "one part of a composite key changes",
            vec![
                fixed_address(a, 1).update("seq = 7"),
                fixed_consent(a, "email", "marketing").update("channel = 'post'"),
                fixed_consent(a, "sms", "billing").update("purpose = 'research', granted = 1"),
            ],
        ),
        Case::new(
            "composite keys shift in one statement",
            vec![format!(
                "UPDATE crm.addresses SET seq = seq + 1 WHERE customer_id = {b} ORDER BY seq DESC"
            )],
        ),
        Case::new(
            "composite keys swap",
            committed(vec![
                fixed_address(c, 1).update("seq = 99"),
                fixed_address(c, 2).update("seq = 1"),
                fixed_address(c, 99).update("seq = 2"),
            ]),
        ),
        Case::new(
            "a customer number changes in all tables",
            committed(vec![
                move_customer(loaded_id(20), new_id(4, 1)),
                format!(
                    "UPDATE crm.addresses SET customer_id = {} WHERE customer_id = {}",
                    new_id(4, 1),
                    loaded_id(20)
                ),
                format!(
                    "UPDATE crm.consents SET customer_id = {} WHERE customer_id = {}",
                    new_id(4, 1),
                    loaded_id(20)
                ),
            ]),
        ),
    ]
}
