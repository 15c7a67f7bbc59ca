//! Every rule is proved and every near miss refuted; `proofs/rules` says so too.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use progmp_rules::{Tier, all, parse, parse_effects};

use super::*;
use crate::smt::version::check_version;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../proofs/rules")
}

const HEADER: &str = "\
# What is proved of the rules in specs/rules/, for every word and NULL, for lists of any length, and
# between statements for every state. The query of each is in <rule>.smt2. A near miss is refuted by
# a list of so many elements.
# Written by `cargo prove`.
";

/// The ledger and the scripts, as they are today.
fn today() -> (String, Vec<(String, String)>) {
    let z3 = check_version().expect("the linked Z3 is fit");
    let mut ledger = format!("{HEADER}\n[solver]\nz3 = \"{z3}\"\nrlimit_per_query = {RLIMIT}\n");
    let mut scripts = Vec::new();
    let mut wrong = Vec::new();
    let rules = all();
    let values = rules.rules.iter().map(|rule| {
        let tier = match rule.tier {
            Tier::Value => "value",
            Tier::List => "list",
        };
        (&rule.name, tier, prove_rule(rule))
    });
    let effects = rules.effects.iter();
    let effects = effects.map(|rule| (&rule.name, "effect", prove_effect(rule)));
    for (name, tier, proof) in values.chain(effects) {
        let RuleVerdict::Refuted { elements } = proof.miss else {
            wrong.push(format!("the near miss of {name}: {:?}", proof.miss));
            continue;
        };
        if proof.verdict != RuleVerdict::Proved {
            wrong.push(format!("{name}: {:?}", proof.verdict));
        }
        let _ = write!(
            ledger,
            "\n[[rule]]\nname = {:?}\ntier = {tier:?}\nverdict = \"proved\"\n\
             near_miss = \"refuted\"\nelements = {elements}\nrlimit = {}\n",
            name, proof.rlimit
        );
        scripts.push((format!("{name}.smt2"), proof.script));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    (ledger, scripts)
}

#[test]
fn every_rule_is_proved_every_near_miss_refuted_and_the_ledger_says_so() {
    let (ledger, scripts) = today();
    let path = folder().join("ledger.toml");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        if folder().exists() {
            fs::remove_dir_all(folder()).expect("the folder can be written anew");
        }
        fs::create_dir_all(folder()).expect("the folder can be made");
        fs::write(&path, ledger).expect("the ledger can be written");
        for (name, script) in &scripts {
            fs::write(folder().join(name), script).expect("a script can be written");
        }
        return;
    }
    let advice = "run `cargo prove` and read the difference";
    let written = fs::read_to_string(&path).expect("there is a ledger of the rules");
    assert!(
        written == ledger,
        "{} is out of date: {advice}",
        path.display()
    );
    for (name, script) in &scripts {
        // The question, not our answer to it.
        assert!(!script.contains("(assert false)"), "{name} asks nothing");
        let written = fs::read_to_string(folder().join(name)).unwrap_or_default();
        assert!(written == *script, "{name} is out of date: {advice}");
    }
    let files = fs::read_dir(folder()).expect("the folder can be listed");
    assert_eq!(
        files.count(),
        scripts.len() + 1,
        "a script without a rule: {advice}"
    );
}

fn effect_verdict(text: &str) -> RuleVerdict {
    let rules = parse_effects("test.rules", text).expect("the rule is written well");
    prove_effect(&rules[0]).verdict
}

/// Each line is a rule that looks right: what it overlooks is left out or said too little of.
#[test]
fn what_statements_do_to_each_other_is_not_overlooked() {
    let wrong = [
        // The second IF asks again after the first one's branch.
        "for c: bool, a b: block\nfrom (do (if ?c ?a (do)) (if ?c ?b (do)))\nto (if ?c (do ?a ?b) (do))",
        // The other branch changes what the condition reads.
        "for c: bool, a b d e: block\nfrom (do (if ?c ?a ?b) (if ?c ?d ?e))\nto (if ?c (do ?a ?d) (do ?b ?e))\ngiven keeps ?a ?c",
        // A RETURN in the first block.
        "for a b: block\nfrom (do ?a ?b)\nto (do ?b ?a)",
        "for c: bool, a b r: block\nfrom (do (if ?c ?a ?b) ?r)\nto (do ?r (if ?c ?a ?b))\ngiven keeps ?r ?c",
        // NULL takes ELSE.
        "for c: bool, a b: block\nfrom (if (not ?c) ?a ?b)\nto (if ?c ?b ?a)",
        // The block does nothing where the condition does hold.
        "for c: bool, s: block\nfrom ?s\nto (if (not ?c) ?s (do))\ngiven idle ?s ?c",
        // RETURN at a place behind which the program goes on.
        "for\nfrom (return)\nto (do)",
        // The value depends on the element.
        "for e v: var, l: list, x: value, a: block\nfrom (each ?e ?l (var ?v ?x ?a))\nto (var ?v ?x (each ?e ?l ?a))\ngiven keeps ?a ?x",
        // A round changes it.
        "for e v: var, l: list, x: value, a: block\nfrom (each ?e ?l (var ?v ?x ?a))\nto (var ?v ?x (each ?e ?l ?a))\ngiven unread ?e ?x",
        // A loop may go around more than once.
        "for e: var, l: list, a: block\nfrom (each ?e ?l ?a)\nto ?a",
        // The statement behind reads the variable.
        "for v: var, x: value, s: statement, a: block\nfrom (var ?v ?x (do ?s ?a))\nto (do ?s (var ?v ?x ?a))\ngiven keeps ?s ?x",
        // One of two alternatives need not be TRUE.
        "for v: var, c d: bool, a e: block\nfrom (if (or ?c ?d) (var ?v ?c ?a) ?e)\nto (if (or ?c ?d) (var ?v true ?a) ?e)",
        // It may be NULL in the other branch.
        "for v: var, c: bool, a e: block\nfrom (if ?c ?e (var ?v ?c ?a))\nto (if ?c ?e (var ?v false ?a))",
        // One of two that are not both TRUE may be.
        "for v: var, c d: bool, a e: block\nfrom (if (and ?c ?d) ?e (var ?v ?c ?a))\nto (if (and ?c ?d) ?e (var ?v false ?a))\ngiven non-null ?c",
        // The value is another one where the variable is read.
        "for v: var, x: value, s t: block\nfrom (var ?v ?x ?t)\nto ?s",
        // There may be another number of subflows.
        "for a: block\nfrom ?a\nto (if (== (count SUBFLOWS) 1) ?a (do))",
    ];
    for text in wrong {
        let rule = format!("rule r\nwhy w\n{text}\nmiss to (return)");
        assert_ne!(effect_verdict(&rule), RuleVerdict::Proved, "{text}");
    }
}

fn verdict(text: &str) -> RuleVerdict {
    let rules = parse("test.rules", text).expect("the rule is written well");
    prove_rule(&rules[0]).verdict
}

#[test]
fn what_holds_only_of_words_is_refuted_with_null() {
    let rule = "rule r\nwhy w\nfor x y: bool\nfrom (not (and ?x ?y))\nto (or (not ?x) (not ?y))\nmiss to true";
    assert_eq!(verdict(rule), RuleVerdict::Refuted { elements: 0 });
}

#[test]
fn a_filter_does_not_go_through_min() {
    let rule = "rule r\nwhy w\nfor l: list, p: predicate, k: key\nfrom (min (filter ?l ?p) ?k)\nto (min ?l ?k)\nmiss to (first ?l)";
    assert_eq!(verdict(rule), RuleVerdict::Refuted { elements: 1 });
}

#[test]
fn subtracting_from_a_bound_that_wraps_is_refuted() {
    let rule =
        "rule r\nwhy w\nfor a b: int\nfrom (> ?a (+ ?b 1))\nto (> (- ?a 1) ?b)\nmiss to true";
    assert_eq!(verdict(rule), RuleVerdict::Refuted { elements: 0 });
}

#[test]
fn a_list_that_may_be_longer_than_a_rule_says_refutes_it() {
    let rule = |most: &str| {
        format!(
            "rule r\nwhy w\nfor l: list, k: key\nfrom (min ?l ?k)\nto (first ?l)\ngiven at-most {most} ?l\ngiven non-null ?k\nmiss to (last ?l)"
        )
    };
    assert_eq!(verdict(&rule("1")), RuleVerdict::Proved);
    assert_eq!(verdict(&rule("2")), RuleVerdict::Refuted { elements: 2 });
    // A key that is NULL does not count, even if it is the only one.
    let bare = rule("1").replace("given non-null ?k\n", "");
    assert_eq!(verdict(&bare), RuleVerdict::Refuted { elements: 1 });
    let last = "rule r\nwhy w\nfor l: list\nfrom (get ?l 3)\nto null:subflow\ngiven at-most 4 ?l\nmiss to (first ?l)";
    assert_eq!(verdict(last), RuleVerdict::Refuted { elements: 4 });
}

#[test]
fn what_only_longer_lists_refute_is_not_proved() {
    let rule = "rule r\nwhy w\nfor l: list\nfrom (< (count ?l) 5)\nto true\nmiss to false";
    assert!(matches!(verdict(rule), RuleVerdict::Unknown(_)));
}
