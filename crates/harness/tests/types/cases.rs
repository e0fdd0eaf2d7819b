//! One column of each type, with the values at its borders and a source of others.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::form::Form;

/// A source of values, as SQL expressions.
pub(crate) type Random = Box<dyn Fn(&mut ChaCha8Rng) -> String>;

/// A column type under test.
pub(crate) struct Case {
    /// As `CREATE TABLE` takes it.
    pub(crate) ddl: String,
    pub(crate) form: Form,
    /// SQL expressions at the borders of the type.
    pub(crate) borders: Vec<String>,
    pub(crate) random: Random,
}

pub(crate) fn case(
    ddl: &str,
    form: Form,
    borders: &[&str],
    random: impl Fn(&mut ChaCha8Rng) -> String + 'static,
) -> Case {
    let borders = borders.iter().map(|text| (*text).to_owned()).collect();
    Case { ddl: ddl.to_owned(), form, borders, random: Box::new(random) }
}

/// Numbers, dates and times, which every server has.
pub(crate) fn scalars() -> Vec<Case> {
    let mut cases = integers();
    cases.extend(decimals());
    cases.extend(reals());
    cases.extend(bits());
    cases.extend(temporals());
    cases
}

fn integers() -> Vec<Case> {
    let integer = |ddl: &str, low: i128, high: i128| {
        let borders = [low, low + 1, -1, 0, 1, high - 1, high].map(|n| n.clamp(low, high));
        let borders = borders.map(|n| n.to_string());
        let borders: Vec<&str> = borders.iter().map(String::as_str).collect();
        case(ddl, Form::Number, &borders, move |random| random.random_range(low..=high).to_string())
    };
    let signed = |ddl: &str, bits: u32| integer(ddl, -(1 << (bits - 1)), (1 << (bits - 1)) - 1);
    let unsigned = |ddl: &str, bits: u32| integer(ddl, 0, (1 << bits) - 1);
    vec![
        signed("tinyint", 8),
        signed("tinyint(1)", 8),
        unsigned("tinyint unsigned", 8),
        unsigned("tinyint(3) unsigned zerofill", 8),
        signed("smallint", 16),
        unsigned("smallint unsigned", 16),
        signed("mediumint", 24),
        unsigned("mediumint unsigned", 24),
        signed("int", 32),
        unsigned("int unsigned", 32),
        unsigned("int(10) zerofill", 32),
        signed("bigint", 64),
        unsigned("bigint unsigned", 64),
        unsigned("bigint(20) zerofill", 64),
        case("year", Form::Number, &["0", "1901", "1970", "2155"], |random| {
            random.random_range(1901..=2155).to_string()
        }),
    ]
}

fn decimals() -> Vec<Case> {
    let decimal = |precision: usize, scale: usize, suffix: &'static str| {
        let number = move |digits: &str| match digits.split_at(precision - scale) {
            (whole, "") => whole.to_owned(),
            (whole, fraction) => format!("{whole}.{fraction}"),
        };
        let nines = number(&"9".repeat(precision));
        let mut smallest = "0".repeat(precision - 1);
        smallest.push('1');
        let smallest = number(&smallest);
        let mut borders = vec!["0".to_owned(), "1".to_owned(), nines.clone(), smallest.clone()];
        if suffix.is_empty() {
            borders.extend(["-1".to_owned(), format!("-{nines}"), format!("-{smallest}")]);
        }
        Case {
            ddl: format!("decimal({precision},{scale}){suffix}"),
            form: Form::Number,
            borders,
            random: Box::new(move |random| {
                let digits = random.random_range(0..=precision);
                let digits: String = (0..precision)
                    .map(|place| match place >= precision - digits {
                        true => char::from(random.random_range(b'0'..=b'9')),
                        false => '0',
                    })
                    .collect();
                let sign = if suffix.is_empty() && random.random() { "-" } else { "" };
                format!("{sign}{}", number(&digits))
            }),
        }
    };
    vec![
        decimal(1, 0, ""),
        decimal(5, 2, ""),
        decimal(9, 9, ""),
        decimal(18, 4, ""),
        decimal(19, 1, ""),
        decimal(38, 0, ""),
        decimal(38, 30, ""),
        decimal(39, 0, ""),
        decimal(65, 0, ""),
        decimal(65, 30, ""),
        decimal(12, 2, " unsigned"),
        decimal(12, 2, " zerofill"),
        decimal(45, 2, " zerofill"),
    ]
}

fn reals() -> Vec<Case> {
    let single = [
        "0",
        "-0e0",
        "1",
        "-1.5",
        "0.1",
        "3.4028234663852886e38",
        "-3.4028234663852886e38",
        "1.1754943508222875e-38",
        "1.401298464324817e-45",
        "16777217",
    ];
    let double = [
        "0",
        "-0e0",
        "0.1",
        "-2.5e0",
        "1.7976931348623157e308",
        "-1.7976931348623157e308",
        "2.2250738585072014e-308",
        "5e-324",
        "9007199254740993e0",
        "1e15",
        "123456.789e3",
    ];
    let positive = ["0", "0.5", "3.4028234663852886e38"];
    let any_single = |random: &mut ChaCha8Rng| loop {
        let value = f32::from_bits(random.random());
        if value.is_finite() {
            break format!("{:e}", f64::from(value));
        }
    };
    let any_double = |random: &mut ChaCha8Rng| loop {
        let value = f64::from_bits(random.random());
        if value.is_finite() {
            break format!("{value:e}");
        }
    };
    let small =
        |random: &mut ChaCha8Rng| format!("{}e-3", random.random_range(-9_999_999..9_999_999));
    vec![
        case("float", Form::Real, &single, any_single),
        case("float unsigned", Form::Real, &positive, |random| {
            format!("{}e-2", random.random::<u32>())
        }),
        case("float(7,3)", Form::Real, &["0", "-9999.999", "9999.999", "1.0005"], small),
        case("double", Form::Real, &double, any_double),
        case("double(15,4)", Form::Real, &["0", "-99999999999.9999", "0.00005"], small),
    ]
}

fn bits() -> Vec<Case> {
    let bit = |bits: u32| {
        let ones = u64::MAX >> (64 - bits);
        let form = match bits {
            1 => Form::Boolean,
            _ => Form::Bits(usize::try_from(bits.div_ceil(8)).unwrap()),
        };
        let borders = ["0".to_owned(), "1".to_owned(), ones.to_string(), (ones / 2).to_string()];
        Case {
            ddl: format!("bit({bits})"),
            form,
            borders: borders.to_vec(),
            random: Box::new(move |random| (random.random::<u64>() & ones).to_string()),
        }
    };
    [1, 2, 7, 8, 9, 16, 33, 63, 64].map(bit).into()
}

const DATES: [&str; 12] = [
    "'1000-01-01'",
    "'9999-12-31'",
    "'1970-01-01'",
    "'1969-12-31'",
    "'2024-02-29'",
    "'1582-10-10'",
    "'0001-01-01'",
    "'0000-05-05'",
    // What no calendar has.
    "'0000-00-00'",
    "'2024-00-10'",
    "'2024-10-00'",
    "'2023-02-31'",
];

fn temporals() -> Vec<Case> {
    let day = |random: &mut ChaCha8Rng| {
        let year = random.random_range(1000..=9999);
        let (month, day) = (random.random_range(0..=12), random.random_range(0..=31));
        format!("'{year}-{month:02}-{day:02}'")
    };
    let required = ["'0000-00-00'", "'2024-02-29'"];
    let mut cases = vec![
        case("date", Form::Day, &DATES, day),
        case("date not null", Form::Day, &required, day),
        case("datetime not null", Form::Moment, &required, day),
    ];
    for digits in 0..=6 {
        cases.extend([datetime(digits), timestamp(digits), time(digits)]);
    }
    cases
}

fn datetime(digits: usize) -> Case {
    let moments = [
        "'1000-01-01 00:00:00'",
        "'9999-12-31 23:59:59'",
        "'1969-12-31 23:59:59.999999'",
        "'1970-01-01 00:00:00.000001'",
        "'2038-01-19 03:14:08.5'",
        "'0001-01-01 12:34:56.789'",
        "'0000-00-00 00:00:00'",
        "'2024-00-10 11:12:13.5'",
        "'2024-02-30 11:12:13.000001'",
    ];
    case(&format!("datetime({digits})"), Form::Moment, &moments, |random| {
        let seconds = random.random_range(0..8_900_u64 * 365 * 86_400);
        let micros = random.random_range(0..1_000_000);
        format!("TIMESTAMP('1100-01-01') + INTERVAL '{seconds}.{micros:06}' SECOND_MICROSECOND")
    })
}

fn timestamp(digits: usize) -> Case {
    // Of the ends of the range in every time zone that the test sets.
    let moments = [
        "FROM_UNIXTIME(1)",
        "FROM_UNIXTIME(2147483647)",
        "FROM_UNIXTIME(2147483646.999999)",
        "FROM_UNIXTIME(1.000001)",
        "FROM_UNIXTIME(951782400.25)",
        "'0000-00-00 00:00:00'",
        "'2024-07-01 12:00:00.123456'",
        "'2024-03-31 02:30:00'",
    ];
    case(&format!("timestamp({digits}) null"), Form::Moment, &moments, |random| {
        let seconds = random.random_range(1..2_147_483_647_u32);
        format!("FROM_UNIXTIME({seconds}.{:06})", random.random_range(0..1_000_000))
    })
}

fn time(digits: usize) -> Case {
    let times = [
        "'-838:59:59'",
        "'838:59:59'",
        "'838:59:58.999999'",
        "'-838:59:58.999999'",
        "'00:00:00'",
        "'-00:00:00.000001'",
        "'-00:00:01'",
        "'23:59:59.999999'",
        "'24:00:00'",
        "'-00:59:59.9'",
    ];
    case(&format!("time({digits})"), Form::Clock, &times, |random| {
        let sign = if random.random() { "-" } else { "" };
        let [minutes, seconds] = [0; 2].map(|_: i32| random.random_range(0..60));
        let (hours, micros) = (random.random_range(0..839), random.random_range(0..1_000_000));
        format!("'{sign}{hours}:{minutes:02}:{seconds:02}.{micros:06}'")
    })
}
