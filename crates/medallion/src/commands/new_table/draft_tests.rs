use super::super::validate;
use super::*;

fn column(name: &str, column_type: &str) -> SourceColumn {
    SourceColumn {
        name: name.to_owned(),
        column_type: column_type.to_owned(),
        nullable: true,
        ..SourceColumn::default()
    }
}

fn table(key: &[&str], columns: Vec<SourceColumn>) -> SourceTable {
    SourceTable {
        kind: "BASE TABLE".to_owned(),
        engine: Some("InnoDB".to_owned()),
        key: key.iter().map(|name| (*name).to_owned()).collect(),
        columns: columns
            .into_iter()
            .map(|column| SourceColumn { nullable: !key.contains(&column.name.as_str()), ..column })
            .collect(),
        ..SourceTable::default()
    }
}

fn id() -> TableId {
    "crm.orders".parse().unwrap()
}

fn draft(source: &SourceTable) -> Draft {
    let draft = Draft::new(&id(), source, &[]).unwrap();
    validate(&id(), &draft.text).unwrap_or_else(|e| panic!("{e:?}\n{}", draft.text));
    draft
}

fn refused(source: &SourceTable, not_personal: &[&str]) -> Vec<String> {
    let names: Vec<String> = not_personal.iter().map(|name| (*name).to_owned()).collect();
    let reasons = Draft::new(&id(), source, &names).err().unwrap_or_default();
    reasons.iter().map(|r| r.to_string().lines().next().unwrap_or_default().to_owned()).collect()
}

/// What is proposed for the table of the next test.
const PROPOSED: &str = "\
version = 1
table = \"crm.orders\"
description = \"Rows of crm.orders\" # guess: the table has no comment; say what a row is
key = [\"region\", \"id\"]
buckets = 8 # guess: from about 5200000 rows
engine = \"native\"

[[column]]
name = \"id\"
type = \"int unsigned\"
nullable = false
sensitivity = \"internal\" # guess: neither name nor type speak of a person

[[column]]
name = \"region\"
type = \"char(2)\"
nullable = false
sensitivity = \"internal\" # guess: neither name nor type speak of a person

[[column]]
name = \"email\"
type = \"varchar(90)\"
nullable = false
sensitivity = \"personal\" # guess: the name says e-mail address
normalise = [\"email\", \"null_if_empty\"] # guess: the name says e-mail address
check = [\"not_null\", \"email\"] # guess: the name says e-mail address; NOT NULL at the source
description = \"Where to \\\"write\\\"\"

[[column]]
name = \"paid\"
type = \"tinyint(1)\"
nullable = true
sensitivity = \"internal\" # guess: neither name nor type speak of a person

[[column]]
name = \"state\"
type = \"enum('new','it''s')\"
nullable = true
sensitivity = \"internal\" # guess: the type lists the values that it accepts

# The column \"sum\" is left out: it is generated, and DMS does not capture generated columns.

# The column \"Odd\\u000AName\" is left out: it must begin with a lower-case letter or `_`; Silver \
waits when it arrives, so rename or hide it at the source.

# The column \"where_to\" is left out: no lake type holds \"vector(3)\"; Silver waits when it \
arrives, so hide it at the source.
";

#[test]
fn a_draft_says_what_it_guessed_and_from_what() {
    let mut source = table(
        &["region", "id"],
        vec![
            column("id", "int(11) unsigned"),
            column("region", "char(2)"),
            SourceColumn {
                comment: "Where to \"write\"".to_owned(),
                ..column("email", "varchar(90)")
            },
            column("paid", "tinyint(1)"),
            column("state", "enum('new','it''s')"),
            SourceColumn { extra: "STORED GENERATED".to_owned(), ..column("sum", "int") },
            column("Odd\nName", "int"),
            column("where_to", "vector(3)"),
        ],
    );
    source.columns[2].nullable = false;
    source.estimated_rows = 5_200_000;
    let draft = draft(&source);
    assert_eq!(draft.text, PROPOSED);
    assert_eq!(draft.remarks.len(), 3);
}

#[test]
fn every_type_makes_a_valid_contract() {
    let types = [
        "tinyint",
        "tinyint(1)",
        "tinyint unsigned",
        "smallint(6)",
        "mediumint unsigned",
        "int",
        "int unsigned",
        "bigint",
        "bigint unsigned",
        "decimal(65,30)",
        "decimal(12,2) unsigned",
        "float",
        "double",
        "bit(1)",
        "bit(64)",
        "date",
        "datetime(6)",
        "timestamp",
        "time(3)",
        "year",
        "char(2)",
        "varchar(3000)",
        "tinytext",
        "text",
        "mediumtext",
        "longtext",
        "binary(16)",
        "varbinary(16)",
        "tinyblob",
        "blob",
        "mediumblob",
        "longblob",
        "enum('a','it''s','back\\slash')",
        "set('a','b')",
        "json",
        "geometry",
        "point",
    ];
    // Under a name that says nothing, and under names whose rules fit texts or dates only.
    for name in ["c", "cpf", "email", "telefone", "cep", "uf", "nome", "data_nascimento", "cnpj"] {
        let mut columns = vec![column("id", "int")];
        columns
            .extend(types.iter().enumerate().map(|(n, text)| column(&format!("{name}_{n}"), text)));
        let mut source = table(&["id"], columns);
        for (n, column) in source.columns.iter_mut().enumerate() {
            column.nullable = column.nullable && n % 2 == 0;
        }
        let draft = draft(&source);
        assert_eq!(draft.text.matches("[[column]]").count(), types.len() + 1, "{name}");
        assert_eq!(draft.remarks, [""; 0]);
        assert!(draft.text.contains("# lob_max_kb"), "{name}");
    }
}

#[test]
fn a_table_that_cannot_have_a_contract_is_refused_with_all_reasons() {
    let keyless = table(&[], vec![column("id", "int")]);
    assert_eq!(refused(&keyless, &[]), ["it has no primary key, and Silver holds one row per key"]);
    let view = SourceTable { kind: "VIEW".to_owned(), ..keyless.clone() };
    assert_eq!(refused(&view, &[]), ["it is a VIEW, and only plain tables are replicated"]);
    let hidden = SourceColumn { extra: "INVISIBLE".to_owned(), ..column("n", "int") };
    let both = table(&["email", "n"], vec![column("email", "varchar(90)"), hidden]);
    assert_eq!(
        refused(&both, &["nobody"]),
        [
            "--not-personal nobody: the table has no such column",
            "its key column `email` looks personal (the name says e-mail address), and keys stand \
             in bounds, batch records and messages",
            "its key column `n` cannot arrive: it is invisible, and DMS does not migrate such \
             columns",
        ]
    );
}

#[test]
fn a_personal_looking_column_can_be_opened_by_hand() {
    let source = table(&["name"], vec![column("name", "varchar(90)"), column("phone", "int")]);
    assert_eq!(refused(&source, &[]).len(), 1);
    let draft = Draft::new(&id(), &source, &["name".to_owned()]).unwrap();
    validate(&id(), &draft.text).unwrap();
    assert!(draft.text.contains("sensitivity = \"internal\" # --not-personal, although the name"));
    assert!(!draft.text.contains("normalise"), "a key is taken as it is");
    assert!(draft.text.contains("sensitivity = \"personal\" # guess: the name says telephone"));
}
