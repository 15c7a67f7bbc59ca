//! Rust source without its comments and literals, so that a rule sees only code.
//!
//! In: the text of a file. Out: a text of as many lines, in which everything between the
//! delimiters of a comment, string or character is blank.

/// Blanks comments, strings and characters; line breaks stay where they are.
pub(crate) fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    let mut previous = ' ';
    while let Some(character) = rest.chars().next() {
        let length = match character {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => string(rest),
            // `r` and `b` begin a literal only where no name goes on.
            'r' | 'b' | 'c' if !is_name(previous) => prefixed(rest).unwrap_or(0),
            '\'' => character_literal(rest).unwrap_or(0),
            _ => 0,
        };
        if length == 0 {
            code.push(character);
            previous = character;
            rest = &rest[character.len_utf8()..];
        } else {
            let (literal, after) = rest.split_at(length);
            code.extend(literal.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            previous = ' ';
            rest = after;
        }
    }
    code
}

fn is_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The length of the comment at the start; comments nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// The length of the string at the start.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a literal that begins with letters: `b"…"`, `b'…'`, `r#"…"#`, `br"…"`.
fn prefixed(text: &str) -> Option<usize> {
    let letters = text
        .bytes()
        .take_while(|byte| b"rbc".contains(byte))
        .count();
    let (prefix, body) = text.split_at(letters);
    if prefix.ends_with('r') {
        let hashes = body.bytes().take_while(|&byte| byte == b'#').count();
        let content = body[hashes..].strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        let inside = content
            .find(&end)
            .map_or(content.len(), |at| at + end.len());
        Some(letters + hashes + 1 + inside)
    } else if body.starts_with('"') {
        Some(letters + string(body))
    } else if body.starts_with('\'') {
        Some(letters + character_literal(body)?)
    } else {
        None
    }
}

/// The length of the character literal at the start; a lifetime is none.
fn character_literal(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('\'')?;
    let first = inside.chars().next()?;
    let content = if first == '\\' {
        let escape = inside[1..].chars().next()?.len_utf8();
        // After the escaped character, which may be a quote: `\u{1F600}`, `\x7f`, `\'`.
        1 + escape + inside[1 + escape..].find('\'')?
    } else {
        first.len_utf8()
    };
    inside[content..].starts_with('\'').then_some(content + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        code_of(text)
            .split_whitespace()
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn comments_are_blank() {
        assert_eq!(words("a // b\nc /* d /* e */ f */ g"), ["a", "c", "g"]);
        assert_eq!(words("/// a\n//! b\nc"), ["c"]);
    }

    #[test]
    fn literals_are_blank() {
        assert_eq!(words(r#"a "b // \" c" d"#), ["a", "d"]);
        assert_eq!(words(r##"a r#"b " c"# d"##), ["a", "d"]);
        assert_eq!(words(r#"a b"b" br"c" c"d" e"#), ["a", "e"]);
        assert_eq!(words(r"a 'b' '\'' '\\' '\u{41}' b'c' d"), ["a", "d"]);
    }

    #[test]
    fn lifetimes_and_names_are_code() {
        assert_eq!(
            words("fn f<'a>(bar: &'a str)"),
            ["fn", "f<'a>(bar:", "&'a", "str)"]
        );
        assert_eq!(words("number r#type b"), ["number", "r#type", "b"]);
    }

    #[test]
    fn lines_stay_where_they_are() {
        let text = "a\n/* b\n c */\n\"d\n\"\ne";
        assert_eq!(code_of(text).lines().count(), text.lines().count());
        assert_eq!(code_of(text).lines().next_back(), Some("e"));
    }

    #[test]
    fn what_never_ends_is_blank_to_the_end() {
        for text in ["a \"b", "a /* b", "a r#\"b\"", "a // b"] {
            assert_eq!(words(text), ["a"], "{text}");
        }
    }
}
