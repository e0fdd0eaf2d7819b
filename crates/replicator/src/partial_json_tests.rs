use super::*;

/// `{"a": 1, "b": [true, null, "x"]}` as the server stores it.
const NESTED: &[u8] = &[
    0x00, 2, 0, 35, 0, 18, 0, 1, 0, 19, 0, 1, 0, 0x05, 1, 0, 0x02, 20, 0, b'a', b'b', 3, 0, 15, 0,
    0x04, 1, 0, 0x04, 0, 0, 0x0C, 13, 0, 1, b'x',
];
const REPLACE: u8 = 0;
const INSERT: u8 = 1;
const REMOVE: u8 = 2;

/// The small integer 7, and the text `y`.
const SEVEN: &[u8] = &[0x05, 7, 0];
const LETTER: &[u8] = &[0x0C, 1, b'y'];

/// Operation, path and value.
type Diff<'a> = (u8, &'a str, &'a [u8]);

fn diff(operation: u8, path: &str, value: &[u8]) -> Vec<u8> {
    let mut diff = vec![operation, u8::try_from(path.len()).unwrap()];
    diff.extend(path.as_bytes());
    if operation != REMOVE {
        diff.push(u8::try_from(value.len()).unwrap());
        diff.extend(value);
    }
    diff
}

fn changed(diffs: &[Diff<'_>]) -> Result<String, ValueError> {
    let diffs: Vec<u8> =
        diffs.iter().flat_map(|(operation, path, value)| diff(*operation, path, value)).collect();
    apply(NESTED, &diffs)
}

#[test]
fn values_are_replaced_inserted_and_removed() {
    let cases: [(&[Diff<'_>], &str); 8] = [
        (&[], r#"{"a": 1, "b": [true, null, "x"]}"#),
        (&[(REPLACE, "$.a", SEVEN)], r#"{"a": 7, "b": [true, null, "x"]}"#),
        (&[(REPLACE, "$.b[2]", LETTER)], r#"{"a": 1, "b": [true, null, "y"]}"#),
        (&[(INSERT, "$.b[1]", SEVEN)], r#"{"a": 1, "b": [true, 7, null, "x"]}"#),
        (&[(INSERT, "$.b[9]", SEVEN)], r#"{"a": 1, "b": [true, null, "x", 7]}"#),
        (&[(REMOVE, "$.b[0]", &[])], r#"{"a": 1, "b": [null, "x"]}"#),
        (&[(REMOVE, "$.a", &[]), (REMOVE, "$.b", &[])], "{}"),
        (
            &[(REPLACE, "$.a", NESTED), (REPLACE, "$.a.b[0]", SEVEN)],
            r#"{"a": {"a": 1, "b": [7, null, "x"]}, "b": [true, null, "x"]}"#,
        ),
    ];
    for (diffs, expected) in cases {
        assert_eq!(changed(diffs).as_deref(), Ok(expected));
    }
}

#[test]
fn new_members_stand_where_the_server_orders_them() {
    let names = [r"$.zz", r#"$."""#, r"$.ab", r#"$."a \"q\" \\.[""#, r"$.ç"];
    let diffs: Vec<Diff<'_>> = names.map(|name| (INSERT, name, SEVEN)).to_vec();
    let expected =
        r#"{"": 7, "a": 1, "b": [true, null, "x"], "ab": 7, "zz": 7, "ç": 7, "a \"q\" \\.[": 7}"#;
    assert_eq!(changed(&diffs).as_deref(), Ok(expected));
}

#[test]
fn changes_that_lead_nowhere_are_errors() {
    let cases: [(u8, &str); 9] = [
        (REPLACE, "$.c"),
        (REPLACE, "$.b[3]"),
        (REPLACE, "$.a.b"),
        (REPLACE, "$"),
        (INSERT, "$.a"),
        (INSERT, "$.b.c"),
        (REMOVE, "$.c"),
        (REMOVE, "$.b[3]"),
        (REMOVE, "$.a[0]"),
    ];
    for (operation, path) in cases {
        assert_eq!(changed(&[(operation, path, SEVEN)]), Err(MISFIT), "{operation} {path}");
    }
}

#[test]
fn bytes_that_are_no_changes_are_errors_and_no_panics() {
    for path in ["", "a", "$a", "$.", "$..a", "$[x]", "$[1", "$.\"a", "$.b[last]", "$[-1]"] {
        assert_eq!(changed(&[(REPLACE, path, SEVEN)]), Err(MALFORMED), "{path}");
    }
    let whole = diff(REPLACE, "$.a", SEVEN);
    for length in 1..whole.len() {
        assert!(apply(NESTED, &whole[..length]).is_err(), "{length}");
    }
    assert_eq!(changed(&[(3, "$.a", SEVEN)]), Err(MALFORMED));
    assert_eq!(changed(&[(REPLACE, "$.a", &[])]), Err(MALFORMED));
    assert_eq!(apply(&[], &[]), Err(MALFORMED));
}
