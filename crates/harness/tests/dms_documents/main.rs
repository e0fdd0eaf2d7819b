//! The DMS documents of the lake that ships: as they are in `infra/stacks`, and as tools that are
//! not ours judge them.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use medallion::files;
use medallion_definition::environment::{DmsEnvironment, Environment, ReplicationForm};
use medallion_definition::lake::LakeDefinition;
use medallion_ingestion::dms::DmsPlan;
use medallion_ingestion::dms::lint::{DmsDocuments, lint};
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn lake() -> LakeDefinition {
    files::definition(&root().join("infra/lake")).unwrap()
}

/// The environments that ship and have DMS.
fn environments() -> Vec<Environment> {
    let folder = root().join("infra/environments");
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = paths.iter().map(|path| files::environment(path).unwrap());
    read.filter(|environment| environment.dms.is_some()).collect()
}

fn plan(lake: &LakeDefinition, environment: &Environment) -> DmsPlan {
    DmsPlan::new(&lake.name, &lake.tables, environment).unwrap()
}

fn nulls(value: &Value) -> usize {
    match value {
        Value::Null => 1,
        Value::Array(items) => items.iter().map(nulls).sum(),
        Value::Object(object) => object.values().map(nulls).sum(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

#[test]
fn golden_documents_are_what_the_plan_makes() {
    let lake = lake();
    for environment in environments() {
        let folder = root().join("infra/stacks").join(&environment.name).join("dms");
        let files = plan(&lake, &environment).files();
        let mut names: Vec<String> = std::fs::read_dir(&folder)
            .unwrap_or_else(|error| {
                panic!("{}: {error}; run `cargo xtask synth`", folder.display())
            })
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, files.keys().cloned().collect::<Vec<_>>(), "{}", folder.display());
        for (name, text) in &files {
            let golden = std::fs::read_to_string(folder.join(name)).unwrap();
            // CloudFormation refuses them, also deep inside properties.
            let value = serde_json::from_str(text).unwrap();
            assert!(name != "template.json" || nulls(&value) == 0, "{name} has a null");
            assert!(
                golden == *text,
                "{name} of {} is stale: `cargo xtask synth`",
                environment.name
            );
        }
    }
}

#[test]
fn the_environments_that_ship_show_both_forms_and_pass_every_rule() {
    let lake = lake();
    let (mut instances, mut serverless) = (0, 0);
    for environment in environments() {
        let plan = plan(&lake, &environment);
        assert_eq!(lint(&plan.documents(), &lake.tables), []);
        let template = serde_json::from_str(&plan.files()["template.json"]).unwrap();
        let documents = DmsDocuments::from_template(&template).unwrap();
        assert_eq!(lint(&documents, &lake.tables), []);
        match plan.replication.form {
            ReplicationForm::Instance { .. } => instances += 1,
            ReplicationForm::Serverless { .. } => serverless += 1,
        }
    }
    assert!(instances > 0 && serverless > 0, "{instances} instances, {serverless} serverless");
}

/// Every environment in both forms, with and without keys of our own.
fn variants(environment: &Environment) -> Vec<Environment> {
    let forms = [
        ReplicationForm::Instance {
            class: "dms.t3.medium".to_owned(),
            engine_version: "3.6.1".parse().unwrap(),
            storage_gb: 50,
            multi_az: false,
        },
        ReplicationForm::Serverless { min_units: None, max_units: 2, multi_az: true },
    ];
    let dms = environment.dms.clone().unwrap();
    let key = format!("arn:aws:kms:{}:{}:key/k", environment.region, environment.account);
    let mut out = Vec::new();
    for form in forms {
        for key in [None, Some(key.parse().unwrap())] {
            let (kms_key, bronze_kms_key) = (key.clone(), key);
            let dms = DmsEnvironment { form: form.clone(), kms_key, bronze_kms_key, ..dms.clone() };
            out.push(Environment { dms: Some(dms), ..environment.clone() });
        }
    }
    out
}

fn write(folder: &Path, plan: &DmsPlan) {
    std::fs::create_dir_all(folder).unwrap();
    for (name, text) in plan.files() {
        std::fs::write(folder.join(name), text).unwrap();
    }
}

/// Runs the judge; `None` when its tools cannot be installed here. In CI they have to be.
fn judge(folders: &[PathBuf]) -> Option<Output> {
    let target = std::env::var_os("MEDALLION_TARGET").map_or_else(
        || Path::new(env!("CARGO_BIN_EXE_medallion-harness")).parent().unwrap().join(".."),
        PathBuf::from,
    );
    let output = Command::new("python3")
        .arg(root().join("fixtures/dms/judge.py"))
        .arg("--venv")
        .arg(target.join("stack/dms-judge"))
        .args(folders)
        .output();
    let reason = match output {
        Ok(output) if output.status.code() != Some(5) => return Some(output),
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => format!("python3 cannot be started: {error}"),
    };
    assert!(std::env::var_os("CI").is_none(), "the documents were not judged: {reason}");
    println!("SKIPPED: the documents were not judged by botocore and cfn-lint: {reason}");
    None
}

fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

#[test]
fn botocore_and_cfn_lint_accept_every_document_and_refuse_broken_ones() {
    let lake = lake();
    let work = tempfile::tempdir().unwrap();
    let mut folders = Vec::new();
    for environment in environments() {
        for (number, variant) in variants(&environment).iter().enumerate() {
            let folder = work.path().join(format!("{}-{number}", environment.name));
            write(&folder, &plan(&lake, variant));
            folders.push(folder);
        }
    }
    let Some(output) = judge(&folders) else { return };
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));

    let broken = folders.swap_remove(0);
    let breaks = [
        ("create-endpoint.target.json", "\"CdcMinFileSize\": 32000", "\"CdcMinFileSize\": \"a\""),
        ("create-endpoint.source.json", "\"SslMode\": \"verify", "\"SslMode\": \"vérify"),
        ("template.json", "AWS::DMS::Endpoint", "AWS::DMS::Endpiont"),
        ("template.json", "\"DataFormat\"", "\"DataFromat\""),
    ];
    for (name, from, to) in breaks {
        let path = broken.join(name);
        let good = std::fs::read_to_string(&path).unwrap();
        assert!(good.contains(from), "{name} has no {from}");
        std::fs::write(&path, good.replace(from, to)).unwrap();
        let output = judge(std::slice::from_ref(&broken)).unwrap();
        assert_eq!(output.status.code(), Some(3), "{to}: {}", said(&output));
        assert!(said(&output).contains(name), "{}", said(&output));
        std::fs::write(&path, good).unwrap();
    }
}
