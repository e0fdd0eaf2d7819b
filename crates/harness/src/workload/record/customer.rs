use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{Record, Table, date, date_time, nullable};
use crate::workload::identity::{
    cpf, email, full_name, padded, phone, pick, written_cnpj, written_cpf,
};
use crate::workload::literal::{bytes, text};

/// Where most customers live; the small regions make groups below Gold's threshold.
const REGIONS: [&str; 8] = ["SP", "SP", "SP", "RJ", "RJ", "MG", "BA", "AC"];
const SEGMENTS: [&str; 4] = ["retail", "premium", "corporate", "digital"];

/// A valid customer with this key.
pub(crate) fn customer(rng: &mut ChaCha8Rng, id: u64) -> Record {
    let mut values = vec![("id", id.to_string())];
    values.extend(identity(rng));
    values.extend(figures(rng));
    values.extend(portal(rng));
    values.extend(history(rng));
    Record { table: Table::Customers, values }
}

fn identity(rng: &mut ChaCha8Rng) -> Vec<(&'static str, String)> {
    let region = pick(rng, &REGIONS);
    let region = if rng.random_bool(0.1) { region.to_lowercase() } else { region.to_owned() };
    let missing = rng.random_range(0..100);
    vec![
        (
            "cpf",
            match missing {
                0..5 => text(""),
                5..10 => text("n/a"),
                10..20 => text(&cpf(rng)),
                _ => nullable(rng, 10, |r| text(&written_cpf(r))),
            },
        ),
        ("employer_cnpj", nullable(rng, 70, |r| text(&written_cnpj(r)))),
        ("full_name", text(&full_name(rng))),
        (
            "nickname",
            nullable(rng, 50, |r| text(pick(r, &["Zé", " Duda ", "", "Tchê 🧉", "mana😀"]))),
        ),
        (
            "email",
            match missing {
                90..95 => text("  "),
                95..100 => text(" N/A"),
                _ => nullable(rng, 10, |r| text(&email(r))),
            },
        ),
        ("phone", nullable(rng, 20, |r| text(&phone(r)))),
        ("birth_date", nullable(rng, 10, |r| date(r, 1930, 2007))),
        ("region", text(&region)),
        ("segment", text(pick(rng, &SEGMENTS))),
    ]
}

fn figures(rng: &mut ChaCha8Rng) -> Vec<(&'static str, String)> {
    let cents = |r: &mut ChaCha8Rng, most: u64| {
        let cents = r.random_range(0..most);
        format!("{}.{:02}", cents / 100, cents % 100)
    };
    vec![
        ("credit_limit", nullable(rng, 15, |r| cents(r, 8_000_000))),
        ("lifetime_value", nullable(rng, 30, |r| format!("-{}1234", cents(r, u64::MAX / 2)))),
        ("score", nullable(rng, 20, |r| format!("{:e}", r.random_range(-1000.0f32..1000.0)))),
        ("elasticity", nullable(rng, 20, |r| format!("{:e}", r.random_range(-3.0f64..3.0)))),
        ("tier", nullable(rng, 10, |r| r.random_range(-3i8..=10).to_string())),
        ("dependents", nullable(rng, 30, |r| r.random_range(0..=6u8).to_string())),
        ("adjustment", nullable(rng, 60, |r| r.random::<i16>().to_string())),
        ("visits", nullable(rng, 10, |r| r.random_range(0..16_777_216u32).to_string())),
        ("zone", nullable(rng, 10, |r| r.random_range(-900..900i32).to_string())),
        ("loyalty_points", rng.random_range(0..3_000_000_000u32).to_string()),
        ("event_counter", rng.random::<u64>().to_string()),
        ("balance_cents", nullable(rng, 20, |r| r.random::<i64>().to_string())),
    ]
}

fn portal(rng: &mut ChaCha8Rng) -> Vec<(&'static str, String)> {
    let flags = ["", "vip", "staff,beta", "vip,blocked", "vip,staff,blocked,beta"];
    let preferences = [
        "{}",
        r#"{"theme": "dark", "fonts": [12, 14.5], "beta": true}"#,
        r#"{"greeting": "Olá, \"Zé\" 😀", "nested": {"none": null, "deep": [[], {}]}}"#,
        "[1, -2, 3000000000]",
        "null",
    ];
    vec![
        ("flags", nullable(rng, 20, |r| text(pick(r, &flags)))),
        ("preferences", nullable(rng, 20, |r| text(pick(r, &preferences)))),
        ("newsletter", format!("b'{}'", rng.random_range(0..2))),
        ("permissions", nullable(rng, 30, |r| format!("b'{:b}'", r.random_range(0..4096)))),
        ("preferred_contact", nullable(rng, 40, contact_time)),
        ("customer_since", nullable(rng, 20, |r| r.random_range(1990..=2025).to_string())),
    ]
}

/// Hours since Monday 00:00, some before it.
fn contact_time(rng: &mut ChaCha8Rng) -> String {
    let sign = if rng.random_bool(0.1) { "-" } else { "" };
    let (hours, minutes) = (rng.random_range(0..168), rng.random_range(0..60));
    text(&format!("{sign}{hours:02}:{minutes:02}:30.{:03}", rng.random_range(0..1000)))
}

fn history(rng: &mut ChaCha8Rng) -> Vec<(&'static str, String)> {
    let notes = ["", "  prefers mail ", "caiu a ligação\nretornar às 10h", "gosta de 🦜 e \\ ' \""];
    let zero = text("0000-00-00");
    let hash: [u8; 16] = rng.random();
    vec![
        (
            "last_purchase",
            match rng.random_range(0..10) {
                0 => zero,
                // Some before the registration: a row rule empties the field then.
                _ => nullable(rng, 20, |r| date(r, 2014, 2025)),
            },
        ),
        (
            "last_login",
            match rng.random_range(0..10) {
                0 => text("0000-00-00 00:00:00"),
                _ => nullable(rng, 30, |r| date_time(r, 2015, 2025, 0)),
            },
        ),
        (
            "notes",
            nullable(rng, 40, |r| {
                let note = pick(r, &notes);
                text(&padded(r, note))
            }),
        ),
        ("avatar_hash", nullable(rng, 50, |_| bytes(&hash))),
        ("thumbnail", nullable(rng, 70, |r| bytes(&hash[..r.random_range(0..16)]))),
        ("created_at", date_time(rng, 2015, 2019, 6)),
        ("updated_at", date_time(rng, 2020, 2025, 6)),
    ]
}
