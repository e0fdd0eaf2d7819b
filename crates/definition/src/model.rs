//! Gold models: one SQL file each, with a TOML header in its leading comment.

use crate::contract::Sensitivity;
use crate::name::{ColumnName, ModelName};
use crate::types::LakeType;

/// One column of a Gold table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelColumn {
    /// The name, as the query returns it.
    pub name: ColumnName,
    /// The type to which the query's result is cast.
    pub lake_type: LakeType,
    /// How much it tells about a person.
    pub sensitivity: Sensitivity,
    /// What the column means.
    pub description: String,
    /// Whether NULL is allowed; a NULL elsewhere makes the build red.
    pub nullable: bool,
}

/// A Gold model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoldModel {
    /// The model's and its table's name; the file is `<name>.sql`.
    pub name: ModelName,
    /// What a row says.
    pub description: String,
    /// Who answers for it.
    pub owner: String,
    /// The columns that make a row unique; checked before publishing.
    pub grain: Vec<ColumnName>,
    /// The columns in order.
    pub columns: Vec<ModelColumn>,
    /// The query. Silver tables are `silver.<schema>_<table>`, other models `gold.<model>`.
    pub sql: String,
    /// The file it was read from.
    pub file: String,
    /// The line on which the query begins, from 1.
    pub sql_line: usize,
}
