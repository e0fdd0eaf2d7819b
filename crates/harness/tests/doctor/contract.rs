//! Contracts as text, read as a definition reads them.

use std::fmt::Write as _;
use std::path::Path;

use medallion_definition::contract::TableContract;
use medallion_definition::lake::{LakeDefinition, SourceFile};

const LAKE: &str = "version = 1\nname = \"checked\"\ndescription = \"checked\"\n";
const POLICY: &str = "version = 1\n";

/// A contract whose columns are nullable unless their type ends with `!`; the key is a
/// comma-separated list.
pub(crate) fn text(table: &str, key: &str, columns: &[(&str, &str)]) -> String {
    let key: Vec<String> = key.split(',').map(|name| format!("\"{}\"", name.trim())).collect();
    let mut out = format!(
        "version = 1\ntable = \"{table}\"\ndescription = \"{table}\"\nkey = [{}]\n",
        key.join(", ")
    );
    for (name, column_type) in columns {
        let (column_type, nullable) =
            column_type.strip_suffix('!').map_or((*column_type, true), |bare| (bare, false));
        let _ = write!(
            out,
            "[[column]]\nname = \"{name}\"\ntype = \"{column_type}\"\nnullable = {nullable}\n\
             sensitivity = \"internal\"\n"
        );
    }
    out
}

/// Reads contracts.
pub(crate) fn read(texts: &[String]) -> Vec<TableContract> {
    let file = |path: String, text: &str| SourceFile { path, text: text.to_owned() };
    let mut files =
        vec![file("lake.toml".to_owned(), LAKE), file("policy.toml".to_owned(), POLICY)];
    files.extend(texts.iter().enumerate().map(|(n, text)| file(format!("tables/{n}.toml"), text)));
    LakeDefinition::read(&files).unwrap_or_else(|findings| panic!("{findings}")).tables
}

/// Writes a definition with these contracts to a folder.
pub(crate) fn write_lake(folder: &Path, texts: &[String]) {
    std::fs::create_dir_all(folder.join("tables")).unwrap();
    std::fs::write(folder.join("lake.toml"), LAKE).unwrap();
    std::fs::write(folder.join("policy.toml"), POLICY).unwrap();
    for (n, text) in texts.iter().enumerate() {
        std::fs::write(folder.join(format!("tables/{n}.toml")), text).unwrap();
    }
}
