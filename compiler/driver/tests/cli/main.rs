//! The commands as a shell sees them: arguments in, exit code and bytes out.
//!
//! Every exit code and every kind of bad input has a test, and what is printed for machines is
//! read back with the types that document it.

mod bad_input;
mod compile;
mod explanations;
mod object;
mod shim;
mod tools;
mod verify;

use std::fs;
use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;

use assert_cmd::Command;
use progmp_driver::report::Report;

/// Accepted, with a warning.
const GOOD: &str = "SCHEDULER good;\nSUBFLOWS.MIN(s => s.RTT).PUSH(Q.POP());\n";
/// Rejected: it pushes the same packet for ever.
const ENDLESS: &str = "SCHEDULER endless;\nSUBFLOWS.MIN(s => s.RTT).PUSH(Q.TOP);\n";
/// Rejected: it loses a packet when there is no subflow.
const LOSING: &str =
    "SCHEDULER losing;\nVAR p = Q.POP();\nFOREACH (VAR s IN SUBFLOWS) {\n    s.PUSH(p);\n}\n";
/// Not decided: a register that converges.
const CONVERGING: &str = "SCHEDULER converging;\nSET(R1, (R1 + 100) / 2);\n";
/// Not a scheduler.
const BROKEN: &str = "SCHEDULER broken;\nSUBFLOWS.MIN(s => s.RTTT).PUSH(Q.POP());\n";

/// A folder with these files, and commands that run in it.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The names of all files and folders, sorted.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn verify(&self, args: &[&str]) -> Done {
        self.run(env!("CARGO_BIN_EXE_progmp-verify"), args, "")
    }

    fn progmp(&self, args: &[&str]) -> Done {
        self.run(env!("CARGO_BIN_EXE_progmp"), args, "")
    }

    fn run(&self, program: &str, args: &[&str], stdin: &str) -> Done {
        let output = Command::new(program)
            .args(args)
            .current_dir(self.folder.path())
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR_FORCE")
            .timeout(Duration::from_mins(2))
            .write_stdin(stdin)
            .output()
            .unwrap();
        Done::new(output)
    }
}

/// How a command ended.
#[derive(Debug, PartialEq, Eq)]
struct Done {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Done {
    fn new(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Checks the exit code and that each text is printed on standard output.
    #[track_caller]
    fn says(&self, code: i32, texts: &[&str]) -> &Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        for text in texts {
            assert!(self.out.contains(text), "no {text:?} in {self:#?}");
        }
        self
    }

    /// Checks the exit code and that each text is printed on standard error, and nothing elsewhere.
    #[track_caller]
    fn complains(&self, code: i32, texts: &[&str]) -> &Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert_eq!(self.out, "", "{self:#?}");
        for text in texts {
            assert!(self.err.contains(text), "no {text:?} in {self:#?}");
        }
        self
    }

    #[track_caller]
    fn report(&self) -> Report {
        let report: Report =
            serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in {self:#?}"));
        assert_eq!(
            report.to_json(),
            self.out,
            "the types hold all that is printed"
        );
        report
    }
}
