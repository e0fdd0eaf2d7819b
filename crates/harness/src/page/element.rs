//! Elements of HTML and SVG. What they hold is escaped when it is written, so that nothing gets on a
//! page unescaped; the result is well-formed XML too.

/// An element with what is in it.
#[derive(Clone, Debug)]
pub(super) struct Element {
    tag: &'static str,
    attributes: Vec<(&'static str, String)>,
    content: Vec<Content>,
}

#[derive(Clone, Debug)]
enum Content {
    Element(Element),
    Text(String),
    /// Our own style sheet, which has nothing to escape.
    Style(&'static str),
}

/// Elements that HTML closes by themselves.
const VOID: [&str; 2] = ["meta", "br"];
/// Elements that stand in lines, so that no line begins after them.
const INLINE: [&str; 8] = ["span", "code", "b", "td", "th", "tspan", "br", "title"];

/// An element without content.
pub(super) fn element(tag: &'static str) -> Element {
    Element { tag, attributes: Vec::new(), content: Vec::new() }
}

impl Element {
    /// With an attribute.
    pub(super) fn with(mut self, name: &'static str, value: impl ToString) -> Element {
        self.attributes.push((name, value.to_string()));
        self
    }

    /// With a class, beside those that it has.
    pub(super) fn class(mut self, name: impl ToString) -> Element {
        match self.attributes.iter_mut().find(|(attribute, _)| *attribute == "class") {
            Some((_, classes)) => {
                classes.push(' ');
                classes.push_str(&name.to_string());
            }
            None => self.attributes.push(("class", name.to_string())),
        }
        self
    }

    /// With a text at the end.
    pub(super) fn text(mut self, text: impl ToString) -> Element {
        self.content.push(Content::Text(text.to_string()));
        self
    }

    /// With an element at the end.
    pub(super) fn child(mut self, child: Element) -> Element {
        self.content.push(Content::Element(child));
        self
    }

    /// With elements at the end.
    pub(super) fn children(mut self, children: impl IntoIterator<Item = Element>) -> Element {
        self.content.extend(children.into_iter().map(Content::Element));
        self
    }

    /// With a style sheet as it is.
    pub(super) fn style(mut self, sheet: &'static str) -> Element {
        self.content.push(Content::Style(sheet));
        self
    }

    /// Writes it to the end of a text.
    pub(super) fn write(&self, out: &mut String) {
        out.push('<');
        out.push_str(self.tag);
        for (name, value) in &self.attributes {
            out.push(' ');
            out.push_str(name);
            out.push_str("=\"");
            escape(value, out);
            out.push('"');
        }
        if VOID.contains(&self.tag) {
            out.push_str("/>");
        } else {
            out.push('>');
            for content in &self.content {
                match content {
                    Content::Element(element) => element.write(out),
                    Content::Text(text) => escape(text, out),
                    Content::Style(sheet) => out.push_str(sheet),
                }
            }
            out.push_str("</");
            out.push_str(self.tag);
            out.push('>');
        }
        if !INLINE.contains(&self.tag) {
            out.push('\n');
        }
    }
}

/// Characters with a meaning become references; those that XML does not have, the replacement
/// character.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}
