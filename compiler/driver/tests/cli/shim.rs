//! `progmp load` and its kind, where there is no module: what is refused before the kernel is asked,
//! and that a missing module is an error by name.

use std::path::Path;

use super::{Bench, ENDLESS, GOOD};

/// Whether this machine has the module, so that commands would change it.
fn has_module() -> bool {
    Path::new("/sys/module/progmp").exists()
}

fn with_object(arguments: &[&str]) -> (Bench, Vec<u8>) {
    let bench = Bench::new(&[("good.progmp", GOOD), ("endless.progmp", ENDLESS)]);
    let mut all = vec!["compile", "good.progmp", "--no-load", "-o", "good.o"];
    all.extend(arguments);
    bench.progmp(&all).says(0, &[]);
    let bytes = std::fs::read(bench.path("good.o")).expect("the object is there");
    (bench, bytes)
}

#[test]
fn an_object_may_be_loaded_if_it_is_what_its_source_compiles_to() {
    for form in ["may-goto", "bounded"] {
        let (bench, _) = with_object(&["--loops", form]);
        let words = ["good may be loaded", "proved for any size"];
        bench.progmp(&["load", "--check", "good.o"]).says(0, &words);
    }
    let (bench, _) = with_object(&[]);
    let words = ["other may be loaded"];
    let arguments = ["load", "--check", "good.progmp", "--as", "other"];
    bench.progmp(&arguments).says(0, &words);
}

#[test]
fn an_altered_object_is_refused_wherever_it_was_altered() {
    let (bench, bytes) = with_object(&[]);
    // Everywhere, but not in more places than there is time for.
    for place in (0..bytes.len()).step_by(bytes.len() / 12) {
        let mut altered = bytes.clone();
        altered[place] ^= 0x10;
        std::fs::write(bench.path("altered.o"), &altered).expect("a file for a test");
        let done = bench.progmp(&["load", "--check", "altered.o"]);
        assert!(
            done.code != Some(0) && done.code != Some(70),
            "byte {place}: {:?} {}{}",
            done.code,
            done.out,
            done.err
        );
    }
    std::fs::write(bench.path("cut.o"), &bytes[..bytes.len() / 2]).expect("a file for a test");
    bench
        .progmp(&["load", "--check", "cut.o"])
        .complains(2, &["bad-object"]);
}

#[test]
fn what_is_not_proved_is_refused_unless_it_is_asked_for() {
    let (bench, _) = with_object(&["--unproved"]);
    let check = ["load", "--check", "good.o"];
    bench.progmp(&check).complains(2, &["no-proof-note"]);
    let check = ["load", "--check", "--unproved", "good.o"];
    bench.progmp(&check).says(0, &["not proved"]);
    let check = ["load", "--check", "endless.progmp"];
    bench.progmp(&check).complains(1, &["trigger-terminates"]);
    let check = ["load", "--check", "--unproved", "endless.progmp"];
    bench.progmp(&check).says(0, &["not proved"]);
}

#[test]
fn without_the_module_each_command_says_so() {
    if has_module() {
        println!("skipped: needs a kernel without the module");
        return;
    }
    let bench = Bench::new(&[("good.progmp", GOOD)]);
    for arguments in [
        &["list"][..],
        &["status"],
        &["set", "good"],
        &["restore"],
        &["unload", "good"],
        &["trace", "--count", "1"],
    ] {
        bench.progmp(arguments).complains(2, &["no-module"]);
    }
    let done = bench.progmp(&["load", "good.progmp"]);
    assert_eq!(done.code, Some(2));
    assert!(
        done.err.contains("no-module") || done.err.contains("no-privilege"),
        "{}",
        done.err
    );
    bench.progmp(&["doctor"]).says(1, &["not inserted"]);
}

#[test]
fn registers_and_sockets_that_cannot_be_are_usage_errors() {
    let bench = Bench::new(&[]);
    let set = ["set", "--socket", "1:2", "R7=1"];
    bench.progmp(&set).complains(2, &["register-out-of-range"]);
    bench
        .progmp(&["set", "--socket", "x", "R1=1"])
        .complains(2, &["PID:FD"]);
    bench.progmp(&["set"]).complains(2, &["WHAT"]);
}
