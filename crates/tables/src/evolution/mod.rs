//! Schema evolution: what turns a table's schema into the described one ([`plan_evolution`]), as
//! one commit of the metadata ([`evolve`]). No file is rewritten: columns are found in old files
//! by field id, and what a file lacks is NULL.
//!
//! Partitioning and order of rows refer to field ids, so they survive renames.

mod apply;
mod plan;

use std::fmt;

use medallion_definition::contract::Sensitivity;
use medallion_definition::types::LakeType;

use crate::schema::FieldSpec;

pub use apply::evolve;
pub use plan::plan_evolution;

/// One step from a table's schema to the described one. Columns are told by field id, which
/// stays while names change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemaChange {
    /// A new column; rows that are there have NULL in it.
    Add {
        /// The column.
        field: FieldSpec,
    },
    /// A column that goes; its values stay in old files and old snapshots.
    Drop {
        /// Its field id.
        id: i32,
        /// Its name.
        column: String,
    },
    /// Another name for the same column.
    Rename {
        /// Its field id.
        id: i32,
        /// The name until now.
        from: String,
        /// The name from now on.
        to: String,
    },
    /// A wider type for the same column.
    Widen {
        /// Its field id.
        id: i32,
        /// Its described name.
        column: String,
        /// The type until now.
        from: LakeType,
        /// The type from now on.
        to: LakeType,
    },
    /// NULL is allowed from now on.
    Relax {
        /// Its field id.
        id: i32,
        /// Its described name.
        column: String,
    },
    /// Another documentation.
    Document {
        /// Its field id.
        id: i32,
        /// Its described name.
        column: String,
        /// The text; may be empty.
        doc: String,
    },
    /// The column becomes personal, or is so no longer.
    Sensitivity {
        /// Its field id.
        id: i32,
        /// Its described name.
        column: String,
        /// True when it is personal from now on.
        personal: bool,
    },
}

impl fmt::Display for SchemaChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SchemaChange::Add { field } => {
                write!(f, "add column `{}` of type {}", field.name, field.lake_type)?;
                let personal = field.sensitivity == Sensitivity::Personal;
                f.write_str(if personal { ", personal" } else { "" })
            }
            SchemaChange::Drop { column, .. } => write!(f, "drop column `{column}`"),
            SchemaChange::Rename { from, to, .. } => write!(f, "rename column `{from}` to `{to}`"),
            SchemaChange::Widen { column, from, to, .. } => {
                write!(f, "widen column `{column}` from {from} to {to}")
            }
            SchemaChange::Relax { column, .. } => write!(f, "allow NULL in column `{column}`"),
            SchemaChange::Document { column, .. } => {
                write!(f, "change the documentation of column `{column}`")
            }
            SchemaChange::Sensitivity { column, personal: true, .. } => write!(
                f,
                "make column `{column}` personal; old files keep their bounds of it until they \
                 are rewritten"
            ),
            SchemaChange::Sensitivity { column, personal: false, .. } => {
                write!(f, "treat column `{column}` as personal no longer")
            }
        }
    }
}
