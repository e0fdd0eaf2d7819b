//! Source columns, and how they come to a value.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::gold::Input;

/// A column of a table that a model reads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceColumn {
    /// The table.
    pub input: Input,
    /// The column, in lower case as in Glue.
    pub column: String,
}

impl fmt::Display for SourceColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.input, self.column)
    }
}

/// How a source column comes to a value or a row, in the words of OpenLineage's column lineage
/// facet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subtype {
    /// The value as it is, under any name.
    Identity,
    /// Computed from the value.
    Transformation,
    /// Computed from the values of several rows.
    Aggregation,
    /// Decides about a value without being in it: a condition of CASE, the FILTER of an aggregate,
    /// the rows of a subquery in an expression.
    Conditional,
    /// Partition or order of a window function.
    Window,
    /// Condition of a join.
    Join,
    /// Forms groups, or rows that are to be distinct.
    GroupBy,
    /// WHERE and HAVING.
    Filter,
    /// ORDER BY, of a query or within an aggregate.
    Sort,
}

impl Subtype {
    /// True when the value itself comes in, false when it only decides.
    pub fn is_direct(self) -> bool {
        matches!(self, Subtype::Identity | Subtype::Transformation | Subtype::Aggregation)
    }

    /// OpenLineage's name of it.
    pub fn as_str(self) -> &'static str {
        match self {
            Subtype::Identity => "IDENTITY",
            Subtype::Transformation => "TRANSFORMATION",
            Subtype::Aggregation => "AGGREGATION",
            Subtype::Conditional => "CONDITIONAL",
            Subtype::Window => "WINDOW",
            Subtype::Join => "JOIN",
            Subtype::GroupBy => "GROUP_BY",
            Subtype::Filter => "FILTER",
            Subtype::Sort => "SORT",
        }
    }

    /// What it means, in a few words.
    pub fn description(self) -> &'static str {
        match self {
            Subtype::Identity => "the value as it is",
            Subtype::Transformation => "computed from the value",
            Subtype::Aggregation => "computed from the values of several rows",
            Subtype::Conditional => "decides about the value",
            Subtype::Window => "partition or order of a window",
            Subtype::Join => "condition of a join",
            Subtype::GroupBy => "forms the groups",
            Subtype::Filter => "selects the rows",
            Subtype::Sort => "orders the rows",
        }
    }
}

/// One way from a source column to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Transformation {
    /// Which.
    pub subtype: Subtype,
    /// True when no source value can be seen in the result, as with `count`. It is still computed
    /// from the value: masking is no excuse for a leak.
    pub masking: bool,
}

impl Transformation {
    /// A transformation that shows the values.
    pub(super) fn new(subtype: Subtype) -> Transformation {
        Transformation { subtype, masking: false }
    }

    /// This transformation of the result of another. What decides about a value is not in it any
    /// more, whatever is computed from it later; the widest of direct steps stands for all.
    pub(super) fn of(self, inner: Transformation) -> Transformation {
        let subtype = match (self.subtype.is_direct(), inner.subtype.is_direct()) {
            (false, _) => self.subtype,
            (true, false) => inner.subtype,
            (true, true) => self.subtype.max(inner.subtype),
        };
        Transformation { subtype, masking: self.masking || inner.masking }
    }
}

impl fmt::Display for Transformation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let masked = if self.masking { "masked " } else { "" };
        write!(f, "{masked}{}", self.subtype.as_str().to_lowercase().replace('_', " "))
    }
}

/// Source columns, each with the ways in which it comes in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources(BTreeMap<SourceColumn, BTreeSet<Transformation>>);

impl Sources {
    /// A source column as it is.
    pub(super) fn identity(column: SourceColumn) -> Sources {
        let how = BTreeSet::from([Transformation::new(Subtype::Identity)]);
        Sources(BTreeMap::from([(column, how)]))
    }

    /// Adds the sources of a value to which something is done.
    pub(super) fn add(&mut self, how: Transformation, value: &Sources) {
        for (column, inner) in &value.0 {
            let ways = self.0.entry(column.clone()).or_default();
            ways.extend(inner.iter().map(|i| how.of(*i)));
        }
    }

    /// Adds sources as they are.
    pub(super) fn extend(&mut self, others: Sources) {
        for (column, ways) in others.0 {
            self.0.entry(column).or_default().extend(ways);
        }
    }

    /// True when nothing comes in.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True when the column comes in, in whatever way.
    pub fn contains(&self, column: &SourceColumn) -> bool {
        self.0.contains_key(column)
    }

    /// The columns in order, each with the ways in which it comes in.
    pub fn iter(&self) -> impl Iterator<Item = (&SourceColumn, &BTreeSet<Transformation>)> {
        self.0.iter()
    }
}
