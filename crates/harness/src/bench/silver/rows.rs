//! The rows of the measured table. Each follows from the seed, its key and the number of the
//! change that made it, so every program reads the same rows, and any of them can be made again.

use std::sync::Arc;

use arrow::array::{
    Date32Builder, Decimal128Builder, Int64Builder, RecordBatch, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use medallion_definition::change::Op;

/// Federation units with an area code and the share of the population in thousandths.
pub(in crate::bench) const REGIONS: [(&str, u64, u64); 27] = [
    ("AC", 68, 4),
    ("AL", 82, 15),
    ("AP", 96, 4),
    ("AM", 92, 19),
    ("BA", 71, 70),
    ("CE", 85, 43),
    ("DF", 61, 14),
    ("ES", 27, 19),
    ("GO", 62, 35),
    ("MA", 98, 33),
    ("MT", 65, 18),
    ("MS", 67, 14),
    ("MG", 31, 101),
    ("PA", 91, 40),
    ("PB", 83, 20),
    ("PR", 41, 56),
    ("PE", 81, 45),
    ("PI", 86, 16),
    ("RJ", 21, 79),
    ("RN", 84, 16),
    ("RS", 51, 54),
    ("RO", 69, 8),
    ("RR", 95, 3),
    ("SC", 48, 37),
    ("SP", 11, 220),
    ("SE", 79, 11),
    ("TO", 63, 6),
];
const SEGMENTS: [(&str, u64); 5] =
    [("VAREJO", 70), ("PRIME", 15), ("PRIVATE", 3), ("PJ", 10), ("CORPORATE", 2)];
const STATES: [(&str, u64); 4] =
    [("ATIVO", 82), ("INATIVO", 10), ("BLOQUEADO", 3), ("PENDENTE", 5)];
/// First names, and how they stand in an address.
pub(in crate::bench) const FIRST: [(&str, &str); 16] = [
    ("Ana", "ana"),
    ("João", "joao"),
    ("Maria", "maria"),
    ("José", "jose"),
    ("Antônio", "antonio"),
    ("Francisca", "francisca"),
    ("Luíza", "luiza"),
    ("Márcia", "marcia"),
    ("Fernanda", "fernanda"),
    ("Patrícia", "patricia"),
    ("Rafael", "rafael"),
    ("Sebastião", "sebastiao"),
    ("Conceição", "conceicao"),
    ("Vitória", "vitoria"),
    ("Letícia", "leticia"),
    ("Thiago", "thiago"),
];
pub(in crate::bench) const LAST: [&str; 16] = [
    "Silva", "Santos", "Oliveira", "Souza", "Ferreira", "Pereira", "Lima", "Costa", "Ribeiro",
    "Almeida", "Soares", "Barbosa", "Rocha", "Moreira", "Freitas", "Cardoso",
];
pub(in crate::bench) const DOMAINS: [&str; 4] =
    ["example.com", "example.org", "example.com.br", "mail.example.net"];

/// When the table was loaded: 2024-05-01 00:00:00 UTC, in microseconds.
pub(in crate::bench) const LOADED_AT: i64 = 1_714_521_600_000_000;
/// When the changes begin.
const CHANGES_FROM: i64 = LOADED_AT + 12 * 3_600 * 1_000_000;
/// Time between changes, microseconds: 200 share a second, as in a MySQL timestamp.
const CHANGE_EVERY: i64 = 5_000;
const DAY: i64 = 86_400 * 1_000_000;

/// One row of a Bronze file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) op: Op,
    pub(super) id: i64,
    /// The change's number, from 1; 0 is the full load.
    pub(super) number: u64,
}

impl Change {
    /// When it happened, microseconds since 1970.
    pub(super) fn at(&self) -> i64 {
        match i64::try_from(self.number) {
            Ok(0) | Err(_) => LOADED_AT,
            Ok(number) => CHANGES_FROM + number * CHANGE_EVERY,
        }
    }
}

/// splitmix64.
pub(in crate::bench) fn mix(seed: u64) -> u64 {
    let x = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// The place in a list of shares of one random number.
pub(in crate::bench) fn weighted(shares: impl Iterator<Item = u64> + Clone, random: u64) -> usize {
    let mut left = random % shares.clone().sum::<u64>();
    for (place, share) in shares.enumerate() {
        if left < share {
            return place;
        }
        left -= share;
    }
    0
}

/// The eleven digits of a valid CPF.
pub(in crate::bench) fn cpf(random: u64) -> String {
    let mut digits: Vec<u64> = (0..9).map(|place| random / 10_u64.pow(place) % 10).collect();
    for length in [9_u64, 10] {
        let sum: u64 = digits.iter().zip(0..).map(|(digit, at)| digit * (length + 1 - at)).sum();
        digits.push(match sum % 11 {
            0 | 1 => 0,
            rest => 11 - rest,
        });
    }
    // Eleven equal digits pass the sum and are no CPF.
    if digits.iter().all(|digit| *digit == digits[0]) {
        return "52998224725".to_owned();
    }
    digits.iter().map(ToString::to_string).collect()
}

fn day_and_time(micros: i64) -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::from_timestamp_micros(micros).unwrap_or_default()
}

/// Rows on their way into a Bronze file.
pub(super) struct RowBuilder {
    seed: u64,
    schema: SchemaRef,
    texts: [StringBuilder; 10],
    id: Int64Builder,
    before: Int64Builder,
    balance: Decimal128Builder,
    birth: Date32Builder,
    created: TimestampMicrosecondBuilder,
    updated: TimestampMicrosecondBuilder,
    /// The second of the last row, its timestamp and the beginning of its sequence.
    second: (i64, String, String),
    rows: usize,
}

/// The columns of texts, in the order in which `RowBuilder::texts` holds them.
const TEXTS: [&str; 10] =
    ["Op", "dms_ts", "cpf", "name", "email", "phone", "region", "segment", "status", "change_seq"];

impl RowBuilder {
    /// `schema` is that of the contract's Bronze files.
    pub(super) fn new(seed: u64, schema: SchemaRef) -> RowBuilder {
        let balance = DataType::Decimal128(18, 2);
        RowBuilder {
            seed: mix(seed),
            schema,
            texts: Default::default(),
            id: Int64Builder::new(),
            before: Int64Builder::new(),
            balance: Decimal128Builder::new().with_data_type(balance),
            birth: Date32Builder::new(),
            created: TimestampMicrosecondBuilder::new(),
            updated: TimestampMicrosecondBuilder::new(),
            second: (i64::MIN, String::new(), String::new()),
            rows: 0,
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn push(&mut self, change: &Change) {
        let at = change.at();
        let second = at - at.rem_euclid(1_000_000);
        if self.second.0 != second {
            let time = day_and_time(second);
            let stamp = time.format("%Y-%m-%d %H:%M:%S.000000").to_string();
            self.second = (second, stamp, time.format("%Y%m%d%H%M%S00").to_string());
        }
        self.rows += 1;
        self.id.append_value(change.id);
        self.before.append_option((change.op == Op::Update).then_some(change.id));
        let sequence = match change.number {
            0 => String::new(),
            number => format!("{}{number:019}", self.second.2),
        };
        self.texts[0].append_value(change.op.letter());
        self.texts[1].append_value(&self.second.1);
        self.texts[9].append_value(sequence);
        self.push_values(change.id, change.number, second);
    }

    /// The values of a row. Most changes touch its state, balance and time; one in twenty moves
    /// the customer.
    fn push_values(&mut self, id: i64, number: u64, at: i64) {
        let key = mix(self.seed ^ id.cast_unsigned());
        let of_key = |place: u64| mix(key.wrapping_add(place));
        let version = mix(key ^ mix(number.wrapping_mul(0x632B_E59B_D9B4_E019)));
        let of_version = |place: u64| mix(version.wrapping_add(place));
        let moved = number > 0 && of_version(1).is_multiple_of(20);
        let place = |number: u64| if moved { of_version(number) } else { of_key(number) };
        let region = REGIONS[weighted(REGIONS.iter().map(|r| r.2), place(2))];
        let pick = |random: u64, among: usize| (random % among as u64) as usize;
        let (first, ascii) = FIRST[pick(of_key(3), FIRST.len())];
        let (middle, last) = (LAST[pick(of_key(4), 16)], LAST[pick(of_key(5), 16)]);
        self.texts[2].append_value(cpf(of_key(1)));
        self.texts[3].append_value(format!("{first} {middle} {last}"));
        let domain = DOMAINS[pick(place(6), DOMAINS.len())];
        let address = || format!("{ascii}.{}.{id}@{domain}", last.to_ascii_lowercase());
        self.texts[4].append_option((!of_key(7).is_multiple_of(50)).then(address));
        let telephone = || format!("+55{}9{:08}", region.1, place(8) % 100_000_000);
        self.texts[5].append_option((!of_key(9).is_multiple_of(20)).then(telephone));
        self.texts[6].append_value(region.0);
        let segment = SEGMENTS[weighted(SEGMENTS.iter().map(|s| s.1), place(10))];
        self.texts[7].append_value(segment.0);
        let state = STATES[weighted(STATES.iter().map(|s| s.1), of_version(11))];
        self.texts[8].append_value(state.0);
        // Some are in debt, few are rich.
        let cents = of_version(12) % 10_u64.pow(4 + (of_version(13) % 6) as u32);
        self.balance.append_value(i128::from(cents) - 50_000);
        self.birth.append_value((of_key(14) % 21_900) as i32 - 14_030);
        let created = LOADED_AT - (of_key(15) % 3_650) as i64 * DAY - (key % 86_400) as i64;
        self.created.append_value(created);
        let loaded = created.max(LOADED_AT - (of_version(16) % 365) as i64 * DAY);
        self.updated.append_value(if number == 0 { loaded } else { at });
    }

    /// The rows so far; none are left.
    pub(super) fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        self.rows = 0;
        let mut columns: Vec<arrow::array::ArrayRef> = Vec::new();
        for field in self.schema.fields() {
            let text = TEXTS.iter().position(|name| name == field.name());
            columns.push(match (text, field.name().as_str()) {
                (Some(place), _) => Arc::new(self.texts[place].finish()),
                (None, "id") => Arc::new(self.id.finish()),
                (None, "BI_id") => Arc::new(self.before.finish()),
                (None, "balance") => Arc::new(self.balance.finish()),
                (None, "birth_date") => Arc::new(self.birth.finish()),
                (None, "created_at") => Arc::new(self.created.finish()),
                (None, "updated_at") => Arc::new(self.updated.finish()),
                (None, other) => {
                    let unknown = format!("the bench makes no values for `{other}`");
                    return Err(ArrowError::SchemaError(unknown));
                }
            });
        }
        RecordBatch::try_new(self.schema.clone(), columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cpf_has_its_check_digits() {
        // 529.982.247-25 is the usual example; digits are taken from the right.
        assert_eq!(cpf(742_289_925), "52998224725");
        assert_eq!(cpf(111_111_111), "52998224725");
    }

    #[test]
    fn shares_are_kept() {
        let of = |random| weighted([3, 0, 2].into_iter(), random);
        assert_eq!([0, 1, 2, 3, 4, 5].map(of), [0, 0, 0, 2, 2, 0]);
    }

    #[test]
    fn changes_share_seconds_and_are_in_order() {
        let change = |number| Change { op: Op::Update, id: 1, number };
        assert_eq!(change(0).at(), LOADED_AT);
        assert_eq!(change(200).at() - change(0).at(), 12 * 3_600_000_000 + 1_000_000);
        assert!(change(1).at() < change(2).at());
    }
}
