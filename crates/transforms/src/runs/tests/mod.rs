//! Records and events of made-up runs over a small lake.

mod events;
mod records;

use chrono::{DateTime, Utc};
use medallion_definition::environment::Environment;
use medallion_definition::lake::{LakeDefinition, SourceFile};
use medallion_definition::name::Layer;

use super::{Observed, Run, TableRef};

const CUSTOMERS: &str = r#"
version = 1
table = "crm.customers"
description = "Who the customers are"
key = ["id"]
history = true

[[column]]
name = "id"
type = "int"
nullable = false
sensitivity = "internal"

[[column]]
name = "email"
type = "varchar(80)"
nullable = true
sensitivity = "personal"
description = "Where letters go"
normalise = ["trim", "lower"]

[[column]]
name = "region"
type = "char(2)"
nullable = true
sensitivity = "internal"

[[row_rule]]
name = "no_region"
sql = "region is not null"
on_fail = "warn"
"#;

const MODEL: &str = r#"/*---
description = "How many customers a region has"
owner = "crm-data"
grain = ["region"]

[[column]]
name = "region"
type = "string"
nullable = true
sensitivity = "internal"
description = "Federation unit"

[[column]]
name = "customers"
type = "long"
nullable = false
sensitivity = "internal"
description = "Customers"
---*/
select region, count(*) as customers from silver.crm_customers group by region
"#;

fn lake() -> LakeDefinition {
    let files = [
        ("lake.toml", "version = 1\nname = \"shop\"\ndescription = \"A shop\"\n"),
        ("policy.toml", "version = 1\n"),
        ("tables/crm_customers.toml", CUSTOMERS),
        ("models/by_region.sql", MODEL),
    ];
    let files = files.map(|(path, text)| SourceFile { path: path.into(), text: text.into() });
    LakeDefinition::read(&files).unwrap()
}

fn environment() -> Environment {
    Environment {
        name: "test".to_owned(),
        account: "123456789012".to_owned(),
        region: "sa-east-1".to_owned(),
        bucket: "shop-lake".to_owned(),
        dms: None,
    }
}

/// 2026-01-02T00:00:00Z and some milliseconds.
fn at(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_767_312_000_000 + millis).unwrap()
}

fn run(layer: Layer, table: &str) -> Run {
    let id = "019b7c2f-1c00-7000-8000-0000000000a1".parse().unwrap();
    Run { id, job: TableRef::new(layer, table), started: at(0) }
}

/// A table's snapshot as its summary tells it.
fn observed(snapshot: i64, summary: &[(&str, &str)]) -> Observed {
    let summary = summary.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    Observed::told(Some(snapshot), &summary.collect())
}
