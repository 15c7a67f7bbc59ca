//! Every stage in order, for one file: read, parse, prove, replay, judge.

use progmp_ir::{Program, RequirementKind};
use progmp_syntax::{Code, Diagnostic, Severity, SourceFile, limits};

use crate::files;
use crate::human::file_stem;
use crate::levels::Levels;
use crate::report::{CodeReport, DiagnosticReport, FileReport, FileVerdict, PropertyReport};
use crate::rewrite::{Lowered, Rewriting, lowered};
use crate::story::Run;
use crate::svg;
use progmp_verifier::{Effort, Finding, Judgement, Level, Options, Property, Replayed};

/// The code of a file that cannot be read.
pub const CANNOT_READ: &str = "E0501";
/// The code of a state or counterexample that cannot be used.
pub const BAD_STATE: &str = "E0502";
/// The code of a fault of the tool.
pub const FAULT: &str = "E0700";

/// What is asked of every file.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// What gates.
    pub levels: Levels,
    /// The prover's limits.
    pub options: Options,
    /// Whether counterexamples are also drawn.
    pub draw: bool,
    /// What is done before compiling.
    pub rewriting: Rewriting,
    /// How loops are compiled.
    pub form: progmp_codegen_ebpf::Options,
    /// Fail on purpose.
    pub provoke_fault: bool,
}

/// A source text and what became of it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// As reports name the file.
    pub name: String,
    /// The text; empty if it could not be read.
    pub source: SourceFile,
    /// There unless something is wrong.
    pub program: Option<Program>,
    /// The tree as written, for the formatter; there if the text follows the grammar.
    pub ast: Option<progmp_syntax::ast::File>,
    /// Mistakes of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// Mistakes that are not in the text: no such file.
    pub troubles: Vec<DiagnosticReport>,
}

/// Reads and parses a file.
pub fn load(argument: &str, require: &[String]) -> Loaded {
    let name = files::display_name(argument);
    let nothing = |trouble| Loaded {
        source: SourceFile::new(name.clone(), ""),
        name: name.clone(),
        program: None,
        ast: None,
        diagnostics: Vec::new(),
        troubles: vec![trouble],
    };
    let bytes = match files::read(argument, limits::FILE_BYTES) {
        Ok(bytes) => bytes,
        Err(reason) => {
            let help = files::advice(argument);
            return nothing(DiagnosticReport::error(CANNOT_READ, reason, Some(&help)));
        }
    };
    if bytes.len() > limits::FILE_BYTES {
        let message = format!("the file is larger than {} bytes", limits::FILE_BYTES);
        let help = "a scheduler is a page of text: is this the right file?";
        let trouble = DiagnosticReport::error(Code::FileTooLarge.id(), message, Some(help));
        return nothing(trouble.at_start());
    }
    load_text(&name, &bytes, require)
}

/// Parses a text that was read already.
pub fn load_text(name: &str, bytes: &[u8], require: &[String]) -> Loaded {
    let parsed = progmp_syntax::parse(name, bytes, require);
    Loaded {
        source: parsed.source,
        name: name.to_owned(),
        program: parsed.program,
        ast: parsed.ast,
        diagnostics: parsed.diagnostics,
        troubles: Vec::new(),
    }
}

/// A finding, the level in force, and the executions that show it.
pub struct Judged {
    /// What the verifier found.
    pub finding: Finding,
    /// What it means for the gate.
    pub level: Level,
    /// For what a state refutes.
    pub replay: Option<Vec<Run>>,
}

impl Judged {
    /// Whether the verdict of the file depends on it.
    pub const fn gates(&self) -> bool {
        matches!(self.level, Level::Gate | Level::Ask)
    }
}

/// Everything about one file.
pub struct Checked {
    /// As reports name it.
    pub name: String,
    /// Its text.
    pub source: SourceFile,
    /// From the header.
    pub scheduler: Option<String>,
    /// There unless something is wrong with the text.
    pub program: Option<Program>,
    /// Mistakes of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// Mistakes that are not in the text.
    pub troubles: Vec<DiagnosticReport>,
    /// In report order.
    pub judged: Vec<Judged>,
    /// What it is compiled to; nothing without a program.
    pub code: Option<CodeReport>,
    /// How it was compiled; nothing without a program.
    pub lowered: Option<Lowered>,
    /// The outcome.
    pub verdict: FileVerdict,
    /// Whether proofs must hold for any size.
    pub any_size: bool,
    /// What the proofs cost.
    pub effort: Effort,
}

/// Judges one file.
///
/// # Panics
/// If a counterexample does not replay: the verifier shows none before it has replayed it.
pub fn check(argument: &str, settings: &Settings, progress: &mut dyn FnMut(Property)) -> Checked {
    let loaded = load(argument, &settings.levels.require);
    check_loaded(loaded, settings, progress)
}

/// Judges a text that was parsed already.
///
/// # Panics
/// As [`check`].
pub fn check_loaded(
    loaded: Loaded,
    settings: &Settings,
    progress: &mut dyn FnMut(Property),
) -> Checked {
    assert!(!settings.provoke_fault, "provoked on request");
    let mut checked = Checked {
        scheduler: loaded
            .program
            .as_ref()
            .and_then(|program| program.name.clone()),
        name: loaded.name,
        source: loaded.source,
        program: loaded.program,
        diagnostics: loaded.diagnostics,
        troubles: loaded.troubles,
        judged: Vec::new(),
        code: None,
        lowered: None,
        verdict: FileVerdict::Error,
        any_size: false,
        effort: Effort::default(),
    };
    let Some(program) = &checked.program else {
        return checked;
    };
    let lowered = lowered(program, &settings.form, settings.rewriting);
    checked.code = Some(CodeReport::new(lowered.code.as_ref()));
    checked.lowered = Some(lowered);
    let asked = &program.requirements;
    checked.any_size = asked.iter().any(|r| r.kind == RequirementKind::AnySize);

    let mut report = progmp_verifier::prove(program, &settings.options, progress);
    let levels = &settings.levels;
    let judgement = report.judge(|finding| levels.of(finding), checked.any_size);
    checked.verdict = match judgement {
        Judgement::Accepted => FileVerdict::Accepted,
        Judgement::Rejected => FileVerdict::Rejected,
        Judgement::Unknown => FileVerdict::Unknown,
    };
    checked.effort = report.effort;
    for mut finding in std::mem::take(&mut report.findings) {
        if let (Some(cex), Some(span)) = (&mut finding.counterexample, finding.span) {
            let place = checked.source.position(span.start);
            let number = |n: usize| u32::try_from(n).expect("a file has at most 1 MiB");
            (cex.line, cex.column) = (number(place.line), number(place.column));
        }
        let replay = finding.counterexample.as_ref().map(|cex| {
            let replay = progmp_verifier::replay(program, cex, settings.options.fuel);
            let replay = replay.unwrap_or_else(|why| {
                panic!(
                    "the counterexample of {} does not replay: {why}",
                    finding.property
                )
            });
            let run = |shown: Replayed| (shown.before, shown.execution);
            replay.into_iter().map(run).collect()
        });
        let level = levels.of(&finding);
        checked.judged.push(Judged {
            finding,
            level,
            replay,
        });
    }
    checked
}

/// A counterexample as files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Name without extension: scheduler and property.
    pub stem: String,
    /// What `--replay` reads.
    pub json: String,
    /// The picture, if pictures are asked for.
    pub svg: Option<String>,
    /// Whether the verdict depends on it.
    pub gates: bool,
}

impl Checked {
    /// How many mistakes keep it from being judged.
    pub fn mistakes(&self) -> usize {
        let errors = self
            .diagnostics
            .iter()
            .filter(|d| d.severity == Severity::Error);
        errors.count() + self.troubles.len()
    }

    /// The machine-readable report.
    pub fn report(&self) -> FileReport {
        let syntax = self
            .diagnostics
            .iter()
            .map(|d| DiagnosticReport::from_syntax(d, &self.source));
        let found = self.judged.iter().filter_map(|judged| {
            DiagnosticReport::from_finding(
                &judged.finding,
                judged.level,
                self.any_size,
                &self.source,
            )
        });
        FileReport {
            file: self.name.clone(),
            scheduler: self.scheduler.clone(),
            verdict: self.verdict,
            properties: self
                .judged
                .iter()
                .map(|judged| PropertyReport::new(&judged.finding, judged.level, &self.source))
                .collect(),
            code: self.code.clone(),
            diagnostics: self
                .troubles
                .iter()
                .cloned()
                .chain(syntax)
                .chain(found)
                .collect(),
        }
    }

    /// Every counterexample, in report order.
    ///
    /// # Panics
    /// Never: a counterexample has no map with keys that are not strings.
    pub fn artifacts(&self, draw: bool) -> Vec<Artifact> {
        let scheduler = self
            .scheduler
            .clone()
            .unwrap_or_else(|| file_stem(&self.name));
        let mut artifacts = Vec::new();
        for judged in &self.judged {
            let (Some(cex), Some(replay)) = (&judged.finding.counterexample, &judged.replay) else {
                continue;
            };
            let property = judged.finding.property;
            let mut json = serde_json::to_string_pretty(cex).expect("a counterexample serialises");
            json.push('\n');
            artifacts.push(Artifact {
                stem: files::safe_stem(&format!("{scheduler}.{property}")),
                json,
                svg: draw.then(|| svg::picture(&scheduler, property, cex, replay)),
                gates: judged.gates(),
            });
        }
        artifacts
    }
}
