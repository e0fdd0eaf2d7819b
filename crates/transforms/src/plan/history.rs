//! From where the next batch of a history goes on: beside its own records, what Silver knows counts.

use medallion_definition::name::TableId;
use medallion_tables::store::ObjectMeta;

use super::complete::lost;
use super::planner::new_load;
use super::{Generation, Mode, SilverPlan};
use crate::record::Applied;

/// From where a history goes on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    /// From its own last batch.
    Goes,
    /// It has no batch yet, and Silver is about to be replaced by a new full load.
    Waits,
    /// It has no batch yet: it begins with the load that Silver stands for.
    First,
    /// Silver was reprocessed: the states of the load in force are made again.
    Restarts,
    /// They would be, but Bronze no longer holds all that they were made from.
    Lost(String),
}

impl Beginning {
    pub(super) fn of(
        table: &TableId,
        own: &Applied,
        silver: &Applied,
        listing: &[ObjectMeta],
    ) -> Beginning {
        let reprocessed = silver.state.rebuilt != own.state.rebuilt;
        if own.record.is_none() && silver.record.is_some() {
            return match new_load(table, listing, silver) {
                Some(_) => Beginning::Waits,
                None => Beginning::First,
            };
        }
        // A new full load begins anew in any case.
        if !reprocessed || own.record.is_none() || new_load(table, listing, own).is_some() {
            return Beginning::Goes;
        }
        match lost(table, own, &own.restarted(), listing) {
            None => Beginning::Restarts,
            Some(lost) => Beginning::Lost(lost),
        }
    }
}

impl SilverPlan {
    /// The same files upon another table.
    pub(super) fn above(self, own: &Applied) -> SilverPlan {
        let (base, newest_record) = (own.base, own.record.clone());
        SilverPlan { base, newest_record, ..self }
    }

    /// The same files as a generation of this number.
    pub(super) fn numbered(self, number: u64) -> SilverPlan {
        let generation = Generation { number, ..self.generation };
        SilverPlan { generation, ..self }
    }

    /// The same files in place of all that a history holds of a generation.
    pub(super) fn restarting(self, own: Option<&Generation>) -> SilverPlan {
        let reason = "Silver was reprocessed: the states of the load in force are made again";
        let (mode, reason, restarts) = (Mode::Replace, reason.to_owned(), true);
        let number = own.map_or(1, |own| own.number);
        SilverPlan { mode, reason, restarts, ..self.numbered(number) }
    }
}
