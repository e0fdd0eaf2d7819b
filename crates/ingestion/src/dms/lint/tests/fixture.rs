//! A lake and an environment for the tests.

use medallion_definition::contract::TableContract;
use medallion_definition::environment::Environment;
use medallion_definition::lake::{LakeDefinition, SourceFile};

use crate::dms::DmsPlan;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Instance,
    Serverless,
}

const LAKE: &str = "version = 1\nname = \"shop\"\ndescription = \"a shop\"\n";
const CUSTOMERS: &str = r#"version = 1
table = "crm.customers"
description = "customers"
key = ["id"]

[load]
lob_max_kb = 100
ranges = { columns = ["id"], boundaries = [[1000], [2000]] }

[[column]]
name = "id"
type = "bigint unsigned"
nullable = false
sensitivity = "internal"

[[column]]
name = "cpf"
type = "varchar(14)"
nullable = true
sensitivity = "personal"

[[column]]
name = "score"
type = "double"
nullable = false
sensitivity = "internal"

[[column]]
name = "exact"
type = "decimal(65,30)"
nullable = true
sensitivity = "internal"

[[column]]
name = "notes"
type = "mediumtext"
nullable = true
sensitivity = "internal"
"#;
const ITEMS: &str = r#"version = 1
table = "crm.order_items"
description = "items"
key = ["order_id", "seq"]

[[column]]
name = "order_id"
type = "bigint"
nullable = false
sensitivity = "internal"

[[column]]
name = "seq"
type = "int"
nullable = false
sensitivity = "internal"

[[column]]
name = "exact"
type = "decimal(10,2)"
nullable = true
sensitivity = "internal"
"#;

const ENVIRONMENT: &str = r#"version = 1
name = "dev"
region = "sa-east-1"
account = "111122223333"
bucket = "shop-dev"

[source]
engine = "mysql"
hosting = "on-premises"
version = "8.4"
secret = "arn:aws:secretsmanager:sa-east-1:111122223333:secret:crm"
secret_role = "arn:aws:iam::111122223333:role/secret"
tls = "verify-full"
certificate = "arn:aws:dms:sa-east-1:111122223333:cert:ca"

[dms]
target_role = "arn:aws:iam::111122223333:role/bronze"
bronze_kms_key = "arn:aws:kms:sa-east-1:111122223333:key/k"
subnets = ["subnet-1", "subnet-2"]
security_groups = ["sg-1"]
"#;

fn lake() -> LakeDefinition {
    let files = [
        ("lake.toml", LAKE),
        ("tables/customers.toml", CUSTOMERS),
        ("tables/items.toml", ITEMS),
        ("policy.toml", "version = 1\n"),
    ];
    let files = files.map(|(path, text)| SourceFile { path: path.into(), text: text.into() });
    LakeDefinition::read(&files).unwrap_or_else(|findings| panic!("{findings}"))
}

pub(super) fn contracts() -> Vec<TableContract> {
    lake().tables
}

pub(super) fn plan(form: Form) -> DmsPlan {
    let form = match form {
        Form::Instance => {
            "form = \"instance\"\nclass = \"dms.t3.medium\"\nengine_version = \"3.5.4\"\n"
        }
        Form::Serverless => "form = \"serverless\"\nmin_units = 1\nmax_units = 8\n",
    };
    let file = SourceFile { path: "dev.toml".into(), text: format!("{ENVIRONMENT}{form}") };
    let environment = Environment::read(&file).unwrap_or_else(|findings| panic!("{findings}"));
    let lake = lake();
    DmsPlan::new(&lake.name, &lake.tables, &environment)
        .unwrap_or_else(|findings| panic!("{findings}"))
}
