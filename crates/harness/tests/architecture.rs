//! What ARCHITECTURE.md promises about the workspace, checked.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The rows of the arrow table: crate folder to the folders that it may use.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let (_, table) = text.split_once("<!-- arrows -->").expect("the arrow table's mark");
    let (table, _) = table.split_once("<!-- end of arrows -->").expect("the end's mark");
    let mut arrows = BTreeMap::new();
    for line in table.lines().filter(|l| l.starts_with("| `")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let names = |cell: &str| -> BTreeSet<String> {
            cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
        };
        let folder = names(cells[1]).pop_first().unwrap();
        arrows.insert(folder, names(cells[3]));
    }
    arrows
}

/// The arrows that the manifests have, tests aside.
fn built() -> BTreeMap<String, BTreeSet<String>> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let folder = |name: &str| name.strip_prefix("medallion-").unwrap_or(name).to_owned();
    let packages = metadata["packages"].as_array().unwrap();
    let ours: BTreeSet<&str> = packages.iter().map(|p| p["name"].as_str().unwrap()).collect();
    let mut arrows = BTreeMap::new();
    for package in packages {
        let uses = package["dependencies"].as_array().unwrap().iter();
        let uses = uses
            .filter(|d| d["kind"].is_null())
            .map(|d| d["name"].as_str().unwrap())
            .filter(|name| ours.contains(name))
            .map(folder);
        arrows.insert(folder(package["name"].as_str().unwrap()), uses.collect());
    }
    arrows
}

#[test]
fn crates_use_only_what_architecture_md_allows() {
    let (documented, built) = (documented(), built());
    let crates = |arrows: &BTreeMap<String, BTreeSet<String>>| -> Vec<String> {
        arrows.keys().cloned().collect()
    };
    assert_eq!(crates(&documented), crates(&built), "the table and the workspace differ");
    for (folder, uses) in &built {
        let extra: Vec<_> = uses.difference(&documented[folder]).collect();
        assert!(
            extra.is_empty(),
            "`{folder}` uses {extra:?}, which ARCHITECTURE.md does not allow"
        );
    }
}

fn rust_files(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|n| n != "target") {
            rust_files(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

#[test]
fn no_source_file_is_longer_than_400_lines() {
    let mut files = Vec::new();
    rust_files(&root().join("crates"), &mut files);
    rust_files(&root().join("xtask"), &mut files);
    assert!(files.len() > 50, "the search found only {} files", files.len());
    let length = |path: &PathBuf| std::fs::read_to_string(path).unwrap().lines().count();
    let long: Vec<_> = files.iter().filter(|p| length(p) > 400).collect();
    assert!(long.is_empty(), "split by idea: {long:?}");
}
