//! A lake of one source table and some models, whose tables are written by hand.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use medallion_definition::contract::TableContract;
use medallion_definition::lake::{LakeDefinition, SourceFile};
use medallion_definition::name::Layer;
use medallion_harness::small_lake::SmallLake;
use medallion_harness::small_lake::bronze::{BronzeFile, BronzeRow};
use medallion_ingestion::schema::SourceColumn;
use medallion_tables::Operation;
use medallion_tables::commit::{Branch, Change, commit};
use medallion_tables::schema::TableSpec;
use medallion_tables::warehouse::Warehouse;
use medallion_tables::writer::write_files;
use medallion_transforms::spec;

/// A value as text, or NULL.
type Text = Option<&'static str>;

const COLUMNS: [(&str, &str, bool, &str); 6] = [
    ("id", "bigint unsigned", false, "internal"),
    ("cpf", "varchar(14)", true, "personal"),
    ("region", "char(2)", false, "internal"),
    ("credit_limit", "decimal(12,2)", true, "internal"),
    ("score", "float", true, "internal"),
    ("updated_at", "timestamp(6)", false, "internal"),
];

/// The customers of Silver, in the order of [`COLUMNS`].
pub(crate) const CUSTOMERS: [[Text; 6]; 3] = [
    [
        Some("1"),
        Some("52998224725"),
        Some("SP"),
        Some("10.00"),
        None,
        Some("2024-01-02T03:04:05.000006Z"),
    ],
    [
        Some("2"),
        Some("11144477735"),
        Some("SP"),
        Some("0.01"),
        Some("0.1"),
        Some("1969-12-31T23:59:59.999999Z"),
    ],
    [
        Some("18446744073709551615"),
        None,
        Some("RJ"),
        None,
        Some("-0.0"),
        Some("2024-02-29T00:00:00Z"),
    ],
];

const PEOPLE: &str = "select c.id, c.cpf, c.score, c.updated_at, t.customers as neighbours \
                      from silver.crm_customers c join gold.totals t on t.region = c.region";

/// The columns of [`PEOPLE`]: name, type, sensitivity.
const PERSON: [(&str, &str, &str); 5] = [
    ("id", "decimal(20,0)", "internal"),
    ("cpf", "string", "personal"),
    ("score", "float", "internal"),
    ("updated_at", "timestamptz", "internal"),
    ("neighbours", "long", "internal"),
];

struct Model {
    name: &'static str,
    grain: &'static [&'static str],
    columns: &'static [(&'static str, &'static str, &'static str)],
    sql: &'static str,
    published: &'static [&'static [Text]],
}

const MODELS: [Model; 5] = [
    Model {
        name: "totals",
        grain: &["region"],
        columns: &[
            ("region", "string", "internal"),
            ("customers", "long", "internal"),
            ("total", "decimal(18,2)", "internal"),
            ("average", "decimal(14,2)", "internal"),
        ],
        sql: "select region, count(*) as customers, cast(sum(credit_limit) as decimal(18, 2)) as total, \
              cast(cast(sum(credit_limit) as decimal(30, 10)) / count(credit_limit) as decimal(14, 2)) \
              as average from silver.crm_customers group by region having count(credit_limit) > 0 \
              union all select region, count(*), null, null from silver.crm_customers \
              group by region having count(credit_limit) = 0 -- divided by none",
        // Half a cent is rounded up: 10.01 / 2.
        published: &[
            &[Some("SP"), Some("2"), Some("10.01"), Some("5.01")],
            &[Some("RJ"), Some("1"), None, None],
        ],
    },
    Model {
        name: "people",
        grain: &["id"],
        columns: &PERSON,
        sql: PEOPLE,
        published: &[
            &[
                Some("2"),
                Some("11144477735"),
                Some("0.1"),
                Some("1969-12-31T23:59:59.999999Z"),
                Some("2"),
            ],
            &[Some("1"), Some("52998224725"), None, Some("2024-01-02T03:04:05.000006Z"), Some("2")],
            &[
                Some("18446744073709551615"),
                None,
                Some("-0.0"),
                Some("2024-02-29T00:00:00Z"),
                Some("1"),
            ],
        ],
    },
    Model {
        name: "wrong_people",
        grain: &["id"],
        columns: &PERSON,
        sql: PEOPLE,
        published: &[
            &[Some("1"), Some("52998224725"), None, Some("2024-01-02T03:04:05.000006Z"), Some("2")],
            &[
                Some("2"),
                Some("52998224725"),
                Some("0.2"),
                Some("1969-12-31T23:59:59.999999Z"),
                Some("2"),
            ],
            &[Some("3"), None, None, Some("2024-02-29T00:00:00Z"), Some("1")],
        ],
    },
    Model {
        name: "operations",
        grain: &["op"],
        columns: &[
            ("op", "string", "internal"),
            ("changes", "long", "internal"),
            ("last_id", "decimal(20,0)", "internal"),
            ("last_at", "timestamptz", "internal"),
            ("unordered", "long", "internal"),
            ("old_ids", "long", "internal"),
        ],
        sql: "select op, count(*) as changes, max(id) as last_id, max(updated_at) as last_at, \
              count(case when change_seq = '' then 1 end) as unordered, count(bi_id) as old_ids \
              from bronze.crm_customers where substr(dms_ts, 1, 10) = '2024-03-01' group by op",
        published: &[
            &[
                Some("I"),
                Some("2"),
                Some("18446744073709551615"),
                Some("2024-02-29T00:00:00Z"),
                Some("2"),
                Some("0"),
            ],
            &[Some("U"), Some("1"), Some("2"), Some("2024-02-29T00:00:00Z"), Some("0"), Some("1")],
        ],
    },
    Model {
        name: "rejected",
        grain: &["records"],
        columns: &[("records", "long", "internal")],
        sql: "select count(*) as records from quarantine.crm_customers",
        published: &[&[Some("0")]],
    },
];

/// What is filled.
pub(crate) struct Filled<'a> {
    pub(crate) lake: &'a SmallLake<'a>,
    pub(crate) warehouse: &'a Warehouse,
    pub(crate) definition: &'a LakeDefinition,
}

/// The definition of table and models.
pub(crate) fn definition(lake: &SmallLake<'_>) -> LakeDefinition {
    let mut contract = "version = 1\ntable = \"crm.customers\"\ndescription = \"customers\"\n\
                        key = [\"id\"]\nbuckets = 1\nengine = \"native\"\n"
        .to_owned();
    for (name, source_type, nullable, sensitivity) in COLUMNS {
        contract.push_str(&format!(
            "\n[[column]]\nname = \"{name}\"\ntype = \"{source_type}\"\nnullable = {nullable}\n\
             sensitivity = \"{sensitivity}\"\ndescription = \"{name}\"\n"
        ));
    }
    let mut files = lake.definition_files(&contract);
    for model in &MODELS {
        let grain: Vec<String> = model.grain.iter().map(|name| format!("\"{name}\"")).collect();
        let mut text = format!(
            "/*---\ndescription = \"{}\"\nowner = \"crm-data\"\ngrain = [{}]\n",
            model.name,
            grain.join(", ")
        );
        for (name, lake_type, sensitivity) in model.columns {
            let nullable = !model.grain.contains(name);
            text.push_str(&format!(
                "\n[[column]]\nname = \"{name}\"\ntype = \"{lake_type}\"\nnullable = {nullable}\n\
                 sensitivity = \"{sensitivity}\"\ndescription = \"{name}\"\n"
            ));
        }
        text.push_str(&format!("---*/\n{}\n", model.sql));
        files.push(SourceFile { path: format!("models/{}.sql", model.name), text });
    }
    LakeDefinition::read(&files).unwrap()
}

/// Writes all tables and two Bronze files, the second of which lacks a column.
pub(crate) async fn fill(filled: &Filled<'_>) {
    let contract = &filled.definition.tables[0];
    let bucket = filled.warehouse.bucket().name().to_owned();
    let technical = [Some(""), Some("2024-03-01T00:00:00Z"), Some("2024-03-01T00:00:00Z")];
    let silver: Vec<Vec<Text>> =
        CUSTOMERS.iter().map(|row| [&row[..], &technical].concat()).collect();
    let name = contract.table.lake_table();
    filled.table(Layer::Silver, &name, spec::silver(&bucket, contract), &silver).await;
    filled.table(Layer::Quarantine, &name, spec::quarantine(&bucket, contract), &[]).await;
    for (model, defined) in MODELS.iter().map(|m| (m, filled.definition.model(m.name).unwrap())) {
        let rows: Vec<Vec<Text>> = model.published.iter().map(|row| row.to_vec()).collect();
        filled.table(Layer::Gold, model.name, spec::gold(&bucket, defined), &rows).await;
    }
    let load = [CUSTOMERS[1], CUSTOMERS[2]].map(|row| change("I", None, &row, None));
    let update = change("U", Some("1"), &CUSTOMERS[1], Some("1"));
    let update = BronzeRow { values: with_time(update.values, "2024-02-29T00:00:00"), ..update };
    let folder = "bronze/crm/customers";
    filled.bronze(contract, &format!("{folder}/LOAD00000001.parquet"), load.to_vec(), &[]).await;
    let changes = format!("{folder}/2024/03/01/20240301-000001000.parquet");
    filled.bronze(contract, &changes, vec![update], &["score"]).await;
}

/// DMS writes instants without a zone, in UTC.
fn with_time(mut values: Vec<Option<String>>, time: &str) -> Vec<Option<String>> {
    if let Some(last) = values.last_mut() {
        *last = Some(time.to_owned());
    }
    values
}

fn change(op: &str, seq: Text, row: &[Text], before: Text) -> BronzeRow {
    let owned = |text: &Text| text.map(|text| text.trim_end_matches('Z').to_owned());
    BronzeRow {
        op: op.to_owned(),
        timestamp: "2024-03-01 00:00:00.000000".to_owned(),
        seq: seq.map(|seq| seq.repeat(35)),
        values: row.iter().map(owned).collect(),
        before: vec![owned(&before)],
    }
}

impl Filled<'_> {
    async fn table(&self, layer: Layer, name: &str, described: TableSpec, rows: &[Vec<Text>]) {
        let ident = spec::ident(self.definition, layer, name);
        let table = self.warehouse.ensure_table(&ident, &described).await.unwrap();
        if rows.is_empty() {
            return;
        }
        let strict = CastOptions { safe: false, ..CastOptions::default() };
        let fields = table.arrow_schema().fields().iter().enumerate();
        let columns = fields.map(|(place, field)| {
            let texts: StringArray = rows.iter().map(|row| row[place]).collect();
            let texts: ArrayRef = Arc::new(texts);
            cast_with_options(&texts, field.data_type(), &strict).unwrap()
        });
        let batch = RecordBatch::try_new(table.arrow_schema().clone(), columns.collect()).unwrap();
        let change = Change {
            operation: Operation::Append,
            added: write_files(&table, vec![batch]).await.unwrap(),
            removed: Vec::new(),
            summary: BTreeMap::new(),
            branch: Branch::Main,
        };
        commit(self.warehouse, &table, change).await.unwrap();
    }

    async fn bronze(
        &self,
        contract: &TableContract,
        key: &str,
        rows: Vec<BronzeRow>,
        without: &[&str],
    ) {
        let column = |column: &medallion_definition::contract::Column| SourceColumn {
            name: column.name.to_string(),
            source_type: column.source_type.clone(),
        };
        let file = BronzeFile {
            columns: contract.columns.iter().map(column).collect(),
            key: vec![0],
            rows,
            without: without.iter().map(|&name| name.to_owned()).collect(),
        };
        let bytes = file.parquet().unwrap();
        self.lake.put(self.warehouse, key, bytes, SystemTime::now()).await.unwrap();
    }
}
