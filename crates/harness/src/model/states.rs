//! The history table beside the plainest fold of all applied changes into states.

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;
use medallion_definition::catalogue;
use medallion_definition::contract::TableContract;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::name::Layer;
use medallion_tables::table::LakeTable;
use medallion_tables::warehouse::{Warehouse, table_ident};

use super::check::{Arrived, Check, RECORD, files_of, texts};
use super::fold::{self, Change};
use super::shape::{Key, Row as Values, Shape};
use crate::conformance::observe::{Observed, counters};
use crate::small_lake::bronze::Text;
use crate::small_lake::contents::{self, Row, causes};

/// Counters that are no part of what was read.
const BESIDE: [&str; 4] = ["read", "moved", "missing", "revised"];
/// The most differing states that are shown.
const SHOWN: usize = 3;

/// Reads the history table back; an empty outcome when there is none.
///
/// # Errors
/// What cannot be read.
pub(super) async fn observe(
    warehouse: &Warehouse,
    definition: &LakeDefinition,
    contract: &TableContract,
) -> Result<States, String> {
    let database = Layer::Silver.database(&definition.name);
    let ident = table_ident(&database, &catalogue::history_name(contract));
    let mut observed = Observed::default();
    if let Some(table) = contents::load(warehouse, &ident).await? {
        observed.rows = contents::rows(&table).await?;
        observed.silver = Some(table);
    }
    Ok(States(observed))
}

/// A history table with its rows.
pub(super) struct States(Observed);

impl States {
    pub(super) fn snapshot(&self) -> Option<i64> {
        self.0.silver.as_ref().and_then(LakeTable::snapshot_id)
    }

    pub(super) fn commits_since(&self, earlier: Option<i64>) -> Vec<BTreeMap<String, String>> {
        self.0.commits_since(earlier)
    }

    pub(super) fn rows(&self) -> usize {
        self.0.rows.len()
    }
}

/// One state as the model has it; times in seconds since the epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    values: Values,
    generation: usize,
    seq: String,
    from: i64,
    end: Option<End>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct End {
    at: i64,
    generation: usize,
    seq: String,
}

type Chains = BTreeMap<Key, Vec<State>>;

/// The model's side of a history table.
#[derive(Debug, Default)]
pub(super) struct StatesCheck {
    /// Files that its records say were applied.
    applied: BTreeSet<(String, String)>,
    last: Option<i64>,
    /// A column went: states that differed in it only cannot be told any more.
    column_gone: bool,
    /// Something was committed by the contract in force: its columns have reached the table.
    landed: bool,
}

impl StatesCheck {
    /// Another contract is in force from now on.
    pub(super) fn contract(&mut self) {
        self.landed = false;
    }

    /// Follows the new commits and compares all states.
    pub(super) async fn look(
        &mut self,
        warehouse: &Warehouse,
        check: &Check,
        states: &States,
        shape: Shape,
    ) -> Result<(), String> {
        self.column_gone |= shape.city_dropped;
        for commit in states.0.commits_since(self.last) {
            let Some(record) = commit.get(RECORD) else { continue };
            if !record.starts_with("batches/shop.items_history/") {
                return Err(format!("the record `{record}` is not the history's own"));
            }
            self.landed = true;
            let content = warehouse.bucket().get(record).await.map_err(|e| causes(&e))?;
            let files = files_of(&content)?;
            self.restarts(&content, &files, check)?;
            for file in files {
                if !self.applied.insert(file.clone()) && !check.is_empty_load(&file) {
                    return Err(format!("`{}` is applied twice", file.0));
                }
            }
            let told = counters(std::slice::from_ref(&commit)).unwrap_or_default();
            let parts = told.iter().filter(|(name, _)| !BESIDE.contains(&name.as_str()));
            let (sum, read) = (parts.map(|(_, count)| count).sum::<u64>(), told.get("read"));
            if read != Some(&sum) {
                return Err(format!("a commit accounts for {sum} rows: {told:?}"));
            }
        }
        self.last = states.snapshot();
        let chains = well_formed(check, &states.0.rows)?;
        self.compare(check, &chains, shape)
    }

    /// After a rebuild of Silver the states of the load in force are made again, from all files of
    /// it: a record that says so counts in place of those before.
    fn restarts(
        &mut self,
        record: &[u8],
        files: &[(String, String)],
        check: &Check,
    ) -> Result<(), String> {
        let json: serde_json::Value = serde_json::from_slice(record).map_err(|e| e.to_string())?;
        if json["restarts"] != true {
            return Ok(());
        }
        let load_of = |file: &(String, String)| check.arrived.get(file).map(|f| f.generation);
        let loads: BTreeSet<Option<usize>> = files.iter().map(load_of).collect();
        let before: BTreeSet<(String, String)> =
            self.applied.iter().filter(|file| loads.contains(&load_of(file))).cloned().collect();
        if let Some(lost) = before.iter().find(|file| !files.contains(file)) {
            return Err(format!("states are made again without `{}`", lost.0));
        }
        self.applied.retain(|file| !before.contains(file));
        Ok(())
    }

    /// Everything was applied: the states that last are the rows of Silver.
    pub(super) fn end(
        &self,
        check: &Check,
        states: &States,
        silver: &Observed,
        shape: Shape,
    ) -> Result<(), String> {
        let form = check.form;
        let columns: Vec<String> = shape.columns(form).into_iter().map(|c| c.name).collect();
        let lasting = states.0.rows.iter().filter(|row| cell(row, "is_current") == "true");
        let lasting: BTreeSet<_> = lasting.map(|row| texts(row, &columns)).collect();
        let rows: BTreeSet<_> = silver.rows.iter().map(|row| texts(row, &columns)).collect();
        if lasting != rows {
            let (extra, lacking) = (lasting.difference(&rows).next(), rows.difference(&lasting));
            let lacking = lacking.collect::<Vec<_>>();
            return Err(format!("lasting {extra:?} not in silver, which has {lacking:?}"));
        }
        let newest = |applied: &BTreeSet<(String, String)>| {
            let files = applied.iter().filter_map(|file| check.arrived.get(file));
            files.map(|file| file.generation).max()
        };
        let generation = newest(&check.applied);
        let of_it = |file: &&(String, String)| {
            check.arrived.get(*file).map(|file| file.generation) == generation
        };
        let lacking = check.applied.difference(&self.applied).find(of_it);
        lacking.map_or(Ok(()), |file| Err(format!("`{}` was left out", file.0)))
    }

    fn compare(
        &self,
        check: &Check,
        chains: &BTreeMap<Vec<Text>, Vec<&Row>>,
        shape: Shape,
    ) -> Result<(), String> {
        if self.column_gone {
            return Ok(());
        }
        let name = shape.name_column();
        if chains.values().flatten().next().is_some_and(|row| !row.contains_key(name)) {
            // A contract that nobody has run by yet has not reached the table.
            return match self.landed {
                false => Ok(()),
                true => Err(format!("the table lacks `{name}`, which was committed to")),
            };
        }
        let applied = self.applied.iter().map(|file| check.arrived.get(file));
        let applied: Option<Vec<&Arrived>> = applied.collect();
        let expected = fold(&applied.ok_or("a file that never arrived")?);
        let form = check.form;
        let columns: Vec<String> = shape.columns(form).into_iter().map(|c| c.name).collect();
        let mut different = Vec::new();
        let keys = form.columns().len();
        for (key, states) in &expected {
            let there = chains.get(&form.values(*key)).map(Vec::as_slice).unwrap_or_default();
            let there: Vec<_> = there.iter().map(|row| (texts(row, &columns), told(row))).collect();
            let wanted = states
                .iter()
                .map(|state| (shape.values(form, *key, &state.values), expected_of(state)));
            let wanted: Vec<_> = wanted.collect();
            if there != wanted {
                different.push(format!("{there:?}, expected {wanted:?}"));
            }
        }
        let known: BTreeSet<Vec<Text>> = expected.keys().map(|key| form.values(*key)).collect();
        let unknown = chains.keys().filter(|key| !known.contains(*key));
        different.extend(unknown.map(|key| format!("{:?} has states", &key[..keys])));
        if different.is_empty() {
            return Ok(());
        }
        let shown = different[..different.len().min(SHOWN)].join("; ");
        Err(format!("the states of {} keys differ: {shown}", different.len()))
    }
}

/// All applied files, load after load, one change after the other.
fn fold(files: &[&Arrived]) -> Chains {
    let mut chains = Chains::new();
    let loads: BTreeSet<usize> = files.iter().map(|file| file.generation).collect();
    for (number, generation) in (1..).zip(loads) {
        let of_it = |file: &&&Arrived| file.generation == generation;
        let mut files: Vec<&&Arrived> = files.iter().filter(of_it).collect();
        files.sort_by(|a, b| (!a.is_load, &a.key).cmp(&(!b.is_load, &b.key)));
        let loads = || files.iter().filter(|file| file.is_load);
        let loaded = loads().flat_map(|file| &file.changes).filter(|change| !change.rejected());
        let loaded: BTreeSet<Key> = loaded.map(|change| change.key).collect();
        let since = loads().map(|file| file.modified).min().unwrap_or_default();
        for (_, states) in chains.iter_mut().filter(|(key, _)| !loaded.contains(key)) {
            happen(states, since, number, "", None);
        }
        let loads: BTreeMap<Key, i64> = loads()
            .flat_map(|file| file.changes.iter().map(|change| (change.key, file.modified)))
            .collect();
        let changes: Vec<&[Change]> = files.iter().map(|file| file.changes.as_slice()).collect();
        for change in fold::ordered(&changes) {
            let at = change.committed(loads.get(&change.key).copied().unwrap_or_default());
            let mut at_key = |key: Key, values: Option<Values>| {
                happen(chains.entry(key).or_default(), at, number, &change.seq, values);
            };
            if let Some(left) = change.left() {
                at_key(left, None);
            }
            match change.op {
                "D" => at_key(change.key, None),
                _ if change.valid() => at_key(change.key, Some(change.normalised())),
                _ => {}
            }
        }
    }
    chains.retain(|_, states| !states.is_empty());
    chains
}

fn happen(states: &mut Vec<State>, at: i64, generation: usize, seq: &str, values: Option<Values>) {
    let clock = states.last().map(|state| state.end.as_ref().map_or(state.from, |end| end.at));
    let at = clock.map_or(at, |clock| clock.max(at));
    let lasting = states.last_mut().filter(|state| state.end.is_none());
    if lasting.as_ref().map(|state| &state.values) == values.as_ref() {
        return;
    }
    if let Some(state) = lasting {
        state.end = Some(End { at, generation, seq: seq.to_owned() });
    }
    let seq = seq.to_owned();
    states.extend(values.map(|values| State { values, generation, seq, from: at, end: None }));
}

fn cell(row: &Row, name: &str) -> String {
    row.get(name).cloned().flatten().unwrap_or_default()
}

fn seconds(row: &Row, name: &str) -> Result<Option<i64>, String> {
    let Some(text) = row.get(name).cloned().flatten() else { return Ok(None) };
    let time =
        DateTime::parse_from_rfc3339(&text).map_err(|e| format!("`{name}` `{text}`: {e}"))?;
    Ok(Some(time.timestamp()))
}

/// What a row tells of its state, as the texts that it holds.
type Told = (String, String, String, Option<String>, Option<String>, Option<String>, String);

fn told(row: &Row) -> Told {
    let may = |name: &str| row.get(name).cloned().flatten();
    (
        cell(row, "_generation"),
        cell(row, "_change_seq"),
        cell(row, "valid_from"),
        may("valid_to"),
        may("_ended_generation"),
        may("_ended_seq"),
        cell(row, "is_current"),
    )
}

fn expected_of(state: &State) -> Told {
    let time = |seconds| {
        let time = DateTime::from_timestamp(seconds, 0).unwrap_or_default();
        time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    };
    let end = state.end.as_ref();
    (
        state.generation.to_string(),
        state.seq.clone(),
        time(state.from),
        end.map(|end| time(end.at)),
        end.map(|end| end.generation.to_string()),
        end.map(|end| end.seq.clone()),
        end.is_none().to_string(),
    )
}

/// What must hold of any history table: states of a key follow one another without overlap, and
/// only the last one may last. Returns the states of each key in their order.
fn well_formed<'r>(
    check: &Check,
    rows: &'r [Row],
) -> Result<BTreeMap<Vec<Text>, Vec<&'r Row>>, String> {
    let names: Vec<String> = check.form.columns().iter().map(|(n, _)| (*n).to_owned()).collect();
    let mut chains: BTreeMap<Vec<Text>, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        chains.entry(texts(row, &names)).or_default().push(row);
    }
    for (key, states) in &mut chains {
        let place = |row: &&Row| {
            let generation: u32 = cell(row, "_generation").parse().unwrap_or_default();
            (generation, cell(row, "_change_seq"))
        };
        states.sort_by_key(place);
        if states.windows(2).any(|pair| place(&pair[0]) == place(&pair[1])) {
            return Err(format!("two states of {key:?} began with one change"));
        }
        let mut clock = i64::MIN;
        for (number, row) in states.iter().enumerate() {
            let from = seconds(row, "valid_from")?.ok_or("a state without beginning")?;
            let to = seconds(row, "valid_to")?;
            let is_last = number + 1 == states.len();
            let lasts = cell(row, "is_current") == "true";
            if from < clock || to.is_some_and(|to| to < from) || lasts != to.is_none() {
                return Err(format!("the states of {key:?} do not follow one another"));
            }
            if lasts && !is_last {
                return Err(format!("a state of {key:?} lasts beside a later one"));
            }
            clock = to.unwrap_or(from);
        }
    }
    Ok(chains)
}
