//! Text of a row filter → tokens with their places.

use super::RowExpressionError;

/// The smallest parts of a row filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A keyword or an unquoted column.
    Word(String),
    /// A column in double quotes, which are taken off.
    Quoted(String),
    /// Text in single quotes, which are taken off.
    Text(String),
    /// A number as written.
    Number(String),
    /// A comparison operator.
    Operator(&'static str),
    /// `(`
    Open,
    /// `)`
    Close,
    /// `,`
    Comma,
    /// The end of the expression.
    End,
}

impl Token {
    /// True for this keyword, in any case.
    pub(super) fn is(&self, keyword: &str) -> bool {
        matches!(self, Token::Word(word) if word.eq_ignore_ascii_case(keyword))
    }
}

/// A token and its first character's position, counted from 1.
pub(super) type Placed = (usize, Token);

struct Lexer<'a> {
    rest: std::iter::Peekable<std::iter::Enumerate<std::str::Chars<'a>>>,
    length: usize,
}

/// Splits the whole text; the last token is [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Placed>, RowExpressionError> {
    let mut lexer =
        Lexer { rest: text.chars().enumerate().peekable(), length: text.chars().count() };
    let mut out = Vec::new();
    while let Some((at, c)) = lexer.rest.next() {
        if !c.is_ascii_whitespace() {
            out.push((at + 1, lexer.token(at + 1, c)?));
        }
    }
    out.push((lexer.length + 1, Token::End));
    Ok(out)
}

impl Lexer<'_> {
    fn token(&mut self, at: usize, first: char) -> Result<Token, RowExpressionError> {
        Ok(match first {
            '(' => Token::Open,
            ')' => Token::Close,
            ',' => Token::Comma,
            '=' => Token::Operator("="),
            '<' if self.next_is('=') => Token::Operator("<="),
            '<' if self.next_is('>') => Token::Operator("<>"),
            '<' => Token::Operator("<"),
            '>' if self.next_is('=') => Token::Operator(">="),
            '>' => Token::Operator(">"),
            '!' if self.next_is('=') => Token::Operator("<>"),
            '\'' => Token::Text(self.quoted(at, '\'', "text")?),
            '"' => Token::Quoted(self.quoted(at, '"', "a column name")?),
            '-' | '0'..='9' => self.number(at, first)?,
            c if c.is_ascii_alphabetic() || c == '_' => {
                Token::Word(self.run(c, |c| c.is_ascii_alphanumeric() || c == '_'))
            }
            c => return Err(RowExpressionError::new(at, unexpected(c))),
        })
    }

    fn next_is(&mut self, wanted: char) -> bool {
        self.rest.next_if(|(_, c)| *c == wanted).is_some()
    }

    /// The first character and those after it that belong to it.
    fn run(&mut self, first: char, belongs: impl Fn(char) -> bool) -> String {
        let mut out = String::from(first);
        while let Some((_, c)) = self.rest.next_if(|(_, c)| belongs(*c)) {
            out.push(c);
        }
        out
    }

    /// Reads to the closing quote; a doubled quote stands for one.
    fn quoted(&mut self, at: usize, quote: char, what: &str) -> Result<String, RowExpressionError> {
        let mut out = String::new();
        loop {
            match self.rest.next() {
                None => {
                    let reason = format!("{what} begins here and its closing quote is missing");
                    return Err(RowExpressionError::new(at, reason));
                }
                Some((_, c)) if c == quote && !self.next_is(quote) => return Ok(out),
                Some((_, c)) => out.push(c),
            }
        }
    }

    fn number(&mut self, at: usize, first: char) -> Result<Token, RowExpressionError> {
        let digits = |c: char| c.is_ascii_digit();
        let mut number = self.run(first, digits);
        if number == "-" {
            return Err(RowExpressionError::new(at, unexpected('-')));
        }
        if self.next_is('.') {
            let fraction = self.run('.', digits);
            if fraction.len() == 1 {
                let reason = "a digit must follow the decimal point";
                return Err(RowExpressionError::new(at, reason));
            }
            number.push_str(&fraction);
        }
        match self.rest.peek() {
            Some((_, c)) if c.is_ascii_alphabetic() || matches!(c, '_' | '.') => {
                let reason = "numbers are written `12`, `-12` or `12.5`, without exponent";
                Err(RowExpressionError::new(at, reason))
            }
            _ => Ok(Token::Number(number)),
        }
    }
}

/// Why a character that begins no token is refused.
fn unexpected(c: char) -> String {
    match c {
        '+' | '-' | '*' | '/' | '%' | '|' => {
            format!("`{c}`: arithmetic is not allowed; write `column operator constant`")
        }
        '.' => "`.`: only top-level columns are allowed, without a table's name".to_owned(),
        '!' => "`!` alone is no operator; write `!=` or NOT".to_owned(),
        c => format!("`{c}` is not allowed outside quotes"),
    }
}
