//! Asks the running kernel whether it takes an object, before anybody else does.
//!
//! A refusal is a fault of ours: what it takes to find it goes into a folder to report. The
//! kernel's log is for whoever mends the fault, and is not shown.

use std::fs;
use std::path::{Path, PathBuf};

use progmp_codegen_ebpf::Loops;
use progmp_hosts::{Image, Kernel, Refusal};
use progmp_verifier::ebpf::Object;

use crate::exit::Exit;
use crate::files;

/// What a report of a refusal consists of.
pub(super) struct Bundle<'a> {
    /// The scheduler's name, safe in a file system.
    pub(super) stem: &'a str,
    /// The source.
    pub(super) source: &'a str,
    /// The object.
    pub(super) object: &'a [u8],
    /// As the command line names the form of loops.
    pub(super) loops: &'static str,
}

/// What the kernel says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It takes the object.
    Taken,
    /// It cannot be asked, and why.
    NotAsked(String),
    /// Its verifier would have to walk too much.
    TooLarge,
    /// It does not take it, in its own words.
    Refused(String),
}

/// Loads the program for single runs, and forgets it.
pub(super) fn ask(object: &Object, loops: Loops) -> Answer {
    let release = release();
    if loops == Loops::MayGoto && !has_may_goto(&release) {
        return Answer::NotAsked(format!("Linux {release} has no may_goto"));
    }
    let mut programs = object.programs.iter();
    let program = programs.find(|program| program.section == "syscall");
    let program = program.expect("our objects have a program for single runs");
    match Kernel::default().prepare(&Image::of(program)) {
        Ok(_) => Answer::Taken,
        Err(refusal @ (Refusal::NeedsCapBpf | Refusal::NoKernel { .. })) => {
            Answer::NotAsked(refusal.to_string())
        }
        Err(Refusal::TooComplex) => Answer::TooLarge,
        Err(refusal) => Answer::Refused(refusal.to_string()),
    }
}

/// The version of the running kernel, as it calls itself.
fn release() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease");
    release.map_or_else(
        |_| "of unknown version".to_owned(),
        |text| text.trim().to_owned(),
    )
}

/// Whether a kernel of this version knows `may_goto`: from 6.9 on, and where it cannot be told.
fn has_may_goto(release: &str) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    let mut number = || numbers.next().and_then(|digits| digits.parse::<u32>().ok());
    match (number(), number()) {
        (Some(major), Some(minor)) => (major, minor) >= (6, 9),
        _ => true,
    }
}

/// Writes the folder and says where it is.
pub(super) fn report(folder: &Path, bundle: &Bundle<'_>, log: &str) -> Exit {
    let versions = format!(
        "progmp {}\nLinux {}\n--loops {}\n",
        env!("CARGO_PKG_VERSION"),
        release(),
        bundle.loops
    );
    let stem = bundle.stem;
    let parts: [(String, &[u8]); 4] = [
        (format!("{stem}.progmp"), bundle.source.as_bytes()),
        (format!("{stem}.bpf.o"), bundle.object),
        ("kernel.log".to_owned(), log.as_bytes()),
        ("versions.txt".to_owned(), versions.as_bytes()),
    ];
    let written = files::create_folder(folder).and_then(|()| {
        let mut parts = parts.iter();
        parts.try_for_each(|(name, bytes)| files::write(&folder.join(name), bytes))
    });
    let place = match written {
        Ok(()) => format!("please report it with the folder {}", folder.display()),
        Err(why) => format!("please report it with the source; {why}"),
    };
    files::complain(&format!(
        "fault: the kernel does not take the compiled scheduler, and no object is written; \
         this is a mistake of progmp: {place}\n"
    ));
    Exit::Fault
}

/// Where the folder goes: beside the object, or here.
pub(super) fn folder(output: &str, stem: &str) -> PathBuf {
    if output == files::STDIN {
        PathBuf::from(format!("{stem}.refused"))
    } else {
        PathBuf::from(format!("{output}.refused"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_a_fault_that_leaves_what_is_needed_to_find_it() {
        let place = tempfile::tempdir().expect("a folder can be made");
        let folder = folder(&place.path().join("out.o").display().to_string(), "good");
        assert!(folder.ends_with("out.o.refused"));
        let bundle = Bundle {
            stem: "good",
            source: "SCHEDULER good;\n",
            object: b"\x7fELF",
            loops: "bounded",
        };
        let exit = report(&folder, &bundle, "R1 invalid mem access\n");
        assert_eq!(exit, Exit::Fault);
        let read = |name: &str| fs::read(folder.join(name)).expect("it is there");
        assert_eq!(read("good.progmp"), b"SCHEDULER good;\n");
        assert_eq!(read("good.bpf.o"), b"\x7fELF");
        assert_eq!(read("kernel.log"), b"R1 invalid mem access\n");
        let versions = String::from_utf8(read("versions.txt")).expect("it is text");
        assert!(versions.contains("Linux ") && versions.contains("--loops bounded"));
    }

    #[test]
    fn a_folder_that_cannot_be_made_leaves_the_fault_a_fault() {
        let bundle = Bundle {
            stem: "good",
            source: "",
            object: b"",
            loops: "may-goto",
        };
        let nowhere = Path::new("/proc/no/such/folder");
        assert_eq!(report(nowhere, &bundle, ""), Exit::Fault);
    }

    #[test]
    fn the_version_of_a_kernel_tells_whether_it_has_may_goto() {
        for (release, has) in [
            ("6.9.0", true),
            ("6.18.44+", true),
            ("7.0-rc1", true),
            ("6.8.12-amd64", false),
            ("5.15.0", false),
            ("strange", true),
        ] {
            assert_eq!(has_may_goto(release), has, "{release}");
        }
    }
}
