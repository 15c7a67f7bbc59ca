//! Random input, through the bodies of the fuzz targets.

use progmp_syntax::fuzzing;
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_give_a_program_or_errors(data in vec(any::<u8>(), 0..200)) {
        fuzzing::bytes(&data);
    }

    #[test]
    fn any_text_gives_a_program_or_errors(text in "[ -~\n\t\"äé≤→]{0,120}") {
        fuzzing::bytes(text.as_bytes());
    }

    #[test]
    fn any_tokens_give_a_program_or_errors(data in vec(any::<u8>(), 0..120)) {
        fuzzing::tokens(&data);
    }

    #[test]
    fn any_mutation_of_a_program_gives_a_program_or_errors(data in vec(any::<u8>(), 1..34)) {
        fuzzing::mutated(&data);
    }

    #[test]
    fn any_requirement_is_met_with_a_program_or_errors(text in "(work-conserving|prefers|fair|redundancy|any-size|s => |s\\.|ID|RTT|USER|R1|Q|\\(|\\)|<=|≤|,|!|NULL| |[0-9]|\\PC){0,16}") {
        fuzzing::requirement(text.as_bytes());
    }
}

#[test]
fn the_corpus_itself_is_right_in_all_but_names_that_it_leaves_out() {
    for text in fuzzing::CORPUS {
        let parsed = progmp_syntax::parse("corpus", text.as_bytes(), &[]);
        assert_eq!(parsed.diagnostics, []);
        fuzzing::holds(&parsed);
    }
}
