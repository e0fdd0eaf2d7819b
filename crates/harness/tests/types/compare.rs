//! One table for each case, and what Bronze, Silver's types and the server have to say of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use arrow::array::RecordBatch;
use arrow::util::display::array_value_to_string;
use bytes::Bytes;
use medallion_definition::contract::TableContract;
use medallion_definition::lake::{LakeDefinition, SourceFile};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::cases::Case;
use crate::form::{Form, Shown};
use crate::run::{SCHEMA, connect, execute, operations, renew_schema, replicated, rows, table};

/// Random values of each case.
const RANDOM_VALUES: usize = 12;
/// What is added to a value's id where it is inserted, updated and deleted behind the snapshot.
const INSERTED: i32 = 10_000;
const UPDATED: i32 = 20_000;
const DELETED: i32 = 30_000;
/// In which literals of dates are read, and values are printed by applications.
const TIME_ZONES: [&str; 4] = ["+00:00", "-11:30", "+05:45", "+13:00"];

/// Columns behind each column under test. Sign, character set and members of the binlog's columns
/// stand in lists of their own, which a column counted wrongly would shift.
const BESIDE: &str = "w VARCHAR(9) CHARACTER SET latin1 DEFAULT 'é', \
    u INT UNSIGNED DEFAULT 4294967295, \
    e ENUM('ü', 'x') CHARACTER SET latin1 DEFAULT 'ü', \
    s SET('ß', 'x') CHARACTER SET cp850 DEFAULT 'ß', \
    b VARBINARY(9) DEFAULT 'bytes'";

/// One table after its replication.
pub(crate) struct Kind {
    pub(crate) name: String,
    pub(crate) ddl: String,
    pub(crate) form: Form,
    /// The type as `information_schema` prints it.
    column_type: String,
    /// Bronze files: full load first.
    pub(crate) files: Vec<(String, Bytes)>,
    /// What the server has, by id.
    pub(crate) wanted: BTreeMap<i32, Shown>,
}

/// All tables of a round.
pub(crate) struct Kinds(pub(crate) Vec<Kind>);

impl Kinds {
    /// Makes a table for each case and replicates it.
    pub(crate) async fn replicate(url: &str, cases: &[Case], seed: u64) -> Kinds {
        eprintln!("types: seed {seed}, {} columns", cases.len());
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut conn = connect(url).await;
        renew_schema(&mut conn).await;
        let mut kinds = Vec::new();
        for (number, case) in cases.iter().enumerate() {
            let name = format!("t{number}");
            fill(&mut conn, &name, case, &mut random).await;
            let wanted = wanted(&mut conn, &name, case.form).await;
            assert!(wanted.len() > RANDOM_VALUES, "{}: the table is empty", case.ddl);
            let column_type = format!(
                "SELECT CAST(COLUMN_TYPE AS CHAR) FROM information_schema.COLUMNS \
                 WHERE TABLE_SCHEMA = '{SCHEMA}' AND TABLE_NAME = '{name}' AND COLUMN_NAME = 'v'"
            );
            let column_type: String = conn.query_first(column_type).await.unwrap().unwrap();
            let (ddl, form) = (case.ddl.clone(), case.form);
            kinds.push(Kind { name, ddl, form, column_type, files: Vec::new(), wanted });
        }
        let tables: Vec<_> = kinds.iter().map(|kind| table(&kind.name)).collect();
        let names: Vec<String> = kinds.iter().map(|kind| kind.name.clone()).collect();
        let memory = replicated(url, &tables, async |conn| {
            for name in &names {
                change(conn, name).await;
            }
        });
        let memory = match memory.await {
            Ok(memory) => memory,
            Err(error) => panic!("seed {seed}: {}", causes(&error)),
        };
        for (kind, table) in kinds.iter_mut().zip(&tables) {
            kind.files = memory.files(table);
        }
        Kinds(kinds)
    }

    /// What is not as the server prints it.
    pub(crate) fn differences(&self) -> Vec<String> {
        self.0.iter().flat_map(Kind::differences).collect()
    }
}

/// An error with its causes.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        write!(text, ": {error}").unwrap();
        cause = error.source();
    }
    text
}

/// Stores the borders, random values and NULL, in changing time zones.
async fn fill(conn: &mut Conn, name: &str, case: &Case, random: &mut ChaCha8Rng) {
    let create = format!("CREATE TABLE {name} (id INT PRIMARY KEY, v {}, {BESIDE})", case.ddl);
    execute(conn, &create).await;
    let mut values = case.borders.clone();
    values.extend((0..RANDOM_VALUES).map(|_| (case.random)(random)));
    if !case.ddl.ends_with("not null") {
        values.push("NULL".to_owned());
    }
    let mut id = 0;
    for value in values {
        let zones = if matches!(case.form, Form::Moment) { &TIME_ZONES[..] } else { &["+00:00"] };
        for zone in zones {
            execute(conn, &format!("SET SESSION time_zone = '{zone}'")).await;
            id += 1;
            execute(conn, &format!("INSERT IGNORE INTO {name} (id, v) VALUES ({id}, {value})"))
                .await;
        }
    }
    execute(conn, "SET SESSION time_zone = '+00:00'").await;
}

/// The same values again, by every kind of row event. The copies are made by the server from what
/// it has stored, so that no literal is read another way.
async fn change(conn: &mut Conn, name: &str) {
    let modes = ["ALLOW_INVALID_DATES", "ALLOW_INVALID_DATES,PAD_CHAR_TO_FULL_LENGTH,ANSI_QUOTES"];
    let copy = |offset: i32| {
        format!(
            "INSERT INTO {name} (id, v) SELECT id + {offset}, v FROM {name} WHERE id < {INSERTED}"
        )
    };
    execute(conn, &format!("SET SESSION time_zone = '-03:00', sql_mode = '{}'", modes[0])).await;
    for offset in [INSERTED, UPDATED, DELETED] {
        execute(conn, &copy(offset)).await;
    }
    execute(conn, &format!("SET SESSION time_zone = '+09:00', sql_mode = '{}'", modes[1])).await;
    // Every row gets the value of the next one, and the last that of the first.
    let last = format!("(SELECT MAX(id) FROM {name} WHERE id < {INSERTED})");
    let update = format!(
        "UPDATE {name} AS a JOIN {name} AS b ON b.id = IF(a.id - {UPDATED} = (SELECT * FROM {last} \
         AS last), 1, a.id - {UPDATED} + 1) SET a.v = b.v WHERE a.id BETWEEN {UPDATED} AND {}",
        DELETED - 1
    );
    execute(conn, &update).await;
    execute(conn, &format!("DELETE FROM {name} WHERE id > {DELETED}")).await;
}

/// What the server prints.
async fn wanted(conn: &mut Conn, name: &str, form: Form) -> BTreeMap<i32, Shown> {
    let statement = format!("SELECT id, {} FROM {name} ORDER BY id", form.question());
    let rows: Vec<(i32, Shown)> = conn.query(statement).await.unwrap();
    rows.into_iter().map(|(id, answer)| (id, form.wanted(answer))).collect()
}

impl Kind {
    fn differences(&self) -> Vec<String> {
        let contract = self.contract();
        let mut different = Vec::new();
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for (key, file) in &self.files {
            let bronze = rows(file);
            let silver = medallion_transforms::bronze::read(&contract, key, 0, file.clone());
            let silver = silver.unwrap_or_else(|error| panic!("{}: {error}", self.ddl)).source;
            different.extend(self.differences_beside(&bronze));
            let readers = [("Bronze", &bronze), ("Silver", &silver)];
            for (row, (op, id)) in operations(&bronze).into_iter().enumerate() {
                let (way, wanted) = self.expectation(&op, id);
                *seen.entry(way).or_default() += 1;
                for (layer, rows) in readers {
                    let found = self.form.found(rows.column_by_name("v").unwrap(), row);
                    if Some(&found) != wanted {
                        different.push(format!(
                            "{} (row {id}, {way}): {layer} has {}, MySQL has {}",
                            self.ddl,
                            short(Some(&found)),
                            short(wanted),
                        ));
                    }
                }
            }
        }
        let count = self.wanted.len();
        for way in ["full load", "insert", "update", "delete"] {
            // Rows of a delete and of an update are inserted first; an update that changes nothing
            // is no event.
            let expected = if way == "insert" { 3 * count } else { count };
            let found = seen.get(way).copied().unwrap_or_default();
            if found != expected && !(way == "update" && (1..count).contains(&found)) {
                different.push(format!("{}: {found} rows by {way}, not {expected}", self.ddl));
            }
        }
        different
    }

    fn differences_beside(&self, rows: &RecordBatch) -> Vec<String> {
        let wanted = [("w", "é"), ("u", "4294967295"), ("e", "ü"), ("s", "ß"), ("b", "6279746573")];
        let mut different = Vec::new();
        for (name, wanted) in wanted {
            let column = rows.column_by_name(name).unwrap();
            let shown = |row| array_value_to_string(column, row).unwrap();
            if let Some(found) = (0..rows.num_rows()).map(shown).find(|found| found != wanted) {
                different.push(format!("{}: `{name}` beside it is `{found}`", self.ddl));
            }
        }
        different
    }

    /// By which way a row came, and which value it must have.
    fn expectation(&self, op: &str, id: i32) -> (&'static str, Option<&Shown>) {
        let offset = id / INSERTED * INSERTED;
        let (way, original) = match (op, offset) {
            ("I", 0) => ("full load", id),
            ("I", _) => ("insert", id - offset),
            ("U", UPDATED) => {
                let next = id - offset + 1;
                ("update", if self.wanted.contains_key(&next) { next } else { 1 })
            }
            ("D", DELETED) => ("delete", id - offset),
            _ => panic!("{}: an unexpected {op} of row {id}", self.ddl),
        };
        (way, self.wanted.get(&original))
    }

    /// A contract with the type that `information_schema` prints.
    fn contract(&self) -> TableContract {
        let column = |name: &str, source_type: &str| {
            let source_type = serde_json::to_string(source_type).unwrap();
            let nullable = name != "id";
            format!(
                "[[column]]\nname = \"{name}\"\ntype = {source_type}\nnullable = {nullable}\n\
                 sensitivity = \"internal\"\n"
            )
        };
        let columns = [
            ("id", "int"),
            ("v", &self.column_type),
            ("w", "varchar(9)"),
            ("u", "int unsigned"),
            ("e", "enum('ü','x')"),
            ("s", "set('ß','x')"),
            ("b", "varbinary(9)"),
        ];
        let columns: String = columns.iter().map(|(name, kind)| column(name, kind)).collect();
        let contract = format!(
            "version = 1\ntable = \"{SCHEMA}.{}\"\ndescription = \"one type\"\nkey = [\"id\"]\n\
             buckets = 1\n{columns}",
            self.name
        );
        let lake = "version = 1\nname = \"kinds\"\ndescription = \"types\"\n";
        let files =
            [("lake.toml", lake), ("tables/t.toml", &contract), ("policy.toml", "version = 1\n")];
        let files = files.map(|(path, text)| SourceFile { path: path.into(), text: text.into() });
        let lake = LakeDefinition::read(&files);
        lake.unwrap_or_else(|findings| panic!("{}: {findings:?}", self.ddl)).tables.remove(0)
    }
}

/// A value for a message.
fn short(value: Option<&Shown>) -> String {
    match value {
        None => "no such row".to_owned(),
        Some(None) => "NULL".to_owned(),
        Some(Some(text)) if text.len() > 120 => format!("{}… ({} long)", &text[..120], text.len()),
        Some(Some(text)) => format!("`{text}`"),
    }
}

impl Kind {
    /// The values that a file must hold, row by row.
    pub(crate) fn expected(&self, file: &Bytes) -> Vec<Shown> {
        let operations = operations(&rows(file));
        let value = |(op, id): (String, i32)| self.expectation(&op, id).1.cloned().unwrap();
        operations.into_iter().map(value).collect()
    }
}
