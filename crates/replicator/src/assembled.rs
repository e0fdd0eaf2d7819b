//! What a stream of binlog events comes to, piece by piece.

use crate::ddl::TableEffect;
use crate::held_rows::HeldRows;
use crate::position::BinlogPosition;

/// What the next event has completed.
#[derive(Debug)]
pub(crate) enum Assembled {
    /// A transaction has committed.
    Transaction(Committed),
    /// Data definition has touched captured tables, by their places in the list.
    Definition(Vec<(usize, TableEffect)>),
}

/// A transaction that has committed.
#[derive(Debug)]
pub(crate) struct Committed {
    pub(crate) rows: HeldRows,
    /// The end of the event that committed it.
    pub(crate) end: BinlogPosition,
    /// The commit's second since the epoch, as the event header has it.
    pub(crate) second: u32,
    /// The highest commit second up to this transaction.
    pub(crate) sequence_second: u32,
}
