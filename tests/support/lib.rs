//! What the integration tests share: the root of the checkout, its files, and how a test is skipped.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the checkout.
///
/// # Panics
/// When this package has moved within the repository.
pub fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    root.expect("this package is a folder of the checkout")
        .to_owned()
}

/// Every file of the checkout that git tracks or would track, as a path from the root, sorted.
///
/// # Panics
/// When git is not there: a checkout has been made with it.
pub fn files() -> Vec<String> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root())
        .output()
        .expect("git starts");
    assert!(
        output.status.success(),
        "git ls-files: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let listed = String::from_utf8(output.stdout).expect("file names are UTF-8");
    let mut files: Vec<String> = listed.split_terminator('\0').map(str::to_owned).collect();
    // A file that is tracked and has just been removed is listed still.
    files.retain(|file| root().join(file).exists());
    files.sort();
    files.dedup();
    files
}

/// Says that a test cannot run here, and why. Under `PROGMP_CI=1` that is a failure.
///
/// # Panics
/// In CI, where nothing may be skipped.
pub fn skipped(needs: &str) {
    assert!(
        env::var_os("PROGMP_CI").is_none(),
        "CI must not skip: needs {needs}"
    );
    println!("skipped: needs {needs}");
}
