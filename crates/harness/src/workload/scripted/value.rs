//! Values at the edges of their types, NULL, zero dates, text of every kind, and rows that break
//! rules which do not quarantine.

use super::{Case, fixed_address, fixed_consent, fixed_customer, loaded_id, new_id, set_customer};
use crate::workload::literal::{NULL, bytes, text};
use crate::workload::record::Record;

pub(super) fn cases() -> Vec<Case> {
    let all = boundaries(new_id(20, 0));
    let mut inserted: Vec<String> = all.iter().map(Record::insert).collect();
    inserted.push(fixed_customer(0).insert());
    inserted.push(fixed_customer(u64::MAX - 1).insert());
    let mut out = vec![
        Case::new("rows at the boundaries of all types", inserted),
        Case::new("a row passes through all boundaries", turned_over()),
        Case::new("long text and bytes", long()),
    ];
    out.extend(texts());
    out.extend(soft_failures());
    out
}

/// One row per boundary: lowest, highest, NULL, zero or empty.
pub(crate) fn boundaries(first_id: u64) -> Vec<Record> {
    let set = |record: Record, values: &[(&'static str, String)]| {
        values.iter().fold(record, |record, (column, value)| record.set(column, value.clone()))
    };
    let mut out = Vec::new();
    for (values, id) in [lowest(), highest(), nulls(), zeros()].iter().zip(first_id..) {
        out.push(set(fixed_customer(id), values));
    }
    out.push(set(fixed_address(first_id, 0), &address_edges("-33.999999", "-74")));
    out.push(set(fixed_address(first_id, u16::MAX), &address_edges("6", "-28.000000")));
    let longest = "a".repeat(40);
    out.push(fixed_consent(first_id, "email", &longest).set("ip", bytes(&[0; 16])));
    out.push(
        fixed_consent(first_id, "post", "x").set("ip", bytes(&[])).set("user_agent", text("")),
    );
    out
}

fn literals(pairs: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    pairs.iter().map(|(column, value)| (*column, (*value).to_owned())).collect()
}

fn lowest() -> Vec<(&'static str, String)> {
    literals(&[
        ("birth_date", "'1000-01-01'"),
        ("segment", "'retail'"),
        ("credit_limit", "0"),
        ("lifetime_value", "-999999999999999999999999.999999"),
        ("score", "-3.402823466e38"),
        ("elasticity", "-1.7976931348623157e308"),
        ("tier", "-128"),
        ("dependents", "0"),
        ("adjustment", "-32768"),
        ("visits", "0"),
        ("zone", "-8388608"),
        ("loyalty_points", "0"),
        ("event_counter", "0"),
        ("balance_cents", "-9223372036854775808"),
        ("flags", "'vip'"),
        ("preferences", "'null'"),
        ("newsletter", "b'0'"),
        ("permissions", "b'0'"),
        ("preferred_contact", "'-838:59:59.000'"),
        ("customer_since", "1901"),
        ("last_purchase", "'1000-01-01'"),
        ("last_login", "'1000-01-01 00:00:00'"),
        ("avatar_hash", "X'00000000000000000000000000000000'"),
        ("thumbnail", "X'00'"),
        ("created_at", "'1000-01-01 00:00:00.000000'"),
        ("updated_at", "'1970-01-01 00:00:01.000000'"),
    ])
}

fn highest() -> Vec<(&'static str, String)> {
    literals(&[
        ("birth_date", "'2024-12-31'"),
        ("segment", "'digital'"),
        ("credit_limit", "9999999999.99"),
        ("lifetime_value", "999999999999999999999999.999999"),
        ("score", "3.402823466e38"),
        ("elasticity", "1.7976931348623157e308"),
        ("tier", "127"),
        ("dependents", "255"),
        ("adjustment", "32767"),
        ("visits", "16777215"),
        ("zone", "8388607"),
        ("loyalty_points", "4294967295"),
        ("event_counter", "18446744073709551615"),
        ("balance_cents", "9223372036854775807"),
        ("flags", "'vip,staff,blocked,beta'"),
        ("newsletter", "b'1'"),
        ("permissions", "b'111111111111'"),
        ("preferred_contact", "'838:59:59.000'"),
        ("customer_since", "2155"),
        ("last_purchase", "'9999-12-31'"),
        ("last_login", "'9999-12-31 23:59:59'"),
        ("avatar_hash", "X'FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF'"),
        ("created_at", "'9999-12-31 23:59:59.499999'"),
        ("updated_at", "'2038-01-19 03:14:07.499999'"),
    ])
}

/// NULL wherever MySQL allows it.
fn nulls() -> Vec<(&'static str, String)> {
    let columns = [
        "cpf",
        "employer_cnpj",
        "nickname",
        "email",
        "phone",
        "birth_date",
        "credit_limit",
        "lifetime_value",
        "score",
        "elasticity",
        "tier",
        "dependents",
        "adjustment",
        "visits",
        "zone",
        "balance_cents",
        "flags",
        "preferences",
        "permissions",
        "preferred_contact",
        "customer_since",
        "last_purchase",
        "last_login",
        "notes",
        "avatar_hash",
        "thumbnail",
    ];
    columns.map(|column| (column, NULL.to_owned())).to_vec()
}

/// Zero dates, empty values, the smallest steps from zero.
fn zeros() -> Vec<(&'static str, String)> {
    literals(&[
        ("cpf", "''"),
        ("employer_cnpj", "' '"),
        ("nickname", "''"),
        ("email", "''"),
        ("phone", "''"),
        ("birth_date", "'0000-00-00'"),
        ("credit_limit", "0.01"),
        ("lifetime_value", "-0.000001"),
        ("score", "1.175494351e-38"),
        ("elasticity", "2.2250738585072014e-308"),
        ("flags", "''"),
        ("preferences", "'\"\"'"),
        ("permissions", "b'1'"),
        ("preferred_contact", "'-00:00:00.001'"),
        ("customer_since", "0"),
        ("last_purchase", "'0000-00-00'"),
        ("last_login", "'0000-00-00 00:00:00'"),
        ("notes", "''"),
        ("avatar_hash", "X'00112200000000000000000000000000'"),
        ("thumbnail", "X''"),
    ])
}

fn address_edges(latitude: &str, longitude: &str) -> Vec<(&'static str, String)> {
    literals(&[
        ("latitude", latitude),
        ("longitude", longitude),
        ("complement", "'🏠🏢'"),
        ("verified_at", "'0000-00-00 00:00:00.000'"),
    ])
}

/// One row set to each boundary in turn.
fn turned_over() -> Vec<String> {
    let set = |values: Vec<(&'static str, String)>| {
        let pairs: Vec<String> = values.iter().map(|(c, v)| format!("{c} = {v}")).collect();
        set_customer(loaded_id(26), pairs.join(", "))
    };
    vec![set(lowest()), set(highest()), set(nulls()), set(zeros())]
}

fn long() -> Vec<String> {
    let long = fixed_customer(new_id(21, 0))
        .set("notes", "REPEAT('ação 😀 \\\\ ', 9000)")
        .set("nickname", "REPEAT('😀', 60)")
        .set("thumbnail", "REPEAT(X'00FF', 32767)");
    let same = set_customer(new_id(21, 0), "notes = CONCAT(notes, 'fim'), thumbnail = X'00'");
    vec![long.insert(), same]
}

fn texts() -> Vec<Case> {
    let strange = [
        "😀 👩\u{200d}👩\u{200d}👧 🇧🇷",
        "quote ' double \" backslash \\ percent % under_score",
        "line\nfeed\r\ntab\tnul\0end",
        "  kept blanks  ",
        "NULL",
        "\u{feff}bom \u{202e}turned",
    ];
    let notes =
        strange.iter().map(|note| set_customer(loaded_id(27), format!("notes = {}", text(note))));
    let rows = strange
        .iter()
        .zip(0..)
        .map(|(note, n)| fixed_customer(new_id(22, n)).set("notes", text(note)).insert());
    let names = ["  Jose\u{301}\u{a0} da\tSilva ", "Conceic\u{327}a\u{303}o\u{3000}", "d'Ávila"];
    let names = names
        .iter()
        .map(|name| set_customer(loaded_id(28), format!("full_name = {}", text(name))))
        .collect();
    vec![
        Case::new("text of every kind", rows.chain(notes).collect()),
        Case::new("names that need every normaliser", names),
        Case::new(
            "contacts that normalise to nothing",
            vec![set_customer(loaded_id(29), "cpf = '-.-', email = ' N/A ', employer_cnpj = '  '")],
        ),
    ]
}

/// Rows that break `warn` and `null_field` rules: they reach Silver all the same.
fn soft_failures() -> Vec<Case> {
    let id = loaded_id(30);
    vec![
        Case::new(
            "fields that a row rule empties",
            vec![
                set_customer(id, "last_purchase = '2001-02-03', created_at = '2015-01-01'"),
                fixed_address(id, 1).update("latitude = 41.9, longitude = 12.5"),
                fixed_address(id, 2).update("latitude = -23.55, longitude = 46.63"),
            ],
        ),
        Case::new(
            "rows that only warn",
            vec![
                set_customer(id, "credit_limit = 75000, cpf = NULL"),
                fixed_consent(id, "email", "marketing")
                    .update("granted_at = '2020-01-02', revoked_at = '2020-01-01'"),
            ],
        ),
    ]
}
