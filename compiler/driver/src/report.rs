//! The report as JSON: schema 1 (specs/report.md).
//!
//! Keys stand in the order of the fields, all of them in every object; what does
//! not apply is `null`. A new key, or a new meaning of one, is a new schema.

use std::fmt::Write as _;

use progmp_codegen_ebpf::{Bounds, Code, Error, Formula};
use progmp_syntax::{Diagnostic, Severity, SourceFile};
use serde::{Deserialize, Serialize};

use crate::exit::Exit;
use progmp_verifier::{Counterexample, Finding, Level, Size, Verdict};

/// The version of this format.
pub const SCHEMA: u32 = 1;

/// Everything that one command found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// `progmp-verify`.
    pub tool: String,
    /// The tool's version.
    pub version: String,
    /// In the order of the arguments.
    pub files: Vec<FileReport>,
}

impl Report {
    /// A report on these files.
    pub fn new(files: Vec<FileReport>) -> Self {
        Self {
            schema: SCHEMA,
            tool: "progmp-verify".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            files,
        }
    }

    /// As text, with a line feed at its end.
    ///
    /// # Panics
    /// Never: no map of the format has keys other than strings.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a report serialises");
        text.push('\n');
        text
    }
}

/// What a file is found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileVerdict {
    /// Every gate property is proved.
    Accepted,
    /// A gate property is refuted.
    Rejected,
    /// None is refuted, but one is not decided.
    Unknown,
    /// There is no scheduler to judge, or the tool failed.
    Error,
}

impl FileVerdict {
    /// As it stands in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
            Self::Error => "error",
        }
    }

    /// The exit code of a file with this verdict.
    pub const fn exit(self) -> Exit {
        match self {
            Self::Accepted => Exit::Accepted,
            Self::Rejected => Exit::Rejected,
            Self::Unknown => Exit::Unknown,
            Self::Error => Exit::BadInput,
        }
    }
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileReport {
    /// As named on the command line; `<stdin>` for `-`.
    pub file: String,
    /// From `SCHEDULER name;`.
    pub scheduler: Option<String>,
    /// The judgement.
    pub verdict: FileVerdict,
    /// In the order of specs/properties.md, then by place.
    pub properties: Vec<PropertyReport>,
    /// What it is compiled to; nothing without a scheduler to judge.
    pub code: Option<CodeReport>,
    /// What an editor would show: mistakes of the text, and what the properties found.
    pub diagnostics: Vec<DiagnosticReport>,
}

/// What a scheduler is compiled to, with loops in the may-goto form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CodeReport {
    /// eBPF instructions.
    pub instructions: Option<usize>,
    /// Bytes of stack.
    pub stack_bytes: Option<usize>,
    /// Most actions of one execution, as a formula in `s` subflows and `p` packets of each queue.
    pub actions: Option<String>,
    /// Most rounds of loops, likewise.
    pub rounds: Option<String>,
    /// Most instructions that one execution takes, likewise.
    pub steps: Option<String>,
    /// Why it cannot be compiled; the rest is missing then.
    pub refusal: Option<String>,
}

impl CodeReport {
    /// What compiling came to.
    pub fn new(compiled: Result<&Code, &Error>) -> Self {
        let code = compiled.ok();
        let formula = |of: fn(&Bounds) -> &Formula| code.map(|code| of(&code.bounds).to_string());
        Self {
            instructions: code.map(|code| code.insns.len()),
            stack_bytes: code.map(|code| code.stack_bytes),
            actions: formula(|bounds| &bounds.actions),
            rounds: formula(|bounds| &bounds.rounds),
            steps: formula(|bounds| &bounds.steps),
            refusal: compiled.err().map(ToString::to_string),
        }
    }
}

/// For how large connections something is proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SizeReport {
    /// `"any"`.
    Any(AnySize),
    /// At most so many.
    #[serde(rename_all = "camelCase")]
    UpTo {
        /// Members of SUBFLOWS.
        subflows: u32,
        /// Members of each queue.
        packets: u32,
    },
}

/// The word `any`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AnySize {
    /// No limit.
    #[serde(rename = "any")]
    Any,
}

impl From<Size> for SizeReport {
    fn from(size: Size) -> Self {
        match size {
            Size::Any => Self::Any(AnySize::Any),
            Size::UpTo { subflows, packets } => Self::UpTo { subflows, packets },
        }
    }
}

/// One property at one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PropertyReport {
    /// As specs/properties.md names it.
    pub name: String,
    /// `proved`, `refuted`, `unknown`.
    pub verdict: String,
    /// The level in force: `gate`, `warn`, `note`, `ask`.
    pub level: String,
    /// For what is proved.
    pub size: Option<SizeReport>,
    /// For termination: consecutive executions without progress.
    pub bound: Option<u64>,
    /// From 1.
    pub line: Option<usize>,
    /// From 1, in characters.
    pub column: Option<usize>,
    /// What was found.
    pub message: String,
    /// What `--replay` reads.
    pub counterexample: Option<Counterexample>,
}

impl PropertyReport {
    /// The finding at the level in force.
    pub fn new(finding: &Finding, level: Level, source: &SourceFile) -> Self {
        let place = finding.span.map(|span| source.position(span.start));
        let size = match finding.verdict {
            Verdict::Proved { size, .. } => Some(size.into()),
            _ => None,
        };
        Self {
            name: finding.property.name().to_owned(),
            verdict: finding.verdict.name().to_owned(),
            level: level.name().to_owned(),
            size,
            bound: finding.bound,
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
            message: sentence(finding),
            counterexample: finding.counterexample.clone(),
        }
    }
}

/// What was found, with what the verdict alone does not say.
pub fn sentence(finding: &Finding) -> String {
    let mut text = String::new();
    if finding.title != finding.property.name() {
        text = format!("`{}`: ", finding.title);
    }
    text.push_str(&finding.message);
    let reason = match &finding.verdict {
        Verdict::Proved { why, .. } | Verdict::Unknown(why) => why.as_str(),
        Verdict::Refuted => "",
    };
    if !reason.is_empty() && !text.contains(reason) {
        if !finding.message.is_empty() {
            text.push_str(": ");
        }
        text.push_str(reason);
    }
    if let Some(cause) = finding.follows_from {
        let _ = write!(text, " (follows from {cause})");
    }
    text
}

/// Something to show at a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DiagnosticReport {
    /// A code, or the name of a property; `--explain` knows both.
    pub code: String,
    /// `error`, `warning`, `note`.
    pub severity: String,
    /// From 1.
    pub line: Option<usize>,
    /// From 1, in characters.
    pub column: Option<usize>,
    /// The line of the end.
    pub end_line: Option<usize>,
    /// One past the last character.
    pub end_column: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// How it may be mended.
    pub help: Option<String>,
}

impl DiagnosticReport {
    /// A mistake without a place.
    pub fn error(code: &str, message: String, help: Option<&str>) -> Self {
        Self {
            code: code.to_owned(),
            severity: "error".to_owned(),
            line: None,
            column: None,
            end_line: None,
            end_column: None,
            message,
            help: help.map(str::to_owned),
        }
    }

    /// The same, at the start of the file.
    #[must_use]
    pub const fn at_start(mut self) -> Self {
        (self.line, self.column) = (Some(1), Some(1));
        (self.end_line, self.end_column) = (Some(1), Some(1));
        self
    }

    /// A mistake of the text. One in a requirement of the command line has no place in the file.
    pub fn from_syntax(diagnostic: &Diagnostic, source: &SourceFile) -> Self {
        let severity = match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let help = (!diagnostic.help.is_empty()).then(|| diagnostic.help.join("; "));
        let mut report = Self::error(diagnostic.code.id(), diagnostic.message.clone(), None);
        severity.clone_into(&mut report.severity);
        report.help = help;
        match &diagnostic.argument {
            None => report.place(diagnostic.span, source),
            Some(text) => report.message = format!("--require '{text}': {}", report.message),
        }
        report
    }

    /// What a finding has to tell; `None` if it is proved as far as is asked.
    pub fn from_finding(
        finding: &Finding,
        level: Level,
        any_size: bool,
        source: &SourceFile,
    ) -> Option<Self> {
        let gates = matches!(level, Level::Gate | Level::Ask);
        let short = match finding.verdict {
            Verdict::Proved {
                size: Size::Any, ..
            } => return None,
            Verdict::Proved { size, .. } => {
                if !gates || (size.is_accepted() && !any_size) {
                    return None;
                }
                true
            }
            _ => false,
        };
        let severity = match level {
            Level::Gate | Level::Ask => "error",
            Level::Warn => "warning",
            Level::Note => "note",
        };
        let message = if short {
            format!("{} (proved for a bounded size only)", sentence(finding))
        } else {
            sentence(finding)
        };
        let mut report = Self::error(finding.property.name(), message, None);
        severity.clone_into(&mut report.severity);
        report.help.clone_from(&finding.help);
        if let Some(span) = finding.span {
            report.place(span, source);
        }
        Some(report)
    }

    fn place(&mut self, span: progmp_ir::Span, source: &SourceFile) {
        let (start, end) = (source.position(span.start), source.position(span.end));
        self.line = Some(start.line);
        self.column = Some(start.column);
        self.end_line = Some(end.line);
        self.end_column = Some(end.column);
    }
}
