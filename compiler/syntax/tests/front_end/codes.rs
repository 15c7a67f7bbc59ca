//! Every code is unique, explained, and provoked by exactly its own example.

use std::collections::BTreeSet;

use crate::common::{found, read};
use progmp_syntax::{Code, Severity};

#[test]
fn the_wrong_example_of_a_code_gets_that_code_and_no_other() {
    for code in Code::ALL {
        if !code.wrong().is_empty() {
            let codes: Vec<_> = read(code.wrong())
                .diagnostics
                .iter()
                .map(|d| d.code)
                .collect();
            assert_eq!(codes, [*code], "example of {code}");
        }
    }
}

#[test]
fn the_right_example_of_a_code_has_no_mistake() {
    for code in Code::ALL {
        if !code.right().is_empty() {
            let parsed = read(code.right());
            assert_eq!(found(&parsed), [] as [&str; 0], "example of {code}");
        }
    }
}

#[test]
fn only_what_cannot_be_printed_in_a_few_lines_has_no_example() {
    let without: Vec<_> = Code::ALL
        .iter()
        .filter(|code| code.wrong().is_empty())
        .collect();
    assert_eq!(
        without,
        [
            &Code::FileTooLarge,
            &Code::NotUtf8,
            &Code::TooDeep,
            &Code::TooHigh,
            &Code::TooManyMistakes
        ]
    );
}

#[test]
fn codes_and_names_are_unique_and_lead_back_to_their_code() {
    let mut seen = BTreeSet::new();
    for code in Code::ALL {
        assert!(seen.insert(code.id()), "{code} is unique");
        assert!(seen.insert(code.name()), "{} is unique", code.name());
        assert_eq!(code.id().parse(), Ok(*code));
        assert_eq!(code.id().to_lowercase().parse(), Ok(*code));
        assert_eq!(code.name().parse(), Ok(*code));
        let is_warning = code.id().starts_with('W');
        assert_eq!(code.severity() == Severity::Warning, is_warning);
    }
    assert!("E9999".parse::<Code>().is_err());
    assert!("".parse::<Code>().is_err());
}

#[test]
fn an_explanation_has_the_code_the_summary_and_both_examples() {
    let text = Code::PopInExpression.explanation();
    assert!(text.starts_with("E0110 pop-in-expression: POP stands inside an expression\n"));
    assert!(text.contains("\nWrong:\n\n    IF (Q.POP() != NULL) { RETURN; }\n"));
    assert!(text.contains("\nRight:\n\n    VAR packet = Q.POP();\n    DROP(packet);\n"));
    for code in Code::ALL {
        assert!(
            code.text().ends_with('.'),
            "{code} is explained in sentences"
        );
        assert!(!code.summary().ends_with('.') && !code.summary().contains('\n'));
    }
}
