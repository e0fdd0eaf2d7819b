//! The table and the changes that are measured.

use std::path::Path;
use std::time::Instant;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Row};

use crate::failure::HarnessError;
use crate::report::Printer;

/// Rows of one INSERT.
const CHUNK: u64 = 100_000;
/// Of ten changes so many are inserts, updates and deletes.
const SHARES: [(&str, u64); 3] = [("insert", 4), ("update", 4), ("delete", 2)];

/// A schema `bench` of our own at the server.
pub(super) struct Scene {
    conn: Conn,
    rows_sql: String,
    /// Rows of `bench.customers`.
    rows: u64,
}

/// What changes are made.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChangeStyle {
    /// Row events.
    pub(super) events: u64,
    /// Rows of a transaction.
    pub(super) transaction: u64,
}

/// Changes that are in the binlog, `<file>:<offset>`.
#[derive(Debug)]
pub(super) struct Changes {
    pub(super) events: u64,
    pub(super) from: String,
    pub(super) until: String,
}

fn refused(error: mysql_async::Error) -> HarnessError {
    HarnessError::set_up("the bench's table", error)
}

impl Scene {
    pub(super) async fn open(url: &str, fixtures: &Path) -> Result<Scene, HarnessError> {
        let read = |name: &str| {
            let path = fixtures.join(name);
            std::fs::read_to_string(&path).map_err(|e| HarnessError::set_up("the bench's SQL", e))
        };
        let (table_sql, rows_sql, changes_sql) =
            (read("table.sql")?, read("rows.sql")?, read("changes.sql")?);
        let opts = Opts::from_url(url).map_err(|e| HarnessError::set_up("the server's url", e))?;
        // Without a schema some versions do not find the server's own functions.
        let opts = OptsBuilder::from_opts(opts).prefer_socket(false).db_name(Some("mysql"));
        let mut conn = Conn::new(opts).await.map_err(refused)?;
        for statement in [
            "SET SESSION time_zone = '+00:00', cte_max_recursion_depth = 1000000",
            "DROP DATABASE IF EXISTS bench",
            "CREATE DATABASE bench",
            table_sql.as_str(),
            changes_sql.as_str(),
        ] {
            conn.query_drop(statement).await.map_err(refused)?;
        }
        Ok(Scene { conn, rows_sql, rows: 0 })
    }

    /// The server's process, when it is of this machine.
    pub(super) async fn server_process(&mut self) -> Result<Option<u32>, HarnessError> {
        let file: Option<String> =
            self.conn.query_first("SELECT @@pid_file").await.map_err(refused)?;
        let text = file.and_then(|file| std::fs::read_to_string(file).ok());
        Ok(text.and_then(|text| text.trim().parse().ok()))
    }

    /// Brings the table to so many rows; gives them and the bytes that they take in MySQL. The
    /// rows are not in the binlog.
    pub(super) async fn fill(
        &mut self,
        rows: u64,
        seed: &str,
        printer: &Printer,
    ) -> Result<(u64, u64), HarnessError> {
        let began = Instant::now();
        self.conn.query_drop("SET SESSION sql_log_bin = 0").await.map_err(refused)?;
        let seed = seed.replace(['\'', '\\'], "");
        while self.rows < rows {
            let last = rows.min(self.rows + CHUNK);
            let statement = self.rows_sql.replace("{seed}", &seed);
            let statement = statement.replace("{from}", &(self.rows + 1).to_string());
            let statement = statement.replace("{to}", &last.to_string());
            self.conn.query_drop(statement).await.map_err(refused)?;
            self.rows = last;
        }
        let analyzed = self.conn.query_drop("ANALYZE TABLE bench.customers").await;
        analyzed.map_err(refused)?;
        self.conn
            .query_drop("SET SESSION sql_log_bin = 1, information_schema_stats_expiry = 0")
            .await
            .map_err(refused)?;
        let bytes: Option<u64> = self
            .conn
            .query_first(
                "SELECT data_length FROM information_schema.tables \
                 WHERE table_schema = 'bench' AND table_name = 'customers'",
            )
            .await
            .map_err(refused)?;
        printer.print("table", &format!("{rows} rows in {:.0} s", began.elapsed().as_secs_f64()));
        Ok((self.rows, bytes.unwrap_or_default()))
    }

    /// Makes the changes, to a table of their own.
    pub(super) async fn change(
        &mut self,
        style: ChangeStyle,
        printer: &Printer,
    ) -> Result<Changes, HarnessError> {
        let began = Instant::now();
        for statement in [
            "DROP TABLE IF EXISTS bench.changed",
            "CREATE TABLE bench.changed LIKE bench.customers",
        ] {
            self.conn.query_drop(statement).await.map_err(refused)?;
        }
        let from = self.position().await?;
        let mut events = 0;
        for (operation, share) in SHARES {
            let rows = (style.events * share / 10).min(self.rows);
            self.conn
                .exec_drop(
                    "CALL bench.change_rows(?, 1, ?, ?)",
                    (operation, rows, style.transaction),
                )
                .await
                .map_err(refused)?;
            events += rows;
        }
        let until = self.position().await?;
        let took = began.elapsed().as_secs_f64();
        printer.print("changes", &format!("{events} in {took:.0} s"));
        Ok(Changes { events, from, until })
    }

    async fn position(&mut self) -> Result<String, HarnessError> {
        let statement = match self.conn.server_version() >= (8, 2, 0) {
            true => "SHOW BINARY LOG STATUS",
            false => "SHOW MASTER STATUS",
        };
        let row: Option<Row> = self.conn.query_first(statement).await.map_err(refused)?;
        let place = row.and_then(|row| Some((row.get(0)?, row.get(1)?)));
        let (file, offset): (String, u64) = place.ok_or_else(|| {
            HarnessError::Bench("the server does not tell where its binlog ends".to_owned())
        })?;
        Ok(format!("{file}:{offset}"))
    }

    /// Removes the schema.
    pub(super) async fn close(mut self) {
        // A server of our own goes away with it.
        let _ = self.conn.query_drop("DROP DATABASE IF EXISTS bench").await;
        let _ = self.conn.disconnect().await;
    }
}
