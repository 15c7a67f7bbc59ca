//! The file system that the guest finds in memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::archive::{Archive, Entry};
use crate::build::run;
use crate::objects::Scheduler;
use crate::packages::Kernel;

/// Tools that the guest runs; libraries come along.
const TOOLS: [&str; 2] = ["ip", "tc"];
/// Modules of the stock kernel: where they stand, and their name.
const MODULES: [(&str, &str); 2] = [("drivers/net", "veth"), ("net/sched", "sch_netem")];

/// What is put into the guest.
pub(crate) struct Contents {
    /// Its first process.
    pub(crate) guest: PathBuf,
    /// Nothing: the kernel alone is tested.
    pub(crate) shim: Option<Shim>,
}

/// What belongs to the shim.
pub(crate) struct Shim {
    /// The module.
    pub(crate) module: PathBuf,
    /// The command.
    pub(crate) progmp: PathBuf,
    /// The folder of the library that the command proves with.
    pub(crate) solver: PathBuf,
    /// The folder of the Python module.
    pub(crate) python: PathBuf,
    /// The corpus.
    pub(crate) schedulers: Vec<Scheduler>,
}

/// Writes the image; gives its path.
pub(crate) fn image(work: &Path, kernel: &Kernel, contents: &Contents) -> Result<PathBuf, String> {
    let mut archive = Archive::default();
    archive.add("dev/console", Entry::Device(5, 1));
    archive.add("dev/null", Entry::Device(1, 3));
    archive.add("init", program(&contents.guest)?);
    libraries(&mut archive, &contents.guest)?;
    for tool in TOOLS {
        let path = found(tool)?;
        archive.add(&format!("bin/{tool}"), program(&path)?);
        libraries(&mut archive, &path)?;
    }
    for (folder, name) in MODULES {
        archive.add(
            &format!("modules/{name}.ko"),
            Entry::File(unpacked(&kernel.modules.join(folder), name)?, false),
        );
    }
    if let Some(shim) = &contents.shim {
        archive.add("modules/progmp.ko", Entry::File(read(&shim.module)?, false));
        archive.add("bin/progmp", program(&shim.progmp)?);
        libraries(&mut archive, &shim.progmp)?;
        let solver = fs::read_dir(&shim.solver).map_err(|error| error.to_string())?;
        for library in solver.filter_map(Result::ok) {
            let name = library.file_name().to_string_lossy().into_owned();
            // One name of several: the one that programs ask for.
            if name != "libz3.so" {
                archive.add(&format!("lib/{name}"), program(&library.path())?);
            }
        }
        python(&mut archive, &shim.python)?;
        for scheduler in &shim.schedulers {
            for (part, bytes) in &scheduler.parts {
                let path = format!("objects/{}/{part}", scheduler.name);
                archive.add(&path, Entry::File(bytes.clone(), false));
            }
            let path = format!("objects/{0}/{0}.o", scheduler.name);
            archive.add(&path, Entry::File(scheduler.object.clone(), false));
        }
    }
    let path = work.join("image.cpio");
    fs::write(&path, archive.bytes()).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn program(path: &Path) -> Result<Entry, String> {
    Ok(Entry::File(read(path)?, true))
}

/// The interpreter of Python, the part of its library that small programs load, and our module.
fn python(archive: &mut Archive, module: &Path) -> Result<(), String> {
    const WANTED: [&str; 5] = ["", "collections", "encodings", "importlib", "re"];
    let interpreter = Path::new("/usr/bin/python3");
    let interpreter = fs::canonicalize(interpreter).map_err(|error| format!("python3: {error}"))?;
    archive.add("bin/python3", program(&interpreter)?);
    libraries(archive, &interpreter)?;
    let name = interpreter
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let library = Path::new("/usr/lib").join(&name);
    for folder in WANTED {
        sources(
            archive,
            &library.join(folder),
            &format!("usr/lib/{name}/{folder}"),
        )?;
    }
    let extensions = library.join("lib-dynload");
    for wanted in [
        "_socket",
        "fcntl",
        "_posixsubprocess",
        "array",
        "select",
        "_struct",
        "math",
    ] {
        for file in files(&extensions)? {
            let found = file
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if found.starts_with(&format!("{wanted}.")) {
                let at = format!("usr/lib/{name}/lib-dynload/{found}");
                archive.add(&at, program(&file)?);
            }
        }
    }
    sources(archive, module, "python")
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    files.retain(|path| path.is_file());
    files.sort();
    Ok(files)
}

/// The Python sources of one folder.
fn sources(archive: &mut Archive, folder: &Path, at: &str) -> Result<(), String> {
    for file in files(folder)? {
        if file.extension().is_some_and(|extension| extension == "py") {
            let name = file
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            archive.add(
                &format!("{}/{name}", at.trim_end_matches('/')),
                Entry::File(read(&file)?, false),
            );
        }
    }
    Ok(())
}

/// A program on the path, or where administrators have theirs.
fn found(tool: &str) -> Result<PathBuf, String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let folders = path.split(':').chain(["/usr/sbin", "/sbin"]);
    let mut candidates = folders.map(|folder| Path::new(folder).join(tool));
    let found = candidates.find(|candidate| candidate.is_file());
    found.ok_or_else(|| format!("{tool} is not installed"))
}

/// Adds the libraries that a program loads, at the paths where it looks for them.
fn libraries(archive: &mut Archive, path: &Path) -> Result<(), String> {
    let listing = run(Command::new("ldd").arg(path))?;
    let words = listing
        .split_whitespace()
        .filter(|word| word.starts_with('/'));
    for library in words.filter(|word| !word.contains("libz3")) {
        archive.add(
            library.trim_start_matches('/'),
            program(Path::new(library))?,
        );
    }
    Ok(())
}

/// A module of the stock kernel, however it is compressed.
fn unpacked(folder: &Path, name: &str) -> Result<Vec<u8>, String> {
    let plain = folder.join(format!("{name}.ko"));
    if plain.is_file() {
        return read(&plain);
    }
    let packed = folder.join(format!("{name}.ko.xz"));
    let output = Command::new("xz")
        .args(["--decompress", "--stdout"])
        .arg(&packed)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("xz: {error}"))?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(format!("{} cannot be unpacked", packed.display()))
    }
}
