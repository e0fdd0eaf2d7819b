//! Row filter text → [`RowExpression`]: a recursive-descent parser over [`super::lex`]'s tokens.
//!
//! Binding from loose to tight: OR, AND, NOT, condition.

use std::str::FromStr;

use super::lex::{self, Placed, Token};
use super::{Comparison, Constant, MAX_LENGTH, RowExpression, RowExpressionError, reserved};
use crate::name::ColumnName;

/// How deep parentheses and NOT may nest; it bounds recursion, Lake Formation names no limit.
const MAX_DEPTH: usize = 50;

const OPERATORS: &str = "=, <>, !=, <, <=, >, >=, BETWEEN, IN, LIKE, IS NULL, IS NOT NULL";

type Parsed<T> = Result<T, RowExpressionError>;

fn fail<T>(at: usize, reason: impl Into<String>) -> Parsed<T> {
    Err(RowExpressionError::new(at, reason))
}

impl FromStr for RowExpression {
    type Err = RowExpressionError;

    fn from_str(text: &str) -> Parsed<RowExpression> {
        if text.chars().count() >= MAX_LENGTH {
            return fail(MAX_LENGTH, format!("it must be shorter than {MAX_LENGTH} characters"));
        }
        let mut parser = Parser { tokens: lex::tokens(text)?, next: 0, depth: 0 };
        let expression = parser.any()?;
        let (at, token) = parser.peek();
        match token {
            Token::End => {}
            Token::Close => return fail(*at, "`)` closes nothing"),
            _ => return fail(*at, "only AND or OR may follow here"),
        }
        if expression.to_string().chars().count() >= MAX_LENGTH {
            let reason = format!("written out it must be shorter than {MAX_LENGTH} characters");
            return fail(1, reason);
        }
        Ok(expression)
    }
}

struct Parser {
    tokens: Vec<Placed>,
    next: usize,
    depth: usize,
}

impl Parser {
    /// The next token; the last one, [`Token::End`], stays.
    fn peek(&self) -> &Placed {
        &self.tokens[self.next.min(self.tokens.len() - 1)]
    }

    fn take(&mut self) -> Placed {
        let placed = self.peek().clone();
        self.next += 1;
        placed
    }

    fn take_if(&mut self, keyword: &str) -> bool {
        let found = self.peek().1.is(keyword);
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, wanted: &Token, name: &str) -> Parsed<()> {
        let (at, token) = self.take();
        if token == *wanted { Ok(()) } else { fail(at, format!("{name} is wanted here")) }
    }

    fn any(&mut self) -> Parsed<RowExpression> {
        let mut left = self.all()?;
        while self.take_if("or") {
            left = RowExpression::Or(Box::new(left), Box::new(self.all()?));
        }
        Ok(left)
    }

    fn all(&mut self) -> Parsed<RowExpression> {
        let mut left = self.negation()?;
        while self.take_if("and") {
            left = RowExpression::And(Box::new(left), Box::new(self.negation()?));
        }
        Ok(left)
    }

    fn negation(&mut self) -> Parsed<RowExpression> {
        let at = self.peek().0;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return fail(at, format!("more than {MAX_DEPTH} levels of parentheses and NOT"));
        }
        let expression = if self.take_if("not") {
            RowExpression::Not(Box::new(self.negation()?))
        } else if self.peek().1 == Token::Open {
            self.take();
            if self.peek().1.is("select") {
                return fail(self.peek().0, "sub-queries are not allowed");
            }
            let inner = self.any()?;
            self.expect(&Token::Close, "`)`")?;
            inner
        } else {
            self.condition()?
        };
        self.depth -= 1;
        Ok(expression)
    }

    fn condition(&mut self) -> Parsed<RowExpression> {
        let column = self.column()?;
        let negated = self.take_if("not");
        let (at, token) = self.take();
        let condition = match token {
            Token::Operator(operator) if !negated => {
                RowExpression::Compare(column, comparison(operator), self.constant()?)
            }
            ref word if word.is("between") => {
                let low = self.constant()?;
                if !self.take_if("and") {
                    return fail(self.peek().0, "`AND` and the upper bound are wanted here");
                }
                RowExpression::Between(column, low, self.constant()?)
            }
            ref word if word.is("in") => RowExpression::In(column, self.list()?),
            ref word if word.is("like") => RowExpression::Like(column, self.pattern()?),
            ref word if word.is("is") && !negated => {
                let not = self.take_if("not");
                let (at, token) = self.take();
                if !token.is("null") {
                    return fail(at, "after IS only NULL and NOT NULL are allowed");
                }
                RowExpression::IsNull(column, !not)
            }
            _ if negated => return fail(at, "after NOT only BETWEEN, IN and LIKE are allowed"),
            Token::Open => return fail(at, "functions are not allowed; compare a plain column"),
            _ => return fail(at, format!("an operator is wanted here: {OPERATORS}")),
        };
        Ok(if negated { RowExpression::Not(Box::new(condition)) } else { condition })
    }

    fn column(&mut self) -> Parsed<ColumnName> {
        let (at, token) = self.take();
        let name = match token {
            Token::Word(word) if self.peek().1 == Token::Open => {
                return fail(at, format!("`{word}`: functions and sub-queries are not allowed"));
            }
            Token::Word(word) if reserved::is_keyword(&word) => {
                let reason =
                    format!("`{word}` is a keyword; a column of that name is `\"{word}\"`");
                return fail(at, reason);
            }
            Token::Word(word) | Token::Quoted(word) => word,
            Token::Text(_) | Token::Number(_) => {
                return fail(at, "the column stands first: `column operator constant`");
            }
            _ => return fail(at, "a condition is wanted here: `column operator constant`"),
        };
        if reserved::is_system_column(&name) {
            return fail(at, format!("`{name}` is reserved by Lake Formation; rename the column"));
        }
        name.parse().or_else(|error| fail(at, format!("{error}")))
    }

    fn constant(&mut self) -> Parsed<Constant> {
        let (at, token) = self.take();
        match token {
            Token::Text(text) => Ok(Constant::Text(text)),
            Token::Number(number) => Ok(Constant::Number(number)),
            ref word if word.is("true") => Ok(Constant::Boolean(true)),
            ref word if word.is("false") => Ok(Constant::Boolean(false)),
            ref word if word.is("null") => fail(at, "nothing equals NULL; write IS NULL"),
            Token::Word(_) if matches!(self.peek().1, Token::Open) => {
                fail(at, "functions are not allowed; a constant is wanted here")
            }
            Token::Open => fail(at, "sub-queries and arithmetic are not allowed here"),
            Token::Word(_) | Token::Quoted(_) => {
                fail(at, "columns cannot be compared with columns; text stands in single quotes")
            }
            _ => fail(at, "a constant is wanted here: 'text', a number, TRUE or FALSE"),
        }
    }

    fn list(&mut self) -> Parsed<Vec<Constant>> {
        self.expect(&Token::Open, "`(` and the constants of IN")?;
        if self.peek().1.is("select") {
            return fail(self.peek().0, "sub-queries are not allowed; list constants");
        }
        let mut constants = vec![self.constant()?];
        loop {
            match self.take() {
                (_, Token::Comma) => constants.push(self.constant()?),
                (_, Token::Close) => return Ok(constants),
                (at, _) => return fail(at, "`,` or `)` is wanted here"),
            }
        }
    }

    fn pattern(&mut self) -> Parsed<String> {
        let (at, token) = self.take();
        let Token::Text(pattern) = token else {
            return fail(at, "LIKE wants a pattern in single quotes");
        };
        if pattern.contains('\\') {
            return fail(at, "engines disagree on `\\` in a pattern; do without it");
        }
        if self.peek().1.is("escape") {
            return fail(self.peek().0, "ESCAPE is not allowed");
        }
        Ok(pattern)
    }
}

fn comparison(operator: &str) -> Comparison {
    match operator {
        "=" => Comparison::Eq,
        "<" => Comparison::Lt,
        "<=" => Comparison::Le,
        ">" => Comparison::Gt,
        ">=" => Comparison::Ge,
        _ => Comparison::Ne,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(text: &str) -> String {
        text.parse::<RowExpression>().unwrap_or_else(|e| panic!("{text}: {e}")).to_string()
    }

    fn refusal(text: &str) -> RowExpressionError {
        text.parse::<RowExpression>().expect_err(text)
    }

    #[test]
    fn the_examples_of_lake_formation_are_accepted() {
        let cases = [
            ("level_1 > 2010 and country != 'US'", "level_1 > 2010 AND country <> 'US'"),
            (
                "(y > 2010 and country = 'US') or (m < 8 and id > 23)",
                "y > 2010 AND country = 'US' OR m < 8 AND id > 23",
            ),
            (
                "(country between 'Z' and 'U') and (y = 2018)",
                "country BETWEEN 'Z' AND 'U' AND y = 2018",
            ),
            ("(country like '%ited%') and (y > 2000)", "country LIKE '%ited%' AND y > 2000"),
            ("\"first\" is not null", "\"first\" IS NOT NULL"),
        ];
        for (text, wanted) in cases {
            assert_eq!(printed(text), wanted);
        }
    }

    #[test]
    fn not_binds_tighter_than_and_which_binds_tighter_than_or() {
        assert_eq!(printed("a=1 or not b=2 and c=3"), "a = 1 OR NOT b = 2 AND c = 3");
        assert_eq!(printed("not (a = 1 or b = -2.50)"), "NOT (a = 1 OR b = -2.50)");
        assert_eq!(printed("(a=1 or b=2) and c is null"), "(a = 1 OR b = 2) AND c IS NULL");
        assert_eq!(printed("uf not in ('SP', 'it''s')"), "NOT uf IN ('SP', 'it''s')");
        assert_ne!(
            "a=1 and (b=2 and c=3)".parse::<RowExpression>(),
            "a=1 and b=2 and c=3".parse::<RowExpression>()
        );
    }

    #[test]
    fn what_lake_formation_would_refuse_is_refused_at_its_place() {
        let cases = [
            ("upper(uf) = 'SP'", 1, "functions"),
            ("uf = upper('sp')", 6, "functions"),
            ("a + 1 = 2", 3, "arithmetic"),
            ("a = 1 + 1", 7, "arithmetic"),
            ("a = b", 5, "columns cannot be compared"),
            ("a in (select b from c)", 7, "sub-queries"),
            ("(select 1) = a", 2, "sub-queries"),
            ("exists (select 1)", 1, "sub-queries"),
            ("a", 2, "an operator is wanted here"),
            ("a is true", 6, "only NULL"),
            ("a = null", 5, "IS NULL"),
            ("a = 1 b = 2", 7, "AND or OR"),
            ("(a = 1", 7, "`)` is wanted"),
            ("a = 1)", 6, "closes nothing"),
            ("a in ()", 7, "a constant is wanted"),
            ("a like 'x' escape '!'", 12, "ESCAPE"),
            ("a like '\\%'", 8, "disagree"),
            ("a = 'x", 5, "closing quote"),
            ("á = 1", 1, "not allowed outside quotes"),
            ("t.a = 1", 2, "top-level"),
            ("A = 1", 1, "lower-case"),
            ("date = 1", 1, "keyword"),
            ("xmin = 1", 1, "reserved"),
            ("\"xmin\" = 1", 1, "reserved"),
            ("a = 1e3", 5, "exponent"),
            ("1 = a", 1, "the column stands first"),
            ("a = 1; drop table b", 6, "`;`"),
            ("'é' is null", 1, "the column stands first"),
            ("a = 'é' b", 9, "AND or OR"),
            ("", 1, "a condition is wanted"),
        ];
        for (text, column, reason) in cases {
            let error = refusal(text);
            assert_eq!(error.column, column, "{text}: {error}");
            assert!(error.reason.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn length_and_depth_are_bounded() {
        let fits = format!("a = '{}'", "x".repeat(MAX_LENGTH - 7));
        assert!(fits.parse::<RowExpression>().is_ok());
        assert_eq!(refusal(&fits.replace("a =", "ab =")).column, MAX_LENGTH);
        // Short as written, too long as Lake Formation would receive it.
        let grows = vec!["a=1"; 290].join(" or ");
        assert!(grows.len() < MAX_LENGTH && refusal(&grows).reason.contains("written out"));
        let deep = format!("{}a = 1{}", "(".repeat(60), ")".repeat(60));
        assert!(refusal(&deep).reason.contains("levels"));
        assert!(
            format!("{}a = 1{}", "(".repeat(40), ")".repeat(40)).parse::<RowExpression>().is_ok()
        );
    }
}
