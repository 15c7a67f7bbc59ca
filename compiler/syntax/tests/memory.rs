//! Memory, in a process of its own so that the maximum is that of one parse.

/// KiB that the whole process has held at most, if the system tells.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim_end_matches("kB").trim().parse().ok()
}

#[test]
fn the_memory_for_a_mebibyte_stays_below_a_quarter_of_a_gibibyte() {
    for piece in [
        "1+1;",
        "a.b;",
        "VOID(1+1*1+1<1+1);",
        "VAR x=1;",
        "{}",
        "(",
        "!",
    ] {
        let text = piece.repeat((1 << 20) / piece.len());
        let parsed = progmp_syntax::parse("f", text.as_bytes(), &[]);
        assert!(!parsed.diagnostics.is_empty() || parsed.program.is_some());
    }
    let Some(peak) = peak() else {
        assert!(
            std::env::var_os("PROGMP_CI").is_none(),
            "nothing is skipped"
        );
        println!("skipped: needs /proc/self/status");
        return;
    };
    assert!(peak < 256 << 10, "{peak} KiB");
}
