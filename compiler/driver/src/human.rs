//! The report for people: findings in the source, counterexamples step by step, the verdict last.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use annotate_snippets::{AnnotationKind, Level as Grade, Origin, Renderer, Snippet};
use anstyle::{AnsiColor, Color, Style};
use progmp_ir::Span;

use crate::pipeline::{Checked, Judged};
use crate::report::{CodeReport, FileVerdict, sentence};
use crate::story;
use progmp_verifier::{Finding, Level, Property, Size, Verdict};

/// How to print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// With ANSI escapes.
    pub color: bool,
    /// Proved properties and effort, too.
    pub verbose: bool,
    /// The verdict and nothing else.
    pub quiet: bool,
}

impl View {
    /// The text in bold and this colour, if colours are on.
    pub fn paint(self, color: AnsiColor, text: &str) -> String {
        if !self.color {
            return text.to_owned();
        }
        let style = Style::new().bold().fg_color(Some(Color::Ansi(color)));
        format!("{style}{text}{style:#}")
    }

    /// The text in bold, if colours are on.
    pub fn bold(self, text: &str) -> String {
        if !self.color {
            return text.to_owned();
        }
        let style = Style::new().bold();
        format!("{style}{text}{style:#}")
    }
}

/// Everything about one file; ends in a line feed.
pub fn render(checked: &Checked, view: View) -> String {
    let mut out = String::new();
    if !view.quiet {
        out.push_str(&progmp_syntax::render(
            &checked.diagnostics,
            &checked.source,
            view.color,
        ));
        for trouble in &checked.troubles {
            let title = format!("error[{}]", trouble.code);
            let title = view.paint(AnsiColor::BrightRed, &title);
            let _ = writeln!(out, "{title}: {}: {}", checked.name, trouble.message);
            if let Some(help) = &trouble.help {
                let _ = writeln!(out, "  = help: {help}");
            }
            out.push('\n');
        }
        let roots = checked
            .judged
            .iter()
            .filter(|judged| judged.finding.follows_from.is_none());
        let mut roots = roots.collect::<Vec<_>>().into_iter().peekable();
        while let Some(first) = roots.next() {
            let mut group = vec![first];
            if !first.gates() {
                while let Some(next) = roots.next_if(|next| alike(first, next)) {
                    group.push(next);
                }
            }
            finding(&mut out, checked, &group, view);
        }
        consequences(&mut out, checked);
    }
    verdict(&mut out, checked, view);
    out
}

/// Whether two findings say the same of different places.
fn alike(a: &Judged, b: &Judged) -> bool {
    let said = |judged: &Judged| {
        let Finding {
            property,
            message,
            help,
            ..
        } = &judged.finding;
        (*property, judged.level, message.clone(), help.clone())
    };
    said(a) == said(b)
}

/// Findings that say the same: title, places in the source, help, and the counterexample.
/// What does not gate is shown by an example only if everything is to be told.
fn finding(out: &mut String, checked: &Checked, group: &[&Judged], view: View) {
    let first = group[0];
    let Some(grade) = grade(first, checked.any_size) else {
        return;
    };
    let Judged { finding, level, .. } = first;
    let message = sentence(finding);
    let spans: Vec<Span> = group
        .iter()
        .filter_map(|judged| judged.finding.span)
        .collect();
    if *level == Level::Note && !view.verbose {
        let title = view.paint(
            AnsiColor::BrightGreen,
            &format!("note[{}]", finding.property),
        );
        let mut lines: Vec<usize> = Vec::new();
        for span in spans {
            let line = checked.source.position(span.start).line;
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        let numbers: Vec<String> = lines.iter().map(usize::to_string).collect();
        let place = match numbers.len() {
            0 => String::new(),
            1 => format!("line {}: ", numbers[0]),
            _ => format!("lines {}: ", numbers.join(", ")),
        };
        let _ = writeln!(out, "{title}: {place}{message}\n");
        return;
    }
    let renderer = if view.color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let title = grade.primary_title(&*message).id(finding.property.name());
    let help = finding.help.iter().map(|help| Grade::HELP.message(&**help));
    let rendered = if spans.is_empty() {
        let place = Origin::path(&*checked.source.name);
        renderer.render(&[title.element(place).elements(help)])
    } else {
        let mut snippet = Snippet::source(&*checked.source.text).path(&*checked.source.name);
        for span in spans {
            let range = span.start as usize..span.end as usize;
            snippet = snippet.annotation(AnnotationKind::Primary.span(range));
        }
        renderer.render(&[title.element(snippet).elements(help)])
    };
    let _ = writeln!(out, "{rendered}\n");
    for judged in group.iter().filter(|judged| judged.gates() || view.verbose) {
        if let (Some(program), Some(cex), Some(runs)) = (
            &checked.program,
            &judged.finding.counterexample,
            &judged.replay,
        ) {
            let story = story::tell(program, &checked.source, finding.property, cex, runs);
            let _ = writeln!(out, "{story}");
        }
    }
}

/// How grave a finding is; `None` if there is nothing to say.
fn grade(judged: &Judged, any_size: bool) -> Option<Grade<'static>> {
    let gates = judged.gates();
    match &judged.finding.verdict {
        Verdict::Proved { size, .. } => {
            let short = gates && (!size.is_accepted() || (any_size && *size != Size::Any));
            short.then(|| Grade::WARNING.with_name("not proved for enough"))
        }
        Verdict::Refuted if gates => Some(Grade::ERROR),
        Verdict::Unknown(_) if gates => Some(Grade::ERROR.with_name("undecided")),
        Verdict::Refuted | Verdict::Unknown(_) => Some(match judged.level {
            Level::Note => Grade::NOTE,
            _ => Grade::WARNING,
        }),
    }
}

/// What only follows from other findings, a line for each.
fn consequences(out: &mut String, checked: &Checked) {
    let mut lines: Vec<String> = Vec::new();
    for Judged { finding, .. } in &checked.judged {
        let Some(cause) = finding.follows_from else {
            continue;
        };
        let state = match finding.verdict {
            Verdict::Refuted => "refuted",
            Verdict::Unknown(_) => "undecided",
            Verdict::Proved { .. } => continue,
        };
        let line = format!(
            "{} is {state} too; it follows from {cause}",
            finding.property
        );
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    for line in &lines {
        let _ = writeln!(out, "  = {line}");
    }
    if !lines.is_empty() {
        out.push('\n');
    }
}

/// The name of a file in the verdict line.
fn label(checked: &Checked) -> String {
    match &checked.scheduler {
        Some(scheduler) => format!("{scheduler}  ({})", checked.name),
        None => checked.name.clone(),
    }
}

fn verdict(out: &mut String, checked: &Checked, view: View) {
    let color = match checked.verdict {
        FileVerdict::Accepted => AnsiColor::BrightGreen,
        FileVerdict::Rejected | FileVerdict::Error => AnsiColor::BrightRed,
        FileVerdict::Unknown => AnsiColor::BrightYellow,
    };
    let word = format!("{:<8}", checked.verdict.name());
    let _ = writeln!(
        out,
        "{}  {}",
        view.paint(color, &word),
        view.bold(&label(checked))
    );
    if view.quiet {
        return;
    }
    for line in summary(checked, view.verbose) {
        let _ = writeln!(out, "          {line}");
    }
    if view.verbose {
        details(out, checked);
    }
}

/// The lines under the verdict.
fn summary(checked: &Checked, verbose: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let errors = checked.mistakes();
    if errors > 0 {
        return vec![count(errors, "mistake")];
    }
    if checked.program.is_none() {
        return lines;
    }
    let mut line = proved(checked);
    for (what, text) in [(Level::Warn, "warning"), (Level::Note, "note")] {
        let silent = |judged: &&Judged| judged.level == what && !judged.gates();
        let told = checked.judged.iter().filter(silent);
        let mut number = told.filter(|judged| grade(judged, false).is_some()).count();
        if what == Level::Warn {
            number += checked.diagnostics.len();
        }
        if number > 0 {
            let _ = write!(line, "; {}", count(number, text));
        }
    }
    for (what, verdict) in [
        ("refuted", Verdict::Refuted),
        ("undecided", Verdict::Unknown(String::new())),
    ] {
        // What follows from a cause that gates too goes without saying.
        let same =
            |judged: &&Judged| judged.gates() && judged.finding.verdict.name() == verdict.name();
        let gating = |cause| {
            let mut these = checked.judged.iter().filter(same);
            these.any(|judged| judged.finding.property == cause)
        };
        let mut titles: Vec<&str> = Vec::new();
        for judged in checked.judged.iter().filter(same) {
            if !judged.finding.follows_from.is_some_and(gating)
                && !titles.contains(&&*judged.finding.title)
            {
                titles.push(&judged.finding.title);
            }
        }
        if !titles.is_empty() {
            lines.push(format!("{what}: {}", titles.join(", ")));
        }
    }
    lines.push(line);
    lines.extend(checked.judged.iter().filter_map(ending));
    lines.extend(checked.code.as_ref().map(steps));
    let lowered = checked.lowered.iter();
    let told = lowered.clone().map(|lowered| &lowered.outcome);
    let told = told.filter(|outcome| verbose || outcome.is_amiss());
    lines.extend(told.map(|outcome| format!("rewriting: {outcome}")));
    let told = lowered.filter_map(|lowered| lowered.compressed.as_ref().filter(|_| verbose));
    lines.extend(told.map(|compressed| format!("compression: {compressed}")));
    lines
}

/// How long an execution is at most, or why the scheduler cannot be compiled.
fn steps(code: &CodeReport) -> String {
    let CodeReport {
        instructions: Some(instructions),
        stack_bytes: Some(stack),
        steps: Some(steps),
        refusal: None,
        ..
    } = code
    else {
        let why = code.refusal.as_deref().unwrap_or_default();
        return format!("cannot be compiled: {why}");
    };
    format!(
        "compiled: {instructions} instructions, {stack} bytes of stack; at most {steps} steps \
         for s subflows, p packets a queue"
    )
}

/// "8 gate properties and 1 requirement proved for any size".
fn proved(checked: &Checked) -> String {
    // The worst verdict for each title: a property may be judged at several places.
    let mut worst: BTreeMap<(bool, &str), Option<Size>> = BTreeMap::new();
    for judged in checked.judged.iter().filter(|judged| judged.gates()) {
        let size = match judged.finding.verdict {
            Verdict::Proved { size, .. } => Some(size),
            _ => None,
        };
        let asked = judged.level == Level::Ask;
        let entry = worst.entry((asked, &judged.finding.title)).or_insert(size);
        *entry = match (*entry, size) {
            (Some(a), Some(b)) => Some(a.min(b)),
            _ => None,
        };
    }
    let number = |asked: bool, any: bool| {
        let same = |size: Size| (size == Size::Any) == any;
        let these = worst
            .iter()
            .filter(|((a, _), size)| *a == asked && size.is_some_and(same));
        these.count()
    };
    let mut parts = Vec::new();
    for any in [true, false] {
        let (gates, asked) = (number(false, any), number(true, any));
        let mut what = Vec::new();
        if gates > 0 {
            what.push(plural(gates, "gate property", "gate properties"));
        }
        if asked > 0 {
            what.push(count(asked, "requirement"));
        }
        if what.is_empty() {
            continue;
        }
        let least = worst.values().flatten().copied().reduce(Size::min);
        let size = if any {
            Size::Any
        } else {
            least.unwrap_or(Size::Any)
        };
        parts.push(format!("{} {}", what.join(" and "), extent(size)));
    }
    if parts.is_empty() {
        "nothing is proved".to_owned()
    } else {
        parts.join(", ")
    }
}

/// "proved for any size".
pub fn extent(size: Size) -> String {
    match size {
        Size::Any => "proved for any size".to_owned(),
        Size::UpTo {
            subflows,
            packets: u32::MAX,
        } => format!("proved up to {subflows} subflows, with any number of packets"),
        Size::UpTo { subflows, packets } => {
            format!("proved up to {subflows} subflows × {packets} packets")
        }
    }
}

/// The ranking of a trigger, and its bound.
fn ending(judged: &Judged) -> Option<String> {
    let finding = &judged.finding;
    if finding.property != Property::TriggerTerminates
        || !matches!(finding.verdict, Verdict::Proved { .. })
    {
        return None;
    }
    let mut line = finding.property.name().to_owned();
    if !finding.message.is_empty() {
        let _ = write!(line, ": {}", finding.message);
    }
    Some(line)
}

/// `--verbose`: every property, and what the proofs cost.
fn details(out: &mut String, checked: &Checked) {
    if checked.program.is_none() {
        return;
    }
    let width = checked
        .judged
        .iter()
        .map(|j| j.finding.title.chars().count())
        .max();
    let width = width.unwrap_or(0);
    for Judged { finding, level, .. } in &checked.judged {
        let text = match &finding.verdict {
            Verdict::Proved { size, why } if why.is_empty() => extent(*size),
            Verdict::Proved { size, why } => format!("{} ({why})", extent(*size)),
            Verdict::Refuted => "refuted".to_owned(),
            Verdict::Unknown(reason) => format!("undecided ({reason})"),
        };
        let place = finding.span.map(|span| checked.source.position(span.start));
        let place = place.map_or_else(String::new, |at| format!("  at {}:{}", at.line, at.column));
        let bound = finding
            .bound
            .map_or_else(String::new, |bound| format!("  bound {bound}"));
        let _ = writeln!(
            out,
            "          {:<4}  {:<width$}  {text}{bound}{place}",
            level.name(),
            finding.title
        );
    }
    let effort = checked.effort;
    let _ = writeln!(
        out,
        "          effort: {} proofs, {} searches, {} terms, {} solver units",
        effort.proofs, effort.searches, effort.terms, effort.rlimit
    );
}

/// "1 warning", "2 warnings".
pub fn count(number: usize, what: &str) -> String {
    plural(number, what, &format!("{what}s"))
}
fn plural(number: usize, one: &str, many: &str) -> String {
    if number == 1 {
        format!("1 {one}")
    } else {
        format!("{number} {many}")
    }
}

/// How to run the counterexamples again; `written` are their files.
pub fn replay_hints(file: &str, written: &[String]) -> String {
    let mut out = String::new();
    for path in written {
        let _ = writeln!(
            out,
            "          replay: progmp-verify --replay {} {}",
            quoted(path),
            quoted(file)
        );
    }
    out
}

/// What to write to get files that can be replayed.
pub fn keep_hint(file: &str) -> String {
    format!(
        "          to keep the counterexamples and replay them: progmp-verify --counterexamples DIR {}\n",
        quoted(file)
    )
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./+:=,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// The stem of a file name, for schedulers without a name.
pub fn file_stem(name: &str) -> String {
    Path::new(name).file_stem().map_or_else(
        || "scheduler".to_owned(),
        |stem| stem.to_string_lossy().into_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_as_a_shell_needs_it() {
        assert_eq!(quoted("a/b-c.progmp"), "a/b-c.progmp");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn numbers_agree_with_their_nouns() {
        assert_eq!(count(1, "note"), "1 note");
        assert_eq!(count(0, "note"), "0 notes");
    }

    #[test]
    fn no_escapes_without_colour() {
        let plain = View::default();
        assert_eq!(plain.paint(AnsiColor::Red, "x"), "x");
        assert_eq!(plain.bold("x"), "x");
        let color = View {
            color: true,
            ..plain
        };
        assert!(color.paint(AnsiColor::Red, "x").starts_with('\u{1b}'));
    }
}
