//! Row filters in the grammar that Lake Formation accepts (`data-filtering`, PartiQL support):
//! `column operator constant`, joined by AND, OR, NOT and parentheses.

mod check;
mod lex;
mod parse;
mod print;
mod reserved;

use std::collections::BTreeSet;

pub use check::RowExpressionProblem;

use crate::name::ColumnName;

/// The length in characters that an expression must stay below (`partiql-support`).
pub const MAX_LENGTH: usize = 2048;

/// A constant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Constant {
    /// Text in single quotes; compared with case.
    Text(String),
    /// A number, kept as written: digits, perhaps a leading `-`, perhaps a fraction.
    Number(String),
    /// TRUE or FALSE.
    Boolean(bool),
}

/// A comparison operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Eq,
    /// `<>` or `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

/// A row filter. Parsed with [`str::parse`]; printed in the same grammar.
///
/// It is evaluated in SQL's three-valued logic, and a row passes only when the result is TRUE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowExpression {
    /// Both.
    And(Box<RowExpression>, Box<RowExpression>),
    /// Either.
    Or(Box<RowExpression>, Box<RowExpression>),
    /// Negation, in three-valued logic.
    Not(Box<RowExpression>),
    /// `column op constant`
    Compare(ColumnName, Comparison, Constant),
    /// `column BETWEEN low AND high`
    Between(ColumnName, Constant, Constant),
    /// `column IN (…)`; never empty
    In(ColumnName, Vec<Constant>),
    /// `column LIKE pattern`; `%` and `_` are wildcards and nothing escapes them
    Like(ColumnName, String),
    /// `column IS NULL`, or IS NOT NULL when false
    IsNull(ColumnName, bool),
}

impl RowExpression {
    /// The columns that the filter reads.
    pub fn columns(&self) -> BTreeSet<&ColumnName> {
        let mut found = BTreeSet::new();
        self.visit(&mut |leaf| {
            if let Some(column) = leaf.column() {
                found.insert(column);
            }
        });
        found
    }

    /// The column of a single condition; none for AND, OR and NOT.
    fn column(&self) -> Option<&ColumnName> {
        match self {
            RowExpression::And(..) | RowExpression::Or(..) | RowExpression::Not(_) => None,
            RowExpression::Compare(column, ..)
            | RowExpression::Between(column, ..)
            | RowExpression::In(column, _)
            | RowExpression::Like(column, _)
            | RowExpression::IsNull(column, _) => Some(column),
        }
    }

    /// Calls `see` with every single condition, from left to right.
    fn visit<'a>(&'a self, see: &mut impl FnMut(&'a RowExpression)) {
        match self {
            RowExpression::And(left, right) | RowExpression::Or(left, right) => {
                left.visit(see);
                right.visit(see);
            }
            RowExpression::Not(inner) => inner.visit(see),
            leaf => see(leaf),
        }
    }
}

/// Why a text is no row filter, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at column {column}: {reason}")]
pub struct RowExpressionError {
    /// Position in the expression, in characters from 1.
    pub column: usize,
    /// What is wrong there, and what is allowed.
    pub reason: String,
}

impl RowExpressionError {
    fn new(column: usize, reason: impl Into<String>) -> RowExpressionError {
        RowExpressionError { column, reason: reason.into() }
    }
}
