//! The access policy: groups, grants and row filters, named as Lake Formation names them.

use std::collections::BTreeSet;

use crate::contract::Sensitivity;
use crate::name::{ColumnName, GroupName, Layer, RuleName};
use crate::row_expression::RowExpression;

/// A group of IAM Identity Center.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The name; a parameterised group of the file appears once per value.
    pub name: GroupName,
    /// Who they are.
    pub description: String,
}

/// The tables that a grant is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableSelection {
    /// Every table of a layer.
    Layer(Layer),
    /// One table, by its name in the Glue database.
    Table(Layer, String),
}

/// The columns that a grant opens in the tables it selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnSelection {
    /// Every column.
    All,
    /// The columns of these sensitivities, as a tag expression does.
    Sensitivity(BTreeSet<Sensitivity>),
    /// These columns.
    Named(Vec<ColumnName>),
    /// Every column but these.
    Excluding(Vec<ColumnName>),
}

/// SELECT for one group. With `rows` it compiles to a data cells filter, without to a plain grant.
/// Grants add up; there is no deny.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The grant's id, unique in the policy; also the name of its data cells filter.
    pub name: RuleName,
    /// Who.
    pub to: GroupName,
    /// Which tables.
    pub tables: TableSelection,
    /// Which columns.
    pub columns: ColumnSelection,
    /// Which rows; none means all.
    pub rows: Option<RowExpression>,
    /// File and line, for explanations.
    pub place: (String, usize),
}

/// The whole policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// All groups, parameterised ones spelled out.
    pub groups: Vec<Group>,
    /// All grants, parameterised ones spelled out.
    pub grants: Vec<Grant>,
}

impl Policy {
    /// The group of this name.
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|g| g.name.as_str() == name)
    }
}

/// The 27 federation units of Brazil: 26 states and the Federal District (ISO 3166-2:BR).
pub const UFS: [&str; 27] = [
    "AC", "AL", "AM", "AP", "BA", "CE", "DF", "ES", "GO", "MA", "MG", "MS", "MT", "PA", "PB", "PE",
    "PI", "PR", "RJ", "RN", "RO", "RR", "RS", "SC", "SE", "SP", "TO",
];
