//! Lineage of made-up queries over the shipped lake, and of the models that ship.

mod cases;
mod complete;
mod leaks;
mod pictures;
mod refused;
mod shapes;
mod worlds;

use std::path::PathBuf;

use medallion_definition::contract::Sensitivity;
use medallion_definition::lake::{LakeDefinition, SourceFile};
use medallion_definition::model::{GoldModel, Materialisation, ModelColumn, Partitioning};
use medallion_definition::types::LakeType;

/// The lake that ships.
fn lake() -> LakeDefinition {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../infra/lake");
    let mut files = Vec::new();
    for folder in [root.clone(), root.join("tables"), root.join("models")] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let text = std::fs::read_to_string(&path).unwrap();
                files.push(SourceFile { path: path.display().to_string(), text });
            }
        }
    }
    LakeDefinition::read(&files).unwrap_or_else(|findings| panic!("{findings}"))
}

/// A model with these internal columns, the first on line 11 of its file.
fn model(columns: &[&str], sql: &str) -> GoldModel {
    let column = |(i, name): (usize, &&str)| ModelColumn {
        name: name.parse().unwrap(),
        lake_type: LakeType::String,
        sensitivity: Sensitivity::Internal,
        safe_because: None,
        description: String::new(),
        nullable: true,
        line: 11 + i,
    };
    GoldModel {
        name: "made_up".parse().unwrap(),
        description: "a test".into(),
        owner: "tests".into(),
        grain: Vec::new(),
        columns: columns.iter().enumerate().map(column).collect(),
        materialisation: Materialisation::Full,
        partitioning: Partitioning::None,
        checks: Vec::new(),
        sql: sql.into(),
        file: "models/made_up.sql".into(),
        sql_line: 90,
    }
}
