//! The rules of the repository that no compiler checks, as tests over its files.
//!
//! In: every file that git tracks or would track. Out: one test per rule, which lists everything
//! that breaks it. Each rule is a pure function over names and texts in `tidy/`, tested there
//! with input that breaks it. The rules about dependencies are those of `tidy/arrows.rs`.

#[path = "tidy/arrows.rs"]
mod arrows;
#[path = "tidy/coverage.rs"]
mod coverage;
#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/rust_code.rs"]
mod rust_code;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use progmp_syntax::{Code, Severity};
use progmp_tests::{files, root};
use progmp_verifier::Property;

/// Every text file below the root, with its path; pictures and the like are left out.
fn texts() -> Vec<(String, String)> {
    let read = |path: String| Some((path.clone(), fs::read_to_string(root().join(path)).ok()?));
    files().into_iter().filter_map(read).collect()
}

/// The text files whose path is wanted.
fn texts_where(wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let mut texts = texts();
    texts.retain(|(path, _)| wanted(path));
    assert!(
        !texts.is_empty(),
        "a rule that looks at no file cannot fail"
    );
    texts
}

fn rust_files() -> Vec<(String, String)> {
    texts_where(|path| has_ending(path, &["rs"]))
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn has_ending(path: &str, endings: &[&str]) -> bool {
    let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
    endings.contains(&ending)
}

/// Applies a rule to each file and fails with all that it finds.
fn hold(files: &[(String, String)], rule: impl Fn(&str, &str) -> Vec<String>) {
    let faults = files.iter().flat_map(|(path, text)| rule(path, text));
    none(&faults.collect::<Vec<String>>());
}

fn none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn each_crate_imports_only_what_its_place_allows() {
    let manifests = texts_where(|path| path.ends_with("Cargo.toml") && path != "Cargo.toml");
    hold(&manifests, arrows::faults);
}

#[test]
fn what_has_a_door_in_the_verifier_is_called_behind_it() {
    hold(&rust_files(), rules::inner_doors);
}

#[test]
fn each_rust_file_says_what_it_is_for() {
    hold(&rust_files(), rules::header);
}

#[test]
fn no_source_file_is_too_long() {
    let is_source = |path: &str| has_ending(path, &["rs", "c", "h", "py"]);
    hold(&texts_where(is_source), rules::length);
}

#[test]
fn nothing_is_unfinished_or_ignored() {
    hold(&rust_files(), rules::unfinished);
}

#[test]
fn no_file_names_a_folder_of_one_machine() {
    let mut private = vec![root().display().to_string()];
    private.extend(std::env::var("HOME").ok().filter(|home| home.len() > 1));
    hold(&texts_where(|_| true), |path, text| {
        rules::machine_paths(path, text, &private)
    });
}

#[test]
fn the_top_level_holds_only_what_belongs_there() {
    none(&rules::top_level(&files()));
}

#[test]
fn the_map_is_short_and_names_what_exists() {
    none(&rules::map(&text("ARCHITECTURE.md"), |path| {
        root().join(path).exists()
    }));
}

#[test]
fn the_changelog_has_a_place_for_soundness() {
    none(&rules::changelog(&text("CHANGELOG.md")));
}

#[test]
fn each_scheduler_of_the_corpus_says_what_it_does_and_what_it_needs() {
    let is_corpus = |path: &str| path.starts_with("specs/schedulers/") && path.ends_with(".progmp");
    hold(&texts_where(is_corpus), rules::scheduler_header);
}

fn cases(folder: &str) -> Vec<(String, String)> {
    texts_where(|path| path.starts_with(folder) && path.ends_with(".progmp"))
}

#[test]
fn each_property_that_source_can_violate_has_a_case_that_does() {
    let names = Property::ALL.map(Property::name);
    none(&coverage::properties(&names, &cases("tests/cases/")));
}

#[test]
fn each_code_of_the_front_end_has_a_case_that_gets_it() {
    let errors = Code::ALL
        .iter()
        .filter(|code| code.severity() == Severity::Error);
    let ids: Vec<&str> = errors.map(|code| code.id()).collect();
    none(&coverage::codes(&ids, &cases("tests/cases/error/")));
}

#[test]
fn every_package_is_a_member_of_the_workspace() {
    let manifest: toml::Table = text("Cargo.toml").parse().expect("cargo has read it");
    let members = manifest["workspace"]["members"].as_array().expect("a list");
    let members: BTreeSet<String> = members
        .iter()
        .map(|member| format!("{}/Cargo.toml", member.as_str().expect("a path")))
        .collect();
    let packages: BTreeSet<String> = files()
        .into_iter()
        .filter(|path| path.ends_with("/Cargo.toml") && !path.starts_with("tests/fuzz/"))
        .collect();
    assert_eq!(members, packages);
}

#[test]
fn every_test_file_is_run() {
    none(&rules::test_targets(&files(), &text("tests/Cargo.toml")));
}

#[test]
fn every_file_is_formatted() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["fmt", "--all", "--", "--check", "-l"])
        .current_dir(root())
        .output()
        .expect("cargo fmt starts: rust-toolchain.toml names the component rustfmt");
    let unformatted = String::from_utf8_lossy(&output.stdout);
    let trouble = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "run `cargo fmt`\n{unformatted}{trouble}"
    );
}
