//! The corpus, compiled: objects as `progmp compile` writes them, and what the guest needs of each.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::build::run;

/// What follows the name of one that is not compressed although it could be.
const SINGLE: &str = ".single";

/// A compiled scheduler in parts that need no reader of objects.
#[derive(Clone, Debug)]
pub(crate) struct Scheduler {
    pub(crate) name: String,
    /// Whether one execution does what several of the source do.
    compressed: bool,
    /// The object, whole.
    pub(crate) object: Vec<u8>,
    /// Names and contents.
    pub(crate) parts: Vec<(&'static str, Vec<u8>)>,
}

/// Compiles every scheduler of the corpus. Each is proved again unless neither it nor the
/// compiler has changed.
pub(crate) fn corpus(root: &Path, work: &Path, compiler: &Path) -> Result<Vec<Scheduler>, String> {
    let folder = work.join("objects");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let sources = root.join("specs/schedulers");
    let entries = fs::read_dir(&sources).map_err(|error| error.to_string())?;
    let mut paths: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    paths.sort();
    let mut schedulers = Vec::new();
    for path in paths {
        if path
            .extension()
            .is_none_or(|extension| extension != "progmp")
        {
            continue;
        }
        let stem = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let file = Path::new("specs/schedulers").join(format!("{stem}.progmp"));
        let compiled = |name: &str, switch: Option<&str>| {
            let object = folder.join(format!("{name}.o"));
            if !is_newer(&object, &[&path, compiler]) {
                run(Command::new(compiler)
                    .env("LD_LIBRARY_PATH", root.join(".deps/z3/lib"))
                    .current_dir(root)
                    .args(["compile", "--no-load"])
                    .args(switch)
                    .arg("--output")
                    .arg(&object)
                    .arg(&file))?;
            }
            let bytes = fs::read(&object).map_err(|why| format!("{}: {why}", object.display()))?;
            scheduler(name, bytes)
        };
        let whole = compiled(&stem, None)?;
        if whole.compressed {
            let name = format!("{stem}{SINGLE}");
            schedulers.push(compiled(&name, Some("--no-compress"))?);
        }
        schedulers.push(whole);
    }
    Ok(schedulers)
}

/// Whether a file is there and newer than all of these.
fn is_newer(file: &Path, than: &[&Path]) -> bool {
    let time = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    let made = time(file);
    made.is_some() && than.iter().all(|path| time(path) < made)
}

fn scheduler(stem: &str, object: Vec<u8>) -> Result<Scheduler, String> {
    let read = progmp_verifier::ebpf::read(&object).map_err(|error| format!("{stem}: {error}"))?;
    let shim = read
        .programs
        .iter()
        .find(|p| p.section == "?struct_ops/schedule");
    let shim = shim.ok_or_else(|| format!("{stem}: no program for the shim"))?;
    let mut note = String::new();
    for (key, value) in &read.note {
        let _ = writeln!(note, "{key}: {value}");
    }
    let compressed = ("compressed".to_owned(), "yes".to_owned());
    Ok(Scheduler {
        name: stem.to_owned(),
        compressed: read.note.contains(&compressed),
        parts: vec![
            ("code", shim.code.clone()),
            ("btf", shim.debug.btf.clone()),
            ("functions", shim.debug.functions.clone()),
            ("lines", shim.debug.lines.clone()),
            ("source", read.source.into_bytes()),
            ("note", note.into_bytes()),
        ],
        object,
    })
}
