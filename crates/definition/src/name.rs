//! Names of things in a lake. Each is parsed once and then known to be well formed.

use std::fmt;
use std::str::FromStr;

/// Why a text is not a name of the wanted kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no {kind}: {reason}")]
pub struct NameError {
    /// The offending text.
    pub text: String,
    /// The kind of name that was wanted.
    pub kind: &'static str,
    /// The rule that the text breaks.
    pub reason: &'static str,
}

/// Lower-case names that MySQL, the Glue Data Catalog and Athena all accept unquoted.
fn check_identifier(text: &str) -> Result<(), &'static str> {
    let mut chars = text.chars();
    match chars.next() {
        None => return Err("it is empty"),
        Some(c) if c.is_ascii_lowercase() || c == '_' => {}
        Some(_) => return Err("it must begin with a lower-case letter or `_`"),
    }
    if text.len() > 64 {
        return Err("it is longer than 64 characters");
    }
    if chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
        Ok(())
    } else {
        Err("only lower-case letters, digits and `_` are allowed")
    }
}

/// Group names may also hold `-` and upper-case letters (`operations-SP`).
fn check_group(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) {
        Ok(())
    } else {
        Err("only letters, digits, `-` and `_` are allowed")
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident, $kind:literal, $check:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                match $check(text) {
                    Ok(()) => Ok(Self(text.to_owned())),
                    Err(reason) => Err(NameError { text: text.to_owned(), kind: $kind, reason }),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    )*};
}

names! {
    /// The lake's own name; prefix of its Glue databases.
    LakeName, "lake name", check_identifier;
    /// A MySQL schema (database).
    SchemaName, "schema name", check_identifier;
    /// A table within a MySQL schema.
    TableName, "table name", check_identifier;
    /// A column.
    ColumnName, "column name", check_identifier;
    /// A Gold model, which is also the name of its table.
    ModelName, "model name", check_identifier;
    /// A group of IAM Identity Center.
    GroupName, "group name", check_group;
    /// A rule or check id inside a contract.
    RuleName, "rule name", check_identifier;
}

/// A source table: `schema.table`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId {
    /// The MySQL schema.
    pub schema: SchemaName,
    /// The table.
    pub table: TableName,
}

impl TableId {
    /// The table's name in the Glue databases of the lake: `crm_customers`.
    pub fn lake_table(&self) -> String {
        format!("{}_{}", self.schema, self.table)
    }
}

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.table)
    }
}

impl FromStr for TableId {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let (schema, table) = text.split_once('.').ok_or_else(|| NameError {
            text: text.to_owned(),
            kind: "source table",
            reason: "it must be written `schema.table`",
        })?;
        Ok(TableId { schema: schema.parse()?, table: table.parse()? })
    }
}

/// The layers of the lake; each is a bucket prefix and a Glue database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// Parquet as DMS wrote it: the whole history of changes.
    Bronze,
    /// Iceberg: the current state per key.
    Silver,
    /// Iceberg: business tables.
    Gold,
    /// Iceberg: rows that failed a check.
    Quarantine,
}

impl Layer {
    /// All layers, in the order in which data passes them.
    pub const ALL: [Layer; 4] = [Layer::Bronze, Layer::Silver, Layer::Gold, Layer::Quarantine];

    /// The bucket prefix without the slash, also the name used in policies and queries.
    pub fn as_str(self) -> &'static str {
        match self {
            Layer::Bronze => "bronze",
            Layer::Silver => "silver",
            Layer::Gold => "gold",
            Layer::Quarantine => "quarantine",
        }
    }

    /// The Glue database of this layer: `<lake>_<layer>`.
    pub fn database(self, lake: &LakeName) -> String {
        format!("{lake}_{}", self.as_str())
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Layer {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        Layer::ALL.into_iter().find(|l| l.as_str() == text).ok_or_else(|| NameError {
            text: text.to_owned(),
            kind: "layer",
            reason: "known are bronze, silver, gold, quarantine",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_athena_would_refuse_are_refused() {
        for text in ["", "Customers", "1st", "a-b", "a.b", &"x".repeat(65)] {
            assert!(text.parse::<ColumnName>().is_err(), "{text}");
        }
        assert!("cpf_2".parse::<ColumnName>().is_ok());
    }

    #[test]
    fn a_table_id_needs_schema_and_table() {
        let id: TableId = "crm.customers".parse().unwrap();
        assert_eq!(
            (id.to_string(), id.lake_table()),
            ("crm.customers".into(), "crm_customers".into())
        );
        assert!("customers".parse::<TableId>().is_err());
    }
}
