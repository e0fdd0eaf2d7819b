//! What Silver must hold: a plain fold over the changes, and what each batch must count. Nothing
//! here is the engine's.

use std::collections::BTreeMap;

use super::shape::{Key, Row, Shape};

/// When changes begin: 2026-01-02 03:00:00 UTC.
const CHANGES_BEGIN: i64 = 1_767_322_800;

/// One change as Bronze carries it.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) op: &'static str,
    /// 35 digits, or nothing in a full load.
    pub(super) seq: String,
    pub(super) key: Key,
    /// The key before an update.
    pub(super) before: Option<Key>,
    pub(super) row: Row,
}

impl Change {
    /// The contract's check, after its normaliser.
    pub(super) fn valid(&self) -> bool {
        let name = self.row.name.trim();
        !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase())
    }

    pub(super) fn rejected(&self) -> bool {
        self.op != "D" && !self.valid()
    }

    /// When it was committed, in seconds since the epoch: a change tells the same time in whatever
    /// file it stands, and clocks run backwards now and then. A load row tells the load's time.
    pub(super) fn committed(&self, load: i64) -> i64 {
        let number = |digits: Option<&str>| digits.and_then(|digits| digits.parse::<i64>().ok());
        let minute = number(self.seq.get(10..12));
        let (second, number) = (number(self.seq.get(12..14)), number(self.seq.get(16..)));
        let Some(((minute, second), number)) = minute.zip(second).zip(number) else { return load };
        CHANGES_BEGIN + 60 * minute + second + number * 5 % 7
    }

    /// The key that the row left.
    pub(super) fn left(&self) -> Option<Key> {
        self.before.filter(|before| self.op == "U" && *before != self.key)
    }

    pub(super) fn normalised(&self) -> Row {
        Row { name: self.row.name.trim().to_owned(), ..self.row.clone() }
    }
}

/// Rows with the sequence of the change that made them, by key.
pub(super) type State = BTreeMap<Key, (Row, String)>;

/// The changes of files, in file order, put into the order of the source.
pub(super) fn ordered<'a>(files: &[&'a [Change]]) -> Vec<&'a Change> {
    let mut changes: Vec<&Change> = files.iter().flat_map(|file| file.iter()).collect();
    changes.sort_by(|a, b| a.seq.cmp(&b.seq));
    changes
}

/// One change after the other.
pub(super) fn fold(files: &[&[Change]]) -> State {
    let mut state = State::new();
    for change in ordered(files) {
        if let Some(left) = change.left() {
            state.remove(&left);
        }
        if change.op == "D" {
            state.remove(&change.key);
        } else if change.valid() {
            state.insert(change.key, (change.normalised(), change.seq.clone()));
        }
    }
    state
}

/// Row counters by name; a counter that is not there is zero.
pub(super) type Counters = BTreeMap<&'static str, u64>;

enum Effect {
    Upsert,
    Delete,
    Leave,
}

/// What a batch without late changes counts, and what it makes of the state.
pub(super) fn batch(state: &mut State, files: &[&[Change]], shape: Shape) -> Counters {
    let changes = ordered(files);
    let mut last: BTreeMap<Key, (usize, Effect)> = BTreeMap::new();
    let mut counters = Counters::new();
    let mut valid = 0;
    for (place, change) in changes.iter().enumerate() {
        *counters.entry("read").or_default() += 1;
        if let Some(left) = change.left() {
            last.insert(left, (place, Effect::Leave));
        }
        if change.rejected() {
            *counters.entry("quarantined").or_default() += 1;
            continue;
        }
        valid += 1;
        let effect = if change.op == "D" { Effect::Delete } else { Effect::Upsert };
        last.insert(change.key, (place, effect));
    }
    for (key, (place, effect)) in last {
        let change = changes[place];
        let present = state.get(&key);
        let older = present.is_some_and(|(_, seq)| *seq >= change.seq);
        if let Effect::Leave = effect {
            if present.is_some() && !older {
                state.remove(&key);
                *counters.entry("moved").or_default() += 1;
            }
            continue;
        }
        valid -= 1;
        let row = change.normalised();
        let counter = match (effect, present) {
            _ if older => "stale",
            (Effect::Delete, None) => "unchanged",
            (Effect::Delete, Some(_)) => "deleted",
            (_, None) => "inserted",
            (_, Some((there, _))) if same(there, &row, shape) => "unchanged",
            (_, Some(_)) => "updated",
        };
        match counter {
            "deleted" => drop(state.remove(&key)),
            "inserted" | "updated" => drop(state.insert(key, (row, change.seq.clone()))),
            _ => {}
        }
        *counters.entry(counter).or_default() += 1;
    }
    counters.insert("superseded", valid);
    counters.retain(|_, count| *count > 0);
    counters
}

/// Equal in the columns that Silver has.
pub(super) fn same(a: &Row, b: &Row, shape: Shape) -> bool {
    a.name == b.name && a.cents == b.cents && (!shape.city || a.city == b.city)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(op: &'static str, seq: u32, key: Key, before: Option<Key>, name: &str) -> Change {
        let row = Row { name: name.to_owned(), cents: None, city: None };
        Change { op, seq: format!("{seq:035}"), key, before, row }
    }

    #[test]
    fn a_rejected_move_leaves_its_old_key_and_a_later_change_decides() {
        let file = [
            change("I", 1, 1, None, "a"),
            change("U", 2, 2, Some(1), "BAD"),
            change("I", 3, 3, None, "c"),
            change("D", 4, 3, None, "c"),
            change("U", 6, 4, Some(4), " e "),
            change("U", 5, 4, Some(4), "d"),
        ];
        let state = fold(&[&file]);
        assert_eq!(state.len(), 1);
        assert_eq!(state[&4].0.name, "e");
        let mut stepwise = State::new();
        let counters = batch(&mut stepwise, &[&file], Shape::default());
        assert_eq!(stepwise, state);
        let expected =
            [("inserted", 1), ("quarantined", 1), ("read", 6), ("superseded", 3), ("unchanged", 1)];
        assert_eq!(counters, Counters::from(expected));
    }
}
