//! [`RowExpression`] → text in Lake Formation's grammar, with as few parentheses as its meaning needs.

use std::fmt;

use super::{Comparison, Constant, RowExpression, reserved};
use crate::name::ColumnName;

/// How tightly the outermost operator binds.
fn binding(expression: &RowExpression) -> u8 {
    match expression {
        RowExpression::Or(..) => 0,
        RowExpression::And(..) => 1,
        RowExpression::Not(_) => 2,
        _ => 3,
    }
}

/// Prints an operand, in parentheses when it binds less tightly than its place demands.
fn operand(f: &mut fmt::Formatter<'_>, expression: &RowExpression, at_least: u8) -> fmt::Result {
    if binding(expression) < at_least {
        write!(f, "({expression})")
    } else {
        write!(f, "{expression}")
    }
}

fn column(name: &ColumnName) -> String {
    if reserved::is_keyword(name.as_str()) { format!("\"{name}\"") } else { name.to_string() }
}

impl fmt::Display for RowExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RowExpression::Or(left, right) => {
                operand(f, left, 0)?;
                f.write_str(" OR ")?;
                operand(f, right, 1)
            }
            RowExpression::And(left, right) => {
                operand(f, left, 1)?;
                f.write_str(" AND ")?;
                operand(f, right, 2)
            }
            RowExpression::Not(inner) => {
                f.write_str("NOT ")?;
                operand(f, inner, 2)
            }
            RowExpression::Compare(name, comparison, constant) => {
                write!(f, "{} {comparison} {constant}", column(name))
            }
            RowExpression::Between(name, low, high) => {
                write!(f, "{} BETWEEN {low} AND {high}", column(name))
            }
            RowExpression::In(name, constants) => {
                let list: Vec<String> = constants.iter().map(ToString::to_string).collect();
                write!(f, "{} IN ({})", column(name), list.join(", "))
            }
            RowExpression::Like(name, pattern) => {
                write!(f, "{} LIKE {}", column(name), quoted(pattern))
            }
            RowExpression::IsNull(name, true) => write!(f, "{} IS NULL", column(name)),
            RowExpression::IsNull(name, false) => write!(f, "{} IS NOT NULL", column(name)),
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Comparison::Eq => "=",
            Comparison::Ne => "<>",
            Comparison::Lt => "<",
            Comparison::Le => "<=",
            Comparison::Gt => ">",
            Comparison::Ge => ">=",
        })
    }
}

impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Constant::Text(text) => f.write_str(&quoted(text)),
            Constant::Number(number) => f.write_str(number),
            Constant::Boolean(true) => f.write_str("TRUE"),
            Constant::Boolean(false) => f.write_str("FALSE"),
        }
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SplitMix64: enough randomness for a test, and the same everywhere.
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: usize) -> usize {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            usize::try_from((z ^ (z >> 31)) % bound as u64).unwrap()
        }

        fn pick<T: Copy>(&mut self, from: &[T]) -> T {
            from[self.below(from.len())]
        }

        fn constant(&mut self) -> Constant {
            match self.below(3) {
                0 => Constant::Text(
                    self.pick(&["", "SP", "it's", "''", "a\"b", "é (x)", "OR"]).into(),
                ),
                1 => Constant::Number(self.pick(&["0", "-1", "12.50", "-0.0", "007"]).into()),
                _ => Constant::Boolean(self.below(2) == 0),
            }
        }

        fn inner(&mut self, depth: usize) -> Box<RowExpression> {
            Box::new(self.expression(depth - 1))
        }

        fn expression(&mut self, depth: usize) -> RowExpression {
            match self.below(if depth == 0 { 1 } else { 5 }) {
                0 => self.condition(),
                1 => RowExpression::Not(self.inner(depth)),
                2 => RowExpression::Or(self.inner(depth), self.inner(depth)),
                _ => RowExpression::And(self.inner(depth), self.inner(depth)),
            }
        }

        fn condition(&mut self) -> RowExpression {
            use Comparison::{Eq, Ge, Gt, Le, Lt, Ne};
            let name: ColumnName =
                self.pick(&["uf", "date", "x_1", "not", "null"]).parse().unwrap();
            match self.below(5) {
                0 => {
                    let comparison = self.pick(&[Eq, Ne, Lt, Le, Gt, Ge]);
                    RowExpression::Compare(name, comparison, self.constant())
                }
                1 => RowExpression::Between(name, self.constant(), self.constant()),
                2 => {
                    RowExpression::In(name, (0..=self.below(3)).map(|_| self.constant()).collect())
                }
                3 => RowExpression::Like(name, self.pick(&["%", "a_%", "it's"]).into()),
                _ => RowExpression::IsNull(name, self.below(2) == 0),
            }
        }
    }

    #[test]
    fn every_printed_filter_parses_to_itself() {
        for seed in 0..2000 {
            let expression = Random(seed).expression(4);
            let text = expression.to_string();
            let parsed: RowExpression =
                text.parse().unwrap_or_else(|e| panic!("seed {seed}: {text}: {e}"));
            assert_eq!(parsed, expression, "seed {seed}: {text}");
        }
    }
}
