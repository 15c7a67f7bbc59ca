//! A source text and the way from a byte offset to a line and a column.
//!
//! Lines end at LF. Lines and columns count from 1, columns in characters; a
//! leading byte order mark has no column of its own.

/// A file as read, or what stands for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// As reports print it.
    pub name: String,
    /// The text that spans refer to.
    pub text: String,
    lines: Vec<usize>,
}

/// A place in a text, as an editor shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

/// U+FEFF in UTF-8.
pub(crate) const BYTE_ORDER_MARK: &str = "\u{feff}";

impl SourceFile {
    /// The file `name` with this text.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let starts = text.match_indices('\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(starts).collect();
        Self {
            name: name.into(),
            text,
            lines,
        }
    }

    /// The file `name` with these bytes; what is not UTF-8 is shown as U+FFFD, as
    /// the spans of [`crate::parse`]'s diagnostics expect.
    pub fn from_bytes(name: impl Into<String>, bytes: &[u8]) -> Self {
        Self::new(name, String::from_utf8_lossy(bytes))
    }

    /// Line and column of the byte at `offset`; past the end, those of the end.
    pub fn position(&self, offset: u32) -> Position {
        let mut offset = (offset as usize).min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.lines.partition_point(|&start| start <= offset);
        let before = &self.text[self.lines[line - 1]..offset];
        let before = if line == 1 {
            before.trim_start_matches(BYTE_ORDER_MARK)
        } else {
            before
        };
        Position {
            line,
            column: before.chars().count() + 1,
        }
    }

    /// The text of a line without its end, numbered from 1; `None` past the last.
    pub fn line(&self, number: usize) -> Option<&str> {
        let start = *self.lines.get(number.checked_sub(1)?)?;
        let end = self
            .lines
            .get(number)
            .map_or(self.text.len(), |next| next - 1);
        Some(self.text[start..end].trim_end_matches('\r'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, offset: u32) -> (usize, usize) {
        let position = SourceFile::new("f", text).position(offset);
        (position.line, position.column)
    }

    #[test]
    fn lines_and_columns_count_from_one_and_columns_in_characters() {
        assert_eq!(at("", 0), (1, 1));
        assert_eq!(at("ab\ncd", 4), (2, 2));
        assert_eq!(at("ab\ncd", 2), (1, 3));
        assert_eq!(at("äb", 2), (1, 2));
        assert_eq!(at("\u{feff}ab", 4), (1, 2));
    }

    #[test]
    fn an_offset_past_the_end_or_inside_a_character_is_moved_back() {
        assert_eq!(at("ab", 99), (1, 3));
        assert_eq!(at("aäb", 2), (1, 2));
    }

    #[test]
    fn a_line_is_given_without_its_end() {
        let file = SourceFile::new("f", "a\r\nb\n");
        assert_eq!(file.line(1), Some("a"));
        assert_eq!(file.line(2), Some("b"));
        assert_eq!(file.line(3), Some(""));
        assert_eq!(file.line(4), None);
        assert_eq!(file.line(0), None);
    }
}
