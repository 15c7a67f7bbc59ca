//! Names that SMT-LIB accepts: unique, and never a word that a solver owns.
//!
//! A name is first made a simple symbol (SMT-LIB 2.6, section 3.1), then
//! moved out of the way of reserved words and theory symbols, then of the
//! names given before. The result depends only on the order of requests.

use hashbrown::{HashMap, HashSet};
use rustc_hash::FxBuildHasher;

/// Reserved words, sorts and theory symbols of SMT-LIB, Z3 and cvc5 that an
/// encoder could hit upon by accident. Names with a dot behind a theory's
/// name, and names that begin with `bv`, are kept apart by rule.
const RESERVED: &[&str] = &[
    "BINARY",
    "BitVec",
    "Bool",
    "DECIMAL",
    "Float16",
    "Float32",
    "Float64",
    "HEXADECIMAL",
    "Int",
    "List",
    "NUMERAL",
    "Packet",
    "Pair",
    "Real",
    "RegLan",
    "RoundingMode",
    "STRING",
    "Seq",
    "Set",
    "String",
    "Subflow",
    "Array",
    "Bag",
    "Char",
    "Relation",
    "Tuple",
    "Unicode",
    "Option",
    "Type",
    "abs",
    "and",
    "as",
    "assert",
    "bag",
    "bool",
    "bit2bool",
    "bitvec",
    "card",
    "char",
    "check-sat",
    "choose",
    "complement",
    "concat",
    "cons",
    "const",
    "cos",
    "declare-const",
    "declare-fun",
    "declare-sort",
    "default",
    "define-fun",
    "define-sort",
    "distinct",
    "div",
    "divisible",
    "echo",
    "empty",
    "eval",
    "exists",
    "exit",
    "exp",
    "ext_rotate_left",
    "ext_rotate_right",
    "extract",
    "false",
    "fp",
    "forall",
    "get-model",
    "get-value",
    "head",
    "iand",
    "if",
    "iff",
    "implies",
    "in",
    "insert",
    "int",
    "int2bv",
    "int_to_bv",
    "intersection",
    "is",
    "is_int",
    "ite",
    "lambda",
    "let",
    "lo",
    "map",
    "match",
    "minus",
    "mkPair",
    "first",
    "second",
    "mod",
    "mod0",
    "div0",
    "nil",
    "not",
    "or",
    "par",
    "pi",
    "pop",
    "power",
    "push",
    "real",
    "rem",
    "rem0",
    "repeat",
    "reset",
    "rotate_left",
    "rotate_right",
    "sbv_to_int",
    "select",
    "set",
    "setminus",
    "sin",
    "sign_extend",
    "singleton",
    "skip",
    "sqrt",
    "store",
    "string",
    "subset",
    "sum",
    "tail",
    "tan",
    "to_fp",
    "to_int",
    "to_real",
    "true",
    "tuple",
    "ubv_to_int",
    "union",
    "univset",
    "update",
    "xor",
    "zero_extend",
];

/// The names given so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    taken: HashSet<String, FxBuildHasher>,
    /// How often a base was asked for.
    asked: HashMap<String, u32, FxBuildHasher>,
}

impl Names {
    /// Gives a name like `wanted` that was never given before.
    pub(super) fn unique(&mut self, wanted: &str) -> String {
        let base = symbol(wanted);
        let count = self.asked.entry(base.clone()).or_insert(0);
        let mut name = if *count == 0 {
            base.clone()
        } else {
            format!("{base}_{count}")
        };
        *count += 1;
        while self.taken.contains(&name) {
            name = format!("{base}_{count}");
            *count += 1;
        }
        self.taken.insert(name.clone());
        name
    }
}

/// Makes a simple symbol of `wanted` that no solver owns.
fn symbol(wanted: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/');
    let mut name: String = wanted
        .chars()
        .map(|c| if allowed(c) { c } else { '_' })
        .collect();
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        name.insert_str(0, "x_");
    }
    if owned(&name) {
        name.push('_');
        // A theory's name before a dot stays a theory's name whatever follows.
        name = name.replace('.', "_");
    }
    name
}

/// Whether a solver may give `name` a meaning of its own.
fn owned(name: &str) -> bool {
    const FAMILIES: &[&str] = &[
        "bag", "bv", "char", "ff", "finset", "fp", "int", "re", "real", "rel", "sep", "seq", "set",
        "str", "table", "tuple",
    ];
    let family = name.split_once('.').map(|(family, _)| family);
    RESERVED.contains(&name)
        || name.starts_with("bv")
        || name.contains('-')
        || family.is_some_and(|family| FAMILIES.contains(&family))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_request_keeps_its_name_and_later_ones_are_numbered() {
        let mut names = Names::default();
        assert_eq!(names.unique("rtt"), "rtt");
        assert_eq!(names.unique("rtt_1"), "rtt_1");
        assert_eq!(names.unique("rtt"), "rtt_2");
        assert_eq!(names.unique("s.RTT"), "s.RTT");
    }

    #[test]
    fn words_that_a_solver_owns_are_avoided() {
        let mut names = Names::default();
        for word in RESERVED
            .iter()
            .chain(&["bvadd", "str.len", "set.union", "check-sat"])
        {
            assert_ne!(names.unique(word), *word);
        }
    }

    #[test]
    fn any_text_becomes_a_simple_symbol() {
        let mut names = Names::default();
        assert_eq!(names.unique("a b|c"), "a_b_c");
        assert_eq!(names.unique("1st"), "x_1st");
        assert_eq!(names.unique(""), "x_");
        assert_eq!(names.unique("µs"), "x__s");
    }
}
