//! The tables of the histories: their keys, and how their columns come and go.

use medallion_ingestion::schema::SourceColumn;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::small_lake::bronze::Text;

/// How many keys a history has.
pub(super) const KEYS: u32 = 40;

/// A key by its number.
pub(super) type Key = u32;

/// What the key is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyForm {
    /// One integer.
    Number,
    /// Texts, some of which differ by case only.
    Text,
    /// Two columns.
    Pair,
}

impl KeyForm {
    pub(super) fn random(rng: &mut ChaCha8Rng) -> KeyForm {
        [KeyForm::Number, KeyForm::Text, KeyForm::Pair][rng.random_range(0..3)]
    }

    /// Names and MySQL types of the key columns.
    pub(super) fn columns(self) -> &'static [(&'static str, &'static str)] {
        match self {
            KeyForm::Number => &[("id", "bigint unsigned")],
            KeyForm::Text => &[("code", "varchar(20)")],
            KeyForm::Pair => &[("region", "char(2)"), ("number", "int")],
        }
    }

    /// The values of a key.
    pub(super) fn values(self, key: Key) -> Vec<Text> {
        match self {
            KeyForm::Number => vec![Some(key.to_string())],
            KeyForm::Text if key.is_multiple_of(2) => vec![Some(format!("k{}", key / 2))],
            KeyForm::Text => vec![Some(format!("K{}", key / 2))],
            KeyForm::Pair => {
                let region = ["SP", "RJ", "sp"][(key % 3) as usize];
                vec![Some(region.to_owned()), Some((key / 3).to_string())]
            }
        }
    }
}

/// The columns beside the key, as they stand at some moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// `name` is called `title`.
    pub(super) renamed: bool,
    /// `amount` has more digits.
    pub(super) wide: bool,
    /// There is a column `city`.
    pub(super) city: bool,
    /// There was one.
    pub(super) city_dropped: bool,
}

/// One row as the source has it, beside its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) cents: Option<i64>,
    pub(super) city: Text,
}

impl Shape {
    /// Another shape that a source may change to.
    pub(super) fn changed(self, rng: &mut ChaCha8Rng) -> Shape {
        match rng.random_range(0..4) {
            0 => Shape { renamed: true, ..self },
            1 => Shape { wide: true, ..self },
            2 if !self.city_dropped => Shape { city: true, ..self },
            _ if self.city => Shape { city: false, city_dropped: true, ..self },
            _ => self,
        }
    }

    pub(super) fn name_column(self) -> &'static str {
        if self.renamed { "title" } else { "name" }
    }

    fn amount_type(self) -> &'static str {
        if self.wide { "decimal(16,2)" } else { "decimal(12,2)" }
    }

    /// The columns of a file of this shape.
    pub(super) fn columns(self, form: KeyForm) -> Vec<SourceColumn> {
        let mut columns = form.columns().to_vec();
        columns.push((self.name_column(), "varchar(20)"));
        columns.push(("amount", self.amount_type()));
        columns.extend(self.city.then_some(("city", "varchar(20)")));
        let column = |(name, source_type): (&str, &str)| {
            let name = name.to_owned();
            source_type.parse().ok().map(|source_type| SourceColumn { name, source_type })
        };
        columns.into_iter().filter_map(column).collect()
    }

    /// A row in the order of [`Shape::columns`].
    pub(super) fn values(self, form: KeyForm, key: Key, row: &Row) -> Vec<Text> {
        let mut values = form.values(key);
        values.push(Some(row.name.clone()));
        values.push(row.cents.map(cents));
        values.extend(self.city.then(|| row.city.clone()));
        values
    }

    /// The contract of a source of this shape, which had other shapes before.
    pub(super) fn contract(self, form: KeyForm, buckets: u32, states: bool) -> String {
        let key: Vec<String> = form.columns().iter().map(|(name, _)| format!("{name:?}")).collect();
        let mut text = format!(
            "version = 1\ntable = \"shop.items\"\ndescription = \"items\"\nkey = [{}]\n\
             buckets = {buckets}\nhistory = {states}\n",
            key.join(", ")
        );
        if self.city_dropped {
            text += "dropped = [\"city\"]\n";
        }
        let mut column = |name: &str, source_type: &str, nullable: bool, more: &str| {
            text += &format!(
                "[[column]]\nname = \"{name}\"\ntype = \"{source_type}\"\nnullable = {nullable}\n{more}\n"
            );
        };
        for (name, source_type) in form.columns() {
            column(name, source_type, false, "sensitivity = \"internal\"");
        }
        let former = if self.renamed { "renamed_from = [\"name\"]\n" } else { "" };
        let rules = "sensitivity = \"personal\"\nnormalise = [\"trim\"]\n\
                     check = [{ regex = \"[a-z]+\" }]";
        column(self.name_column(), "varchar(20)", false, &format!("{former}{rules}"));
        column("amount", self.amount_type(), true, "sensitivity = \"internal\"");
        if self.city {
            column("city", "varchar(20)", true, "added = true\nsensitivity = \"internal\"");
        }
        text
    }
}

fn cents(amount: i64) -> String {
    let sign = if amount < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", amount.abs() / 100, amount.abs() % 100)
}
