//! Where the columns of an expression are looked up.

use datafusion::common::{Column, DFSchema};

use super::source::Sources;

/// A relation whose columns an expression may name.
#[derive(Clone, Copy)]
pub(super) struct Frame<'s> {
    /// Names and qualifiers.
    pub(super) schema: &'s DFSchema,
    /// What they are made of, position by position.
    pub(super) columns: &'s [Sources],
}

impl<'s> Frame<'s> {
    fn column(self, column: &Column) -> Option<&'s Sources> {
        // As DataFusion itself looks columns up when it executes.
        self.columns.get(self.schema.maybe_index_of_column(column)?)
    }
}

/// What an expression can see: the relations below its node, and around a subquery the outer ones.
pub(super) struct Scope<'s> {
    frames: &'s [Frame<'s>],
    outer: Option<&'s Scope<'s>>,
}

impl<'s> Scope<'s> {
    /// The scope of a node over its inputs.
    pub(super) fn new(frames: &'s [Frame<'s>], outer: Option<&'s Scope<'s>>) -> Scope<'s> {
        Scope { frames, outer }
    }

    /// A column of the node's own inputs; of two that share a name, the first input's.
    pub(super) fn inner(&self, column: &Column) -> Option<&'s Sources> {
        self.frames.iter().find_map(|f| f.column(column))
    }

    /// A column of the nearest query around this one that has it.
    pub(super) fn outer(&self, column: &Column) -> Option<&'s Sources> {
        let around = std::iter::successors(self.outer, |s| s.outer);
        around.into_iter().find_map(|s| s.inner(column))
    }
}
