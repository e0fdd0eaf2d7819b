//! How the rows of one table map reach the columns of a contract.

use std::collections::{BTreeSet, HashMap};
use std::io;

use medallion_definition::contract::TableContract;
use medallion_definition::name::ColumnName;
use mysql_async::binlog::events::{OptionalMetaExtractor, OptionalMetadataField, TableMapEvent};
use mysql_async::consts::ColumnType;

use crate::value::{Cell, ValueError};
use crate::wire::{Traits, Wire};

/// The id of the collation `binary`.
const BINARY_COLLATION: u16 = 63;

/// Why the rows of a table map cannot be carried to its contract.
#[derive(Debug, thiserror::Error)]
pub enum TableMapError {
    /// The event's bytes make no sense.
    #[error("the table map is malformed")]
    Malformed {
        /// What was found.
        source: io::Error,
    },
    /// The server sent no column names.
    #[error("the table map has no column names; run SET PERSIST binlog_row_metadata = FULL")]
    NoNames,
    /// The source table has lost, or not yet got, a column of the contract.
    #[error("the source table has no column `{column}`")]
    MissingColumn {
        /// The contract's column.
        column: ColumnName,
    },
    /// The source column's type is not the one of the contract.
    #[error("the source column `{column}` has another type than the contract")]
    ColumnType {
        /// The contract's column.
        column: ColumnName,
    },
    /// The column's text is in a character set that is not a subset of UTF-8.
    #[error(
        "the source column `{column}` has a character set other than utf8mb4, utf8mb3 or ascii"
    )]
    CharacterSet {
        /// The contract's column.
        column: ColumnName,
    },
}

/// Why a row image cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A column of the contract is not in the image.
    #[error("the row image lacks column `{column}`; run SET PERSIST binlog_row_image = FULL")]
    Partial {
        /// The contract's column.
        column: ColumnName,
    },
    /// A value cannot be read or carried.
    #[error("column `{column}` cannot be read")]
    Value {
        /// The source column.
        column: String,
        /// Why.
        source: ValueError,
    },
    /// The image ends early or has bytes left.
    #[error("the row image is truncated")]
    Truncated,
}

/// One column of the source table, in its order.
#[derive(Debug)]
struct SourceColumn {
    name: String,
    /// `None` for a column outside the contract whose type has no form here.
    wire: Option<Wire>,
    /// The contract's column.
    target: Option<usize>,
}

/// The columns of a table map and the contract's columns that they feed.
#[derive(Debug)]
pub(crate) struct RowLayout {
    columns: Vec<SourceColumn>,
    targets: Vec<ColumnName>,
}

impl RowLayout {
    /// Matches a table map with a contract by column name.
    pub(crate) fn new(
        map: &TableMapEvent<'_>,
        contract: &TableContract,
        utf8_collations: &BTreeSet<u16>,
    ) -> Result<RowLayout, TableMapError> {
        let traits = ColumnTraits::read(map)?;
        let count = usize::try_from(map.columns_count()).unwrap_or(usize::MAX);
        if traits.names.len() != count {
            return Err(TableMapError::NoNames);
        }
        let targets: HashMap<&str, usize> =
            contract.columns.iter().enumerate().map(|(i, c)| (c.name.as_str(), i)).collect();
        let mut columns = Vec::with_capacity(count);
        for (index, (name, traits)) in traits.names.into_iter().zip(traits.columns).enumerate() {
            let target = targets.get(name.as_str()).copied();
            let charset = traits.collation;
            let wire = kind(map, index)?.and_then(|kind| {
                Wire::new(kind, map.get_column_metadata(index).unwrap_or(&[]), traits.into())
            });
            if let Some(wanted) = target.map(|target| &contract.columns[target]) {
                let column = wanted.name.clone();
                if !wire.as_ref().is_some_and(|wire| wire.carries(&wanted.source_type)) {
                    return Err(TableMapError::ColumnType { column });
                }
                if charset.is_some_and(|c| c != BINARY_COLLATION && !utf8_collations.contains(&c)) {
                    return Err(TableMapError::CharacterSet { column });
                }
            }
            columns.push(SourceColumn { name, wire, target });
        }
        let fed = |index| columns.iter().any(|column| column.target == Some(index));
        match (0..contract.columns.len()).find(|index| !fed(*index)) {
            Some(index) => {
                Err(TableMapError::MissingColumn { column: contract.columns[index].name.clone() })
            }
            None => {
                let targets = contract.columns.iter().map(|c| c.name.clone()).collect();
                Ok(RowLayout { columns, targets })
            }
        }
    }

    /// Cuts one row image from the front and gives its values in the contract's order.
    ///
    /// `present` tells which source columns the event's images hold.
    pub(crate) fn cells<'a>(
        &self,
        present: &[bool],
        image: &mut &'a [u8],
    ) -> Result<Vec<Cell<'a>>, ImageError> {
        let held = present.iter().filter(|held| **held).count();
        if held == 0 || present.len() != self.columns.len() {
            return Err(ImageError::Truncated);
        }
        let (nulls, rest) =
            image.split_at_checked(held.div_ceil(8)).ok_or(ImageError::Truncated)?;
        *image = rest;
        let mut cells: Vec<Option<Cell<'a>>> = vec![None; self.targets.len()];
        let held = self.columns.iter().zip(present).filter(|(_, held)| **held);
        for (index, (column, _)) in held.enumerate() {
            let is_null = nulls[index / 8] >> (index % 8) & 1 == 1;
            let cell = match column.cell(is_null, image) {
                Ok(cell) => cell,
                Err(source) => {
                    return Err(ImageError::Value { column: column.name.clone(), source });
                }
            };
            if let (Some(target), Some(cell)) = (column.target, cell) {
                cells[target] = Some(cell);
            }
        }
        let named = cells.into_iter().zip(&self.targets);
        named
            .map(|(cell, name)| cell.ok_or_else(|| ImageError::Partial { column: name.clone() }))
            .collect()
    }
}

impl SourceColumn {
    /// The value, if the contract wants it; the image moves on either way.
    fn cell<'a>(&self, null: bool, image: &mut &'a [u8]) -> Result<Option<Cell<'a>>, ValueError> {
        if null {
            return Ok(Some(Cell::Null));
        }
        // A column without a form has an unknown width, so nothing behind it can be found.
        let wire = self.wire.as_ref().ok_or(ValueError::Kind { found: "an unknown type" })?;
        let bytes = wire.take(image)?;
        if self.target.is_some() { wire.cell(bytes).map(Some) } else { Ok(None) }
    }
}

fn kind(map: &TableMapEvent<'_>, index: usize) -> Result<Option<ColumnType>, TableMapError> {
    map.get_column_type(index).map_err(|error| TableMapError::Malformed {
        source: io::Error::new(io::ErrorKind::InvalidData, error),
    })
}

/// The optional metadata of a table map, column by column.
struct ColumnTraits {
    names: Vec<String>,
    columns: Vec<ColumnTrait>,
}

#[derive(Default)]
struct ColumnTrait {
    unsigned: bool,
    collation: Option<u16>,
    members: Vec<String>,
}

impl From<ColumnTrait> for Traits {
    fn from(column: ColumnTrait) -> Traits {
        let binary = column.collation == Some(BINARY_COLLATION);
        Traits { unsigned: column.unsigned, binary, members: column.members }
    }
}

impl ColumnTraits {
    fn read(map: &TableMapEvent<'_>) -> Result<ColumnTraits, TableMapError> {
        let malformed = |source| TableMapError::Malformed { source };
        let metadata = OptionalMetaExtractor::new(map.iter_optional_meta()).map_err(malformed)?;
        let names: Vec<String> = metadata
            .iter_column_name()
            .map(|name| name.map(|name| name.name().into_owned()))
            .collect::<io::Result<_>>()
            .map_err(malformed)?;
        let (mut enums, mut sets) = members(map).map_err(malformed)?;
        let mut signs = metadata.iter_signedness();
        let mut charsets = metadata.iter_charset();
        let mut member_charsets = metadata.iter_enum_and_set_charset();
        let mut columns = Vec::with_capacity(names.len());
        for index in 0..names.len() {
            let mut column = ColumnTrait::default();
            if let Some(kind) = kind(map, index)? {
                if kind.is_numeric_type() {
                    column.unsigned = signs.next().unwrap_or_default();
                } else if kind.is_character_type() {
                    column.collation = charsets.next().transpose().map_err(malformed)?;
                } else if kind.is_enum_or_set_type() {
                    column.collation = member_charsets.next().transpose().map_err(malformed)?;
                    let lists = if kind.is_enum_type() { &mut enums } else { &mut sets };
                    column.members = lists.next().unwrap_or_default();
                }
            }
            columns.push(column);
        }
        Ok(ColumnTraits { names, columns })
    }
}

type Lists = std::vec::IntoIter<Vec<String>>;

/// The members of all ENUM columns, and of all SET columns, each in column order.
fn members(map: &TableMapEvent<'_>) -> io::Result<(Lists, Lists)> {
    let (mut enums, mut sets) = (Vec::new(), Vec::new());
    for field in map.iter_optional_meta() {
        match field? {
            OptionalMetadataField::EnumStrValue(lists) => {
                for list in lists.iter_values() {
                    let list = list?;
                    enums.push(list.values().iter().map(|v| v.value().into_owned()).collect());
                }
            }
            OptionalMetadataField::SetStrValue(lists) => {
                for list in lists.iter_values() {
                    let list = list?;
                    sets.push(list.values().iter().map(|v| v.value().into_owned()).collect());
                }
            }
            _ => {}
        }
    }
    Ok((enums.into_iter(), sets.into_iter()))
}
