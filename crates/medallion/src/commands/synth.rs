//! `medallion synth`: the documents of an environment, written or compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use medallion_ingestion::dms::DmsPlan;
use medallion_ingestion::dms::lint::lint;

use crate::error::CliError;
use crate::files;
use crate::options::Place;

pub(crate) fn run(place: &Place, out: &Path, check: bool) -> Result<(), CliError> {
    let lake = files::definition(&place.definition)?;
    let environment = files::environment(&place.environment)?;
    let folder = out.join(&environment.name).join("dms");
    let documents = if environment.dms.is_some() {
        let plan = DmsPlan::new(&lake.name, &lake.tables, &environment)?;
        for notice in plan.notices.iter() {
            eprintln!("{notice}");
        }
        let found = lint(&plan.documents(), &lake.tables);
        if !found.is_empty() {
            return Err(CliError::Documents(found));
        }
        println!("{plan}");
        plan.files()
    } else {
        println!("environment `{}` has no DMS", environment.name);
        BTreeMap::new()
    };
    if check { compare(&folder, &documents) } else { write(&folder, &documents) }
}

/// The JSON files that are there.
fn present(folder: &Path) -> Result<BTreeSet<String>, CliError> {
    let unreadable = |source| CliError::Unreadable { path: folder.to_owned(), source };
    if !folder.exists() {
        return Ok(BTreeSet::new());
    }
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".json") {
            names.insert(name);
        }
    }
    Ok(names)
}

/// Writes the documents, and removes those that a plan does not make any more.
fn write(folder: &Path, documents: &BTreeMap<String, String>) -> Result<(), CliError> {
    let failed = |path: PathBuf| move |source| CliError::Unwritable { path, source };
    for name in present(folder)? {
        if !documents.contains_key(&name) {
            let path = folder.join(name);
            std::fs::remove_file(&path).map_err(failed(path.clone()))?;
        }
    }
    if documents.is_empty() {
        return Ok(());
    }
    std::fs::create_dir_all(folder).map_err(failed(folder.to_owned()))?;
    for (name, text) in documents {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(failed(path.clone()))?;
        println!("  wrote     {}", path.display());
    }
    Ok(())
}

/// Compares without writing.
fn compare(folder: &Path, documents: &BTreeMap<String, String>) -> Result<(), CliError> {
    let present = present(folder)?;
    let names: BTreeSet<&String> = present.iter().chain(documents.keys()).collect();
    let mut differences = String::new();
    for name in names {
        let path = folder.join(name);
        let there = present.contains(name).then(|| std::fs::read_to_string(&path)).transpose();
        let there = there.map_err(|source| CliError::Unreadable { path: path.clone(), source })?;
        match (there, documents.get(name)) {
            (None, _) => drop(writeln!(differences, "{}: is missing", path.display())),
            (_, None) => drop(writeln!(differences, "{}: is not made any more", path.display())),
            (Some(there), Some(made)) if there != *made => {
                let _ = write!(differences, "{}", first_difference(&path, &there, made));
            }
            (Some(_), Some(_)) => println!("  the same  {}", path.display()),
        }
    }
    if differences.is_empty() { Ok(()) } else { Err(CliError::Stale(differences)) }
}

/// The first line in which two texts differ, as a diff shows it.
fn first_difference(path: &Path, there: &str, made: &str) -> String {
    let (mut a, mut b, mut number) = (there.lines(), made.lines(), 0);
    loop {
        number += 1;
        let (a, b) = (a.next(), b.next());
        if a != b || a.is_none() {
            let show = |sign: char, line: Option<&str>| {
                line.map_or(String::new(), |line| format!("  {sign} {}\n", shortened(line)))
            };
            return format!("{}:{number}\n{}{}", path.display(), show('-', a), show('+', b));
        }
    }
}

/// Mappings and settings in a string make very long lines.
fn shortened(line: &str) -> String {
    const MOST: usize = 160;
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}
