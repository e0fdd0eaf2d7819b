//! The shape of a source table at one moment: what a Bronze file of that moment carries.

use arrow::datatypes::SchemaRef;
use medallion_definition::change::{BEFORE_IMAGE_PREFIX, CHANGE_SEQ, DMS_TS, OP};
use medallion_ingestion::schema::{SourceColumn, source_schema};

/// Why a table cannot be carried in this shape (operator).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// Without a key an update cannot say which row it means.
    #[error("the table has no primary key")]
    NoKey,
    /// Bronze has columns of that name itself.
    #[error("the column `{column}` has a name that Bronze files need for themselves")]
    Reserved {
        /// The source column.
        column: String,
    },
    /// A key column is invisible or generated, which DMS does not migrate.
    #[error("the key column `{column}` is invisible or generated, which is not replicated")]
    KeyLeftOut {
        /// The source column.
        column: String,
    },
}

/// The visible, stored columns of a table in its own order, and its primary key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableShape {
    columns: Vec<SourceColumn>,
    key: Vec<usize>,
}

impl TableShape {
    /// A table with these columns; `key` holds the places of the primary key's columns.
    ///
    /// # Panics
    /// When a place is not among the columns.
    pub fn new(columns: Vec<SourceColumn>, key: Vec<usize>) -> Result<TableShape, ShapeError> {
        if key.is_empty() {
            return Err(ShapeError::NoKey);
        }
        let technical =
            |name: &str| [OP, DMS_TS, CHANGE_SEQ].iter().any(|own| own.eq_ignore_ascii_case(name));
        let before = |name: &str| {
            let key_name = name.strip_prefix(BEFORE_IMAGE_PREFIX);
            key_name.is_some_and(|n| key.iter().any(|&place| columns[place].name == n))
        };
        match columns.iter().find(|c| technical(&c.name) || before(&c.name)) {
            Some(column) => Err(ShapeError::Reserved { column: column.name.clone() }),
            None => Ok(TableShape { columns, key }),
        }
    }

    /// The columns in the table's order.
    pub fn columns(&self) -> &[SourceColumn] {
        &self.columns
    }

    /// The places of the key's columns, in the key's order.
    pub fn key(&self) -> &[usize] {
        &self.key
    }

    /// The schema of Bronze files of this shape.
    pub fn schema(&self) -> SchemaRef {
        source_schema(&self.columns, &self.key)
    }
}
