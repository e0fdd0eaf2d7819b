//! Statements in the binlog: what they do to the transaction around them.

/// The name of an XA transaction as the server writes it in statements: `X'01',X'',1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Xid(pub(crate) String);

/// What a statement in the binlog does to the transaction around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Statement {
    Begin,
    Commit,
    Rollback,
    /// Back to a savepoint: some of the rows before it never happened.
    PartialRollback,
    /// Belongs to a transaction but changes no rows.
    Inside,
    /// Changes rows, which are not in the binlog.
    ChangesRows,
    /// A transaction begins that will be prepared.
    XaStart(Xid),
    /// Ends a transaction that was prepared elsewhere in the binlog.
    XaCommit(Xid),
    XaRollback(Xid),
    /// Everything else.
    Definition,
}

impl Statement {
    /// Reads the beginning of a statement. Never keeps the text, which may hold values.
    pub(crate) fn parse(query: &str) -> Statement {
        let mut rest = without_comments(query);
        let mut next = || {
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ';');
            let end = rest.find(|c: char| c.is_whitespace() || c == ';').unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            rest = after;
            word.to_ascii_uppercase()
        };
        let (first, second) = (next(), next());
        let xid = || Xid(rest.split_whitespace().next().unwrap_or_default().to_ascii_lowercase());
        match (first.as_str(), second.as_str()) {
            ("XA", "START" | "BEGIN") => Statement::XaStart(xid()),
            ("XA", "COMMIT") => Statement::XaCommit(xid()),
            ("XA", "ROLLBACK") => Statement::XaRollback(xid()),
            ("BEGIN", _) | ("START", "TRANSACTION") => Statement::Begin,
            ("COMMIT", _) => Statement::Commit,
            ("ROLLBACK", "TO") => Statement::PartialRollback,
            ("ROLLBACK", _) => Statement::Rollback,
            ("SAVEPOINT" | "RELEASE", _) | ("XA", "END") => Statement::Inside,
            (
                "INSERT" | "UPDATE" | "DELETE" | "REPLACE" | "LOAD" | "CALL" | "SELECT" | "DO"
                | "WITH",
                _,
            ) => Statement::ChangesRows,
            _ => Statement::Definition,
        }
    }
}

/// The statement behind the comments that stand before it.
fn without_comments(query: &str) -> &str {
    let mut rest = query.trim_start();
    loop {
        let after = match rest {
            _ if rest.starts_with("/*") && !rest.starts_with("/*!") => rest.split_once("*/"),
            _ if rest.starts_with("-- ") || rest.starts_with('#') => rest.split_once('\n'),
            _ => return rest,
        };
        rest = after.map_or("", |(_, after)| after).trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_told_apart_by_their_first_words() {
        let xid = || Xid("x'01',x'ab',1".to_owned());
        let cases = [
            ("BEGIN", Statement::Begin),
            ("XA START X'01',X'AB',1", Statement::XaStart(xid())),
            ("COMMIT", Statement::Commit),
            ("ROLLBACK", Statement::Rollback),
            ("ROLLBACK TO `s`", Statement::PartialRollback),
            ("SAVEPOINT `s`", Statement::Inside),
            ("XA END X'01',X'',1", Statement::Inside),
            ("XA COMMIT X'01',X'ab',1", Statement::XaCommit(xid())),
            ("XA ROLLBACK X'01',X'AB',1", Statement::XaRollback(xid())),
            ("insert\ninto t values (1)", Statement::ChangesRows),
            ("/* app */ -- why\n INSERT INTO t VALUES (1)", Statement::ChangesRows),
            ("ALTER TABLE t ADD c INT", Statement::Definition),
            ("CREATE TABLE `t` (`a` int) START TRANSACTION", Statement::Definition),
            ("TRUNCATE t", Statement::Definition),
            ("", Statement::Definition),
        ];
        for (query, expected) in cases {
            assert_eq!(Statement::parse(query), expected, "{query}");
        }
    }
}
