//! Plans, and findings in place of plans.

use medallion_definition::lake::{LakeDefinition, SourceFile};

use super::*;
use crate::dms::mapping::RuleAction;

const ENVIRONMENT: &str = r#"version = 1
name = "dev"
region = "sa-east-1"
account = "111122223333"
bucket = "shop-dev"
[source]
engine = "mariadb"
hosting = "rds"
version = "10.11"
secret = "arn:aws:secretsmanager:sa-east-1:111122223333:secret:crm"
secret_role = "arn:aws:iam::111122223333:role/secret"
tls = "verify-ca"
certificate = "arn:aws:dms:sa-east-1:111122223333:cert:ca"
[dms]
form = "serverless"
max_units = 4
target_role = "arn:aws:iam::111122223333:role/bronze"
subnets = ["subnet-1", "subnet-2"]
security_groups = ["sg-1"]
"#;

/// Plans for one table with a key and this column.
fn plan(column_type: &str, load: &str, environment: &str) -> Result<DmsPlan, Vec<&'static str>> {
    let table = format!(
        "version = 1\ntable = \"crm.a_b\"\ndescription = \"t\"\nkey = [\"id\"]\n[load]\n{load}\n\
         [[column]]\nname = \"id\"\ntype = \"int\"\nnullable = false\nsensitivity = \"internal\"\n\
         [[column]]\nname = \"x\"\ntype = \"{column_type}\"\nnullable = true\n\
         sensitivity = \"internal\"\n"
    );
    let files = [
        ("lake.toml", "version = 1\nname = \"my_shop\"\ndescription = \"s\"\n"),
        ("tables/t.toml", table.as_str()),
        ("policy.toml", "version = 1\n"),
    ];
    let file = |path: &str, text: &str| SourceFile { path: path.into(), text: text.into() };
    let lake = LakeDefinition::read(&files.map(|(path, text)| file(path, text))).unwrap();
    let environment = Environment::read(&file("dev.toml", environment)).unwrap();
    DmsPlan::new(&lake.name, &lake.tables, &environment)
        .map_err(|found| found.iter().map(|f| f.rule.0).collect())
}

fn rules(notices: &Findings) -> Vec<&'static str> {
    notices.iter().map(|notice| notice.rule.0).collect()
}

#[test]
fn large_values_need_a_promise() {
    for unbounded in ["json", "longtext", "longblob", "geometry"] {
        assert_eq!(plan(unbounded, "", ENVIRONMENT).unwrap_err(), ["dms-plan/lob-size"]);
        let plan = plan(unbounded, "lob_max_kb = 64", ENVIRONMENT).unwrap();
        assert_eq!(plan.settings.lob_kb, 3 * 64, "three times, as the guide asks");
    }
    let medium = plan("mediumtext", "", ENVIRONMENT).unwrap();
    assert_eq!(medium.settings.lob_kb, 3 * 16 * 1024, "the type itself is bound");
    for small in ["text", "blob", "varchar(9)"] {
        let plan = plan(small, "", ENVIRONMENT).unwrap();
        assert_eq!(plan.settings.lob_kb, lob::DEFAULT_KB, "{small} is no LOB to DMS");
    }
    let useless = plan("text", "lob_max_kb = 64", ENVIRONMENT).unwrap();
    assert_eq!(rules(&useless.notices), ["dms-plan/lob-not-needed"]);
}

#[test]
fn a_wide_decimal_travels_as_text_and_is_told() {
    let wide = plan("decimal(65,30)", "", ENVIRONMENT).unwrap();
    assert_eq!(rules(&wide.notices), ["dms-plan/wide-decimal"]);
    let text = |plan: &DmsPlan| {
        plan.mappings.rules.iter().find_map(|rule| match rule.action {
            RuleAction::DecimalAsText { length, .. } => Some(length),
            _ => None,
        })
    };
    assert_eq!(text(&wide), Some(67));
    let narrow = plan("decimal(38,30)", "", ENVIRONMENT).unwrap();
    assert_eq!((text(&narrow), narrow.notices.len()), (None, 0));
}

#[test]
fn names_are_those_that_dms_accepts() {
    let plan_of = |name: &str| {
        let named = format!("name = \"{name}\"");
        plan("int", "", &ENVIRONMENT.replace("name = \"dev\"", &named))
    };
    let plan = plan_of("dev").unwrap();
    assert_eq!(plan.source.name.as_str(), "my-shop-dev-source");
    assert_eq!(
        plan.place.arn("endpoint", &plan.target.name),
        "arn:aws:dms:sa-east-1:111122223333:endpoint:my-shop-dev-bronze"
    );
    for name in ["a-very-long-name-of-an-environment", "dev-", "de v", "dev--2"] {
        assert_eq!(plan_of(name).unwrap_err(), ["dms-plan/name"], "{name}");
    }
}

#[test]
fn an_environment_without_dms_and_a_lake_without_tables_are_findings() {
    let (place, _) = ENVIRONMENT.split_once("[source]").unwrap();
    assert_eq!(plan("int", "", place).unwrap_err(), ["dms-plan/environment"]);
    let file = SourceFile { path: "dev.toml".into(), text: ENVIRONMENT.into() };
    let found = DmsPlan::new(&"shop".parse().unwrap(), &[], &Environment::read(&file).unwrap());
    assert_eq!(rules(&found.unwrap_err()), ["dms-plan/no-tables"]);
}

#[test]
fn ranges_of_a_contract_become_a_parallel_load_with_texts() {
    let load = "ranges = { columns = [\"id\"], boundaries = [[10], [20]] }";
    let plan = plan("int", load, ENVIRONMENT).unwrap();
    let document = plan.mappings.document();
    let rule = document["rules"].as_array().unwrap().last().unwrap();
    let expected = serde_json::json!({
        "type": "ranges", "columns": ["id"], "boundaries": [["10"], ["20"]],
    });
    assert_eq!(rule["parallel-load"], expected);
    assert_eq!(rule["object-locator"]["table-name"], "a_b", "settings name tables literally");
}

#[test]
fn a_plan_prints_what_it_decided() {
    let text = plan("int", "", ENVIRONMENT).unwrap().to_string();
    for part in
        ["mariadb 10.11", "verify-ca", "s3://shop-dev/bronze", "any to 4 units", "STOP_TASK"]
    {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}
