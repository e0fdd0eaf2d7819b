//! Schemas that change under files that do not.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use iceberg::spec::{Operation, Transform, UnboundPartitionSpec};
use medallion_definition::contract::Sensitivity;
use medallion_definition::types::LakeType;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::fixture::{Lake, batch, ids, one};
use super::ground::Ground;
use crate::commit::{CommitError, publish_metadata};
use crate::evolution::{SchemaChange, evolve, plan_evolution};
use crate::schema::{FieldSpec, PERSONAL_COLUMNS, TableSpec};
use crate::table::LakeTable;
use crate::writer::write_files;

fn field<'a>(spec: &'a mut TableSpec, name: &str) -> &'a mut FieldSpec {
    spec.fields.iter_mut().find(|field| field.name == name).unwrap()
}

fn new_field(name: &str, sensitivity: Sensitivity) -> FieldSpec {
    FieldSpec {
        name: name.to_owned(),
        lake_type: LakeType::String,
        required: false,
        doc: String::new(),
        sensitivity,
        renamed_from: Vec::new(),
    }
}

/// The fixture's table as it is described after years.
fn described(lake: &Lake) -> TableSpec {
    let mut spec = lake.spec(4);
    spec.fields.retain(|field| field.name != "photo");
    spec.dropped = vec!["photo".to_owned(), "never there".to_owned()];
    for (from, to) in [("id", "customer"), ("cpf", "tax_number")] {
        let field = field(&mut spec, from);
        field.renamed_from = vec!["older".to_owned(), from.to_owned()];
        to.clone_into(&mut field.name);
    }
    spec.key = vec!["customer".to_owned()];
    field(&mut spec, "visits").lake_type = LakeType::Long;
    field(&mut spec, "amount").lake_type = LakeType::Decimal { precision: 20, scale: 2 };
    field(&mut spec, "name").sensitivity = Sensitivity::Personal;
    field(&mut spec, "born").sensitivity = Sensitivity::Internal;
    "When it was seen.".clone_into(&mut field(&mut spec, "seen").doc);
    spec.fields.insert(1, new_field("channel", Sensitivity::Public));
    spec.fields.push(new_field("nickname", Sensitivity::Personal));
    spec
}

/// The fixture's rows under the names and types of [`described`].
fn rows(table: &LakeTable, ids: &[i64]) -> RecordBatch {
    let old = batch(ids, "Eva");
    let columns = table.arrow_schema().fields().iter().map(|field| {
        let name = match field.name().as_str() {
            "customer" => "id",
            "tax_number" => "cpf",
            "channel" | "nickname" => "name",
            name => name,
        };
        (field.name().clone(), cast(&old[name], field.data_type()).unwrap())
    });
    RecordBatch::try_from_iter(columns.collect::<Vec<(String, ArrayRef)>>()).unwrap()
}

async fn evolved(lake: &Lake, base: &LakeTable) -> LakeTable {
    let changes = plan_evolution(&described(lake), base).unwrap();
    evolve(&lake.warehouse, base, &changes).await.unwrap()
}

#[tokio::test]
async fn a_plan_tells_every_change_and_nothing_when_there_is_none() {
    let lake = Lake::new();
    let table = lake.append(&lake.table(4).await, &[1], "Ana").await;
    assert_eq!(plan_evolution(&lake.spec(4), &table), Ok(Vec::new()));
    let plan = plan_evolution(&described(&lake), &table).unwrap();
    let mut lines: Vec<String> = plan.iter().map(ToString::to_string).collect();
    lines.sort();
    let expected = [
        "add column `channel` of type string",
        "add column `nickname` of type string, personal",
        "change the documentation of column `seen`",
        "drop column `photo`",
        "make column `name` personal; old files keep their bounds of it until they are rewritten",
        "rename column `cpf` to `tax_number`",
        "rename column `id` to `customer`",
        "treat column `born` as personal no longer",
        "widen column `amount` from decimal(12,2) to decimal(20,2)",
        "widen column `visits` from int to long",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn old_and_new_files_are_one_table_after_an_evolution() {
    let lake = Lake::new();
    let old = lake.append(&lake.table(4).await, &(0..40).collect::<Vec<_>>(), "Ana").await;
    let table = evolved(&lake, &old).await;
    assert_eq!(table.snapshot_id(), old.snapshot_id());
    assert_eq!(lake.load().await.metadata_location(), table.metadata_location());
    assert_eq!(plan_evolution(&described(&lake), &table), Ok(Vec::new()));
    assert!(described(&lake).differences(&table).is_empty());
    assert_eq!((table.key(), table.bucket_column()), (vec!["customer"], Some("customer")));
    let id_of = |table: &LakeTable, name: &str| {
        table.metadata().current_schema().field_id_by_name(name).unwrap()
    };
    assert_eq!(id_of(&table, "customer"), id_of(&old, "id"));
    assert_eq!((id_of(&table, "channel"), id_of(&table, "nickname")), (13, 14));

    let added = write_files(&table, vec![rows(&table, &[40, 41])]).await.unwrap();
    let table = lake.commit(&table, Operation::Append, added, Vec::new()).await.unwrap();
    let columns = ["customer", "tax_number", "channel", "visits", "amount"].map(str::to_owned);
    let read = one(&table.read_all(Some(&columns)).await.unwrap());
    assert_eq!(read.num_rows(), 42);
    assert_eq!(read["visits"].data_type(), &DataType::Int64);
    let order = arrow::compute::sort_to_indices(&read["customer"], None, None).unwrap();
    let read = arrow::compute::take_record_batch(&read, &order).unwrap();
    let expected = batch(&(0..42).collect::<Vec<_>>(), "Ana");
    let same = |column: &str, of: &str| {
        let expected = cast(&expected[of], read[column].data_type()).unwrap();
        assert_eq!(&read[column], &expected, "{column}");
    };
    same("customer", "id");
    same("tax_number", "cpf");
    same("visits", "visits");
    same("amount", "amount");
    assert_eq!(read["channel"].null_count(), 40);
    assert_eq!(read["channel"].as_string::<i32>().value(40), "Eva 40");

    // Old files can go and be rewritten through manifests of the new schema.
    let files = table.live_files().await.unwrap();
    let oldest = files.into_iter().find(|file| file.sequence_number == 1).unwrap();
    let gone = i64::try_from(oldest.records()).unwrap();
    let table = lake.commit(&table, Operation::Delete, Vec::new(), vec![oldest]).await.unwrap();
    let column = ["customer".to_owned()];
    let left = one(&table.read_all(Some(&column)).await.unwrap());
    assert_eq!(left.num_rows() as i64, 42 - gone);
    let visits = table.read_all(Some(&["visits".to_owned()])).await.unwrap();
    assert!(one(&visits)["visits"].as_primitive::<Int64Type>().len() > 30);
    // What was read at the old snapshot can still be read, by the new schema.
    let before = table.at_snapshot(old.snapshot_id().unwrap()).unwrap();
    assert_eq!(one(&before.read_all(Some(&column)).await.unwrap()).num_rows(), 40);
    assert_eq!(ids(&old).await.len(), 40);
}

#[tokio::test]
async fn protection_follows_personal_columns_through_renames_and_changes() {
    let lake = Lake::new();
    let old = lake.append(&lake.table(4).await, &[1, 2], "Ana").await;
    let table = evolved(&lake, &old).await;
    let personal: Vec<&str> = table.personal_columns().unwrap().into_iter().collect();
    assert_eq!(personal, ["name", "nickname", "tax_number"]);
    let properties = table.metadata().properties();
    assert_eq!(properties[PERSONAL_COLUMNS], "name,nickname,tax_number");
    let mut protected: Vec<&str> = properties
        .keys()
        .filter_map(|k| k.strip_prefix("write.metadata.metrics.column."))
        .collect();
    protected.sort_unstable();
    assert_eq!(protected, personal);
    let off = |name: &str| properties.get(&format!("write.parquet.stats-enabled.column.{name}"));
    assert_eq!(off("tax_number").map(String::as_str), Some("false"));
    assert_eq!((off("cpf"), off("born")), (None, None));
    let added = write_files(&table, vec![rows(&table, &[5])]).await.unwrap();
    let bounded: Vec<bool> = ["customer", "tax_number", "name", "nickname", "channel"]
        .map(|name| table.metadata().current_schema().field_id_by_name(name).unwrap())
        .map(|id| added[0].lower_bounds().contains_key(&id))
        .into();
    assert_eq!(bounded, [true, false, false, false, true]);
}

#[tokio::test]
async fn everything_else_is_refused_at_once_with_the_way_out() {
    let lake = Lake::new();
    let table = lake.append(&lake.table(4).await, &[1], "Ana").await;
    let mut spec = lake.spec(4);
    spec.fields.retain(|f| !["photo", "id"].contains(&f.name.as_str()));
    spec.key = vec!["big".to_owned()];
    spec.dropped = vec!["id".to_owned()];
    field(&mut spec, "big").required = true;
    field(&mut spec, "visits").lake_type = LakeType::String;
    field(&mut spec, "amount").lake_type = LakeType::Decimal { precision: 12, scale: 4 };
    field(&mut spec, "score").lake_type = LakeType::Float;
    spec.fields.push(FieldSpec { required: true, ..new_field("vat", Sensitivity::Public) });
    spec.fields.push(new_field("a,b", Sensitivity::Personal));
    let refused = plan_evolution(&spec, &table).unwrap_err();
    let expected = [
        ("`photo` is in the table only", "list it as dropped"),
        ("`id` cannot be dropped", "make a new table"),
        ("`amount` is decimal(12,2) in the table, which cannot become decimal(12,4)", "add a"),
        ("`visits` is int in the table, which cannot become string", "describe it as int"),
        ("`score` is double in the table, which cannot become float", "describe it as double"),
        ("`big` is nullable in the table", "describe it as nullable"),
        ("`vat` is required and not in the table", "describe it as nullable"),
        ("the key is `id` in the table and `big` here", "make a new table"),
        ("`a,b` holds a comma", "another name"),
    ];
    for (what, way_out) in expected {
        let found = refused.iter().find(|line| line.contains(what));
        assert!(found.is_some_and(|line| line.contains(way_out)), "{what}: {refused:#?}");
    }
    assert_eq!(refused.len(), expected.len(), "{refused:#?}");
}

/// The table as another engine leaves it that partitioned it anew.
async fn partitioned(lake: &Lake, base: &LakeTable, fields: &[(i32, Transform)]) -> LakeTable {
    let mut spec = UnboundPartitionSpec::builder();
    for (source, transform) in fields {
        spec = spec.add_partition_field(*source, format!("by_{source}"), *transform).unwrap();
    }
    let edit = publish_metadata(&lake.warehouse, base, |builder| {
        builder.add_default_partition_spec(spec.build())
    });
    edit.await.unwrap()
}

#[tokio::test]
async fn a_table_that_is_partitioned_otherwise_is_refused() {
    let (id, visits) = ((1, Transform::Bucket(8)), (10, Transform::Bucket(8)));
    let others: [&[(i32, Transform)]; 4] =
        [&[visits], &[id, visits], &[(1, Transform::Identity)], &[(6, Transform::Month)]];
    for buckets in [1, 4] {
        for fields in others {
            let lake = Lake::new();
            let table = partitioned(&lake, &lake.table(buckets).await, fields).await;
            let refused = plan_evolution(&lake.spec(buckets), &table).unwrap_err();
            assert!(matches!(&refused[..], [line] if line.contains("is partitioned by `by_")));
        }
    }
}

#[tokio::test]
async fn files_of_two_partition_specs_are_refused_where_there_may_be_some() {
    for (buckets, fields) in [(1, vec![(1, Transform::Bucket(4))]), (4, Vec::new())] {
        let lake = Lake::new();
        let empty = lake.table(buckets).await;
        // The crate makes no other spec beside the one asked for.
        assert_eq!(empty.metadata().partition_specs_iter().len(), 1);
        let table = lake.append(&empty, &[1, 2, 3], "Ana").await;
        assert_eq!(plan_evolution(&lake.spec(buckets), &table), Ok(Vec::new()));
        let table = partitioned(&lake, &table, &fields).await;
        let refused = plan_evolution(&lake.spec(4), &table).unwrap_err();
        let told = "had other partition specs before";
        assert!(matches!(&refused[..], [line] if line.contains(told)), "{refused:#?}");
        // A table without a file has none of another spec.
        let lake = Lake::new();
        let table = partitioned(&lake, &lake.table(buckets).await, &fields).await;
        assert_eq!(plan_evolution(&lake.spec(4), &table), Ok(Vec::new()));
    }
    // Nobody looks for a key where there is none.
    let mut ground = Ground::new(&[LakeType::Long], false);
    ground.key = 0;
    let table = ground.table(1).await;
    let rows = ground.rows(&mut ChaCha8Rng::seed_from_u64(5), 10, 100);
    let table = ground.append(&table, rows).await;
    let table = partitioned(&ground.lake, &table, &[(1, Transform::Bucket(4))]).await;
    assert_eq!(plan_evolution(&ground.spec(1), &table).unwrap_err().len(), 1);
    let table = partitioned(&ground.lake, &table, &[]).await;
    assert_eq!(plan_evolution(&ground.spec(1), &table), Ok(Vec::new()));
}

#[tokio::test]
async fn an_evolution_is_a_compare_and_swap() {
    let lake = Lake::new();
    let base = lake.append(&lake.table(4).await, &[1], "Ana").await;
    let changes = plan_evolution(&described(&lake), &base).unwrap();
    lake.append(&base, &[2], "Ana").await;
    let late = evolve(&lake.warehouse, &base, &changes).await;
    assert!(matches!(late, Err(CommitError::Conflict { .. })), "{late:?}");
    let strange = [SchemaChange::Relax { id: 99, column: "x".to_owned() }];
    let strange = evolve(&lake.warehouse, &lake.load().await, &strange).await;
    assert!(matches!(strange, Err(CommitError::NoColumn { id: 99, .. })), "{strange:?}");
    assert_eq!(ids(&lake.load().await).await, [1, 2]);
}

#[tokio::test]
async fn columns_may_become_nullable_but_not_those_of_the_key() {
    let lake = Lake::new();
    let mut spec = lake.spec(1);
    field(&mut spec, "visits").required = true;
    let ident = crate::warehouse::table_ident("crm_silver", "customers");
    let table = lake.warehouse.create(&ident, &spec).await.unwrap();
    let changes = plan_evolution(&lake.spec(1), &table).unwrap();
    assert!(matches!(&changes[..], [SchemaChange::Relax { .. }]), "{changes:?}");
    let table = evolve(&lake.warehouse, &table, &changes).await.unwrap();
    let table = lake.append(&table, &[3, 7], "Ana").await;
    let visits = table.read_all(Some(&["visits".to_owned()])).await.unwrap();
    assert_eq!(one(&visits)["visits"].null_count(), 2);
    let mut spec = lake.spec(1);
    field(&mut spec, "id").required = false;
    assert_eq!(plan_evolution(&spec, &table).unwrap_err().len(), 1);
}
