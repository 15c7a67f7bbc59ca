//! Rules about names and texts of single files.
//!
//! In: a path from the root and the text of a file. Out: one line for each fault, empty when the
//! rule holds. Rules about Rust look at code only: a word in a comment or string is no fault.

use std::collections::BTreeSet;

use crate::rust_code::code_of;

/// Lines of the longest file.
const MAX_LINES: usize = 800;
/// Lines of the longest map.
const MAX_MAP_LINES: usize = 200;

/// Modules of the verifier that alone call a library, by the library's name in code.
const INNER_DOORS: &[(&str, &str)] = &[
    ("z3", "verifier/src/smt"),
    ("z3_sys", "verifier/src/smt"),
    ("goblin", "verifier/src/ebpf"),
];

/// What may stand at the top level.
const TOP_LEVEL: &[&str] = &[
    ".cargo",
    ".ci",
    ".editorconfig",
    ".gitignore",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "clippy.toml",
    "codegen-ebpf",
    "compiler",
    "kmod-shim",
    "proofs",
    "rust-toolchain.toml",
    "specs",
    "tests",
    "verifier",
];

/// Words that mark unfinished work, or a test that does not run.
const UNFINISHED: &[&str] = &["todo!", "unimplemented!", "dbg!", "#[ignore"];

/// A library with a door inside the verifier is called from nowhere else.
pub(crate) fn inner_doors(path: &str, text: &str) -> Vec<String> {
    let code = code_of(text);
    let mut faults = Vec::new();
    for (library, door) in INNER_DOORS {
        let is_door = path == format!("{door}.rs") || path.starts_with(&format!("{door}/"));
        let calls = |line: &str| {
            let used = format!("use {library}");
            let call = format!("{library}::");
            starts_of(line, &call).next().is_some()
                || starts_of(line, &used).any(|at| !is_name(line[at + used.len()..].chars().next()))
        };
        if !is_door {
            let lines = lines_where(path, &code, calls);
            faults.extend(lines.map(|place| format!("{place}: {library} belongs to {door}/")));
        }
    }
    faults
}

/// A Rust file opens with what it is for.
pub(crate) fn header(path: &str, text: &str) -> Vec<String> {
    let first = text.lines().next().unwrap_or_default();
    let says = first
        .strip_prefix("//!")
        .is_some_and(|words| !words.trim().is_empty());
    fault_unless(says, || {
        format!("{path}: does not open with a `//!` line that says what it is for")
    })
}

/// A file is short enough to read at once.
pub(crate) fn length(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    fault_unless(lines <= MAX_LINES, || {
        format!("{path}: {lines} lines, at most {MAX_LINES}")
    })
}

/// Nothing on a path is left to be written, and every test runs.
pub(crate) fn unfinished(path: &str, text: &str) -> Vec<String> {
    let code = code_of(text);
    let mut faults = Vec::new();
    for word in UNFINISHED {
        let lines = lines_where(path, &code, |line| starts_of(line, word).next().is_some());
        faults.extend(lines.map(|place| format!("{place}: {word}")));
    }
    faults
}

/// No file names a folder of a person or of one machine; `private` holds those of this one.
pub(crate) fn machine_paths(path: &str, text: &str, private: &[String]) -> Vec<String> {
    let homes = ["home", "root", "Users"].map(|folder| format!("/{folder}/"));
    let private = private
        .iter()
        .map(|folder| format!("{}/", folder.trim_end_matches('/')));
    let folders: BTreeSet<String> = homes.into_iter().chain(private).collect();
    let names_one = |line: &str| {
        folders
            .iter()
            .any(|folder| starts_of(line, folder).next().is_some())
    };
    lines_where(path, text, names_one)
        .map(|place| format!("{place}: a path of one machine"))
        .collect()
}

/// The top level holds what a reader looks for there.
pub(crate) fn top_level(files: &[String]) -> Vec<String> {
    let names: BTreeSet<&str> = files
        .iter()
        .filter_map(|path| path.split('/').next())
        .collect();
    let strange = names.into_iter().filter(|name| !TOP_LEVEL.contains(name));
    strange
        .map(|name| format!("{name}: not among the names that tests/tidy/rules.rs lists"))
        .collect()
}

/// Each Rust file directly in `tests/` is a test that the manifest there names; none is found by itself.
pub(crate) fn test_targets(files: &[String], manifest: &str) -> Vec<String> {
    let tests = files.iter().filter_map(|path| path.strip_prefix("tests/"));
    let is_test = |name: &str| {
        name.split_once('.')
            .is_some_and(|(stem, end)| end == "rs" && !stem.contains('/'))
    };
    let tests = tests.filter(|name| is_test(name));
    let unnamed = tests.filter(|name| !manifest.contains(&format!("path = \"{name}\"")));
    unnamed
        .map(|name| format!("tests/{name}: no [[test]] of tests/Cargo.toml, so it never runs"))
        .collect()
}

/// The map is short, and each path in backquotes exists.
pub(crate) fn map(text: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let lines = text.lines().count();
    let mut faults = fault_unless(lines <= MAX_MAP_LINES, || {
        format!("ARCHITECTURE.md: {lines} lines, at most {MAX_MAP_LINES}")
    });
    let quoted = text
        .lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2));
    let paths: BTreeSet<&str> = quoted.filter(|words| is_path(words)).collect();
    let lost = paths.into_iter().filter(|path| !exists(path));
    faults.extend(lost.map(|path| format!("ARCHITECTURE.md: {path} does not exist")));
    faults
}

/// The changelog has a heading for what let a wrong program pass.
pub(crate) fn changelog(text: &str) -> Vec<String> {
    let heading =
        |line: &str| line.starts_with('#') && line.trim_start_matches('#').trim() == "Soundness";
    fault_unless(text.lines().any(heading), || {
        "CHANGELOG.md: no heading `Soundness`".to_owned()
    })
}

/// A scheduler opens with a comment: what it does, where it is from, and which tier it needs.
pub(crate) fn scheduler_header(path: &str, text: &str) -> Vec<String> {
    let comment = text
        .strip_prefix("/*")
        .and_then(|rest| rest.split_once("*/"));
    let Some((comment, _)) = comment else {
        return vec![format!("{path}: does not open with a comment")];
    };
    let mut faults = Vec::new();
    let prose = comment
        .split_whitespace()
        .filter(|word| *word != "*")
        .count();
    if prose < 15 {
        faults.push(format!("{path}: the comment does not say what it does"));
    }
    if !comment.contains("Idea: ") {
        faults.push(format!(
            "{path}: the comment has no `Idea:` that names a source"
        ));
    }
    if !["Tier A", "Tier B"]
        .iter()
        .any(|tier| comment.contains(tier))
    {
        faults.push(format!("{path}: the comment does not say Tier A or Tier B"));
    }
    faults
}

fn fault_unless(holds: bool, fault: impl FnOnce() -> String) -> Vec<String> {
    if holds { Vec::new() } else { vec![fault()] }
}

/// `path:line` of each line that a test is true of.
fn lines_where<'a>(
    path: &'a str,
    text: &'a str,
    is_hit: impl Fn(&str) -> bool + 'a,
) -> impl Iterator<Item = String> + 'a {
    let hits = text
        .lines()
        .enumerate()
        .filter(move |(_, line)| is_hit(line));
    hits.map(move |(index, _)| format!("{path}:{}", index + 1))
}

/// Where `word` begins in `line` without being the end of a longer name.
fn starts_of<'a>(line: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let hits = line.match_indices(word).map(|(at, _)| at);
    hits.filter(move |&at| !is_name(line[..at].chars().next_back()))
}

fn is_name(character: Option<char>) -> bool {
    character.is_some_and(|c| c.is_alphanumeric() || c == '_')
}

/// Whether the words between backquotes are a path of this repository, not a command or a name.
fn is_path(words: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    let endings = [
        ".md", ".rs", ".toml", ".py", ".c", ".h", ".lalrpop", ".progmp",
    ];
    words.chars().all(plain)
        && (words.contains('/') || endings.iter().any(|end| words.ends_with(end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_is_for_its_library_alone() {
        for text in [
            "use z3::Solver;",
            "use z3;",
            "let s = z3::Solver::new();",
            "z3_sys::Z3_get()",
        ] {
            assert_eq!(
                inner_doors("verifier/src/refine.rs", text).len(),
                1,
                "{text}"
            );
            assert!(
                inner_doors("verifier/src/smt/solver.rs", text).is_empty(),
                "{text}"
            );
            assert!(
                inner_doors("verifier/src/smt.rs", text).is_empty(),
                "{text}"
            );
            assert_eq!(
                inner_doors("verifier/src/smt_tricks.rs", text).len(),
                1,
                "{text}"
            );
        }
        for text in [
            "// z3::Solver",
            "let name = \"z3::x\";",
            "my_z3::f()",
            "use z3x::f;",
        ] {
            assert!(
                inner_doors("verifier/src/refine.rs", text).is_empty(),
                "{text}"
            );
        }
        assert_eq!(
            inner_doors("verifier/src/smt/solver.rs", "use goblin::elf;").len(),
            1
        );
    }

    #[test]
    fn a_header_has_words_and_comes_first() {
        assert!(header("a.rs", "//! Jump offsets.\n").is_empty());
        for text in ["", "//!\n", "use x;\n//! Late.", "// A plain comment."] {
            assert_eq!(header("a.rs", text).len(), 1, "{text}");
        }
    }

    #[test]
    fn the_line_after_the_last_allowed_one_is_too_many() {
        assert!(length("a.rs", &"x\n".repeat(MAX_LINES)).is_empty());
        assert_eq!(length("a.rs", &"x\n".repeat(MAX_LINES + 1)).len(), 1);
    }

    #[test]
    fn unfinished_work_is_found_in_code_with_its_line() {
        let found = unfinished("a.rs", "fn f() {\n    todo!(\"later\")\n}");
        assert_eq!(found, ["a.rs:2: todo!"]);
        for text in [
            "unimplemented!()",
            "dbg!(x)",
            "#[ignore]",
            "#[ignore = \"slow\"]",
        ] {
            assert_eq!(unfinished("a.rs", text).len(), 1, "{text}");
        }
        for text in ["// todo!()", "\"dbg!\"", "my_todo!()", "#[test]"] {
            assert!(unfinished("a.rs", text).is_empty(), "{text}");
        }
    }

    #[test]
    fn paths_of_one_machine_are_found_wherever_they_stand() {
        let private = ["/srv/checkout".to_owned()];
        let found = |text: &str| machine_paths("a.md", text, &private).len();
        for folder in ["home", "root", "Users"] {
            assert_eq!(
                found(&format!("see\n`/{folder}/someone/file`")),
                1,
                "{folder}"
            );
        }
        assert_eq!(found("cd /srv/checkout/verifier"), 1);
        for text in [
            "/etc/passwd",
            "image/home/init",
            "/srv/checkouts/x",
            "a home / root of x",
        ] {
            assert_eq!(found(text), 0, "{text}");
        }
    }

    #[test]
    fn a_stray_file_at_the_top_is_named_once() {
        let files = [
            "Cargo.toml",
            "notes/a.txt",
            "notes/b.txt",
            "verifier/notes.txt",
        ];
        let found = top_level(&files.map(str::to_owned));
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("notes:"), "{found:?}");
    }

    #[test]
    fn a_test_file_that_the_manifest_forgets_never_runs() {
        let files = [
            "tests/tidy.rs",
            "tests/lost.rs",
            "tests/tidy/rules.rs",
            "tests/notes.md",
        ];
        let found = test_targets(&files.map(str::to_owned), "[[test]]\npath = \"tidy.rs\"");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("tests/lost.rs"), "{found:?}");
    }

    #[test]
    fn the_map_may_not_lie() {
        let exists = |path: &str| path == "verifier/src/lib.rs";
        assert!(
            map(
                "`verifier/src/lib.rs`, `prove`, `cargo test`, `a / b`",
                exists
            )
            .is_empty()
        );
        let found = map(
            "`verifier/src/lib.rs` and `verifier/src/gone.rs`, `GONE.md`",
            exists,
        );
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(map(&"x\n".repeat(MAX_MAP_LINES + 1), exists).len(), 1);
    }

    #[test]
    fn soundness_is_a_heading_of_its_own() {
        assert!(changelog("# Changes\n\n### Soundness\n").is_empty());
        for text in ["", "Soundness", "## On Soundness", "## Sound"] {
            assert_eq!(changelog(text).len(), 1, "{text}");
        }
    }

    #[test]
    fn a_scheduler_says_what_it_does_whence_it_is_and_what_it_needs() {
        let whole = "/*\n * Fast: each packet goes to the subflow with the least delay of those that can send.\n \
            *\n * Idea: Fig. 3 of the paper.\n * Tier A.\n */\nSCHEDULER fast;";
        assert_eq!(scheduler_header("a.progmp", whole), Vec::<String>::new());
        for broken in [
            whole.replace("Tier A", "Tea"),
            whole.replace("Idea: Fig. 3 of the paper.", ""),
            whole.replace(
                "each packet goes to the subflow with the least delay of those",
                "",
            ),
            format!("SCHEDULER fast;\n{whole}"),
            whole.replace("*/", ""),
        ] {
            assert_eq!(scheduler_header("a.progmp", &broken).len(), 1, "{broken}");
        }
    }
}
