//! Expressions in parentheses, as rule files write them.

/// A word, or a list in parentheses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sexpr<'t> {
    Word(&'t str),
    List(Vec<Sexpr<'t>>),
}

/// Nesting beyond this is refused, so that reading needs no deep stack.
const DEEPEST: usize = 32;

/// Reads the one expression that a line has.
pub(crate) fn read(text: &str) -> Result<Sexpr<'_>, String> {
    let mut words = words(text).into_iter();
    let first = words.next().ok_or("an expression is missing")?;
    let found = expression(first, &mut words, 0)?;
    match words.next() {
        None => Ok(found),
        Some(more) => Err(format!("`{more}` stands after the expression")),
    }
}

fn expression<'t>(
    first: &'t str,
    words: &mut impl Iterator<Item = &'t str>,
    depth: usize,
) -> Result<Sexpr<'t>, String> {
    if depth > DEEPEST {
        return Err(format!("nested deeper than {DEEPEST}"));
    }
    match first {
        ")" => Err("`)` without `(`".to_owned()),
        "(" => {
            let mut inner = Vec::new();
            loop {
                match words.next() {
                    None => return Err("a `)` is missing".to_owned()),
                    Some(")") => return Ok(Sexpr::List(inner)),
                    Some(word) => inner.push(expression(word, words, depth + 1)?),
                }
            }
        }
        word => Ok(Sexpr::Word(word)),
    }
}

fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for piece in text.split_whitespace() {
        let mut rest = piece;
        while let Some(at) = rest.find(['(', ')']) {
            if at > 0 {
                words.push(&rest[..at]);
            }
            words.push(&rest[at..=at]);
            rest = &rest[at + 1..];
        }
        if !rest.is_empty() {
            words.push(rest);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_lists_nest() {
        let not = Sexpr::List(vec![Sexpr::Word("not"), Sexpr::Word("?x")]);
        let twice = Sexpr::List(vec![Sexpr::Word("not"), not]);
        assert_eq!(read("(not(not ?x))"), Ok(twice));
    }

    #[test]
    fn unbalanced_parentheses_are_told() {
        assert!(read("(not ?x").is_err());
        assert!(read("not) ?x").is_err());
        assert!(read("").is_err());
        assert!(read(&"(".repeat(1000)).is_err());
    }
}
