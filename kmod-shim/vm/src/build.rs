//! What the guest runs: the module, its first process, the command `progmp`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::packages::Kernel;

/// Runs a command; gives what it printed.
pub(crate) fn run(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?}: {}\n{text}", output.status))
}

/// Where Cargo puts things.
pub(crate) fn target_folder(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

/// Builds a program as every test finds it, and leaves out what only debuggers read.
fn program(root: &Path, work: &Path, package: &str, name: &str) -> Result<PathBuf, String> {
    run(cargo(root).args(["build", "--quiet", "--package", package, "--bin", name]))?;
    let built = target_folder(root).join("debug").join(name);
    let stripped = work.join(name);
    run(Command::new("strip").arg("-o").arg(&stripped).arg(&built))?;
    Ok(stripped)
}

/// Builds the guest's first process.
pub(crate) fn guest(root: &Path, work: &Path) -> Result<PathBuf, String> {
    program(root, work, "progmp-guest", "progmp-guest")
}

/// Builds the command `progmp`.
pub(crate) fn progmp(root: &Path, work: &Path) -> Result<PathBuf, String> {
    program(root, work, "progmp-driver", "progmp")
}

/// Builds the module against the headers of the kernel that is booted.
pub(crate) fn module(root: &Path, work: &Path, kernel: &Kernel) -> Result<PathBuf, String> {
    let out = work.join(format!("module-{}", kernel.release));
    fs::create_dir_all(&out).map_err(|error| format!("{}: {error}", out.display()))?;
    run(Command::new(root.join("kmod-shim/module/build"))
        .arg(&kernel.headers)
        .arg(&out))?;
    Ok(out.join("progmp.ko"))
}
