//! The README does not lie: its example prints what it says, and its table names every command.
//!
//! `UPDATE_EXPECT=1 cargo test -p progmp-driver --test readme` writes the example's output anew.

use std::fs;
use std::path::PathBuf;

use assert_cmd::Command;

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../README.md")
}

fn readme() -> String {
    fs::read_to_string(path()).expect("the repository has a README")
}

/// The text between a fence that opens so and the next one, and where it stands.
fn block<'t>(text: &'t str, opening: &str) -> (usize, &'t str) {
    let fence = format!("\n```{opening}\n");
    let start = text.find(&fence).expect("the README has this block") + fence.len();
    let length = text[start..].find("```").expect("a block ends");
    (start, &text[start..start + length])
}

#[test]
fn the_example_is_rejected_in_the_very_words_of_the_readme() {
    let mut readme = readme();
    let folder = tempfile::tempdir().expect("a folder can be made");
    let (_, scheduler) = block(&readme, "progmp");
    fs::write(folder.path().join("hasty.progmp"), scheduler).expect("a file can be written");
    let output = Command::new(env!("CARGO_BIN_EXE_progmp-verify"))
        .arg("hasty.progmp")
        .current_dir(folder.path())
        .env_remove("CLICOLOR_FORCE")
        .output()
        .expect("progmp-verify starts");
    let printed = String::from_utf8(output.stdout).expect("reports are UTF-8");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(1), "rejected");
    let (start, shown) = block(&readme, "text");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        let end = start + shown.len();
        readme.replace_range(start..end, &printed);
        fs::write(path(), readme).expect("the README can be written");
    } else {
        assert_eq!(shown, printed, "UPDATE_EXPECT=1 writes the README anew");
    }
}

#[test]
fn the_table_names_every_command_and_no_other() {
    let output = Command::new(env!("CARGO_BIN_EXE_progmp"))
        .arg("--help")
        .output()
        .expect("progmp starts");
    let help = String::from_utf8(output.stdout).expect("help is UTF-8");
    let mut there: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    let readme = readme();
    let mut named: Vec<&str> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `progmp "))
        .filter_map(|rest| rest.split([' ', '`']).next())
        .collect();
    there.sort_unstable();
    named.sort_unstable();
    assert!(!there.is_empty(), "{help}");
    assert_eq!(named, there);
}
