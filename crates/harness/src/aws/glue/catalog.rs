//! Databases and tables; an update is a true compare-and-swap on the table's version.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::Utc;

use super::error::GlueError;
use super::validate;
use super::wire::{
    CreateDatabase, CreateTable, Database, DatabaseInput, DatabaseReply, DatabasesReply,
    DeleteDatabase, DeleteTable, Empty, GetDatabase, GetDatabases, GetTable, GetTables, ShareType,
    Table, TableInput, TableReply, TablesReply, UpdateTable,
};

/// The Data Catalog of one account and region.
#[derive(Debug)]
pub(super) struct Catalog {
    account_id: String,
    databases: Mutex<BTreeMap<String, DatabaseEntry>>,
}

#[derive(Clone, Debug)]
struct DatabaseEntry {
    input: DatabaseInput,
    created: f64,
    tables: BTreeMap<String, TableEntry>,
}

#[derive(Clone, Debug)]
struct TableEntry {
    input: TableInput,
    created: f64,
    updated: f64,
    version: u64,
}

type Databases = BTreeMap<String, DatabaseEntry>;

/// The databases and tables of a catalog at some moment.
#[derive(Clone, Debug)]
pub struct CatalogState(Databases);

impl Catalog {
    pub(super) fn new(account_id: String) -> Self {
        Self { account_id, databases: Mutex::new(BTreeMap::new()) }
    }

    /// The databases, once the request is known to name this catalog or none.
    fn open(&self, catalog_id: Option<&str>) -> Result<MutexGuard<'_, Databases>, GlueError> {
        match catalog_id {
            Some(id) if id != self.account_id => {
                Err(GlueError::EntityNotFound(format!("Catalog {id} not found.")))
            }
            Some(_) | None => Ok(self.databases.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    pub(super) fn state(&self) -> CatalogState {
        CatalogState(self.databases.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    pub(super) fn restore(&self, state: &CatalogState) {
        *self.databases.lock().unwrap_or_else(PoisonError::into_inner) = state.0.clone();
    }

    pub(super) fn create_database(&self, request: CreateDatabase) -> Result<Empty, GlueError> {
        let input = request.database_input;
        validate::database(&input)?;
        validate::tags(request.tags.as_ref())?;
        let mut databases = self.open(request.catalog_id.as_deref())?;
        if databases.contains_key(&input.name) {
            return Err(GlueError::AlreadyExists("Database already exists.".to_owned()));
        }
        let name = input.name.clone();
        let entry = DatabaseEntry { input, created: epoch_seconds(), tables: BTreeMap::new() };
        databases.insert(name, entry);
        Ok(Empty {})
    }

    pub(super) fn get_database(&self, request: GetDatabase) -> Result<DatabaseReply, GlueError> {
        let databases = self.open(request.catalog_id.as_deref())?;
        let entry = database(&databases, &request.name)?;
        Ok(DatabaseReply { database: self.database_reply(entry) })
    }

    pub(super) fn get_databases(&self, request: GetDatabases) -> Result<DatabasesReply, GlueError> {
        let databases = self.open(request.catalog_id.as_deref())?;
        match request.resource_share_type {
            None | Some(ShareType::All) => {}
            Some(ShareType::Foreign | ShareType::Federated) => {
                return Ok(DatabasesReply { database_list: Vec::new(), next_token: None });
            }
        }
        let (page, next_token) =
            page(&databases, request.next_token.as_deref(), request.max_results)?;
        let database_list = page.into_iter().map(|(_, entry)| self.database_reply(entry)).collect();
        Ok(DatabasesReply { database_list, next_token })
    }

    pub(super) fn delete_database(&self, request: DeleteDatabase) -> Result<Empty, GlueError> {
        let mut databases = self.open(request.catalog_id.as_deref())?;
        database(&databases, &request.name)?;
        databases.remove(&request.name);
        Ok(Empty {})
    }

    pub(super) fn create_table(&self, request: CreateTable) -> Result<Empty, GlueError> {
        let input = table_input(request.table_input, request.name.as_deref())?;
        let mut databases = self.open(request.catalog_id.as_deref())?;
        let entry = database_mut(&mut databases, &request.database_name)?;
        if entry.tables.contains_key(&input.name) {
            return Err(GlueError::AlreadyExists("Table already exists.".to_owned()));
        }
        let now = epoch_seconds();
        let name = input.name.clone();
        entry.tables.insert(name, TableEntry { input, created: now, updated: now, version: 0 });
        Ok(Empty {})
    }

    pub(super) fn get_table(&self, request: GetTable) -> Result<TableReply, GlueError> {
        let databases = self.open(request.catalog_id.as_deref())?;
        let tables = &database(&databases, &request.database_name)?.tables;
        let entry = tables.get(&request.name).ok_or_else(|| no_table(&request.name))?;
        Ok(TableReply { table: self.table_reply(&request.database_name, entry) })
    }

    pub(super) fn get_tables(&self, request: GetTables) -> Result<TablesReply, GlueError> {
        let databases = self.open(request.catalog_id.as_deref())?;
        let entry = database(&databases, &request.database_name)?;
        let (page, next_token) =
            page(&entry.tables, request.next_token.as_deref(), request.max_results)?;
        let reply = |(_, table)| self.table_reply(&request.database_name, table);
        Ok(TablesReply { table_list: page.into_iter().map(reply).collect(), next_token })
    }

    /// Replaces the table's input; with a version id only if that is the current version.
    pub(super) fn update_table(&self, request: UpdateTable) -> Result<Empty, GlueError> {
        let input = table_input(request.table_input, request.name.as_deref())?;
        let mut databases = self.open(request.catalog_id.as_deref())?;
        let entry = database_mut(&mut databases, &request.database_name)?;
        let table = entry.tables.get_mut(&input.name).ok_or_else(|| no_table(&input.name))?;
        if let Some(expected) = &request.version_id {
            let expected: u64 = expected.parse().map_err(|_| {
                GlueError::InvalidInput(format!("VersionId {expected} is not a number."))
            })?;
            if expected != table.version {
                return Err(GlueError::ConcurrentModification(format!(
                    "Update table failed due to concurrent modifications: version {expected} \
                     was given, version {} is current.",
                    table.version
                )));
            }
        }
        // Old versions cannot be read here, so that SkipArchive makes no difference.
        let _ = request.skip_archive;
        table.input = input;
        table.updated = epoch_seconds();
        table.version += 1;
        Ok(Empty {})
    }

    pub(super) fn delete_table(&self, request: DeleteTable) -> Result<Empty, GlueError> {
        let mut databases = self.open(request.catalog_id.as_deref())?;
        let entry = database_mut(&mut databases, &request.database_name)?;
        entry.tables.remove(&request.name).ok_or_else(|| no_table(&request.name))?;
        Ok(Empty {})
    }

    fn database_reply(&self, entry: &DatabaseEntry) -> Database {
        Database {
            input: entry.input.clone(),
            create_time: entry.created,
            catalog_id: self.account_id.clone(),
        }
    }

    fn table_reply(&self, database: &str, entry: &TableEntry) -> Table {
        Table {
            input: entry.input.clone(),
            database_name: database.to_owned(),
            create_time: entry.created,
            update_time: entry.updated,
            created_by: format!("arn:aws:iam::{}:root", self.account_id),
            is_registered_with_lake_formation: false,
            catalog_id: self.account_id.clone(),
            version_id: entry.version.to_string(),
        }
    }
}

fn database<'a>(databases: &'a Databases, name: &str) -> Result<&'a DatabaseEntry, GlueError> {
    databases.get(name).ok_or_else(|| no_database(name))
}

fn database_mut<'a>(
    databases: &'a mut Databases,
    name: &str,
) -> Result<&'a mut DatabaseEntry, GlueError> {
    databases.get_mut(name).ok_or_else(|| no_database(name))
}

fn no_database(name: &str) -> GlueError {
    GlueError::EntityNotFound(format!("Database {name} not found."))
}

fn no_table(name: &str) -> GlueError {
    GlueError::EntityNotFound(format!("Table {name} not found."))
}

fn table_input(input: Option<TableInput>, name: Option<&str>) -> Result<TableInput, GlueError> {
    let input = input.ok_or_else(|| {
        GlueError::InvalidInput("TableInput must be provided by this request.".to_owned())
    })?;
    if name.is_some_and(|name| name != input.name) {
        return Err(GlueError::InvalidInput(
            "Name and TableInput.Name must be the same.".to_owned(),
        ));
    }
    validate::table(&input)?;
    Ok(input)
}

type Slice<'a, V> = (Vec<(&'a String, &'a V)>, Option<String>);

/// One page in name order and the token of the next.
pub(super) fn page<'a, V>(
    entries: &'a BTreeMap<String, V>,
    token: Option<&str>,
    limit: Option<u32>,
) -> Result<Slice<'a, V>, GlueError> {
    let limit = limit.unwrap_or(100);
    validate::between("maxResults", limit, 1, 100)?;
    let after = token.map(decode_token).transpose()?;
    let start = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
    let mut rest = entries.range::<String, _>((start, Bound::Unbounded));
    let page: Vec<_> = rest.by_ref().take(limit as usize).collect();
    let more = rest.next().is_some();
    let next = page.last().filter(|_| more).map(|(name, _)| hex::encode(name));
    Ok((page, next))
}

fn decode_token(token: &str) -> Result<String, GlueError> {
    let bytes = hex::decode(token).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| GlueError::InvalidInput("The NextToken is not valid.".to_owned()))
}

/// Now, in seconds since the epoch to the millisecond.
pub(super) fn epoch_seconds() -> f64 {
    seconds(Utc::now())
}

/// A time in seconds since the epoch to the millisecond.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of this era fit 53 bits")]
pub(super) fn seconds(time: chrono::DateTime<Utc>) -> f64 {
    time.timestamp_millis() as f64 / 1000.0
}
