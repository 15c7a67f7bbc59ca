//! All mistakes of a file, each with its place and its source line.
//!
//! A [`Diagnostic`] is data; `render.rs` shows it. Lists are bounded: what exceeds
//! the limit is counted and told in one last line.

use progmp_ir::Span;

use crate::codes::Code;
use crate::limits;

/// How grave it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// There is no program.
    Error,
    /// There is one, and it may not be the one that was meant.
    Warning,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its kind.
    pub code: Code,
    /// As its code says.
    pub severity: Severity,
    /// The place, in the file or in [`Diagnostic::argument`].
    pub span: Span,
    /// What is wrong, in one line.
    pub message: String,
    /// Other places that matter, and what is there.
    pub labels: Vec<(Span, String)>,
    /// How it may be mended.
    pub help: Vec<String>,
    /// The requirement of the command line that the spans refer to; `None` for the file.
    pub argument: Option<String>,
}

impl Diagnostic {
    pub(crate) fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: code.severity(),
            span,
            message: message.into(),
            labels: Vec::new(),
            help: Vec::new(),
            argument: None,
        }
    }

    pub(crate) fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push((span, text.into()));
        self
    }

    pub(crate) fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }
}

/// Collects diagnostics up to the limit and counts the others.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    kept: Vec<Diagnostic>,
    errors: usize,
    warnings: usize,
    /// The file was not read to its end, since enough is wrong with it.
    stopped: bool,
    /// Diagnostics refer to this text of the command line.
    pub argument: Option<String>,
}

impl Sink {
    pub(crate) fn push(&mut self, mut diagnostic: Diagnostic) {
        let count = match diagnostic.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        *count += 1;
        if *count <= limits::DIAGNOSTICS {
            diagnostic.argument.clone_from(&self.argument);
            self.kept.push(diagnostic);
        }
    }

    /// How many errors there were, kept or not.
    pub(crate) const fn errors(&self) -> usize {
        self.errors
    }

    /// The rest of the file is not looked at.
    pub(crate) const fn stop(&mut self) {
        self.stopped = true;
    }

    /// Whether a further error would only be counted.
    pub(crate) const fn is_full(&self) -> bool {
        self.errors >= limits::DIAGNOSTICS
    }

    /// The diagnostics in the order of their places, and what was left out.
    pub(crate) fn finish(self) -> Vec<Diagnostic> {
        let mut list = self.kept;
        list.sort_by_key(|diagnostic| {
            let Span { start, end } = diagnostic.span;
            (diagnostic.argument.is_some(), start, end)
        });
        let more = self.errors.saturating_sub(limits::DIAGNOSTICS)
            + self.warnings.saturating_sub(limits::DIAGNOSTICS);
        if more > 0 || self.stopped {
            let span = list.last().map_or(Span::default(), |last| last.span);
            let message = if self.stopped {
                "too many mistakes: the rest of the file was not read".to_owned()
            } else {
                format!("and {more} more that are not shown")
            };
            let argument = list.last().and_then(|last| last.argument.clone());
            let mut last = Diagnostic::new(Code::TooManyMistakes, span, message);
            last.argument = argument;
            list.push(last);
        }
        list
    }
}
