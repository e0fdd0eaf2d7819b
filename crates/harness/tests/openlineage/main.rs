//! Lineage events as OpenLineage's own schemas and client judge them.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/openlineage").canonicalize().unwrap()
}

/// Runs the judge; `None` when its tools cannot be installed here. In CI they have to be.
fn judge(events: &Path) -> Option<Output> {
    let target = std::env::var_os("MEDALLION_TARGET").map_or_else(
        || Path::new(env!("CARGO_BIN_EXE_medallion-harness")).parent().unwrap().join(".."),
        PathBuf::from,
    );
    let output = Command::new("python3")
        .arg(fixtures().join("judge.py"))
        .arg("--venv")
        .arg(target.join("stack/openlineage"))
        .arg(events)
        .output();
    let reason = match output {
        Ok(output) if output.status.code() != Some(5) => return Some(output),
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => format!("python3 cannot be started: {error}"),
    };
    assert!(std::env::var_os("CI").is_none(), "the events were not judged: {reason}");
    println!("SKIPPED: the events were not judged by OpenLineage's schemas: {reason}");
    None
}

fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

#[test]
fn the_judge_accepts_our_events_and_refuses_broken_ones() {
    let Some(output) = judge(&fixtures().join("events")) else { return };
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let breaks = [
        ("silver-complete.json", "\"rowCount\"", "\"rowCuont\""),
        ("silver-complete.json", "\"schema\": {", "\"schemas\": {"),
        ("gold-fail.json", "\"eventType\": \"FAIL\"", "\"eventType\": \"FAILED\""),
        ("gold-fail.json", "\"programmingLanguage\"", "\"language\""),
        ("gold-complete.json", "\"field\": \"id\"", "\"field\": \"idx\""),
        ("gold-start.json", "\"runId\": \"019b7c2f", "\"runId\": \"019b7c"),
    ];
    for (name, from, to) in breaks {
        let folder = tempfile::tempdir().unwrap();
        let good = std::fs::read_to_string(fixtures().join("events").join(name)).unwrap();
        assert!(good.contains(from), "{name} has no {from}");
        std::fs::write(folder.path().join(name), good.replace(from, to)).unwrap();
        let output = judge(folder.path()).unwrap();
        assert_eq!(output.status.code(), Some(3), "{to}: {}", said(&output));
        assert!(said(&output).contains(name), "{}", said(&output));
    }
}
