//! Fetches a pinned Python wheel into `.deps`.
//!
//! In: a package and its pin, a requirements file of pip that lists the SHA-256 of each wheel we
//! accept. Out: the folder `.deps/<name>`, whole or not there at all: the wheel is unpacked into
//! a folder of its own and moved into place at the end, together with a copy of the pin that says
//! what it came from. pip compares the hashes and chooses the wheel for this machine; a wheel is
//! installed with `--target`, so that the Python of the system, which Debian marks as externally
//! managed, stays as it is.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The copy of the pin that stands in a fetched folder.
const STAMP: &str = "fetched-from";

/// A tool that comes as a Python wheel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Package {
    /// The folder under `.deps`, and the name in messages.
    pub(crate) name: &'static str,
    /// The requirements file, as text.
    pub(crate) pin: &'static str,
    /// The part of the unpacked wheel that is kept; empty for all of it.
    pub(crate) part: &'static str,
    /// Whether each version of Python has a wheel of its own.
    pub(crate) per_python: bool,
}

impl Package {
    /// The pinned version as pip writes it: `name==version`.
    pub(crate) fn version(&self) -> &'static str {
        let words = self.pin.lines().filter(|line| !line.starts_with('#'));
        words
            .flat_map(str::split_whitespace)
            .next()
            .unwrap_or(self.name)
    }
}

/// The solver that the verifier links.
pub(crate) const Z3: Package = Package {
    name: "z3",
    pin: include_str!("../pins/z3.txt"),
    part: "z3",
    per_python: false,
};

/// The solver that is asked for a second opinion.
pub(crate) const CVC5: Package = Package {
    name: "cvc5",
    pin: include_str!("../pins/cvc5.txt"),
    part: "",
    per_python: true,
};

/// Where wheels come from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// The package index that pip is configured for.
    Index,
    /// A folder of wheels, for a machine without a network.
    Folder(PathBuf),
}

/// What [`fetch`] found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fetched {
    /// The pinned wheel was there already.
    Already,
    /// It is there now.
    Now,
}

/// Why a package cannot be had.
#[derive(Debug)]
pub(crate) enum Error {
    /// There is no `python3`, or it does not start.
    NoPython,
    /// Python has no pip, and cannot make an environment that has one.
    NoPip,
    /// The index does not answer.
    NoNetwork { package: &'static str, pip: String },
    /// The index answers, but has no wheel for this machine.
    NoWheel(&'static str),
    /// The wheel is not the one that the pin names.
    WrongHash { package: &'static str, pip: String },
    /// pip failed in some other way.
    Pip { package: &'static str, pip: String },
    /// The wheel lacks the folder that we want from it.
    NoPart {
        package: &'static str,
        part: &'static str,
    },
    /// The folder of fetched tools cannot be written.
    Files { path: PathBuf, error: io::Error },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPython => write!(
                f,
                "python3 is needed to fetch solvers and does not start\n\
                 help: on Debian: apt-get install python3 python3-pip"
            ),
            Self::NoPip => write!(
                f,
                "python3 has no pip\n\
                 help: on Debian: apt-get install python3-pip (or python3-venv, which brings one)"
            ),
            Self::NoNetwork { package, pip } => write!(
                f,
                "cannot fetch {package}: the Python package index does not answer\n\
                 pip says: {pip}\n\
                 help: is there a network, and a proxy, mirror or certificate set where one is \
                 needed? Without a network: cargo setup --wheels DIR, with the wheel in DIR"
            ),
            Self::NoWheel(package) => write!(
                f,
                "no wheel of {package} fits this machine and this Python\n\
                 help: there are wheels for Linux on x86_64 and aarch64 (Z3 on aarch64 needs \
                 glibc 2.38 or newer; cvc5 needs Python 3.10 to 3.14); \
                 tests/xtask/pins/{package}.txt lists them"
            ),
            Self::WrongHash { package, pip } => write!(
                f,
                "refused the wheel of {package}: its SHA-256 is not one that \
                 tests/xtask/pins/{package}.txt lists\n{pip}"
            ),
            Self::Pip { package, pip } => write!(f, "pip could not install {package}:\n{pip}"),
            Self::NoPart { package, part } => {
                write!(f, "the wheel of {package} holds no folder {part}")
            }
            Self::Files { path, error } => write!(f, "{}: {error}", path.display()),
        }
    }
}

/// Sees to it that `deps` holds the pinned `package`, with the help of `python`.
///
/// Safe to interrupt, and to run twice at the same time: the second waits for the first.
pub(crate) fn fetch(
    deps: &Path,
    package: &Package,
    source: &Source,
    python: &Path,
) -> Result<Fetched, Error> {
    let stamp = stamp(package, python)?;
    let place = deps.join(package.name);
    if is_fetched(&place, &stamp) {
        return Ok(Fetched::Already);
    }
    make_folder(deps)?;
    let lock_path = deps.join("lock");
    let lock = File::create(&lock_path).map_err(|error| files(&lock_path, error))?;
    lock.lock().map_err(|error| files(&lock_path, error))?;
    if is_fetched(&place, &stamp) {
        return Ok(Fetched::Already);
    }

    eprintln!("Fetching {} into {}", package.version(), place.display());
    let scratch = deps.join(format!("unfinished-{}", package.name));
    remove_folder(&scratch)?;
    make_folder(&scratch)?;
    let fresh = unpack(&scratch, package, source, python)?;
    write(&fresh.join(STAMP), &stamp)?;
    remove_folder(&place)?;
    fs::rename(&fresh, &place).map_err(|error| files(&place, error))?;
    remove_folder(&scratch)?;
    Ok(Fetched::Now)
}

/// What a folder fetched by this pin carries.
fn stamp(package: &Package, python: &Path) -> Result<String, Error> {
    if !package.per_python {
        return Ok(package.pin.to_owned());
    }
    let tag = run(
        python,
        &["-c", "import sys; print(sys.implementation.cache_tag)"],
    )?;
    Ok(format!(
        "{}# for {}",
        package.pin,
        String::from_utf8_lossy(&tag.stdout)
    ))
}

fn is_fetched(place: &Path, stamp: &str) -> bool {
    fs::read_to_string(place.join(STAMP)).is_ok_and(|found| found == stamp)
}

/// Installs the wheel below `scratch` and returns the folder to keep.
fn unpack(
    scratch: &Path,
    package: &Package,
    source: &Source,
    python: &Path,
) -> Result<PathBuf, Error> {
    let pin = scratch.join("pin.txt");
    write(&pin, package.pin)?;
    let target = scratch.join("wheel");
    let mut pip = Command::new(python_with_pip(python, scratch)?);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ])
    .args([
        "--no-input",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--require-hashes",
    ])
    .arg("--target")
    .arg(&target)
    .arg("--requirement")
    .arg(&pin);
    if let Source::Folder(folder) = source {
        pip.args(["--no-index", "--find-links"]).arg(folder);
    }
    let output = pip.output().map_err(|_| Error::NoPython)?;
    if !output.status.success() {
        return Err(explain(
            package,
            source,
            &String::from_utf8_lossy(&output.stderr),
        ));
    }
    let part = target.join(package.part);
    if !part.is_dir() {
        return Err(Error::NoPart {
            package: package.name,
            part: package.part,
        });
    }
    Ok(part)
}

/// Finds a Python that has pip: `python` itself, or else an environment below `scratch`.
fn python_with_pip(python: &Path, scratch: &Path) -> Result<PathBuf, Error> {
    if run(python, &["-m", "pip", "--version"])?.status.success() {
        return Ok(python.to_owned());
    }
    let environment = scratch.join("environment");
    let made = Command::new(python)
        .args(["-m", "venv"])
        .arg(&environment)
        .output();
    match made {
        Ok(output) if output.status.success() => Ok(environment.join("bin/python")),
        _ => Err(Error::NoPip),
    }
}

/// Reads from what pip says which of its few usual troubles this is.
fn explain(package: &Package, source: &Source, said: &str) -> Error {
    let name = package.name;
    if said.contains("DO NOT MATCH THE HASHES") {
        Error::WrongHash {
            package: name,
            pip: said.trim().to_owned(),
        }
    } else if said.contains("No matching distribution found") {
        // pip lists the versions that it found; an index that does not answer has none.
        if said.contains("(from versions: none)") && matches!(source, Source::Index) {
            no_network(name, said)
        } else {
            Error::NoWheel(name)
        }
    } else if said.contains("connection") || said.contains("timed out") {
        no_network(name, said)
    } else {
        Error::Pip {
            package: name,
            pip: said.trim().to_owned(),
        }
    }
}

/// The first line tells the trouble; the others repeat it for each new attempt.
fn no_network(package: &'static str, said: &str) -> Error {
    let pip = said.lines().next().unwrap_or("nothing").to_owned();
    Error::NoNetwork { package, pip }
}

fn run(python: &Path, arguments: &[&str]) -> Result<Output, Error> {
    Command::new(python)
        .args(arguments)
        .output()
        .map_err(|_| Error::NoPython)
}

fn make_folder(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(|error| files(path, error))
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(|error| files(path, error))
}

fn remove_folder(path: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(files(path, error)),
        _ => Ok(()),
    }
}

fn files(path: &Path, error: io::Error) -> Error {
    Error::Files {
        path: path.to_owned(),
        error,
    }
}

#[cfg(test)]
mod tests;
