//! The generator of programs and states: what it makes is right, varied, and the same again.

use std::collections::BTreeSet;

use progmp_generate::{Choices, Mix, program, program_with, programs, state, states};
use progmp_ir::{
    ExprKind, Kind, Needs, Program, QueueName, SchedReg, StmtKind, SubflowBool, SubflowInt,
    execute, table, wellformed,
};
use progmp_syntax::{format, parse, render};
use proptest::prelude::{ProptestConfig, Strategy, any};
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use proptest::{prop_assert, prop_assert_eq};

/// The program of a generated text, which must be right.
fn read(text: &str) -> Program {
    let parsed = parse("generated", text.as_bytes(), &[]);
    let Some(program) = parsed.program else {
        let problems = render(&parsed.diagnostics, &parsed.source, false);
        panic!("a generated program is correct:\n{text}\n{problems}");
    };
    if let Err(broken) = wellformed::check(&program) {
        panic!("a parsed program is well-formed: {broken}\n{text}");
    }
    program
}

#[test]
fn every_generated_program_is_correct_and_its_program_well_formed() {
    for mix in [Mix::default(), Mix::small(), Mix::plain_arithmetic()] {
        for seed in 0..2_000 {
            read(&program_with(&mut Choices::from_seed(seed), &mix));
        }
    }
}

#[test]
fn one_seed_gives_one_program_and_one_state() {
    for seed in 0..50 {
        let make = || {
            let choices = &mut Choices::from_seed(seed);
            let text = program(choices);
            let needs = Needs::of(&read(&text));
            (text, state(choices, &needs))
        };
        assert_eq!(make(), make());
    }
}

#[test]
fn no_choices_give_the_smallest_program() {
    let text = program(&mut Choices::from_words(Vec::new()));
    assert_eq!(text, "SUBFLOWS.FIRST.PUSH(Q.FIRST);\n");
}

#[test]
fn every_construct_of_the_language_is_generated() {
    let mut forms: BTreeSet<String> = BTreeSet::new();
    let mut texts = String::new();
    for seed in 0..3_000 {
        let text = program(&mut Choices::from_seed(seed));
        let program = read(&text);
        for stmt in program.statements() {
            let form = match &stmt.kind {
                StmtKind::If { otherwise, .. } if otherwise.is_some() => "If-Else".to_owned(),
                kind => first_word(kind),
            };
            forms.insert(form);
        }
        for expr in &program.exprs {
            let form = match &expr.kind {
                ExprKind::Arith(op, ..) => op.symbol().to_owned(),
                ExprKind::Order(op, ..) => op.symbol().to_owned(),
                ExprKind::Equal { negated, .. } => if *negated { "!=" } else { "==" }.to_owned(),
                ExprKind::SubflowInt(property, _) => format!("s.{}", property.name()),
                ExprKind::SubflowBool(property, _) => format!("s.{}", property.name()),
                ExprKind::PacketInt(property, _) => format!("p.{}", property.name()),
                ExprKind::Queue(queue) => queue.name().to_owned(),
                kind => first_word(kind),
            };
            forms.insert(form);
        }
        let needs = Needs::of(&program);
        for queue in [QueueName::Send, QueueName::Retrans] {
            if needs.pops(queue) {
                forms.insert(format!("{}.POP", queue.name()));
            }
        }
        for kind in [Kind::Subflow, Kind::Packet] {
            if needs.loops_over(kind) {
                forms.insert(format!("loop over {kind:?}"));
            }
        }
        texts.push_str(&text);
    }
    let mut wanted: Vec<String> = [
        "If",
        "If-Else",
        "Foreach",
        "Let",
        "Set",
        "SetUser",
        "Push",
        "Drop",
        "Print",
        "Void",
        "Return",
        "Int",
        "Bool",
        "Null",
        "Register",
        "Time",
        "Random",
        "Var",
        "Not",
        "And",
        "Or",
        "+",
        "-",
        "*",
        "/",
        "%",
        "<",
        "<=",
        ">",
        ">=",
        "==",
        "!=",
        "HasWindowFor",
        "Psh",
        "SentOn",
        "SentOnAll",
        "Subflows",
        "Q",
        "QU",
        "RQ",
        "Filter",
        "Empty",
        "Count",
        "Get",
        "Extremum",
        "Sum",
        "First",
        "Last",
        "p.LENGTH",
        "p.SEQ",
        "p.USER",
        "Q.POP",
        "RQ.POP",
        "loop over Subflow",
        "loop over Packet",
    ]
    .map(str::to_owned)
    .to_vec();
    wanted.extend(SubflowInt::ALL.iter().map(|p| format!("s.{}", p.name())));
    wanted.extend(SubflowBool::ALL.iter().map(|p| format!("s.{}", p.name())));
    for form in wanted {
        assert!(forms.contains(&form), "{form} is never generated");
    }
    for spelling in [
        "SCHEDULER ",
        "DEFINE ",
        " as ",
        "RTT_AVG",
        "BW_OUT_ACK",
        ".BACKUP",
        "TSQ_THROTTLED",
        ".SIZE",
        "= >",
        "/*",
        "// ",
        "ELSE IF",
        "%u",
        ".TOP",
        ".POP())",
        "VOID();",
    ] {
        assert!(texts.contains(spelling), "{spelling} is never written");
    }
}

/// The name of a variant, as `Debug` writes it.
fn first_word(kind: &impl std::fmt::Debug) -> String {
    let text = format!("{kind:?}");
    let end = text.find(|c: char| !c.is_alphanumeric());
    text[..end.unwrap_or(text.len())].to_owned()
}

#[test]
fn generated_states_of_generated_programs_do_something() {
    let (mut pushes, mut pops, mut changes, mut quiet) = (0, 0, 0, 0);
    for seed in 0..2_000 {
        let choices = &mut Choices::from_seed(seed);
        let program = read(&program(choices));
        let before = state(choices, &Needs::of(&program));
        let execution = execute(&program, &before);
        pushes += usize::from(!execution.actions.is_empty());
        pops += usize::from(execution.pops().next().is_some());
        changes += usize::from(execution.after.registers != before.registers);
        quiet += usize::from(!execution.has_effect(&before));
    }
    for (what, count) in [
        ("acts", pushes),
        ("pops", pops),
        ("sets a register", changes),
        ("does nothing", quiet),
    ] {
        assert!(count > 200, "only {count} of 2,000 executions: {what}");
    }
}

/// Runs a property on cases that are the same in each run.
fn fixed_runner(cases: u32) -> TestRunner {
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]))
}

#[test]
fn formatting_a_generated_program_keeps_its_meaning() {
    fixed_runner(300)
        .run(&programs(), |text| {
            let parsed = parse("generated", text.as_bytes(), &[]);
            let ast = parsed.ast.expect("a correct program has a tree");
            let formatted = format(&ast, &text);
            let again = read(&formatted);
            let first = parsed.program.expect("a generated program is correct");
            let kinds = |program: &Program| {
                let kinds = program.exprs.iter().map(|e| e.kind.clone());
                kinds.collect::<Vec<_>>()
            };
            prop_assert_eq!(kinds(&first), kinds(&again));
            prop_assert_eq!(first.stmt_count, again.stmt_count);
            Ok(())
        })
        .unwrap();
}

#[test]
fn an_execution_keeps_what_it_may_not_change() {
    let case = programs().prop_flat_map(|text| {
        let needs = Needs::of(&read(&text));
        (proptest::strategy::Just(text), states(needs), any::<u64>())
    });
    fixed_runner(500)
        .run(&case, |(text, mut before, seed)| {
            let program = read(&text);
            before.seed = seed;
            let needs = Needs::of(&program);
            let after = execute(&program, &before).after;
            prop_assert_eq!(&after.packets, &before.packets, "SENT_ON is fixed");
            prop_assert_eq!(after.time_ms, before.time_ms);
            for (s, t) in after.subflows.iter().zip(&before.subflows) {
                for &property in SubflowInt::ALL {
                    let writes = property == SubflowInt::User && needs.writes_user();
                    prop_assert!(writes || s.int(property) == t.int(property));
                }
            }
            for reg in SchedReg::all() {
                let kept = after.registers[reg.index()] == before.registers[reg.index()];
                prop_assert!(kept || needs.writes_register(reg));
            }
            for queue in [QueueName::Send, QueueName::Retrans] {
                let kept = after.queue(queue) == before.queue(queue);
                prop_assert!(kept || needs.pops(queue));
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn tables_of_generated_states_fit_on_a_page() {
    for seed in 0..1_000 {
        let choices = &mut Choices::from_seed(seed);
        let needs = Needs::of(&read(&program(choices)));
        let text = table(&state(choices, &needs), &needs);
        for line in text.lines() {
            assert!(line.chars().count() <= 100, "seed {seed}:\n{text}");
            assert_eq!(line, line.trim_end());
        }
    }
}

#[test]
fn what_a_program_does_not_read_does_not_matter() {
    for seed in 0..1_500 {
        let choices = &mut Choices::from_seed(seed);
        let program = read(&program(choices));
        let needs = Needs::of(&program);
        let before = state(choices, &needs);
        let mut other = before.clone();
        for subflow in &mut other.subflows {
            for &property in SubflowInt::ALL {
                // USER is written too, and IDs name subflows in SENT_ON.
                let fixed = matches!(property, SubflowInt::User | SubflowInt::Id);
                if !fixed && !needs.reads_subflow_int(property) {
                    *subflow.int_mut(property) = 12_345;
                }
            }
            for &property in SubflowBool::ALL {
                if !needs.reads_subflow_bool(property) {
                    *subflow.flag_mut(property) = true;
                }
            }
        }
        for packet in &mut other.packets {
            if !needs.reads_packet_int(progmp_ir::PacketInt::Length) {
                packet.length = 77;
            }
            if !needs.reads_psh() {
                packet.psh = !packet.psh;
            }
            if !needs.reads_windows() {
                packet.no_window_on.clear();
            }
            if !needs.reads_sent_on() {
                packet.sent_on.clear();
            }
        }
        if !needs.reads_time() {
            other.time_ms = 424_242;
        }
        if !needs.uses_random() {
            other.seed = !other.seed;
        }
        for reg in SchedReg::all() {
            if !needs.reads_register(reg) && !needs.writes_register(reg) {
                other.registers[reg.index()] = 5;
            }
        }
        let (one, two) = (execute(&program, &before), execute(&program, &other));
        assert_eq!(one.actions, two.actions, "seed {seed}");
        for queue in QueueName::ALL {
            assert_eq!(one.after.queue(queue), two.after.queue(queue));
        }
        for reg in SchedReg::all().filter(|&reg| needs.writes_register(reg)) {
            let cell = reg.index();
            assert_eq!(one.after.registers[cell], two.after.registers[cell]);
        }
    }
}
