use super::*;

fn cell(kind: ColumnType, metadata: &[u8], traits: Traits, mut image: &[u8]) -> Cell<'static> {
    let wire = Wire::new(kind, metadata, traits).unwrap();
    let bytes = wire.take(&mut image).unwrap();
    assert!(image.is_empty(), "{} bytes are left", image.len());
    let owned = |bytes: Cow<'_, [u8]>| Cow::Owned(bytes.into_owned());
    match wire.cell(bytes).unwrap() {
        Cell::Text(bytes) => Cell::Text(owned(bytes)),
        Cell::Bytes(bytes) => Cell::Bytes(owned(bytes)),
        Cell::Decimal(text) => Cell::Decimal(Cow::Owned(text.into_owned())),
        Cell::Scaled(value) => Cell::Scaled(value),
        Cell::Json(document) => text(&crate::json::text(document).unwrap()),
        Cell::Null => Cell::Null,
        Cell::Int(value) => Cell::Int(value),
        Cell::UInt(value) => Cell::UInt(value),
        Cell::Float(value) => Cell::Float(value),
        Cell::Double(value) => Cell::Double(value),
        Cell::Date(day) => Cell::Date(day),
        Cell::DateTime(day, clock) => Cell::DateTime(day, clock),
        Cell::Instant(seconds, micros) => Cell::Instant(seconds, micros),
        Cell::Time { negative, clock } => Cell::Time { negative, clock },
    }
}

/// A column of text that is UTF-8.
fn utf8() -> Traits {
    Traits { decoder: Some(TextDecoder::Utf8), ..Traits::default() }
}

fn plain(kind: ColumnType, metadata: &[u8], image: &[u8]) -> Cell<'static> {
    cell(kind, metadata, Traits::default(), image)
}

fn text(value: &str) -> Cell<'static> {
    Cell::Text(Cow::Owned(value.as_bytes().to_vec()))
}

#[test]
fn integers_take_their_sign_from_the_table_map() {
    use ColumnType::{MYSQL_TYPE_INT24, MYSQL_TYPE_LONGLONG, MYSQL_TYPE_TINY};
    let unsigned = || Traits { unsigned: true, ..Traits::default() };
    assert_eq!(plain(MYSQL_TYPE_TINY, &[], &[0x80]), Cell::Int(-128));
    assert_eq!(cell(MYSQL_TYPE_TINY, &[], unsigned(), &[0x80]), Cell::UInt(128));
    assert_eq!(plain(MYSQL_TYPE_INT24, &[], &[0, 0, 0x80]), Cell::Int(-8_388_608));
    assert_eq!(cell(MYSQL_TYPE_INT24, &[], unsigned(), &[0xFF; 3]), Cell::UInt(16_777_215));
    assert_eq!(plain(MYSQL_TYPE_LONGLONG, &[], &[0xFF; 8]), Cell::Int(-1));
    assert_eq!(cell(MYSQL_TYPE_LONGLONG, &[], unsigned(), &[0xFF; 8]), Cell::UInt(u64::MAX));
}

#[test]
fn dates_and_years_unpack() {
    use ColumnType::{MYSQL_TYPE_DATE, MYSQL_TYPE_YEAR};
    let packed: u32 = (2024 << 9) | (2 << 5) | 29;
    let day = Day { year: 2024, month: 2, day: 29 };
    assert_eq!(plain(MYSQL_TYPE_DATE, &[], &packed.to_le_bytes()[..3]), Cell::Date(day));
    let zero = Day { year: 0, month: 0, day: 0 };
    assert_eq!(plain(MYSQL_TYPE_DATE, &[], &[0; 3]), Cell::Date(zero));
    assert_eq!(plain(MYSQL_TYPE_YEAR, &[], &[126]), Cell::UInt(2026));
    assert_eq!(plain(MYSQL_TYPE_YEAR, &[], &[0]), Cell::UInt(0));
}

#[test]
fn times_unpack_on_both_sides_of_zero_in_every_precision() {
    // The server's own table, comment of `my_time_packed_to_binary`.
    let cases: [(u8, &[u8], &str); 10] = [
        (2, &[0x80, 0, 0, 0], "00:00:00.00"),
        (2, &[0x7F, 0xFF, 0xFF, 0xFF], "-00:00:00.01"),
        (2, &[0x7F, 0xFF, 0xFF, 0x9D], "-00:00:00.99"),
        (2, &[0x7F, 0xFF, 0xFF, 0x00], "-00:00:01.00"),
        (2, &[0x7F, 0xFF, 0xFE, 0xFF], "-00:00:01.01"),
        (2, &[0x7F, 0xFF, 0xFE, 0xF6], "-00:00:01.10"),
        (0, &[0x80, 0x10, 0x83], "01:02:03"),
        (0, &[0x7F, 0xEF, 0x7D], "-01:02:03"),
        (4, &[0x7F, 0xFF, 0xFF, 0xFF, 0xFF], "-00:00:00.0001"),
        (6, &[0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], "-00:00:00.000001"),
    ];
    for (fsp, image, expected) in cases {
        match plain(ColumnType::MYSQL_TYPE_TIME2, &[fsp], image) {
            Cell::Time { negative, clock } => assert_eq!(clock.text(negative, fsp), expected),
            other => panic!("{expected} became {other:?}"),
        }
    }
}

#[test]
fn dates_with_time_and_timestamps_unpack() {
    let packed: u64 =
        (1 << 39) | ((2026 * 13 + 12) << 22) | (31 << 17) | (23 << 12) | (59 << 6) | 58;
    let mut image = packed.to_be_bytes()[3..].to_vec();
    let day = Day { year: 2026, month: 12, day: 31 };
    let clock = Clock { hours: 23, minutes: 59, seconds: 58, micros: 0 };
    let datetime = ColumnType::MYSQL_TYPE_DATETIME2;
    assert_eq!(plain(datetime, &[0], &image), Cell::DateTime(day, clock));
    image.extend([0x01, 0xE2, 0x40]);
    let clock = Clock { micros: 123_456, ..clock };
    assert_eq!(plain(datetime, &[6], &image), Cell::DateTime(day, clock));
    let stamp = ColumnType::MYSQL_TYPE_TIMESTAMP2;
    assert_eq!(plain(stamp, &[3], &[0, 0, 0, 1, 0x04, 0xCE]), Cell::Instant(1, 123_000));
    assert_eq!(plain(stamp, &[1], &[0xFF, 0xFF, 0xFF, 0xFF, 90]), Cell::Instant(u32::MAX, 900_000));
}

#[test]
fn members_come_from_the_table_map() {
    let members =
        || Traits { members: vec!["a".into(), "b".into(), "c".into()], ..Traits::default() };
    let member = |image: &[u8]| cell(ColumnType::MYSQL_TYPE_ENUM, &[247, 1], members(), image);
    assert_eq!((member(&[1]), member(&[3]), member(&[0])), (text("a"), text("c"), text("")));
    let chosen = |image: &[u8]| cell(ColumnType::MYSQL_TYPE_SET, &[248, 1], members(), image);
    assert_eq!((chosen(&[0]), chosen(&[0b101])), (text(""), text("a,c")));
    let wire = Wire::new(ColumnType::MYSQL_TYPE_ENUM, &[247, 1], members()).unwrap();
    assert_eq!(wire.cell(&[4]), Err(ValueError::Member));
    let wire = Wire::new(ColumnType::MYSQL_TYPE_SET, &[248, 1], members()).unwrap();
    assert_eq!(wire.cell(&[0b1000]), Err(ValueError::Member));
}

#[test]
fn binary_of_fixed_length_gets_its_zeros_back() {
    let fixed = plain(ColumnType::MYSQL_TYPE_STRING, &[254, 4], &[2, 7, 8]);
    assert_eq!(fixed, Cell::Bytes(Cow::Owned(vec![7, 8, 0, 0])));
    let varying = plain(ColumnType::MYSQL_TYPE_VARCHAR, &[4, 0], &[2, 7, 8]);
    assert_eq!(varying, Cell::Bytes(Cow::Owned(vec![7, 8])));
}

#[test]
fn lengths_take_as_many_bytes_as_the_column_needs() {
    // CHAR(255) of utf8mb4: 1020 bytes; the upper bits of the length are inverted.
    let string = ColumnType::MYSQL_TYPE_STRING;
    let long = Wire::new(string, &[0xCE, 0xFC], utf8()).unwrap();
    assert_eq!(long, Wire::Text { length_bytes: 2, decoder: TextDecoder::Utf8 });
    assert_eq!(cell(string, &[254, 8], utf8(), &[2, b'o', b'k']), text("ok"));
    let varchar = ColumnType::MYSQL_TYPE_VARCHAR;
    assert_eq!(cell(varchar, &[0, 1], utf8(), &[2, 0, b'o', b'k']), text("ok"));
    let blob = ColumnType::MYSQL_TYPE_BLOB;
    assert_eq!(cell(blob, &[3], utf8(), &[2, 0, 0, b'o', b'k']), text("ok"));
    let bytes = Cell::Bytes(Cow::Owned(b"ok".to_vec()));
    assert_eq!(plain(blob, &[4], &[2, 0, 0, 0, b'o', b'k']), bytes);
}

#[test]
fn text_of_other_character_sets_becomes_utf8() {
    let traits = Traits { decoder: Some(TextDecoder::Utf16), ..Traits::default() };
    let image = [4, 0x20, 0xAC, 0x00, b'x'];
    assert_eq!(cell(ColumnType::MYSQL_TYPE_VARCHAR, &[8, 0], traits, &image), text("€x"));
}

#[test]
fn geometries_are_bytes_and_vectors_are_passed_over() {
    let geometry = ColumnType::MYSQL_TYPE_GEOMETRY;
    let expected = Cell::Bytes(Cow::Owned(vec![0xE6, 0x10, 0, 0, 1]));
    assert_eq!(plain(geometry, &[4], &[5, 0, 0, 0, 0xE6, 0x10, 0, 0, 1]), expected);
    let source_type = |kind| Wire::new(kind, &[4], Traits::default()).unwrap().source_type();
    assert_eq!(source_type(geometry), Some(MySqlType::Geometry(GeometryKind::Any)));
    assert_eq!(source_type(ColumnType::MYSQL_TYPE_VECTOR), None);
}

#[test]
fn numbers_bits_and_documents_unpack() {
    let float = plain(ColumnType::MYSQL_TYPE_FLOAT, &[4], &1.5_f32.to_le_bytes());
    assert_eq!(float, Cell::Float(1.5));
    let double = plain(ColumnType::MYSQL_TYPE_DOUBLE, &[8], &(-0.1_f64).to_le_bytes());
    assert_eq!(double, Cell::Double(-0.1));
    let decimal = plain(ColumnType::MYSQL_TYPE_NEWDECIMAL, &[5, 2], &[0x80, 0x07, 0x05]);
    assert_eq!(decimal, Cell::Scaled(705));
    let mut packed = vec![0x80; 1];
    packed.extend([0; 17]);
    packed[17] = 9;
    let decimal = plain(ColumnType::MYSQL_TYPE_NEWDECIMAL, &[40, 2], &packed);
    assert_eq!(decimal, Cell::Decimal(Cow::Borrowed("0.09")));
    let bit = plain(ColumnType::MYSQL_TYPE_BIT, &[4, 1], &[0x0A, 0xBC]);
    assert_eq!(bit, Cell::Bytes(Cow::Owned(vec![0x0A, 0xBC])));
    let json = plain(ColumnType::MYSQL_TYPE_JSON, &[4], &[2, 0, 0, 0, 0x04, 0x01]);
    assert_eq!(json, text("true"));
}

#[test]
fn types_without_a_form_and_truncated_images_are_refused() {
    assert_eq!(Wire::new(ColumnType::MYSQL_TYPE_DATETIME, &[], Traits::default()), None);
    assert_eq!(Wire::new(ColumnType::MYSQL_TYPE_TIME2, &[7], Traits::default()), None);
    let wire = Wire::new(ColumnType::MYSQL_TYPE_VARCHAR, &[9, 0], Traits::default()).unwrap();
    assert_eq!(wire.take(&mut [5_u8, b'x'].as_slice()), Err(TRUNCATED));
    let geometry = Wire::new(ColumnType::MYSQL_TYPE_GEOMETRY, &[4], Traits::default()).unwrap();
    assert_eq!(geometry.take(&mut [1_u8, 0, 0, 0, b'x'].as_slice()), Ok(b"x".as_slice()));
}
