//! Environments: without DMS, with either form, and wrong in one way each.

use medallion_definition::environment::{
    Environment, ReplicationForm, ServerVersion, SourceEngine, SourceHosting,
};
use medallion_definition::finding::Findings;
use medallion_definition::lake::SourceFile;

const PLACE: &str = r#"version = 1
name = "dev"
region = "sa-east-1"
account = "111122223333"
bucket = "lake"
"#;
const SOURCE: &str = r#"[source]
engine = "mysql"
hosting = "on-premises"
version = "8.4"
secret = "arn:aws:secretsmanager:sa-east-1:111122223333:secret:crm"
secret_role = "arn:aws:iam::111122223333:role/secret"
tls = "verify-full"
certificate = "arn:aws:dms:sa-east-1:111122223333:cert:ca"
"#;
const DMS: &str = r#"[dms]
form = "instance"
class = "dms.t3.medium"
engine_version = "3.5.4"
target_role = "arn:aws:iam::111122223333:role/bronze"
kms_key = "arn:aws:kms:sa-east-1:111122223333:key/k"
subnets = ["subnet-1", "subnet-2"]
security_groups = ["sg-1"]
"#;

fn read(text: &str) -> Result<Environment, Findings> {
    Environment::read(&SourceFile { path: "dev.toml".into(), text: text.to_owned() })
}

fn whole() -> String {
    format!("{PLACE}{SOURCE}{DMS}")
}

#[test]
fn both_forms_are_read_and_dms_may_be_missing() {
    assert_eq!(read(PLACE).unwrap().dms, None);
    let dms = read(&whole()).unwrap().dms.unwrap();
    assert_eq!(
        (dms.source.engine, dms.source.hosting),
        (SourceEngine::MySql, SourceHosting::OnPremises)
    );
    assert_eq!((dms.batch_seconds, dms.batch_kb), (60, 32_000));
    let ReplicationForm::Instance { engine_version, storage_gb, .. } = dms.form else {
        panic!("{:?}", dms.form)
    };
    assert_eq!((engine_version.to_string(), storage_gb), ("3.5.4".to_owned(), 50));
    let serverless = whole()
        .replace("form = \"instance\"", "form = \"serverless\"")
        .replace("class = \"dms.t3.medium\"\nengine_version = \"3.5.4\"", "max_units = 4");
    let form = read(&serverless).unwrap().dms.unwrap().form;
    let expected = ReplicationForm::Serverless { min_units: None, max_units: 4, multi_az: false };
    assert_eq!(form, expected);
}

#[test]
fn each_mistake_is_one_finding_with_its_place() {
    let capacity = "max_units = 5\nunits = 1";
    let cases = [
        ("111122223333\"\nbucket", "1111\"\nbucket", "4 environment/account"),
        ("version = \"8.4\"", "version = \"9.7\"", "9 environment/source"),
        ("version = \"8.4\"", "version = \"eight\"", "9 definition/bad-value"),
        ("engine = \"mysql\"", "engine = \"aurora\"", "8 environment/source"),
        ("engine = \"mysql\"", "engine = \"mariadb\"", "9 environment/source"),
        ("hosting = \"on-premises\"", "", "6 definition/missing-key"),
        ("secret = \"arn:aws:secrets", "secret = \"aws:secrets", "10 definition/bad-value"),
        ("secretsmanager:sa-east-1", "secretsmanager:us-east-1", "10 environment/arn"),
        ("role/secret\"", "role/secret\"\npassword = \"x\"", "12 definition/unknown-key"),
        ("iam::111122223333:role/secret", "iam::999922223333:role/secret", "11 environment/arn"),
        ("tls = \"verify-full\"", "tls = \"require\"", "12 definition/bad-value"),
        ("arn:aws:dms:sa", "arn:aws:acm:sa", "13 environment/arn"),
        ("\"subnet-1\", \"subnet-2\"", "\"subnet-1\"", "20 environment/network"),
        ("\"subnet-1\", \"subnet-2\"", "\"subnet-1\", \"subnet-1\"", "20 environment/network"),
        ("\"sg-1\"", "", "21 environment/network"),
        ("dms.t3.medium", "t3.medium", "16 environment/dms-size"),
        ("\"3.5.4\"", "\"3.4.7\"", "17 environment/dms-size"),
        ("\"3.5.4\"", "\"3.6\"", "17 environment/dms-size"),
        (":secret:crm", ":crm", "10 environment/arn"),
        (":role/secret", ":user/secret", "11 environment/arn"),
        (":cert:ca", ":endpoint:ca", "13 environment/arn"),
        (":role/bronze", ":role/", "18 environment/arn"),
        (":key/k", ":alias/k", "19 environment/arn"),
        ("form = \"instance\"", "form = \"serverless\"", "14 environment/dms-size"),
    ];
    for (from, to, expected) in cases {
        assert!(whole().contains(from), "`{from}` is nowhere");
        let found = read(&whole().replacen(from, to, 1)).unwrap_err();
        let found: Vec<String> = found.iter().map(|f| format!("{} {}", f.line, f.rule)).collect();
        assert!(found.contains(&expected.to_owned()), "`{to}`: {expected} is not in {found:?}");
    }
    let serverless = whole()
        .replace("form = \"instance\"", "form = \"serverless\"")
        .replace("class = \"dms.t3.medium\"\nengine_version = \"3.5.4\"", capacity);
    let found = read(&serverless).unwrap_err();
    let rules: Vec<&str> = found.iter().map(|f| f.rule.0).collect();
    assert_eq!(rules, ["environment/dms-size", "definition/unknown-key"]);
}

#[test]
fn half_a_replication_is_a_finding() {
    for half in [SOURCE, DMS] {
        let found = read(&format!("{PLACE}{half}")).unwrap_err();
        assert_eq!(found.iter().map(|f| f.rule.0).collect::<Vec<_>>(), ["environment/dms-half"]);
    }
}

#[test]
fn versions_are_those_that_aws_lists() {
    let supports = |engine: SourceEngine, text: &str| engine.supports(text.parse().unwrap());
    for text in ["5.5", "5.7.44-log", "8.0.36", "8.4.3"] {
        assert!(supports(SourceEngine::MySql, text), "{text}");
    }
    for text in ["5.1.73", "8.1.0", "9.0", "9.7.0", "10.11.6"] {
        assert!(!supports(SourceEngine::MySql, text), "{text}");
    }
    for text in ["10.11.6-MariaDB-1", "10.6", "11.4.2", "10.0.24"] {
        assert!(supports(SourceEngine::MariaDb, text), "{text}");
    }
    for text in ["10.0.23", "10.1.48", "11.3.2", "8.4"] {
        assert!(!supports(SourceEngine::MariaDb, text), "{text}");
    }
    assert!("8".parse::<ServerVersion>().is_err() && "x.y".parse::<ServerVersion>().is_err());
}
