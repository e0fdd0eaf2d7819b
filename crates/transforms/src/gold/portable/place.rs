//! Lines of the query.

use datafusion::sql::sqlparser::ast::Spanned;

/// Line and column of the query, both from 1.
pub(super) type Place = (u64, u64);

/// The line on which a part of the query begins; 0 where the parser knows none.
pub(super) fn line(part: &impl Spanned) -> u64 {
    part.span().start.line
}

/// The line of a part, or that of what holds it.
pub(super) fn line_or(part: &impl Spanned, outer: u64) -> u64 {
    match line(part) {
        0 => outer,
        known => known,
    }
}
