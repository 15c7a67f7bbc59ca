//! Every rule is proved and every near miss refuted; `proofs/rules` says so too.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use progmp_rules::{Tier, all, parse};

use super::*;
use crate::smt::version::check_version;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../proofs/rules")
}

const HEADER: &str = "\
# What is proved of the rules in specs/rules/, for every word and NULL and for lists of any length.
# The query of each is in <rule>.smt2. A near miss is refuted by a list of so many elements.
# Written by `cargo prove`.
";

/// The ledger and the scripts, as they are today.
fn today() -> (String, Vec<(String, String)>) {
    let z3 = check_version().expect("the linked Z3 is fit");
    let mut ledger = format!("{HEADER}\n[solver]\nz3 = \"{z3}\"\nrlimit_per_query = {RLIMIT}\n");
    let mut scripts = Vec::new();
    let mut wrong = Vec::new();
    for rule in &all().rules {
        let proof = prove_rule(rule);
        let RuleVerdict::Refuted { elements } = proof.miss else {
            wrong.push(format!("the near miss of {}: {:?}", rule.name, proof.miss));
            continue;
        };
        if proof.verdict != RuleVerdict::Proved {
            wrong.push(format!("{}: {:?}", rule.name, proof.verdict));
        }
        let tier = match rule.tier {
            Tier::Value => "value",
            Tier::List => "list",
        };
        let _ = write!(
            ledger,
            "\n[[rule]]\nname = {:?}\ntier = {tier:?}\nverdict = \"proved\"\n\
             near_miss = \"refuted\"\nelements = {elements}\nrlimit = {}\n",
            rule.name, proof.rlimit
        );
        scripts.push((format!("{}.smt2", rule.name), proof.script));
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
fn what_only_longer_lists_refute_is_not_proved() {
    let rule = "rule r\nwhy w\nfor l: list\nfrom (< (count ?l) 5)\nto true\nmiss to false";
    assert!(matches!(verdict(rule), RuleVerdict::Unknown(_)));
}
