//! States as rows of the history table.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::compute::{interleave, interleave_record_batch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use medallion_definition::catalogue::{
    ENDED_GENERATION, ENDED_SEQ, HISTORY_GENERATION, IS_CURRENT, VALID_FROM, VALID_TO,
};
use medallion_definition::change::SILVER_CHANGE_SEQ;
use medallion_tables::table::LakeTable;

use super::fold::{End, Mark, State};
use crate::error::TransformError;
use crate::merge::bucket::utc;

/// Where the values of a state are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Values {
    /// In this event.
    Event(usize),
    /// In this one of the rows that were read from the table.
    Stored(usize),
}

/// The columns of the table that tell of a state beside its values.
pub(super) const ABOUT: [&str; 6] =
    [HISTORY_GENERATION, SILVER_CHANGE_SEQ, VALID_FROM, VALID_TO, ENDED_GENERATION, ENDED_SEQ];

/// Such columns of rows.
pub(super) struct About {
    generation: Int64Array,
    seq: StringArray,
    from: TimestampMicrosecondArray,
    to: TimestampMicrosecondArray,
    ended_generation: Int64Array,
    ended_seq: StringArray,
}

impl About {
    /// Rows that have the columns [`ABOUT`].
    pub(super) fn new(rows: &RecordBatch) -> Result<About, TransformError> {
        let column = |name: &str| rows.schema().index_of(name).map(|index| rows.column(index));
        Ok(About {
            generation: column(HISTORY_GENERATION)?.as_primitive::<Int64Type>().clone(),
            seq: column(SILVER_CHANGE_SEQ)?.as_string().clone(),
            from: column(VALID_FROM)?.as_primitive::<TimestampMicrosecondType>().clone(),
            to: column(VALID_TO)?.as_primitive::<TimestampMicrosecondType>().clone(),
            ended_generation: column(ENDED_GENERATION)?.as_primitive::<Int64Type>().clone(),
            ended_seq: column(ENDED_SEQ)?.as_string().clone(),
        })
    }

    /// The state of a row.
    pub(super) fn state<V>(&self, row: usize, values: V) -> State<V> {
        let end = self.to.is_valid(row).then(|| End {
            by: Mark {
                generation: self.ended_generation.value(row),
                seq: self.ended_seq.value(row).to_owned(),
            },
            at: self.to.value(row),
        });
        let began =
            Mark { generation: self.generation.value(row), seq: self.seq.value(row).to_owned() };
        State { began, from: self.from.value(row), end, values }
    }
}

/// A row on its way to the table.
pub(super) enum Out {
    /// A row of the table as it is.
    Same(usize),
    /// A state that is new or changed.
    State(State<Values>),
}

/// Where rows come from.
pub(super) struct Sources<'a> {
    pub(super) table: &'a LakeTable,
    /// The source columns of events.
    pub(super) events: &'a RecordBatch,
    /// Whole rows of the table, or their source columns when none of them is handed on as it is.
    pub(super) stored: &'a RecordBatch,
}

impl Sources<'_> {
    /// Rows of the table, in the order given.
    pub(super) fn rows(&self, outs: &[Out]) -> Result<RecordBatch, TransformError> {
        let changed = outs.iter().filter_map(|out| match out {
            Out::Same(_) => None,
            Out::State(state) => Some(state),
        });
        let changed: Vec<&State<Values>> = changed.collect();
        let fresh = self.states(&changed)?;
        if changed.len() == outs.len() {
            return Ok(fresh);
        }
        let mut next = 0..;
        let places = outs.iter().map(|out| match out {
            Out::Same(row) => (0, *row),
            Out::State(_) => (1, next.next().unwrap_or_default()),
        });
        let places: Vec<(usize, usize)> = places.collect();
        Ok(interleave_record_batch(&[self.stored, &fresh], &places)?)
    }

    fn states(&self, states: &[&State<Values>]) -> Result<RecordBatch, TransformError> {
        let schema = self.table.arrow_schema();
        let places: Vec<(usize, usize)> = states
            .iter()
            .map(|state| match state.values {
                Values::Event(row) => (0, row),
                Values::Stored(row) => (1, row),
            })
            .collect();
        let columns = schema.fields().iter().map(|field| {
            let name = field.name();
            if let Some(column) = about(name, states) {
                return Ok(column);
            }
            let parts = [self.events, self.stored].map(|rows| {
                let found = rows.column_by_name(name);
                found.ok_or_else(|| ArrowError::SchemaError(format!("no state has `{name}`")))
            });
            let [events, stored] = parts;
            interleave(&[events?.as_ref(), stored?.as_ref()], &places)
        });
        let columns = columns.collect::<Result<Vec<_>, ArrowError>>()?;
        Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
    }
}

/// A column that tells of states; nothing for one that holds values.
fn about(name: &str, states: &[&State<Values>]) -> Option<ArrayRef> {
    let ends = || states.iter().map(|state| state.end.as_ref());
    Some(match name {
        HISTORY_GENERATION => {
            let generations = states.iter().map(|state| state.began.generation);
            Arc::new(Int64Array::from_iter_values(generations))
        }
        SILVER_CHANGE_SEQ => {
            let seqs = states.iter().map(|state| &state.began.seq);
            Arc::new(StringArray::from_iter_values(seqs))
        }
        VALID_FROM => {
            let from = states.iter().map(|state| state.from);
            Arc::new(utc(&TimestampMicrosecondArray::from_iter_values(from)))
        }
        VALID_TO => {
            let to: TimestampMicrosecondArray = ends().map(|end| Some(end?.at)).collect();
            Arc::new(utc(&to))
        }
        IS_CURRENT => Arc::new(ends().map(|end| Some(end.is_none())).collect::<BooleanArray>()),
        ENDED_GENERATION => {
            Arc::new(ends().map(|end| Some(end?.by.generation)).collect::<Int64Array>())
        }
        ENDED_SEQ => {
            Arc::new(ends().map(|end| Some(end?.by.seq.as_str())).collect::<StringArray>())
        }
        _ => return None,
    })
}
