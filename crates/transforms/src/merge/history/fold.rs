//! The states of one key: what a sequence of changes makes of them. No input or output.
//!
//! A change that gives the key other values than it has ends the state and begins the next; one
//! that gives it the same values begins nothing; one that takes the key away ends the state.
//! Clocks may run backwards, the order of changes does not: a change that tells an earlier time
//! than the one before it counts at the time of that one, so states never overlap, and one that
//! was overtaken within the same instant has no length.

/// A change's place in the order of all loads: numbers of changes begin anew with each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    /// The load generation.
    pub(super) generation: i64,
    /// The `change_seq`; empty for the full load itself.
    pub(super) seq: String,
}

/// How a state ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) by: Mark,
    /// Microseconds since the epoch.
    pub(super) at: i64,
}

/// One state of a key; `V` tells where its values are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State<V> {
    pub(super) began: Mark,
    /// Microseconds since the epoch.
    pub(super) from: i64,
    /// Nothing while it lasts.
    pub(super) end: Option<End>,
    pub(super) values: V,
}

/// Why a change takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// It is a change row of the batch.
    Own,
    /// It is the other half of a change row of the batch: the key that a row left.
    Departure,
    /// It was applied before and is read again for a late one.
    Recalled,
    /// The full load of the batch does not have the key.
    Missing,
}

/// Something that happens to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Happening<V> {
    pub(super) mark: Mark,
    /// Microseconds since the epoch.
    pub(super) at: i64,
    /// The values that the key has from then on; nothing when it goes.
    pub(super) values: Option<V>,
    pub(super) origin: Origin,
}

/// What came of the happenings, by the change rows of the batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) began: u64,
    pub(super) ended: u64,
    pub(super) unchanged: u64,
    pub(super) stale: u64,
    pub(super) superseded: u64,
    /// States ended by departures.
    pub(super) moved: u64,
    /// States ended by a full load without the key.
    pub(super) missing: u64,
    /// States written before that late changes made different, or undid.
    pub(super) revised: u64,
}

impl std::ops::Add for Tally {
    type Output = Tally;

    fn add(self, other: Tally) -> Tally {
        Tally {
            began: self.began + other.began,
            ended: self.ended + other.ended,
            unchanged: self.unchanged + other.unchanged,
            stale: self.stale + other.stale,
            superseded: self.superseded + other.superseded,
            moved: self.moved + other.moved,
            missing: self.missing + other.missing,
            revised: self.revised + other.revised,
        }
    }
}

/// What becomes of the states of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settled<V> {
    /// For each state that was given: whether its row stays as it is.
    pub(super) stays: Vec<bool>,
    /// States to be written, in their order.
    pub(super) written: Vec<State<V>>,
}

/// Of a key's states by their beginnings, the index of the first that may change, and all after it
/// may too. `late` is the oldest late change of the key.
pub(super) fn first_touched(began: &[Mark], late: Option<&Mark>) -> usize {
    let before = late.map_or(began.len(), |late| began.partition_point(|mark| mark <= late));
    before.saturating_sub(1)
}

/// Settles a key. `states` are those from [`first_touched`] on; `happenings` stand in the order of
/// the source, of several with one mark the last counts. Recalled ones matter only after `late`.
pub(super) fn settle<V: Copy>(
    states: &[State<V>],
    happenings: &[Happening<V>],
    late: Option<&Mark>,
    same: impl Fn(V, V) -> bool,
    tally: &mut Tally,
) -> Settled<V> {
    let base = states.first().filter(|state| late.is_none_or(|late| state.began <= *late));
    let undone = &states[usize::from(base.is_some())..];
    let mut chain = Chain { states: Vec::new(), clock: i64::MIN };
    chain.states.extend(base.map(|base| as_before(base, late)));
    if let Some(base) = chain.states.first() {
        chain.clock = base.end.as_ref().map_or(base.from, |end| end.at);
    }
    let mut recalled = None;
    for (index, happening) in happenings.iter().enumerate() {
        if happening.origin == Origin::Recalled {
            recalled = Some(&happening.mark);
            if late.is_none_or(|late| happening.mark <= *late) {
                continue;
            }
        }
        if happenings.get(index + 1).is_some_and(|next| next.mark == happening.mark) {
            tally.superseded += u64::from(happening.origin == Origin::Own);
            continue;
        }
        let outcome = chain.take(happening, &same);
        let again = recalled == Some(&happening.mark);
        count(tally, happening.origin, if again { Outcome::Stale } else { outcome });
    }
    compare(chain.states, base, undone, same, tally)
}

/// The new states beside those that are there.
fn compare<V: Copy>(
    new: Vec<State<V>>,
    base: Option<&State<V>>,
    undone: &[State<V>],
    same: impl Fn(V, V) -> bool,
    tally: &mut Tally,
) -> Settled<V> {
    let mut new = new.into_iter().peekable();
    let mut stays = Vec::new();
    if let Some(base) = base {
        stays.push(new.next_if(|state| state.end == base.end).is_some());
    }
    let new: Vec<State<V>> = new.collect();
    let equal =
        |a: &State<V>, b: &State<V>| a.from == b.from && a.end == b.end && same(a.values, b.values);
    // Both are sorted by the beginning, which no two states of a key have in common.
    let is_in = |states: &[State<V>], state: &State<V>| {
        let found = states.binary_search_by(|other| other.began.cmp(&state.began));
        found.is_ok_and(|index| equal(&states[index], state))
    };
    for state in undone {
        let found = is_in(&new, state);
        tally.revised += u64::from(!found);
        stays.push(found);
    }
    let written = new.into_iter().filter(|state| !is_in(undone, state)).collect();
    Settled { stays, written }
}

/// The state as it was before the late change: whatever ended it then or later has not happened.
fn as_before<V: Copy>(state: &State<V>, late: Option<&Mark>) -> State<V> {
    let mut state = state.clone();
    state.end = state.end.filter(|end| late.is_none_or(|late| end.by < *late));
    state
}

/// What a happening did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Began,
    Ended,
    Unchanged,
    Stale,
}

struct Chain<V> {
    states: Vec<State<V>>,
    /// When the last thing happened.
    clock: i64,
}

impl<V: Copy> Chain<V> {
    fn take(&mut self, happening: &Happening<V>, same: &impl Fn(V, V) -> bool) -> Outcome {
        let Happening { mark, values, .. } = happening;
        if self.states.last().is_some_and(|state| *mark <= state.began) {
            return Outcome::Stale;
        }
        let lasting = self.states.last_mut().filter(|state| state.end.is_none());
        if let (Some(state), Some(values)) = (&lasting, values)
            && same(state.values, *values)
        {
            return Outcome::Unchanged;
        }
        let at = happening.at.max(self.clock);
        let ends = lasting.is_some();
        if let Some(state) = lasting {
            state.end = Some(End { by: mark.clone(), at });
        }
        if ends || values.is_some() {
            self.clock = at;
        }
        match values {
            Some(values) => {
                let (began, values) = (mark.clone(), *values);
                self.states.push(State { began, from: at, end: None, values });
                Outcome::Began
            }
            None if ends => Outcome::Ended,
            None => Outcome::Unchanged,
        }
    }
}

fn count(tally: &mut Tally, origin: Origin, outcome: Outcome) {
    let counter = match (origin, outcome) {
        (Origin::Own, Outcome::Began) => &mut tally.began,
        (Origin::Own, Outcome::Ended) => &mut tally.ended,
        (Origin::Own, Outcome::Unchanged) => &mut tally.unchanged,
        (Origin::Own, Outcome::Stale) => &mut tally.stale,
        (Origin::Departure, Outcome::Ended) => &mut tally.moved,
        (Origin::Missing, Outcome::Ended) => &mut tally.missing,
        _ => return,
    };
    *counter += 1;
}
