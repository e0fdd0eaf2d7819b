//! Kinds of expressions.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType, DateTimeField, ExactNumberInfo, Expr, ExtractSyntax,
    TypedString, UnaryOperator, Value,
};

use super::Walk;
use crate::gold::portable::place::line_or;
use crate::gold::portable::rules;

const NAMES: &str = "types are int, bigint, smallint, double, decimal(p, s), string, boolean, date";

impl Walk<'_, '_> {
    pub(super) fn expression(&mut self, expr: &Expr) {
        match expr {
            Expr::Identifier(_)
            | Expr::CompoundIdentifier(_)
            | Expr::Nested(_)
            | Expr::IsFalse(_)
            | Expr::IsNotFalse(_)
            | Expr::IsTrue(_)
            | Expr::IsNotTrue(_)
            | Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::IsUnknown(_)
            | Expr::IsNotUnknown(_)
            | Expr::IsDistinctFrom(..)
            | Expr::IsNotDistinctFrom(..)
            | Expr::InList { .. }
            | Expr::Between { .. }
            | Expr::Substring { .. }
            | Expr::Position { .. }
            | Expr::Trim { trim_characters: None, .. }
            | Expr::Case { .. }
            // Single rows and no correlation: the plan tells.
            | Expr::Subquery(_) => {}
            Expr::Trim { .. } => {
                let hint = "write trim(both 'x' from s)";
                self.no_expression(expr, "this form of `trim`", hint);
            }
            Expr::InSubquery { .. } | Expr::Exists { .. } => self.subquery(expr),
            Expr::BinaryOp { op, .. } => self.operator(expr, op),
            Expr::UnaryOp { op, .. } => {
                if !matches!(op, UnaryOperator::Minus | UnaryOperator::Not) {
                    self.no_operator(expr, &op.to_string(), "write a plain expression");
                }
            }
            Expr::Like { any, pattern, escape_char, .. } => {
                self.like(expr, *any || escape_char.is_some(), pattern);
            }
            Expr::Cast { kind, expr: _, data_type, array, format } => {
                self.cast(expr, kind, data_type, *array || format.is_some());
            }
            Expr::TypedString(TypedString { data_type, value, uses_odbc_syntax }) => {
                self.typed(expr, data_type, &value.value, *uses_odbc_syntax);
            }
            Expr::Value(value) => self.value(expr, &value.value),
            Expr::Extract { field, syntax, expr: _ } => self.extract(expr, field, syntax),
            Expr::Function(function) => self.function(function),
            _ => self.refused(expr),
        }
    }

    fn no_expression(&mut self, expr: &Expr, what: &str, hint: &str) {
        let message = format!("{what} is not portable");
        self.report.at(line_or(expr, self.line), rules::EXPRESSION, message, hint);
    }

    fn no_operator(&mut self, expr: &Expr, operator: &str, hint: &str) {
        let message = format!("the operator `{operator}` is not portable");
        self.report.at(line_or(expr, self.line), rules::OPERATOR, message, hint);
    }

    fn refused(&mut self, expr: &Expr) {
        let (what, hint) = match expr {
            Expr::ILike { .. } => ("`ilike`", "write lower(s) like 'x%'"),
            Expr::SimilarTo { .. } | Expr::RLike { .. } => {
                ("a regular expression", "write like, or a check in the contract")
            }
            Expr::Interval(_) => {
                ("an interval", "subtract unix_date(d) or unix_micros(t), or use make_date")
            }
            Expr::AtTimeZone { .. } => ("`at time zone`", "times are UTC already"),
            Expr::Ceil { .. } | Expr::Floor { .. } => {
                ("`ceil` or `floor`", "write cast(x as decimal(p, 0)), which rounds halves up")
            }
            Expr::Overlay { .. } => ("`overlay`", "write left(s, 2) || 'x' || substring(s, 4)"),
            Expr::Collate { .. } => ("`collate`", "texts are compared by their bytes"),
            // Together with the rule on groups.
            Expr::GroupingSets(_) | Expr::Cube(_) | Expr::Rollup(_) => return,
            Expr::Array(_)
            | Expr::Struct { .. }
            | Expr::Map(_)
            | Expr::Tuple(_)
            | Expr::Dictionary(_)
            | Expr::CompoundFieldAccess { .. }
            | Expr::JsonAccess { .. } => {
                ("a value made of values", "write arrays as rows and structs as columns")
            }
            Expr::AnyOp { .. } | Expr::AllOp { .. } => {
                ("`any` or `all`", "write in (…), or compare with min and max")
            }
            Expr::Convert { .. } => ("`convert`", "write cast(x as type)"),
            _ => ("this kind of expression", "docs/portable-sql.md lists what is"),
        };
        self.no_expression(expr, what, hint);
    }

    fn operator(&mut self, expr: &Expr, operator: &BinaryOperator) {
        let hint = match operator {
            BinaryOperator::Plus
            | BinaryOperator::Minus
            | BinaryOperator::Multiply
            | BinaryOperator::Divide
            | BinaryOperator::Modulo
            | BinaryOperator::StringConcat
            | BinaryOperator::Gt
            | BinaryOperator::Lt
            | BinaryOperator::GtEq
            | BinaryOperator::LtEq
            | BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::And
            | BinaryOperator::Or => return,
            BinaryOperator::Spaceship => "write `is not distinct from`",
            BinaryOperator::DuckIntegerDivide | BinaryOperator::MyIntegerDivide => {
                "divide as decimals: cast(cast(a as decimal(20, 10)) / b as decimal(20, 2))"
            }
            BinaryOperator::Regexp
            | BinaryOperator::PGRegexMatch
            | BinaryOperator::PGRegexIMatch
            | BinaryOperator::PGRegexNotMatch
            | BinaryOperator::PGRegexNotIMatch => "write like, or a check in the contract",
            _ => "write a plain comparison or function",
        };
        self.no_operator(expr, &operator.to_string(), hint);
    }

    fn subquery(&mut self, expr: &Expr) {
        if self.conditions.contains(&std::ptr::from_ref(expr)) {
            return;
        }
        let (message, hint) = match expr {
            Expr::InSubquery { negated: true, .. } => (
                "`not in (select …)` is never true once a NULL is among the values",
                "write where not exists (select 1 from … where …)",
            ),
            _ => (
                "this subquery is not a condition of `where` or `having` of its own",
                "write it there, joined by and / or, or left join a derived table",
            ),
        };
        self.report.at(line_or(expr, self.line), rules::SUBQUERY, message, hint);
    }

    fn like(&mut self, expr: &Expr, special: bool, pattern: &Expr) {
        let at = line_or(expr, self.line);
        if special {
            let message = "`escape` and `any` are not portable";
            let hint =
                "DataFusion has no other escape than the backslash: use contains or position";
            self.report.at(at, rules::LIKE, message, hint);
        }
        let literal =
            matches!(pattern, Expr::Value(v) if matches!(v.value, Value::SingleQuotedString(_)));
        if !literal {
            let message = "the pattern of `like` is not a literal";
            self.report.at(at, rules::LIKE, message, "write contains(s, x)");
        }
    }

    fn cast(&mut self, expr: &Expr, kind: &CastKind, data_type: &DataType, special: bool) {
        let at = line_or(expr, self.line);
        match kind {
            // The token `::` is a finding.
            CastKind::Cast | CastKind::DoubleColon => {}
            CastKind::TryCast | CastKind::SafeCast => {
                let message = "`try_cast` hides what does not fit";
                self.report.at(at, rules::CAST, message, "write cast(x as type)");
            }
        }
        if special {
            self.report.at(
                at,
                rules::CAST,
                "this form of cast is not portable",
                "write cast(x as type)",
            );
        }
        let hint = match data_type {
            DataType::Int(None)
            | DataType::Integer(None)
            | DataType::BigInt(None)
            | DataType::SmallInt(None)
            | DataType::Double(ExactNumberInfo::None)
            | DataType::Boolean
            | DataType::String(None)
            | DataType::Date => return,
            DataType::Decimal(ExactNumberInfo::PrecisionAndScale(precision, scale))
                if (1..=38).contains(precision)
                    && i64::try_from(*precision).is_ok_and(|p| (0..=p).contains(scale)) =>
            {
                return;
            }
            DataType::Decimal(_) | DataType::Numeric(_) | DataType::Dec(_) => {
                "write decimal(p, s) with at most 38 digits"
            }
            DataType::Varchar(_) | DataType::Char(_) | DataType::Text => "write string",
            DataType::Timestamp(..) | DataType::TimestampNtz(_) | DataType::Datetime(_) => {
                "no name means a time without zone in both engines: cast to date, or compare the columns"
            }
            DataType::Float(_) | DataType::Real | DataType::DoublePrecision => "write double",
            _ => NAMES,
        };
        let message = format!("the type `{data_type}` does not mean the same in both engines");
        self.report.at(at, rules::TYPE_NAME, message, hint);
    }

    fn typed(&mut self, expr: &Expr, data_type: &DataType, value: &Value, odbc: bool) {
        let at = line_or(expr, self.line);
        if *data_type != DataType::Date || odbc {
            let message = format!("a literal of type `{data_type}` is not portable");
            let hint = "write date '2024-12-31', and compare cast(t as date) with it";
            self.report.at(at, rules::LITERAL, message, hint);
            return;
        }
        let text = if let Value::SingleQuotedString(text) = value { text.as_str() } else { "" };
        if !is_date(text) {
            let message = format!("`{text}` is not written as a date");
            self.report.at(at, rules::LITERAL, message, "write date '2024-12-31'");
        }
    }

    fn value(&mut self, expr: &Expr, value: &Value) {
        // Numbers, texts and the other forms of literals are judged by their tokens.
        if matches!(value, Value::Placeholder(_)) {
            self.no_expression(expr, "a parameter", "write the value");
        }
    }

    fn extract(&mut self, expr: &Expr, field: &DateTimeField, syntax: &ExtractSyntax) {
        let known = matches!(
            field,
            DateTimeField::Year
                | DateTimeField::Quarter
                | DateTimeField::Month
                | DateTimeField::Week(None)
                | DateTimeField::Day
                | DateTimeField::Doy
                | DateTimeField::Hour
                | DateTimeField::Minute
        );
        if !known || *syntax != ExtractSyntax::From {
            let message = format!("the engines do not agree on `extract({field} …)`");
            let hint = "year, quarter, month, week, day, doy, hour and minute are portable";
            self.report.at(line_or(expr, self.line), rules::FUNCTION, message, hint);
        }
    }
}

/// True for `2024-12-31`; whether the day exists the plan tells.
pub(in crate::gold::portable) fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 10
        && bytes.iter().enumerate().all(|(i, b)| match i {
            4 | 7 => *b == b'-',
            _ => b.is_ascii_digit(),
        })
}
