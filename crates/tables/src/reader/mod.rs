//! Reading data files row by row number: which rows hold given keys, the rows at given positions,
//! all rows but some.
//!
//! Everything here reads one live file of the table and knows its rows by their position, which
//! begins at 0 and counts deleted rows too. Columns are found by field id, so that files written
//! under older schemas come out under the table's current one.

mod columns;
mod deletes;
mod footers;
mod keys;
mod locate;
mod merge;
mod open;
mod pruning;
mod rows;
mod selection;
mod sorted;

pub(crate) use deletes::{PATH_ID, POSITION_ID};
pub(crate) use footers::Footers;
pub use keys::KeySet;
pub use locate::Located;
pub use merge::merge_sorted;
pub(crate) use merge::sort;
