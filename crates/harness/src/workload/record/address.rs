use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{Record, Table, date_time, nullable};
use crate::workload::identity::{cep, padded, pick};
use crate::workload::literal::text;

/// A valid address with this key.
pub(crate) fn address(rng: &mut ChaCha8Rng, customer: u64, seq: u16) -> Record {
    let streets = ["Av. Paulista", "Rua  das\tFlores", " R. São João ", "Praça da Sé", ""];
    let numbers = ["1578", " 12 ", "S/N", "100-B", ""];
    let cities = ["São Paulo", " Rio  de Janeiro", "Sant'Ana", "Belo Horizonte ", "Ji-Paraná"];
    // The regular expression of `city` knows no apostrophe.
    let city = pick(rng, &cities).replace('\'', " ");
    let degrees = |r: &mut ChaCha8Rng, low: f64, high: f64| {
        // One in twenty lies outside of Brazil: a row rule empties the field then.
        let offset = if r.random_bool(0.05) { 90.0 } else { 0.0 };
        format!("{:.6}", r.random_range(low..high) + offset)
    };
    let current = rng.random_range(0..2);
    Record {
        table: Table::Addresses,
        values: vec![
            ("customer_id", customer.to_string()),
            ("seq", seq.to_string()),
            ("kind", text(pick(rng, &["home", "work", "billing"]))),
            ("cep", nullable(rng, 10, |r| text(&cep(r)))),
            ("street", nullable(rng, 10, |r| text(pick(r, &streets)))),
            ("number", nullable(rng, 10, |r| text(pick(r, &numbers)))),
            ("complement", nullable(rng, 50, |r| text(&padded(r, "apto 42 🏠")))),
            ("district", nullable(rng, 20, |r| text(&padded(r, "Vila  Mariana")))),
            ("city", text(&city)),
            ("region", text(pick(rng, &["SP", "RJ", "mg", "Ba", "AC", "DF"]))),
            ("latitude", nullable(rng, 20, |r| degrees(r, -33.0, 5.0))),
            ("longitude", nullable(rng, 20, |r| degrees(r, -73.0, -35.0))),
            ("is_current", format!("b'{current}'")),
            ("verified_at", nullable(rng, 40, |r| date_time(r, 2018, 2024, 3))),
            ("updated_at", date_time(rng, 2020, 2025, 6)),
        ],
    }
}
