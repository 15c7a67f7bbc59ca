//! `@require` comments and `--require` texts (specs/properties.md).

use progmp_ir::{ExprKind, RequirementKind, Span};
use progmp_syntax::{Parsed, parse};

use crate::common::{found, help, mistakes, read, right};

fn kinds(text: &str) -> Vec<RequirementKind> {
    let requirements = right(text).requirements;
    requirements
        .iter()
        .map(|requirement| requirement.kind)
        .collect()
}

fn from_command_line(text: &str) -> Parsed {
    let parsed = parse("f", b"RETURN;", &[text.to_owned()]);
    progmp_syntax::fuzzing::holds(&parsed);
    parsed
}

#[test]
fn every_spelling_is_known() {
    use RequirementKind as R;
    let all = [
        ("work-conserving", R::WorkConserving),
        ("work-conserving(Q)", R::WorkConservingQ),
        ("work-conserving ( Q )", R::WorkConservingQ),
        ("redundancy <= 2", R::Redundancy(2)),
        ("redundancy≤3", R::Redundancy(3)),
        ("no-duplicate-push", R::NoDuplicatePush),
        ("backup-only-if-needed", R::BackupOnlyIfNeeded),
        ("fair <= 4", R::Fair(4)),
        ("fair ≤ 4", R::Fair(4)),
        ("any-size", R::AnySize),
    ];
    for (text, kind) in all {
        assert_eq!(
            kinds(&format!("/* @require {text} */ RETURN;")),
            [kind],
            "{text}"
        );
        assert_eq!(
            kinds(&format!("RETURN; //@require {text}")),
            [kind],
            "{text}"
        );
        let program = from_command_line(text)
            .program
            .expect("a right requirement");
        assert_eq!(program.requirements[0].kind, kind, "{text}");
    }
}

#[test]
fn several_stand_between_commas_and_over_lines() {
    assert_eq!(
        kinds("/* @require any-size, fair <= 2,\n * redundancy <= 3 */\nRETURN;").len(),
        3
    );
    assert_eq!(
        kinds("// @require any-size\n/* @require fair <= 2 */ RETURN;").len(),
        2
    );
    let program = from_command_line("any-size, fair <= 2").program;
    assert_eq!(program.map(|program| program.requirements.len()), Some(2));
}

#[test]
fn a_requirement_keeps_its_text_and_its_place() {
    let text = "/* @require any-size, redundancy  <= 2 */ RETURN;";
    let program = right(text);
    let second = &program.requirements[1];
    assert_eq!(second.text, "redundancy  <= 2");
    let span = second.span.expect("it stands in the file");
    assert_eq!(&text[span.start as usize..span.end as usize], second.text);
    let program = from_command_line("any-size")
        .program
        .expect("a right requirement");
    assert_eq!(program.requirements[0].span, None);
}

#[test]
fn a_preference_is_lowered_beside_the_program() {
    let text = "/* @require prefers(s => !s.IS_BACKUP AND s.RTT_MS <= 20) */ SET(R1, 1);";
    let program = right(text);
    let RequirementKind::Prefers(lambda) = program.requirements[0].kind else {
        panic!("a preference");
    };
    assert!(matches!(program.expr(lambda.body).kind, ExprKind::And(..)));
    assert_eq!(program.var(lambda.param).name, "s");
    let span = program.expr(lambda.body).span;
    assert_eq!(
        &text[span.start as usize..span.end as usize],
        "!s.IS_BACKUP AND s.RTT_MS <= 20"
    );
    let program = from_command_line("prefers(s => s.LOSSY)")
        .program
        .expect("right");
    assert!(
        program
            .exprs
            .iter()
            .all(|expr| expr.span == Span::default())
    );
}

#[test]
fn a_preference_reads_its_subflow_only() {
    for (predicate, code) in [
        ("s.USER > 1", "E0403"),
        ("s.ID == R1", "E0403"),
        ("Q.EMPTY", "E0403"),
        ("SUBFLOWS.FILTER(t => t.LOSSY).EMPTY", "E0403"),
        ("RANDOM > 1", "E0403"),
        ("CURRENT_TIME_MS > 1", "E0403"),
        ("x", "E0403"),
        ("s.ID", "E0301"),
        ("s.SEQ > 1", "E0307"),
        ("s.RTTS > 1", "E0202"),
        ("\"a\"", "E0308"),
        ("Q.POP() == NULL", "E0403"),
    ] {
        let text = format!("VAR x = 1; /* @require prefers(s => {predicate}) */");
        let parsed = read(&text);
        let codes: Vec<_> = parsed.diagnostics.iter().map(|d| d.code.id()).collect();
        assert_eq!(codes.first(), Some(&code), "{predicate}: {codes:?}");
        assert!(parsed.program.is_none());
    }
    for predicate in [
        "TRUE",
        "s != NULL",
        "s.RTT / 2 > 3 * 4",
        "NULL",
        "!(s.LOSSY OR s.STALE)",
    ] {
        right(&format!("/* @require prefers(s => {predicate}) */ RETURN;"));
    }
}

#[test]
fn a_preference_may_name_its_parameter_as_the_program_names_something() {
    right("VAR s = 1; /* @require prefers(s => s.LOSSY) */ VOID(s + 1);");
    mistakes(
        "RETURN; /* @require prefers(Q => Q.LOSSY) */",
        &["E0204@1:29"],
    );
}

#[test]
fn mistakes_are_reported_at_their_place() {
    mistakes("RETURN; /* @require work-conserve */", &["E0401@1:21"]);
    mistakes("RETURN; // @require any-size, nothing", &["E0401@1:31"]);
    mistakes("RETURN; /* @require redundancy */", &["E0402@1:21"]);
    mistakes("RETURN; /* @require redundancy < 2 */", &["E0402@1:21"]);
    mistakes("RETURN; /* @require fair <= R1 */", &["E0402@1:21"]);
    mistakes("RETURN; /* @require any-size any-size */", &["E0402@1:21"]);
    mistakes(
        "RETURN; /* @require work-conserving(RQ) */",
        &["E0402@1:21"],
    );
    mistakes("RETURN; /* @require */", &["E0402@1:9"]);
    mistakes("RETURN; /* @require any-size, */", &["E0402@1:9"]);
    mistakes("RETURN; /* @require <= 2 */", &["E0402@1:21"]);
    mistakes("RETURN; /* @require prefers */", &["E0402@1:21"]);
    mistakes("RETURN; /* @require prefers(TRUE) */", &["E0402@1:21"]);
    mistakes("RETURN; /* @require prefers(s => ) */", &["E0101@1:33"]);
    mistakes(
        "RETURN; /* @require prefers(s => s.LOSSY */",
        &["E0402@1:21"],
    );
    mistakes(
        "RETURN; /* @require fair <= 18446744073709551616 */",
        &["E0011@1:29"],
    );
    mistakes("RETURN; /* @require any-size? */", &["E0005@1:29"]);
    assert_eq!(
        help("RETURN; /* @require work-conserve */"),
        "did you mean `work-conserving`?"
    );
}

#[test]
fn other_annotations_are_comments_and_misspelt_ones_are_warned_of() {
    right("/* @author somebody */ // @todo\n/* see @require any-size */ RETURN;");
    mistakes("/* @requires any-size */ RETURN;", &["W0002@1:4"]);
    mistakes("// @reqire any-size\nRETURN;", &["W0002@1:4"]);
}

#[test]
fn a_mistake_of_the_command_line_shows_the_argument() {
    let parsed = from_command_line("fair <= x");
    assert_eq!(parsed.diagnostics[0].argument.as_deref(), Some("fair <= x"));
    assert_eq!(parsed.program, None);
    let text = progmp_syntax::render(&parsed.diagnostics, &parsed.source, false);
    assert!(
        text.contains("--> --require:1:1") && text.contains("1 | fair <= x"),
        "{text}"
    );
    assert_eq!(found(&from_command_line("")).len(), 1);
    assert_eq!(found(&from_command_line("\0")).len(), 1);
}

#[test]
fn a_hundred_mistakes_of_the_command_line_are_cut_short() {
    let parsed = from_command_line(&",".repeat(150));
    assert_eq!(parsed.diagnostics.len(), 101);
}
