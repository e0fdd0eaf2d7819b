//! What a run of a model is going to do, as a value.

use std::collections::BTreeMap;
use std::fmt;

use medallion_definition::model::{GoldModel, Materialisation};
use medallion_definition::name::ColumnName;
use medallion_tables::table::LakeTable;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::source::Versions;
use crate::summary;

/// How the table is brought up to date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Inputs do not exist yet; the model waits for them.
    Wait(Vec<String>),
    /// The published table was built from the same inputs by the same query.
    Nothing,
    /// The whole query is asked.
    Full {
        /// Why not less.
        because: String,
    },
    /// Keys that changed inputs touch are computed again: all of them if they turn out too many.
    Incremental {
        /// The key.
        key: Vec<String>,
        /// The inputs that changed, with the versions that the published table was built from.
        changed: Versions,
    },
}

/// What a run is going to do. Printable.
#[derive(Clone, Debug)]
pub struct GoldPlan {
    /// The model.
    pub model: String,
    /// The version of every input that exists.
    pub inputs: Versions,
    /// SHA-256 over the columns of the inputs.
    pub columns: String,
    /// What is to be done.
    pub action: Action,
}

impl GoldPlan {
    /// Compares the inputs with what the published table was built from.
    pub(super) fn new(
        model: &GoldModel,
        inputs: Versions,
        columns: String,
        missing: Vec<String>,
        published: Option<&LakeTable>,
        forced: bool,
    ) -> GoldPlan {
        let action = if missing.is_empty() {
            action(model, &inputs, &columns, published.and_then(built), forced)
        } else {
            Action::Wait(missing)
        };
        GoldPlan { model: model.name.to_string(), inputs, columns, action }
    }

    /// The plan as one JSON object.
    pub fn to_json(&self) -> Value {
        let action = match &self.action {
            Action::Wait(missing) => json!({ "wait": missing }),
            Action::Nothing => json!("nothing"),
            Action::Full { because } => json!({ "full": { "because": because } }),
            Action::Incremental { key, changed } => {
                json!({ "incremental": { "key": key, "changed": changed } })
            }
        };
        json!({ "model": self.model, "inputs": self.inputs, "action": action })
    }
}

fn action(
    model: &GoldModel,
    inputs: &Versions,
    columns: &str,
    built: Option<Built>,
    forced: bool,
) -> Action {
    let full = |because: &str| Action::Full { because: because.to_owned() };
    let Some(built) = built else { return full("it was never built") };
    if built.fingerprint != fingerprint(model) {
        return full("query or header changed since it was built");
    }
    if forced {
        return full("it was asked for");
    }
    if built.columns.as_deref() != Some(columns) {
        return full("the columns of an input changed");
    }
    if built.inputs == *inputs {
        return Action::Nothing;
    }
    let Materialisation::Incremental { key } = &model.materialisation else {
        return full("inputs changed, and the model is materialised in full");
    };
    if built.inputs.keys().ne(inputs.keys()) {
        return full("it reads other tables than when it was built");
    }
    let changed = built.inputs.into_iter().filter(|(table, old)| inputs.get(table) != Some(old));
    let key = key.iter().map(ToString::to_string).collect();
    Action::Incremental { key, changed: changed.collect() }
}

/// What a table was built from.
#[derive(Clone, Debug)]
pub(super) struct Built {
    pub(super) inputs: Versions,
    pub(super) fingerprint: String,
    /// [`GoldPlan::columns`].
    pub(super) columns: Option<String>,
}

/// What the table's rows were built from; nothing when somebody else changed them since. Snapshots
/// that only rewrote files are passed over.
pub(super) fn built(table: &LakeTable) -> Option<Built> {
    for snapshot in table.history() {
        let entries = &snapshot.summary().additional_properties;
        if let (Some(inputs), Some(model)) =
            (entries.get(summary::INPUTS), entries.get(summary::MODEL))
        {
            let inputs = serde_json::from_str(inputs).ok()?;
            let columns = entries.get(summary::INPUT_COLUMNS).cloned();
            return Some(Built { inputs, fingerprint: model.clone(), columns });
        }
        if snapshot.summary().operation != medallion_tables::Operation::Replace {
            return None;
        }
    }
    None
}

/// SHA-256 of everything in the model that decides over its table, and of the program's version.
pub(super) fn fingerprint(model: &GoldModel) -> String {
    let columns: String = model
        .columns
        .iter()
        .map(|c| format!("{} {} {} {}\n", c.name, c.lake_type, c.nullable, c.sensitivity.as_str()))
        .collect();
    let grain: Vec<&str> = model.grain.iter().map(ColumnName::as_str).collect();
    let (kind, split) = (&model.materialisation, &model.partitioning);
    let checks: Vec<_> = model.checks.iter().map(|c| (&c.name, &c.kind, c.severity)).collect();
    let parts = format!(
        "{}\n{columns}{}\n{kind:?}\n{split:?}\n{checks:?}\n{}",
        env!("CARGO_PKG_VERSION"),
        grain.join(","),
        model.sql
    );
    hex::encode(Sha256::digest(parts))
}

impl fmt::Display for GoldPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "gold plan for {}", self.model)?;
        let none = BTreeMap::new();
        let changed = match &self.action {
            Action::Incremental { changed, .. } => changed,
            _ => &none,
        };
        for (table, version) in &self.inputs {
            write!(f, "  reads {table} at {version}")?;
            match changed.get(table) {
                Some(old) => writeln!(f, ", changed since {old}")?,
                None => writeln!(f)?,
            }
        }
        let todo = match &self.action {
            Action::Wait(missing) => format!("nothing yet, waiting for {}", missing.join(", ")),
            Action::Nothing => "nothing: inputs and query are unchanged".to_owned(),
            Action::Full { because } => format!("build in full: {because}"),
            Action::Incremental { key, .. } => {
                format!("compute again what was touched, by ({})", key.join(", "))
            }
        };
        writeln!(f, "  to do: {todo}")
    }
}
