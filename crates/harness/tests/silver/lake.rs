//! One small lake on the local endpoints.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, Decimal128Array, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{Decimal128Type, Int32Type, Int64Type, Schema, SchemaRef};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use bytes::Bytes;
use medallion_definition::lake::{LakeDefinition, SourceFile};
use medallion_definition::name::Layer;
use medallion_harness::aws::faults::{Fault, Faults};
use medallion_harness::aws::glue::{GlueConfig, GlueServer, JobRunner};
use medallion_harness::aws::s3::{S3Config, S3Server};
use medallion_ingestion::schema::bronze_schema;
use medallion_tables::warehouse::Warehouse;
use medallion_transforms::error::TransformError;
use medallion_transforms::silver::{BATCH_BYTES, SilverJob, SilverOutcome};
use medallion_transforms::{spec, summary};
use parquet::arrow::ArrowWriter;

use crate::changes::{Change, State};

const KEY: &str = "AKIATEST000000000000";
const SECRET: &str = "a-secret-for-loopback-only";
pub(crate) const CONTRACT: &str = r#"version = 1
table = "shop.items"
description = "items"
key = ["id"]
buckets = 3
[[column]]
name = "id"
type = "int"
nullable = false
sensitivity = "internal"
[[column]]
name = "name"
type = "varchar(20)"
nullable = false
sensitivity = "personal"
normalise = ["trim"]
check = [{ regex = "[a-z]+" }]
[[column]]
name = "amount"
type = "decimal(12,2)"
nullable = true
sensitivity = "internal"
"#;

struct Servers {
    s3: S3Server,
    glue: GlueServer,
    s3_client: aws_sdk_s3::Client,
    glue_client: aws_sdk_glue::Client,
    next: AtomicU32,
    _folder: tempfile::TempDir,
}

/// A lake of its own bucket and databases on shared endpoints.
pub(crate) struct Lake {
    servers: Arc<Servers>,
    definition: LakeDefinition,
    warehouse: Warehouse,
    batch_bytes: u64,
}

fn definition(name: &str, contract: &str) -> LakeDefinition {
    let lake = format!("version = 1\nname = \"{name}\"\ndescription = \"a shop\"\n");
    let files = [
        ("lake.toml", lake.as_str()),
        ("tables/items.toml", contract),
        ("policy.toml", "version = 1\n"),
    ];
    let file = |(path, text): (&str, &str)| SourceFile { path: path.into(), text: text.into() };
    LakeDefinition::read(&files.map(file)).unwrap()
}

impl Lake {
    pub(crate) async fn start() -> Lake {
        let folder = tempfile::tempdir().unwrap();
        let text = |t: &str| t.to_owned();
        let s3 = S3Server::start(S3Config {
            root: folder.path().join("s3"),
            access_key: text(KEY),
            secret_key: text(SECRET),
            region: text("us-east-1"),
            account_id: text("000000000000"),
        });
        let glue = GlueServer::start(GlueConfig {
            access_key: text(KEY),
            secret_key: text(SECRET),
            region: text("us-east-1"),
            account_id: text("000000000000"),
            runner: JobRunner {
                program: "/bin/false".into(),
                env: Vec::new(),
                log_dir: folder.path().join("jobs"),
                supervisor: env!("CARGO_BIN_EXE_medallion-harness").into(),
                minute: Duration::from_secs(60),
            },
        });
        let (s3, glue) = (s3.await.unwrap(), glue.await.unwrap());
        let credentials = Credentials::new(KEY, SECRET, None, None, "test");
        let base = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build();
        let at = |endpoint: String| aws_sdk_s3::config::Builder::from(&base).endpoint_url(endpoint);
        let s3_client = aws_sdk_s3::Client::from_conf(at(s3.endpoint()).build());
        let glue_config = aws_sdk_glue::config::Builder::from(&base).endpoint_url(glue.endpoint());
        let glue_client = aws_sdk_glue::Client::from_conf(glue_config.build());
        let next = AtomicU32::new(0);
        let servers = Servers { s3, glue, s3_client, glue_client, next, _folder: folder };
        Lake::on(Arc::new(servers)).await
    }

    async fn on(servers: Arc<Servers>) -> Lake {
        let name = format!("shop{}", servers.next.fetch_add(1, Ordering::SeqCst));
        let definition = definition(&name, CONTRACT);
        servers.s3_client.create_bucket().bucket(&name).send().await.unwrap();
        let (s3, glue) = (servers.s3_client.clone(), servers.glue_client.clone());
        let warehouse = Warehouse::new(s3, glue, name);
        for layer in Layer::ALL {
            let database = layer.database(&definition.name);
            warehouse.ensure_database(&database, "").await.unwrap();
        }
        Lake { servers, definition, warehouse, batch_bytes: BATCH_BYTES }
    }

    /// The same lake by another contract.
    pub(crate) fn with_contract(&self, contract: &str) -> Lake {
        let definition = definition(self.definition.name.as_str(), contract);
        let (servers, warehouse) = (Arc::clone(&self.servers), self.warehouse.clone());
        Lake { servers, definition, warehouse, batch_bytes: self.batch_bytes }
    }

    /// The same lake with batches of at most so many bytes.
    pub(crate) fn in_batches_of(self, batch_bytes: u64) -> Lake {
        Lake { batch_bytes, ..self }
    }

    /// Another, empty lake on the same endpoints.
    pub(crate) async fn renewed(&self) -> Lake {
        Lake::on(Arc::clone(&self.servers)).await
    }

    pub(crate) async fn stop(self) {
        let Ok(servers) = Arc::try_unwrap(self.servers) else { return };
        servers.s3.stop().await;
        servers.glue.stop().await;
    }

    /// The endpoint's faults to which this one belongs.
    pub(crate) fn faults(&self, fault: Fault) -> &Faults {
        let glue = fault.name().starts_with("glue-");
        if glue { self.servers.glue.faults() } else { self.servers.s3.faults() }
    }

    pub(crate) fn parquet(&self, changes: &[Change]) -> Bytes {
        self.encoded(changes, bronze_schema(&self.definition.tables[0]))
    }

    /// A file in which one column has another name.
    pub(crate) fn renamed(&self, changes: &[Change], from: &str, to: &str) -> Bytes {
        let schema = bronze_schema(&self.definition.tables[0]);
        let fields = schema.fields().iter().map(|field| {
            let name = if field.name() == from { to } else { field.name() };
            field.as_ref().clone().with_name(name)
        });
        self.encoded(changes, Arc::new(Schema::new(fields.collect::<Vec<_>>())))
    }

    fn encoded(&self, changes: &[Change], schema: SchemaRef) -> Bytes {
        let text = |f: &dyn Fn(&Change) -> String| -> ArrayRef {
            Arc::new(changes.iter().map(|c| Some(f(c))).collect::<StringArray>())
        };
        let amounts = changes.iter().map(|c| c.amount).collect::<Decimal128Array>();
        let columns: Vec<ArrayRef> = vec![
            text(&|c| c.op.to_owned()),
            text(&|_| "2026-01-02 03:04:05.000000".to_owned()),
            Arc::new(changes.iter().map(|c| Some(c.id)).collect::<Int32Array>()),
            text(&|c| c.name.clone()),
            Arc::new(amounts.with_precision_and_scale(12, 2).unwrap()),
            Arc::new(changes.iter().map(|c| c.before).collect::<Int32Array>()),
            text(&|c| c.seq.clone()),
        ];
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
        let mut out = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut out, schema, None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        Bytes::from(out)
    }

    pub(crate) async fn put_load(&self, changes: &[Change]) {
        let key = "bronze/shop/items/LOAD00000001.parquet";
        self.warehouse.bucket().put(key, self.parquet(changes)).await.unwrap();
    }

    fn change_key(number: usize) -> String {
        format!("bronze/shop/items/2026/01/02/20260102-0304{:02}{:03}.parquet", number / 10, number)
    }

    pub(crate) async fn put_changes(&self, number: usize, changes: &[Change]) {
        let key = Lake::change_key(number);
        self.warehouse.bucket().put(&key, self.parquet(changes)).await.unwrap();
    }

    pub(crate) async fn put_raw(&self, number: usize, content: Bytes) {
        let key = Lake::change_key(number);
        self.warehouse.bucket().put(&key, content).await.unwrap();
    }

    pub(crate) async fn try_run(&self) -> Result<SilverOutcome, TransformError> {
        let job = SilverJob {
            lake: &self.definition,
            contract: &self.definition.tables[0],
            warehouse: &self.warehouse,
            now_micros: 1_800_000_000_000_000,
            batch_bytes: self.batch_bytes,
        };
        job.run().await
    }

    pub(crate) async fn run(&self) -> SilverOutcome {
        self.try_run().await.unwrap()
    }

    pub(crate) async fn snapshot(&self) -> Option<i64> {
        let ident = spec::ident(&self.definition, Layer::Silver, "shop_items");
        self.warehouse.load(&ident).await.unwrap().unwrap().snapshot_id()
    }

    /// The number of batches in the table's history.
    pub(crate) async fn batches(&self) -> usize {
        let ident = spec::ident(&self.definition, Layer::Silver, "shop_items");
        let table = self.warehouse.load(&ident).await.unwrap().unwrap();
        let batches = table.history().into_iter();
        let ids: std::collections::BTreeSet<String> = batches
            .filter_map(|s| s.summary().additional_properties.get(summary::BATCH).cloned())
            .collect();
        assert_eq!(ids.len(), table.history().len(), "a batch was committed twice");
        ids.len()
    }

    /// The number of rows in quarantine; none stands there twice.
    pub(crate) async fn quarantined(&self) -> usize {
        let ident = spec::ident(&self.definition, Layer::Quarantine, "shop_items");
        let table = self.warehouse.load(&ident).await.unwrap().unwrap();
        let mut places = std::collections::BTreeSet::new();
        for batch in table.read_all(None).await.unwrap() {
            let files = batch.column_by_name("file").unwrap().as_string::<i32>().clone();
            let numbers = batch.column_by_name("row_number").unwrap().clone();
            let numbers = numbers.as_primitive::<Int64Type>();
            for (file, number) in files.iter().flatten().zip(numbers.iter().flatten()) {
                assert!(places.insert((file.to_owned(), number)), "row {number} of {file} twice");
            }
        }
        places.len()
    }

    pub(crate) async fn state(&self) -> State {
        let ident = spec::ident(&self.definition, Layer::Silver, "shop_items");
        let table = self.warehouse.load(&ident).await.unwrap().unwrap();
        let mut state = State::new();
        for batch in table.read_all(None).await.unwrap() {
            let ids = batch.column_by_name("id").unwrap().as_primitive::<Int32Type>().clone();
            let names = batch.column_by_name("name").unwrap().as_string::<i32>().clone();
            let amounts = batch.column_by_name("amount").unwrap();
            let amounts = amounts.as_primitive::<Decimal128Type>();
            for row in 0..batch.num_rows() {
                let amount = amounts.iter().nth(row).flatten();
                let earlier = state.insert(ids.value(row), (names.value(row).to_owned(), amount));
                assert!(earlier.is_none(), "key {} stands twice", ids.value(row));
            }
        }
        state
    }
}
