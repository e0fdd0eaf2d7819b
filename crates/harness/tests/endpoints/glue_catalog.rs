//! The Data Catalog: compare-and-swap, strictness, faults.

use aws_sdk_glue::Client;
use aws_sdk_glue::config::retry::RetryConfig;
use aws_sdk_glue::operation::get_tables::GetTablesOutput;
use aws_sdk_glue::types::{Column, DatabaseInput, StorageDescriptor, TableInput};
use futures::future::join_all;
use medallion_harness::aws::faults::{
    FAULT_UPDATE_TABLE_REFUSED, FAULT_UPDATE_TABLE_REPLY_LOST, FaultPlan,
};

use crate::{ACCOUNT, Glue, RIGHT, Signer, code, glue, glue_client};

fn table(name: &str, counter: u32) -> TableInput {
    let column = Column::builder().name("id").r#type("bigint").comment("the key");
    let storage = StorageDescriptor::builder()
        .location("s3://lake/silver/t")
        .columns(column.build().unwrap())
        .build();
    TableInput::builder()
        .name(name)
        .table_type("EXTERNAL_TABLE")
        .storage_descriptor(storage)
        .parameters("counter", counter.to_string())
        .build()
        .unwrap()
}

async fn create(client: &Client, name: &str) {
    client.create_table().database_name("db").table_input(table(name, 0)).send().await.unwrap();
}

/// The table's counter and version.
async fn read(client: &Client, name: &str) -> (u32, String) {
    let reply = client.get_table().database_name("db").name(name).send().await.unwrap();
    let table = reply.table.unwrap();
    let counter = table.parameters.unwrap()["counter"].parse().unwrap();
    (counter, table.version_id.unwrap())
}

async fn swap(client: &Client, name: &str, counter: u32, version: &str) -> Result<(), String> {
    let update = client.update_table().database_name("db").table_input(table(name, counter));
    match update.version_id(version).skip_archive(true).send().await {
        Ok(_) => Ok(()),
        Err(error) => Err(code::<(), _, _>(Err(error))),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_sixteen_updates_of_one_version_exactly_one_wins() {
    let Glue { client, .. } = &glue().await;
    create(client, "t").await;
    for round in 0..8 {
        let (_, version) = read(client, "t").await;
        let outcomes = join_all((0..16).map(|writer| swap(client, "t", writer, &version))).await;
        let winners: Vec<u32> =
            (0..16).filter(|writer| outcomes[*writer as usize].is_ok()).collect();
        assert_eq!(winners.len(), 1, "round {round}");
        let lost = outcomes.into_iter().filter_map(Result::err);
        assert!(lost.into_iter().all(|code| code == "ConcurrentModificationException"));
        assert_eq!(read(client, "t").await, (winners[0], (round + 1).to_string()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_update_of_sixteen_concurrent_writers_is_lost() {
    let Glue { client, .. } = &glue().await;
    create(client, "t").await;
    let count_five = || async {
        let mut done = 0;
        for _ in 0..500 {
            let (counter, version) = read(client, "t").await;
            if swap(client, "t", counter + 1, &version).await.is_ok() {
                done += 1;
            }
            if done == 5 {
                return;
            }
        }
        panic!("a writer never won");
    };
    join_all((0..16).map(|_| count_five())).await;
    assert_eq!(read(client, "t").await, (80, "80".to_owned()));
}

#[tokio::test]
async fn an_update_replaces_the_whole_input_and_needs_no_version() {
    let Glue { client, .. } = &glue().await;
    create(client, "t").await;
    let bare = TableInput::builder().name("t").parameters("counter", "7").build().unwrap();
    client.update_table().database_name("db").table_input(bare).send().await.unwrap();
    let reply = client.get_table().database_name("db").name("t").send().await.unwrap();
    let table = reply.table.unwrap();
    assert_eq!(table.storage_descriptor, None);
    assert_eq!(table.table_type, None);
    assert_eq!(table.version_id.as_deref(), Some("1"));
    assert_eq!(table.catalog_id.as_deref(), Some(ACCOUNT));
    assert_eq!(table.database_name.as_deref(), Some("db"));
    assert!(table.update_time.unwrap() >= table.create_time.unwrap());
}

#[tokio::test]
async fn what_is_missing_or_there_already_is_told_by_its_code() {
    let Glue { client, .. } = &glue().await;
    create(client, "t").await;
    let get =
        |database: &str, name: &str| client.get_table().database_name(database).name(name).send();
    assert_eq!(code(get("db", "absent").await), "EntityNotFoundException");
    assert_eq!(code(get("absent", "t").await), "EntityNotFoundException");
    let again = client.create_table().database_name("db").table_input(table("t", 0)).send().await;
    assert_eq!(code(again), "AlreadyExistsException");
    let database = DatabaseInput::builder().name("db").build().unwrap();
    let again = client.create_database().database_input(database).send().await;
    assert_eq!(code(again), "AlreadyExistsException");
    client.delete_table().database_name("db").name("t").send().await.unwrap();
    let again = client.delete_table().database_name("db").name("t").send().await;
    assert_eq!(code(again), "EntityNotFoundException");
    assert_eq!(code(client.get_crawlers().send().await), "UnknownOperationException");
}

#[tokio::test]
async fn names_and_lengths_beyond_glues_limits_are_refused() {
    let Glue { client, .. } = &glue().await;
    let upper = client.create_table().database_name("db").table_input(table("Upper", 0));
    assert_eq!(code(upper.send().await), "InvalidInputException");
    let long = client.create_table().database_name("db").table_input(table(&"x".repeat(256), 0));
    assert_eq!(code(long.send().await), "ValidationException");
    let column = Column::builder().name("id").comment("x".repeat(256)).build().unwrap();
    let storage = StorageDescriptor::builder().columns(column).build();
    let input = TableInput::builder().name("t").storage_descriptor(storage).build().unwrap();
    let comment = client.create_table().database_name("db").table_input(input);
    assert_eq!(code(comment.send().await), "ValidationException");
    let version = client.update_table().database_name("db").table_input(table("t", 0));
    create(client, "t").await;
    assert_eq!(code(version.version_id("x").send().await), "InvalidInputException");
}

#[tokio::test]
async fn a_field_that_glue_does_not_know_is_refused() {
    let Glue { client, .. } = &glue().await;
    create(client, "t").await;
    let send = |body: &'static str| {
        let get = client.get_table().database_name("db").name("t").customize();
        get.mutate_request(move |request| {
            *request.body_mut() = body.into();
            request.headers_mut().insert("content-length", body.len().to_string());
        })
        .send()
    };
    send(r#"{"DatabaseName":"db","Name":"t"}"#).await.unwrap();
    let unknown = send(r#"{"DatabaseName":"db","Name":"t","Nmae":"t"}"#).await;
    assert_eq!(code(unknown), "ValidationException");
    assert_eq!(code(send(r#"{"DatabaseName":"db"}"#).await), "ValidationException");
    assert_eq!(code(send(r#"{"DatabaseName":"db","Name":7}"#).await), "SerializationException");
}

#[tokio::test]
async fn tables_and_databases_are_listed_in_pages() {
    let Glue { client, .. } = &glue().await;
    let names = ["a", "b", "c", "d", "e"];
    for name in names {
        create(client, name).await;
    }
    let pages = client.get_tables().database_name("db").max_results(2).into_paginator().send();
    let pages: Vec<_> = pages.collect::<Result<_, _>>().await.unwrap();
    assert_eq!(pages.len(), 3);
    let seen: Vec<&str> = pages
        .iter()
        .flat_map(GetTablesOutput::table_list)
        .map(aws_sdk_glue::types::Table::name)
        .collect();
    assert_eq!(seen, names);
    let databases = client.get_databases().send().await.unwrap();
    assert_eq!(databases.database_list().len(), 1);
}

#[tokio::test]
async fn requests_that_are_not_signed_with_the_key_for_the_region_are_refused() {
    let Glue { server, .. } = &glue().await;
    for (signer, expected) in [
        (Signer { secret_key: "wrong", ..RIGHT }, "InvalidSignatureException"),
        (Signer { access_key: "AKIDOTHER", ..RIGHT }, "UnrecognizedClientException"),
        (Signer { region: "us-east-1", ..RIGHT }, "InvalidSignatureException"),
    ] {
        let stranger = glue_client(&server.endpoint(), signer, RetryConfig::disabled());
        let read = stranger.get_databases().send().await.unwrap_err();
        assert_eq!(read.raw_response().unwrap().status().as_u16(), 403);
        assert_eq!(code::<(), _, _>(Err(read)), expected);
    }
}

#[tokio::test]
async fn a_refused_update_changes_nothing() {
    let Glue { server, client, .. } = &glue().await;
    create(client, "t").await;
    create(client, "u").await;
    let plan = FaultPlan::new(FAULT_UPDATE_TABLE_REFUSED).when(|table| table == "db.t").times(1);
    let count = server.faults().install(plan);
    swap(client, "u", 1, "0").await.unwrap();
    assert_eq!(swap(client, "t", 1, "0").await, Err("ThrottlingException".to_owned()));
    assert_eq!(count.struck(), 1);
    assert_eq!(read(client, "t").await, (0, "0".to_owned()));
    swap(client, "t", 1, "0").await.unwrap();
}

#[tokio::test]
async fn an_update_whose_reply_is_lost_has_happened() {
    let Glue { server, client, .. } = &glue().await;
    create(client, "t").await;
    server.faults().install(FaultPlan::new(FAULT_UPDATE_TABLE_REPLY_LOST).times(1));
    let update = client.update_table().database_name("db").table_input(table("t", 9));
    let lost = update.version_id("0").send().await.unwrap_err();
    assert!(lost.raw_response().is_none(), "the connection breaks: {lost:?}");
    assert_eq!(read(client, "t").await, (9, "1".to_owned()));
}
