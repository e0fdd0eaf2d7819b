//! What the plan makes passes every rule, and every rule finds what breaks it.

mod breaks;
mod fixture;
mod mapping_breaks;

use std::collections::BTreeSet;

use medallion_definition::finding::RuleId;
use serde_json::Value;

use super::{DmsDocuments, lint, rules};
use breaks::{Break, Edit};
use fixture::{Form, contracts, plan};

fn rules_found(documents: &DmsDocuments) -> Vec<RuleId> {
    lint(documents, &contracts()).into_iter().map(|finding| finding.rule).collect()
}

#[test]
fn what_the_plan_makes_passes_every_rule() {
    for form in [Form::Instance, Form::Serverless] {
        let plan = plan(form);
        assert_eq!(lint(&plan.documents(), &contracts()), []);
        let template = super::super::template::template(&plan);
        let documents = DmsDocuments::from_template(&template).unwrap();
        assert_eq!(documents.instance.is_some(), form == Form::Instance);
        assert_eq!(lint(&documents, &contracts()), []);
    }
}

#[test]
fn each_break_is_found_and_nothing_else() {
    for broken in breaks::all() {
        let documents = broken.documents();
        let found = lint(&documents, &contracts());
        let names: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(
            found.iter().map(|f| f.rule).collect::<Vec<_>>(),
            [broken.rule],
            "{broken:?}\n{}",
            names.join("\n")
        );
        assert_eq!(found[0].document, broken.document, "{broken:?}");
        assert!(!found[0].hint.is_empty(), "{broken:?}");
    }
}

#[test]
fn every_rule_has_a_break() {
    let broken: BTreeSet<RuleId> = breaks::all().into_iter().map(|b| b.rule).collect();
    let known: BTreeSet<RuleId> = rules::ALL.iter().map(|(rule, _)| *rule).collect();
    assert_eq!(known.len(), rules::ALL.len(), "two rules have one id");
    let untested: Vec<_> = known.difference(&broken).collect();
    assert!(untested.is_empty(), "{untested:?}");
}

#[test]
fn a_place_leads_to_the_value_that_is_wrong() {
    for broken in breaks::all() {
        let Edit::Set(path, _) = &broken.edit else { continue };
        let documents = broken.documents();
        let found = lint(&documents, &contracts()).swap_remove(0);
        let near = |a: &str, b: &str| a.starts_with(b) || b.starts_with(a);
        // Two keys of one object may exclude each other: either is the place.
        let siblings =
            found.path.rsplit_once('/').map(|p| p.0) == path.rsplit_once('/').map(|p| p.0);
        let whole = found.path == "/rules" || found.path.is_empty();
        assert!(near(path, &found.path) || siblings || whole, "{path}: {found}");
    }
}

#[test]
fn defaults_of_dms_are_judged_like_values() {
    let mut documents = plan(Form::Instance).documents();
    documents.target_endpoint["S3Settings"] = serde_json::json!({
        "BucketName": "b", "BucketFolder": "bronze", "ServiceAccessRoleArn": "r",
    });
    let found: BTreeSet<RuleId> = rules_found(&documents).into_iter().collect();
    let expected = BTreeSet::from([
        rules::DATA_FORMAT,
        rules::OP_IN_FULL_LOAD,
        rules::TIMESTAMP_COLUMN,
        rules::DATE_PARTITION,
        rules::STATISTICS,
        rules::BUCKET_OWNER,
    ]);
    assert_eq!(found, expected);
}

#[test]
fn validation_is_no_fault_of_its_own_where_timestamps_have_milliseconds() {
    let mut documents = plan(Form::Instance).documents();
    let settings = documents.replication["ReplicationTaskSettings"].as_str().unwrap();
    let validating = settings.replace("\"EnableValidation\":false", "\"EnableValidation\":true");
    assert_ne!(settings, validating);
    documents.replication["ReplicationTaskSettings"] = Value::from(validating);
    assert_eq!(rules_found(&documents), [rules::VALIDATION]);
    documents.target_endpoint["S3Settings"]["ParquetTimestampInMillisecond"] = Value::from(true);
    assert_eq!(rules_found(&documents), [rules::MILLISECONDS]);
}

#[test]
fn settings_in_attributes_count_where_no_other_stand() {
    let mut documents = plan(Form::Instance).documents();
    let settings = documents.target_endpoint["S3Settings"].as_object_mut().unwrap();
    for name in ["DataFormat", "BucketFolder", "TimestampColumnName"] {
        settings.remove(name).unwrap();
    }
    let attributes = "dataFormat=parquet;bucketFolder=bronze;timestampColumnName=dms_ts";
    documents.target_endpoint["ExtraConnectionAttributes"] = Value::from(attributes);
    assert_eq!(lint(&documents, &contracts()), []);
}

#[test]
fn a_password_in_a_document_does_not_reach_the_finding() {
    let mut documents = plan(Form::Instance).documents();
    documents.source_endpoint["Password"] = Value::from("s3cr3t");
    documents.source_endpoint["ExtraConnectionAttributes"] =
        Value::from("password=s3cr3t;s3cr3t;serverTimezone=s3cr3t");
    let found = lint(&documents, &contracts());
    assert!(found.len() >= 4);
    assert!(found.iter().all(|finding| !finding.to_string().contains("s3cr3t")), "{found:?}");
}

#[test]
fn what_describe_calls_show_is_judged_the_same() {
    let plan = plan(Form::Instance);
    let mut documents = plan.documents();
    documents.source_endpoint["EndpointType"] = Value::from("SOURCE");
    documents.target_endpoint["EndpointType"] = Value::from("TARGET");
    documents.target_endpoint["S3Settings"]["ParquetVersion"] = Value::from("parquet_2_0");
    documents.instance = Some(serde_json::json!({
        "EngineVersion": "3.5.4",
        "PubliclyAccessible": false,
        "ReplicationSubnetGroup": { "ReplicationSubnetGroupIdentifier": "g" },
        "VpcSecurityGroups": [{ "VpcSecurityGroupId": "sg-1", "Status": "active" }],
    }));
    documents.subnet_group = Some(serde_json::json!({
        "Subnets": [{ "SubnetIdentifier": "subnet-1" }, { "SubnetIdentifier": "subnet-2" }],
    }));
    documents.replication["TableMappings"] = plan.mappings.document();
    assert_eq!(lint(&documents, &contracts()), []);
}

impl Break {
    fn documents(&self) -> DmsDocuments {
        let mut documents = plan(self.form).documents();
        self.apply(&mut documents);
        documents
    }
}
