use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::fold::{End, Happening, Mark, Origin, Settled, State, Tally, first_touched, settle};

fn mark(generation: i64, seq: &str) -> Mark {
    Mark { generation, seq: seq.to_owned() }
}

fn upsert(seq: &str, at: i64, value: char) -> Happening<char> {
    Happening { mark: mark(1, seq), at, values: Some(value), origin: Origin::Own }
}

fn delete(seq: &str, at: i64) -> Happening<char> {
    Happening { mark: mark(1, seq), at, values: None, origin: Origin::Own }
}

fn recalled(happening: Happening<char>) -> Happening<char> {
    Happening { origin: Origin::Recalled, ..happening }
}

/// Settles over all states of a key and returns those that are there afterwards.
fn after(
    states: &[State<char>],
    happenings: &[Happening<char>],
    late: Option<&Mark>,
    tally: &mut Tally,
) -> Vec<State<char>> {
    let began: Vec<Mark> = states.iter().map(|state| state.began.clone()).collect();
    let (kept, touched) = states.split_at(first_touched(&began, late));
    let settled = settle(touched, happenings, late, |a, b| a == b, tally);
    let Settled { stays, written } = settled;
    assert_eq!(stays.len(), touched.len());
    let stay = touched.iter().zip(stays).filter(|(_, stays)| *stays).map(|(state, _)| state);
    let mut all: Vec<State<char>> = kept.iter().chain(stay).cloned().chain(written).collect();
    all.sort_by(|a, b| a.began.cmp(&b.began));
    all
}

/// `value from–to began–ended`, one per state.
fn shown(states: &[State<char>]) -> Vec<String> {
    let one = |state: &State<char>| {
        let State { began, from, end, values } = state;
        let end = end.as_ref().map(|End { by, at }| format!("{at} {}", by.seq));
        format!("{values} {from}–{} {}", end.unwrap_or_default(), began.seq)
    };
    states.iter().map(one).collect()
}

#[test]
fn every_change_of_values_is_a_state() {
    let mut tally = Tally::default();
    let changes = [
        upsert("1", 10, 'a'),
        upsert("2", 20, 'a'),
        upsert("3", 30, 'b'),
        delete("4", 40),
        delete("5", 50),
        upsert("6", 60, 'b'),
    ];
    let states = after(&[], &changes, None, &mut tally);
    assert_eq!(shown(&states), ["a 10–30 3 1", "b 30–40 4 3", "b 60– 6"]);
    let expected = Tally { began: 3, ended: 1, unchanged: 2, ..Tally::default() };
    assert_eq!(tally, expected);
}

#[test]
fn clocks_that_run_backwards_give_states_without_length() {
    let changes = [
        upsert("1", 100, 'a'),
        upsert("2", 70, 'b'),
        delete("3", 80),
        upsert("4", 90, 'c'),
        upsert("5", 110, 'd'),
    ];
    let states = after(&[], &changes, None, &mut Tally::default());
    let expected = ["a 100–100 2 1", "b 100–100 3 2", "c 100–110 5 4", "d 110– 5"];
    assert_eq!(shown(&states), expected);
}

#[test]
fn the_last_of_several_rows_with_one_sequence_counts() {
    let mut tally = Tally::default();
    let changes = [upsert("", 10, 'a'), upsert("", 11, 'b'), upsert("3", 30, 'c')];
    let states = after(&[], &changes, None, &mut tally);
    assert_eq!(shown(&states), ["b 11–30 3 ", "c 30– 3"]);
    assert_eq!((tally.began, tally.superseded), (2, 1));
    let again = after(&states, &[upsert("3", 30, 'x')], None, &mut tally);
    assert_eq!(again, states, "a change that is known is stale");
    assert_eq!(tally.stale, 1);
}

#[test]
fn a_late_change_is_put_where_it_belongs() {
    let mut tally = Tally::default();
    let first = [upsert("1", 10, 'a'), delete("4", 40), upsert("6", 60, 'c')];
    let states = after(&[], &first, None, &mut tally);
    let late = mark(1, "3");
    let changes = [upsert("3", 30, 'b'), recalled(delete("4", 40)), recalled(upsert("6", 60, 'c'))];
    tally = Tally::default();
    let states = after(&states, &changes, Some(&late), &mut tally);
    assert_eq!(shown(&states), ["a 10–30 3 1", "b 30–40 4 3", "c 60– 6"]);
    assert_eq!(tally, Tally { began: 1, ..Tally::default() });
}

#[test]
fn a_delete_without_a_trace_ends_what_a_late_insert_begins() {
    let late = mark(1, "3");
    let changes = [upsert("3", 30, 'b'), recalled(delete("4", 40))];
    let states = after(&[], &changes, Some(&late), &mut Tally::default());
    assert_eq!(shown(&states), ["b 30–40 4 3"]);
}

#[test]
fn a_late_change_that_is_known_changes_nothing() {
    let first = [upsert("1", 10, 'a'), upsert("2", 20, 'b'), upsert("3", 30, 'c')];
    let states = after(&[], &first, None, &mut Tally::default());
    let again = [
        recalled(upsert("2", 20, 'b')),
        upsert("2", 20, 'b'),
        recalled(upsert("3", 30, 'c')),
        upsert("3", 30, 'c'),
    ];
    let mut tally = Tally::default();
    assert_eq!(after(&states, &again, Some(&mark(1, "2")), &mut tally), states);
    assert_eq!(tally, Tally { stale: 2, ..Tally::default() });
    let began: Vec<Mark> = states.iter().map(|state| state.began.clone()).collect();
    let touched = &states[first_touched(&began, Some(&mark(1, "2")))..];
    let late = mark(1, "2");
    let settled = settle(touched, &again, Some(&late), |a, b| a == b, &mut tally);
    assert_eq!((settled.stays, settled.written), (vec![true, true], Vec::new()));
}

#[test]
fn a_new_load_goes_on_ends_or_begins() {
    let first = [upsert("9", 10, 'a')];
    let states = after(&[], &first, None, &mut Tally::default());
    let load =
        |value| Happening { mark: mark(2, ""), at: 50, values: Some(value), origin: Origin::Own };
    let missing = Happening { mark: mark(2, ""), at: 50, values: None, origin: Origin::Missing };
    let mut tally = Tally::default();
    let mut loaded = |happening| shown(&after(&states, &[happening], None, &mut tally));
    assert_eq!(loaded(load('a')), ["a 10– 9"]);
    assert_eq!(loaded(load('b')), ["a 10–50  9", "b 50– "]);
    assert_eq!(loaded(missing.clone()), ["a 10–50  9"]);
    assert_eq!((tally.unchanged, tally.began, tally.missing), (1, 1, 1));
    // A part of the load that comes later says that the key was there all the time.
    let ended = after(&states, &[missing], None, &mut tally);
    let late = mark(2, "");
    assert_eq!(after(&ended, &[load('a')], Some(&late), &mut tally), states);
}

/// What happens to a key, without any table: the plainest fold there is.
fn naive(happenings: &[(u32, i64, Option<char>)]) -> Vec<(char, i64, Option<i64>)> {
    let mut states: Vec<(char, i64, Option<i64>)> = Vec::new();
    let mut clock = i64::MIN;
    let mut happenings = happenings.to_vec();
    happenings.sort_by_key(|happening| happening.0);
    happenings.dedup_by_key(|happening| happening.0);
    for (_, at, value) in happenings {
        let now = states.last().filter(|state| state.2.is_none()).map(|state| state.0);
        if now == value {
            continue;
        }
        clock = clock.max(at);
        if let Some(state) = states.last_mut().filter(|state| state.2.is_none()) {
            state.2 = Some(clock);
        }
        states.extend(value.map(|value| (value, clock, None)));
    }
    states
}

/// Changes of one key arrive in batches of any order, some twice; whatever the order, the states
/// are those of the plain fold.
#[test]
fn batches_in_any_order_come_to_the_plain_fold() {
    for seed in 0..3_000 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let count = rng.random_range(1..12);
        let all: Vec<(u32, i64, Option<char>)> = (0..count)
            .map(|seq| {
                let at = i64::from(seq) * 3 + rng.random_range(-6..6);
                let value = rng.random_bool(0.7).then(|| rng.random_range('a'..'d'));
                (seq, at, value)
            })
            .collect();
        let mut applied: Vec<(u32, i64, Option<char>)> = Vec::new();
        let (mut states, mut watermark) = (Vec::new(), String::new());
        for _ in 0..rng.random_range(1..6) {
            let batch: Vec<_> = all.iter().filter(|_| rng.random_bool(0.4)).copied().collect();
            states = batch_of(&states, &batch, &applied, &watermark, seed);
            applied.extend(&batch);
            watermark = applied.iter().map(|change| text(change.0)).max().unwrap_or_default();
            let found: Vec<(char, i64, Option<i64>)> = states
                .iter()
                .map(|state| (state.values, state.from, state.end.as_ref().map(|end| end.at)))
                .collect();
            assert_eq!(found, naive(&applied), "seed {seed}: {applied:?}");
        }
    }
}

fn text(seq: u32) -> String {
    format!("{seq:03}")
}

fn batch_of(
    states: &[State<char>],
    batch: &[(u32, i64, Option<char>)],
    applied: &[(u32, i64, Option<char>)],
    watermark: &str,
    seed: u64,
) -> Vec<State<char>> {
    let happening = |change: &(u32, i64, Option<char>), origin| Happening {
        mark: mark(1, &text(change.0)),
        at: change.1,
        values: change.2,
        origin,
    };
    let late = batch.iter().map(|change| text(change.0)).min();
    let late = late.filter(|seq| seq.as_str() < watermark).map(|seq| mark(1, &seq));
    let mut happenings: Vec<Happening<char>> =
        batch.iter().map(|change| happening(change, Origin::Own)).collect();
    if late.is_some() {
        happenings.extend(applied.iter().map(|change| happening(change, Origin::Recalled)));
    }
    happenings.sort_by_key(|h| (h.mark.clone(), h.origin != Origin::Recalled));
    let mut tally = Tally::default();
    let after = after(states, &happenings, late.as_ref(), &mut tally);
    let counted = tally.began + tally.ended + tally.unchanged + tally.stale + tally.superseded;
    assert_eq!(counted, batch.len() as u64, "seed {seed}");
    after
}
