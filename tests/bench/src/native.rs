//! The schedulers in C: built, cut into programs, run.

use std::env;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::states::States;

/// Calls of one round; they are cheaper than those of the kernel.
const CALLS: u32 = 1 << 17;

/// What was built, in a folder that goes away with it.
pub(crate) struct Tools {
    folder: TempDir,
}

impl Tools {
    /// Compiles `baselines.c` three times.
    pub(crate) fn build(sources: &Path) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let (gcc, clang) = (tool("GCC", &["gcc"]), tool("CLANG", &["clang-19", "clang"]));
        let header = sources.join("../../kmod-shim");
        let source = sources.join("baselines.c");
        let native = ["-O2".into()];
        let ebpf = ["-O2", "-target", "bpf", "-mcpu=v3", "-DBOUND=8", "-c"];
        let multiarch = format!("/usr/include/{}-linux-gnu", env::consts::ARCH);
        let ebpf = ebpf
            .map(PathBuf::from)
            .into_iter()
            .chain(["-I".into(), multiarch.into()]);
        for (compiler, flags, output) in [
            (&gcc, native.to_vec(), "gcc"),
            (&clang, native.to_vec(), "clang"),
            (&clang, ebpf.collect(), "ebpf.o"),
        ] {
            let mut command = Command::new(compiler);
            command.args(flags).arg("-I").arg(&header).arg(&source);
            finish(command.arg("-o").arg(folder.path().join(output)))?;
        }
        Ok(Self { folder })
    }

    /// The instructions of one scheduler that clang compiled for eBPF.
    pub(crate) fn section(&self, name: &str) -> Result<Vec<u8>, String> {
        let output = self.folder.path().join(name);
        let objcopy = tool("OBJCOPY", &["llvm-objcopy", "llvm-objcopy-19"]);
        finish(
            Command::new(objcopy)
                .args(["-O", "binary", &format!("--only-section=s.{name}")])
                .arg(self.folder.path().join("ebpf.o"))
                .arg(&output),
        )?;
        std::fs::read(&output).map_err(|error| format!("{}: {error}", output.display()))
    }

    /// Nanoseconds of one call, going around the states, and the block after the first of them,
    /// which comes last.
    pub(crate) fn native(
        &self,
        compiler: &str,
        name: &str,
        states: &States,
    ) -> Result<(f64, Vec<u8>), String> {
        let mut child = Command::new(self.folder.path().join(compiler))
            .args([name, &CALLS.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut input = child.stdin.take().ok_or("the standard input is a pipe")?;
        let number = |n: usize| (n as u64).to_le_bytes();
        let mut bytes = states.block().to_vec();
        bytes.extend_from_slice(&number(states.words.len()));
        bytes.extend_from_slice(&number(states.len()));
        bytes.extend(states.words.iter().flat_map(|&at| number(at)));
        bytes.extend_from_slice(&states.kept(0));
        input.write_all(&bytes).map_err(|error| error.to_string())?;
        drop(input);
        let output = child
            .wait_with_output()
            .map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(format!("{name} by {compiler}: {}", output.status));
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let ns: f64 = said
            .trim()
            .parse()
            .map_err(|_| format!("{name}: `{said}` is no time"))?;
        Ok((ns / f64::from(CALLS), output.stdout))
    }
}

/// The program that a variable names, or the first of these that runs.
fn tool(variable: &str, usual: &[&str]) -> String {
    env::var(variable).unwrap_or_else(|_| {
        let runs = |name: &&&str| {
            let quiet = Command::new(name)
                .arg("--version")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            quiet.is_ok_and(|status| status.success())
        };
        usual.iter().find(runs).unwrap_or(&usual[0]).to_string()
    })
}

fn finish(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{program} fails:\n{}",
        String::from_utf8_lossy(&output.stderr)
    ))
}
