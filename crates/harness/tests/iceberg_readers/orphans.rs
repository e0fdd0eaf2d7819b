//! Maintenance against S3's wire protocol: listing, deleting, and tables elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_s3::config::Credentials;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use medallion_harness::aws::s3::{S3Config, S3Server};
use medallion_tables::Operation;
use medallion_tables::commit::{Branch, Change, commit};
use medallion_tables::maintenance::metadata_files::plan_metadata;
use medallion_tables::maintenance::orphans::{SafetyAge, plan_orphans, remove_orphans};
use medallion_tables::maintenance::{MaintenanceError, list_files};
use medallion_tables::storage::file_io;
use medallion_tables::store::Bucket;
use medallion_tables::warehouse::{Warehouse, table_ident};
use medallion_tables::writer::write_files;
use tempfile::TempDir;

use crate::catalog::MemoryCatalog;
use crate::rows::{Row, batch};
use crate::table::{Version, spec};

const REGION: &str = "sa-east-1";

async fn s3(folder: &TempDir) -> (S3Server, aws_sdk_s3::Client) {
    let config = S3Config {
        root: folder.path().join("contents"),
        access_key: "AKIDTEST".into(),
        secret_key: "test-secret".into(),
        region: REGION.into(),
        account_id: "111122223333".into(),
    };
    let server = S3Server::start(config).await.unwrap();
    let config = aws_sdk_s3::config::Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(server.endpoint())
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new("AKIDTEST", "test-secret", None, None, "test"))
        .force_path_style(true)
        .build();
    let client = aws_sdk_s3::Client::from_conf(config);
    let place = CreateBucketConfiguration::builder()
        .location_constraint(BucketLocationConstraint::from(REGION))
        .build();
    client.create_bucket().bucket("lake").create_bucket_configuration(place).send().await.unwrap();
    (server, client)
}

#[tokio::test]
async fn orphans_are_found_and_deleted_on_s3() {
    let folder = TempDir::new().unwrap();
    let (_server, client) = s3(&folder).await;
    let bucket = Bucket::new(client.clone(), "lake");
    let catalog = Arc::new(MemoryCatalog::default());
    let warehouse = Warehouse::with_catalog(bucket.clone(), file_io(client.clone()), catalog);
    let ident = table_ident("silver", "customers");
    let described = spec("s3://lake/silver/customers", Version::First);
    let table = warehouse.create(&ident, &described).await.unwrap();
    let rows = [Row { id: 34, name: "Ana".to_owned(), channel: None }];
    let write = || write_files(&table, vec![batch(table.arrow_schema(), &rows)]);
    let change = Change {
        operation: Operation::Append,
        added: write().await.unwrap(),
        removed: Vec::new(),
        summary: BTreeMap::new(),
        branch: Branch::Main,
    };
    let orphan = write().await.unwrap().remove(0);
    // Another table whose name begins like this one.
    let other = "silver/customers_old/data/x.parquet";
    bucket.put(other, bytes::Bytes::from_static(b"x")).await.unwrap();

    let table = commit(&warehouse, &table, change).await.unwrap();
    let listed = list_files(&warehouse, &table).await.unwrap();
    // Two data files; two metadata files, a manifest list and a manifest.
    assert_eq!(listed.len(), 6, "{listed:?}");
    assert!(plan_metadata(&table, &listed).files.is_empty());
    let now = chrono::Utc::now().timestamp_millis() + 1000;
    let plan = plan_orphans(&table, listed.clone(), now, SafetyAge::default()).await.unwrap();
    assert_eq!((plan.orphans.len(), plan.young), (0, 1), "{plan}");
    let age = SafetyAge::forced(Duration::ZERO);
    let plan = plan_orphans(&table, listed, now, age).await.unwrap();
    let found: Vec<_> = plan.orphans.iter().map(|f| (f.path.as_str(), f.size)).collect();
    assert_eq!(found, [(orphan.file_path(), orphan.file_size_in_bytes())]);
    let removed = remove_orphans(&warehouse, &table, &plan, 10).await.unwrap();
    assert_eq!((removed.files, removed.bytes), (1, orphan.file_size_in_bytes()));
    assert_eq!(list_files(&warehouse, &table).await.unwrap().len(), 5);
    assert_eq!(bucket.head(other).await.unwrap(), Some(1));
    let rows = table.read_all(None).await.unwrap();
    assert_eq!(rows.iter().map(arrow::array::RecordBatch::num_rows).sum::<usize>(), 1);

    let elsewhere = Warehouse::with_catalog(
        Bucket::new(client, "another"),
        warehouse.file_io().clone(),
        Arc::new(MemoryCatalog::default()),
    );
    let refused = list_files(&elsewhere, &table).await;
    assert!(matches!(refused, Err(MaintenanceError::Elsewhere { .. })), "{refused:?}");
}
