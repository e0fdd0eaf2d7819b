//! Texts in every character set, bytes, members, documents and geometries.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::cases::{Case, Random, case};
use crate::form::Form;

/// Characters of every width in UTF-8, and those that printing might change.
const CHARACTERS: [char; 24] = [
    'a',
    'Z',
    '0',
    ' ',
    '\t',
    '\n',
    '\r',
    '\'',
    '"',
    '\\',
    '\0',
    '\u{1}',
    '\u{7f}',
    '%',
    'é',
    'ß',
    'Ω',
    'я',
    '€',
    '漢',
    '\u{2028}',
    '\u{ffff}',
    '😀',
    '\u{10ffff}',
];

/// An expression for text.
fn literal(text: &str) -> String {
    format!("CONVERT(x'{}' USING utf8mb4)", hex::encode(text))
}

fn bytes_literal(bytes: &[u8]) -> String {
    format!("x'{}'", hex::encode(bytes))
}

fn any_text(longest: usize) -> Random {
    Box::new(move |random| {
        let length = random.random_range(0..=longest);
        let text: String = (0..length).map(|_| *CHARACTERS.choose(random).unwrap()).collect();
        literal(&text)
    })
}

fn any_bytes(longest: usize) -> Random {
    Box::new(move |random| {
        let mut bytes = vec![0; random.random_range(0..=longest)];
        random.fill(bytes.as_mut_slice());
        bytes_literal(&bytes)
    })
}

/// A column of text that holds so many characters, or bytes in the TEXT family.
pub(crate) fn text(ddl: &str, longest: usize) -> Case {
    let borders = ["", " ", "a ", " a", "São Paulo 😀", "NULL", "0", "'\"\\\0\n"];
    let mut borders: Vec<String> = borders
        .iter()
        .filter(|text| text.chars().count() <= longest)
        .map(|text| literal(text))
        .collect();
    borders.push(format!("REPEAT({}, {longest})", literal("a")));
    // The largest characters at the greatest length, unless the length counts bytes.
    let widest = if ddl.contains("text") { longest / 4 } else { longest };
    borders.push(format!("REPEAT({}, {widest})", literal("\u{10ffff}")));
    Case { ddl: ddl.to_owned(), form: Form::Text, borders, random: any_text(longest.min(60) / 4) }
}

/// Texts in UTF-8.
pub(crate) fn texts() -> Vec<Case> {
    vec![
        text("char(1)", 1),
        text("char(10)", 10),
        text("char(255)", 255),
        text("varchar(1)", 1),
        text("varchar(63)", 63),
        text("varchar(64)", 64),
        text("varchar(16000)", 16_000),
        text("tinytext", 255),
        text("text", 65_535),
        text("mediumtext", 300_000),
        text("longtext", 300_000),
        text("varchar(40) character set utf8mb3", 40),
        text("char(10) collate utf8mb4_bin", 10),
    ]
}

/// Texts in the character sets that the server has: every byte of those with single bytes.
pub(crate) fn character_sets(single_byte: &[String], wide: &[&str]) -> Vec<Case> {
    let mut cases = Vec::new();
    for set in single_byte.iter().filter(|set| *set != "binary") {
        let last = if set == "ascii" { 0x7F } else { 0xFF };
        let bytes: Vec<u8> = (0..=last).collect();
        let all = format!("_{set} {}", bytes_literal(&bytes));
        let accents = format!("_{set} {}", bytes_literal(&bytes[bytes.len() - 9..]));
        for ddl in
            [format!("varchar(300) character set {set}"), format!("text character set {set}")]
        {
            let borders = [all.as_str(), accents.as_str(), "''", "'plain'"];
            let set = set.clone();
            cases.push(case(&ddl, Form::Text, &borders, move |random| {
                let bytes: Vec<u8> = (0..20).map(|_| random.random_range(0..=last)).collect();
                format!("_{set} {}", bytes_literal(&bytes))
            }));
        }
        let ddl = format!("char(9) character set {set}");
        cases.push(case(&ddl, Form::Text, &[&accents, "'a  '", "''"], |random| {
            format!("'{}'", random.random_range(0..1_000_000))
        }));
    }
    for set in wide {
        cases.push(text(&format!("varchar(20) character set {set}"), 20));
        cases.push(text(&format!("char(12) character set {set}"), 12));
        cases.push(text(&format!("mediumtext character set {set}"), 2_000));
    }
    cases
}

/// BINARY, VARBINARY and the BLOB family.
pub(crate) fn bytes() -> Vec<Case> {
    let bytes = |ddl: &str, longest: usize| {
        let mut borders = ["", "00", "20", "ff", "6100", "0061", "612000", "0000"]
            .into_iter()
            .filter(|hex| hex.len() <= 2 * longest)
            .map(|hex| format!("x'{hex}'"))
            .collect::<Vec<_>>();
        borders.push(format!("REPEAT(x'fe', {longest})"));
        borders.push(format!("REPEAT(x'00', {longest})"));
        let (ddl, random) = (ddl.to_owned(), any_bytes(longest.min(400)));
        Case { ddl, form: Form::Bytes, borders, random }
    };
    vec![
        bytes("binary(1)", 1),
        bytes("binary(5)", 5),
        bytes("binary(255)", 255),
        bytes("varbinary(1)", 1),
        bytes("varbinary(255)", 255),
        bytes("varbinary(256)", 256),
        bytes("varbinary(60000)", 60_000),
        bytes("tinyblob", 255),
        bytes("blob", 65_535),
        bytes("mediumblob", 300_000),
        bytes("longblob", 300_000),
    ]
}

/// ENUM and SET, with few members and many, in several character sets.
pub(crate) fn members() -> Vec<Case> {
    let number = |ddl: &str, most: u64| {
        let borders = ["0".to_owned(), "1".to_owned(), most.to_string()];
        Case {
            ddl: ddl.to_owned(),
            form: Form::Text,
            borders: borders.to_vec(),
            random: Box::new(move |random| random.random_range(0..=most).to_string()),
        }
    };
    let names = |count: usize| {
        let names: Vec<String> = (1..=count).map(|n| format!("'mémbre {n}'")).collect();
        names.join(",")
    };
    let odd = "'a','','ü€😀','it''s','a b','back\\\\slash','line\\nend'";
    vec![
        // The number 0 is the error value, which a server that is not strict stores.
        number(&format!("enum({odd})"), 7),
        number(&format!("enum({})", names(255)), 255),
        number(&format!("enum({})", names(300)), 300),
        number("enum('café','x') character set latin1", 2),
        number("enum('я','x') character set cp1251", 2),
        number("enum('é€','x') character set ucs2", 2),
        number("enum('a','b') character set binary", 2),
        number(&format!("set({odd})"), 127),
        number(&format!("set({})", names(9)), 511),
        number(&format!("set({})", names(64)), u64::MAX),
        number("set('café','x','y') character set latin1", 7),
        number("set('é€','x') character set utf16", 3),
    ]
}

/// Documents as MySQL stores them; MariaDB keeps them as text.
pub(crate) fn documents() -> Vec<Case> {
    let plain = [
        "'null'",
        "'true'",
        "'false'",
        "'0'",
        "'-1'",
        "'32767'",
        "'-32769'",
        "'2147483648'",
        "'4294967295'",
        "'-9223372036854775808'",
        "'18446744073709551615'",
        "'1e0'",
        "'-0.0'",
        "'1.5e300'",
        "'1e-20'",
        "'123456789012345678901234567890'",
        "'\"\"'",
        "'{}'",
        "'[]'",
        r#"'{"b": 1, "aa": [1, {"c": null}], "": "x"}'"#,
    ];
    let opaque = [
        "CAST(12.50 AS JSON)",
        "CAST(CAST('2024-02-29' AS DATE) AS JSON)",
        "CAST(CAST('-838:59:59.999999' AS TIME(6)) AS JSON)",
        "CAST(CAST('9999-12-31 23:59:59.5' AS DATETIME(6)) AS JSON)",
        "CAST(TIMESTAMP'2024-01-01 00:00:00' AS JSON)",
        "JSON_ARRAY(x'00ff')",
        "JSON_ARRAY(CAST(5 AS YEAR))",
        "JSON_ARRAY(b'101', 1.0e0, 1.10, TRUE)",
        "JSON_OBJECT('point', ST_GeomFromText('POINT(1 2)'))",
        "JSON_ARRAY(REPEAT('a', 70000))",
        "CAST(CONCAT(REPEAT('[', 99), REPEAT(']', 99)) AS JSON)",
        "CAST(CONCAT('[', REPEAT('1,', 40000), '2]') AS JSON)",
        "CAST(CONCAT('[', REPEAT('123456,', 15000), '2]') AS JSON)",
        "JSON_ARRAY(CAST(-99999999999999999999999999999999999.999 AS DECIMAL(65,30)))",
        "JSON_ARRAY(FROM_BASE64(REPEAT('QUJD', 100)))",
    ];
    let borders: Vec<&str> = plain.iter().chain(&opaque).copied().collect();
    vec![case("json", Form::Text, &borders, |random| {
        format!("CAST({} AS JSON)", literal(&document(random, 3).to_string()))
    })]
}

/// Documents of MariaDB, which keeps them as the text that was written.
pub(crate) fn documents_as_text() -> Vec<Case> {
    let borders = ["'{}'", "'[1,   2]'", r#"'{"b": 1, "a": 1.50, "b": "é"}'"#, "' null '"];
    vec![case("json", Form::Text, &borders, |random| literal(&document(random, 3).to_string()))]
}

/// A document with every kind of JSON value.
pub(crate) fn document(random: &mut ChaCha8Rng, depth: u32) -> serde_json::Value {
    let text = |random: &mut ChaCha8Rng| -> String {
        let length = random.random_range(0..6);
        (0..length).map(|_| *CHARACTERS.choose(random).unwrap()).collect()
    };
    match random.random_range(0..if depth == 0 { 6 } else { 9 }) {
        0 => serde_json::Value::Null,
        1 => random.random::<bool>().into(),
        2 => random.random::<i64>().into(),
        3 => random.random_range(-40_000..40_000).into(),
        4 => serde_json::json!(
            random.random_range(-1e18..1e18) * 10_f64.powi(random.random_range(-30..5))
        ),
        5 => text(random).into(),
        6 => (0..random.random_range(0..5)).map(|_| document(random, depth - 1)).collect(),
        _ => {
            let count = random.random_range(0..6);
            let members = (0..count).map(|_| (text(random), document(random, depth - 1)));
            serde_json::Value::Object(members.collect())
        }
    }
}

/// Spatial types.
pub(crate) fn geometries(collection: &str) -> Vec<Case> {
    let point = |random: &mut ChaCha8Rng| {
        let [x, y] = [0; 2].map(|_: i32| random.random_range(-1e6..1e6_f64));
        format!("ST_GeomFromText('POINT({x} {y})')")
    };
    let of = |ddl: &str, texts: &[&str]| {
        let borders: Vec<String> =
            texts.iter().map(|text| format!("ST_GeomFromText('{text}')")).collect();
        let all = borders.clone();
        let random: Random = match ddl {
            "geometry" | "point" => Box::new(point),
            _ => Box::new(move |random| all.choose(random).unwrap().clone()),
        };
        Case { ddl: ddl.to_owned(), form: Form::Bytes, borders, random }
    };
    let mut any = of("geometry", &["POINT(1 2)", "LINESTRING(0 0,1 1)", "POINT(-1e300 1e-300)"]);
    any.borders.push("ST_GeomFromText('POINT(10 20)', 4326)".to_owned());
    vec![
        any,
        of("point", &["POINT(0 0)"]),
        of("linestring", &["LINESTRING(0 0,1 1,2 5)"]),
        of("polygon", &["POLYGON((0 0,9 0,9 9,0 9,0 0),(1 1,2 1,2 2,1 1))"]),
        of("multipoint", &["MULTIPOINT(0 0,1 1)"]),
        of("multilinestring", &["MULTILINESTRING((0 0,1 1),(2 2,3 3))"]),
        of("multipolygon", &["MULTIPOLYGON(((0 0,1 0,1 1,0 0)))"]),
        of(collection, &["GEOMETRYCOLLECTION(POINT(1 1),LINESTRING(0 0,1 1))"]),
    ]
}
