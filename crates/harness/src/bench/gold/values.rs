//! Plausible values, by the name of the column; a column that nobody foresaw gets some of its type.

use super::super::silver::rows::{DOMAINS, FIRST, LAST, LOADED_AT, REGIONS, cpf, mix, weighted};
use super::rows::{ANSWERS, Row};

/// Channels of consents, in the contract's order.
const CHANNELS: [&str; 5] = ["email", "sms", "whatsapp", "phone", "post"];
/// Purposes of consents.
const PURPOSES: [&str; 4] = ["marketing", "billing", "research", "partner_offers"];
/// Columns that are NULL in another share of the rows than [`NULLS`], in per cent.
const NULL_SHARES: [(&str, u64); 9] = [
    ("cpf", 2),
    ("credit_limit", 15),
    ("email", 10),
    ("notes", 90),
    ("preferences", 70),
    ("revoked_at", 85),
    ("street", 2),
    ("thumbnail", 97),
    ("cep", 2),
];
/// Per cent of other columns' rows that are NULL.
const NULLS: u64 = 20;
const HOUR: i64 = 3_600 * 1_000_000;
const DAY: i64 = 24 * HOUR;
/// Microseconds after the load at which changes begin, one second after the other.
const CHANGES_AFTER: i64 = 12 * HOUR;

/// One value about to be made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draw<'a> {
    column: &'a str,
    row: &'a Row,
    members: &'a [String],
    random: u64,
}

impl<'a> Draw<'a> {
    /// `members` are those of an ENUM or SET.
    pub(super) fn new(column: &'a str, row: &'a Row, members: &'a [String]) -> Draw<'a> {
        Draw { column, row, members, random: row.random(column) }
    }

    pub(super) fn is_null(&self) -> bool {
        let known = NULL_SHARES.iter().find(|(column, _)| *column == self.column);
        mix(!self.random) % 100 < known.map_or(NULLS, |(_, share)| *share)
    }

    fn below(&self, limit: u64) -> u64 {
        self.random % limit
    }

    /// A second number, which does not follow from the first by a reader's eye.
    fn other(&self, limit: u64) -> u64 {
        mix(self.random) % limit
    }

    fn pick<'b>(&self, list: &[&'b str]) -> &'b str {
        list[self.below(list.len() as u64) as usize]
    }

    pub(super) fn flag(&self) -> bool {
        let of_a_hundred = match (self.column, self.row.part) {
            ("is_current", 0 | 1) => 92,
            ("is_current", _) => 60,
            _ => 45,
        };
        self.below(100) < of_a_hundred
    }

    /// An integer, or a decimal's digits; `digits` bound one of which nothing is known.
    pub(super) fn whole(&self, digits: u32) -> i128 {
        let within = |low: i64, count: u64| i128::from(low) + i128::from(self.below(count));
        match self.column {
            "id" | "customer_id" => i128::from(self.row.customer),
            "seq" => i128::from(self.row.part),
            "granted" => i128::from(self.below(100) < 65),
            // Few limits are high: one to three digits more than a thousand.
            "credit_limit" => within(0, 10_u64.pow(5 + self.other(3) as u32)),
            "customer_since" => within(1_990, 34),
            "tier" => within(-3, 14),
            "dependents" => within(0, 7),
            "zone" => within(-900, 1_800),
            "latitude" => within(-33_000_000, 38_000_000),
            "longitude" => within(-73_000_000, 38_000_000),
            _ => within(0, 10_u64.pow(digits)),
        }
    }

    /// One decimal, so that a float holds what a double does.
    pub(super) fn real(&self) -> f64 {
        self.below(8_000) as f64 / 8.0
    }

    /// Days since 1970.
    pub(super) fn day(&self) -> i32 {
        let loaded = (LOADED_AT / DAY) as i32;
        match self.column {
            "birth_date" => (self.below(21_900) as i32) - 14_030,
            _ => loaded - self.below(364) as i32,
        }
    }

    /// Microseconds since 1970. Customers are registered at least a year before the load, and what
    /// happened to them happened later.
    pub(super) fn moment(&self) -> i64 {
        let ago = |days: u64| LOADED_AT - (self.other(days) as i64) * DAY;
        let millis = (self.below(86_400_000) as i64) * 1_000;
        let change = LOADED_AT + CHANGES_AFTER + (self.row.version as i64) * 1_000_000;
        match self.column {
            "created_at" => ago(3_285) - 365 * DAY - millis - (self.other(1_000) as i64),
            "granted_at" => ago(1_095) - 365 * DAY - millis,
            "updated_at" | "_changed_at" if self.row.version > 0 => change,
            "_changed_at" => LOADED_AT,
            "_loaded_at" if self.row.version > 0 => change + HOUR,
            "_loaded_at" => LOADED_AT + HOUR,
            _ => ago(364) - millis,
        }
    }

    pub(super) fn text(&self) -> String {
        let answer = self.row.part % ANSWERS;
        match self.column {
            "channel" => CHANNELS[answer as usize % CHANNELS.len()].to_owned(),
            "purpose" => PURPOSES[answer as usize / CHANNELS.len()].to_owned(),
            "_change_seq" => self.sequence(),
            "region" => self.region().0.to_owned(),
            "cpf" => cpf(self.random),
            "full_name" => {
                let (first, middle, last) = self.name();
                format!("{} {middle} {last}", first.0)
            }
            "email" => {
                let (first, _, last) = self.name();
                let (last, id) = (last.to_ascii_lowercase(), self.row.customer);
                format!("{}.{last}.{id}@{}", first.1, self.pick(&DOMAINS))
            }
            "phone" => format!("+55{}9{:08}", self.region().1, self.below(100_000_000)),
            "cep" => format!("{:08}", self.below(100_000_000)),
            "street" => format!("Rua {} {}", self.pick(&LAST), self.other(900) + 1),
            "number" => (self.below(3_000) + 1).to_string(),
            "district" => format!("Vila {}", self.pick(&LAST)),
            "city" => format!("{} do {}", self.pick(&LAST), REGIONS[self.other(27) as usize].0),
            "source" => self.pick(&["web", "app", "store", "call_center"]).to_owned(),
            "preferences" => r#"{"theme": "dark", "beta": true}"#.to_owned(),
            "preferred_contact" => format!("{:02}:30:00.000", self.below(24)),
            _ if !self.members.is_empty() => {
                self.members[self.below(self.members.len() as u64) as usize].clone()
            }
            column => format!("{column} {}", self.below(1_000)),
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let length = if self.column == "permissions" { 2 } else { 16 };
        [self.random, mix(self.random)].map(u64::to_be_bytes).concat()[..length].to_vec()
    }

    /// Empty in a full load; 35 digits of a change.
    fn sequence(&self) -> String {
        match self.row.version {
            0 => String::new(),
            version => format!("20240501120000{version:02}{:019}", self.row.customer),
        }
    }

    fn region(&self) -> (&'static str, u64, u64) {
        let random = self.row.random("region");
        REGIONS[weighted(REGIONS.iter().map(|region| region.2), random)]
    }

    /// First name, and how it stands in an address; middle and last name.
    fn name(&self) -> ((&'static str, &'static str), &'static str, &'static str) {
        let random = self.row.random("full_name");
        let place = |number: u64| (mix(random.wrapping_add(number)) % 16) as usize;
        (FIRST[place(1)], LAST[place(2)], LAST[place(3)])
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::Source;
    use super::*;

    fn draws(source: Source, column: &str) -> Vec<String> {
        let rows = source.rows(3, 1..400);
        rows.iter().map(|row| Draw::new(column, row, &[]).text()).collect()
    }

    #[test]
    fn texts_have_the_forms_of_normalised_silver() {
        let all = |column: &str, test: &dyn Fn(&str) -> bool| {
            draws(Source::Customers, column).iter().all(|text| test(text))
        };
        assert!(all("cpf", &|t| t.len() == 11 && t.bytes().all(|b| b.is_ascii_digit())));
        assert!(all("phone", &|t| t.len() == 14 && t.starts_with("+55")));
        assert!(all("email", &|t| t.is_ascii() && t.contains('@')));
        assert!(all("_change_seq", &str::is_empty));
        let row = Source::Customers.rows(3, 1..2)[0].changed();
        assert_eq!(Draw::new("_change_seq", &row, &[]).text().len(), 35);
    }

    #[test]
    fn consents_are_about_all_channels_and_purposes() {
        let mut channels = draws(Source::Consents, "channel");
        let mut purposes = draws(Source::Consents, "purpose");
        for texts in [&mut channels, &mut purposes] {
            texts.sort_unstable();
            texts.dedup();
        }
        assert_eq!((channels.len(), purposes.len()), (CHANNELS.len(), PURPOSES.len()));
    }

    #[test]
    fn nothing_happens_before_a_customer_is_registered() {
        for row in Source::Customers.rows(3, 1..2_000) {
            let at = |column| Draw::new(column, &row, &[]).moment();
            assert!(at("created_at") < at("updated_at") && at("updated_at") <= LOADED_AT);
            let bought = i64::from(Draw::new("last_purchase", &row, &[]).day()) * DAY;
            assert!(bought > at("created_at"));
            assert!(at("granted_at") < at("revoked_at"));
        }
    }
}
