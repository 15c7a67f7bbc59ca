//! Diagnostics as text for a terminal, in the manner of rustc.
//!
//! The `annotate-snippets` crate draws. It looks at the whole text that it is
//! given, so it gets the lines around a mistake only, and of a very long line a
//! part.

use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};
use progmp_ir::Span;

use crate::codes::Code;
use crate::diagnostic::{Diagnostic, Severity};
use crate::source::SourceFile;

/// Bytes around a mistake within which lines and labels are drawn.
const NEAR: usize = 4096;
/// Bytes of a line that is too long to be drawn whole, on each side of the mistake.
const PART: usize = 60;

/// The diagnostics as text for a terminal, with the source lines they refer to.
/// `color` adds ANSI escapes.
pub fn render(diagnostics: &[Diagnostic], file: &SourceFile, color: bool) -> String {
    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let mut out = String::new();
    for diagnostic in diagnostics {
        let drawn = match &diagnostic.argument {
            Some(text) => draw(diagnostic, &SourceFile::new("--require", text), &renderer),
            None => draw(diagnostic, file, &renderer),
        };
        out.push_str(&drawn);
        out.push_str("\n\n");
    }
    out
}

fn draw(diagnostic: &Diagnostic, file: &SourceFile, renderer: &Renderer) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level
        .primary_title(&*diagnostic.message)
        .id(diagnostic.code.id());
    if diagnostic.code == Code::TooManyMistakes {
        return renderer.render(&[Group::with_title(title)]);
    }
    let span = clip(diagnostic.span, &file.text);
    let excerpt = Excerpt::around(&span, diagnostic, file);
    let inside = |range: &std::ops::Range<usize>| {
        excerpt.range.start <= range.start && range.end <= excerpt.range.end
    };
    let shift = |range: std::ops::Range<usize>| {
        let start = range.start - excerpt.range.start;
        start..range.end.min(excerpt.range.end) - excerpt.range.start
    };
    let mut snippet = Snippet::source(&file.text[excerpt.range.clone()])
        .line_start(excerpt.line)
        .annotation(AnnotationKind::Primary.span(shift(span.clone())));
    let mut elements: Vec<Element<'_>> = Vec::new();
    if excerpt.is_part {
        let at = file.position(diagnostic.span.start);
        let origin = Origin::path(&*file.name);
        elements.push(origin.line(at.line).char_column(at.column).into());
    } else {
        snippet = snippet.path(&*file.name);
    }
    let mut far = Vec::new();
    for (place, label) in &diagnostic.labels {
        let range = clip(*place, &file.text);
        if inside(&range) {
            let annotation = AnnotationKind::Context.span(shift(range));
            snippet = snippet.annotation(annotation.label(&**label));
        } else {
            let at = file.position(place.start);
            let note = format!("line {}, column {}: {label}", at.line, at.column);
            far.push(Level::NOTE.message(note).into());
        }
    }
    elements.push(snippet.into());
    elements.extend(far);
    let help = diagnostic.help.iter();
    elements.extend(help.map(|text| Level::HELP.message(&**text).into()));
    renderer.render(&[title.elements(elements)])
}

/// The part of a text that is drawn.
struct Excerpt {
    range: std::ops::Range<usize>,
    /// The number of its first line.
    line: usize,
    /// It starts or ends in the middle of a line.
    is_part: bool,
}

impl Excerpt {
    fn around(span: &std::ops::Range<usize>, diagnostic: &Diagnostic, file: &SourceFile) -> Self {
        let text = &file.text;
        let mut range = whole_lines(span, text);
        if range.len() > NEAR {
            let start = boundary(span.start.saturating_sub(PART), text).max(range.start);
            let end = boundary(span.start.saturating_add(2 * PART), text).min(range.end);
            let line = file.position(diagnostic.span.start).line;
            let first = text[start..span.start]
                .rfind('\n')
                .map_or(start, |at| start + at + 1);
            let rest = &text[span.start..end];
            let last = rest.find('\n').map_or(end, |at| span.start + at);
            return Self {
                range: first..last.max(span.start),
                line,
                is_part: true,
            };
        }
        for (place, _) in &diagnostic.labels {
            let lines = whole_lines(&clip(*place, text), text);
            let joined = range.start.min(lines.start)..range.end.max(lines.end);
            if joined.len() <= NEAR {
                range = joined;
            }
        }
        let start = u32::try_from(range.start).expect("texts are limited to 1 MiB");
        Self {
            line: file.position(start).line,
            range,
            is_part: false,
        }
    }
}

/// The lines that a range touches.
fn whole_lines(range: &std::ops::Range<usize>, text: &str) -> std::ops::Range<usize> {
    let start = text[..range.start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[range.end..]
        .find('\n')
        .map_or(text.len(), |at| range.end + at);
    start..end
}

/// The span as a range that lies in the text, on character boundaries.
fn clip(span: Span, text: &str) -> std::ops::Range<usize> {
    let start = boundary(span.start as usize, text);
    start..boundary(span.end as usize, text).max(start)
}

/// The character boundary at or before `at`.
fn boundary(at: usize, text: &str) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
