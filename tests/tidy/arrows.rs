//! The shape of the workspace: `ir` in the middle, arms that read it and never each other.
//!
//! In: the manifest of one crate. Out: each dependency that its place does not allow. Our own
//! crates are held to [`PLACES`], libraries from outside to [`DOORS`]; what stands in neither
//! table is free.

use toml::{Table, Value};

/// A crate of ours: its folder, and the folders of the crates that it may import.
struct Place {
    folder: &'static str,
    imports: &'static [&'static str],
}

const PLACES: &[Place] = &[
    Place {
        folder: "compiler/ir",
        imports: &[],
    },
    // A state goes into a block, and a block back into a decision.
    Place {
        folder: "kmod-shim/abi",
        imports: &["compiler/ir"],
    },
    // The system call through which programs are loaded knows nothing of schedulers.
    Place {
        folder: "compiler/bpf",
        imports: &[],
    },
    // Traced executions become states.
    Place {
        folder: "kmod-shim/control",
        imports: &["compiler/bpf", "compiler/ir", "kmod-shim/abi"],
    },
    // What runs in the virtual machine: it replays what it traced, and has no solver.
    Place {
        folder: "kmod-shim/vm/guest",
        imports: &[
            "compiler/ir",
            "compiler/rewrite",
            "compiler/syntax",
            "kmod-shim/abi",
            "kmod-shim/control",
        ],
    },
    Place {
        folder: "kmod-shim/vm",
        imports: &[
            "compiler/hosts",
            "compiler/ir",
            "compiler/rewrite",
            "compiler/syntax",
            "tests/generate",
            "verifier",
        ],
    },
    Place {
        folder: "compiler/syntax",
        imports: &["compiler/ir"],
    },
    // Rules as data: the optimiser applies them, the verifier proves them.
    Place {
        folder: "compiler/rules",
        imports: &["compiler/ir"],
    },
    Place {
        folder: "compiler/rewrite",
        imports: &["compiler/ir", "compiler/rules"],
    },
    Place {
        folder: "codegen-ebpf",
        imports: &["compiler/ir", "kmod-shim/abi"],
    },
    Place {
        folder: "verifier",
        imports: &["compiler/ir", "compiler/rules", "kmod-shim/abi"],
    },
    // The verifier's eBPF interpreter is one of the hosts.
    Place {
        folder: "compiler/hosts",
        imports: &["compiler/bpf", "compiler/ir", "kmod-shim/abi", "verifier"],
    },
    Place {
        folder: "compiler/driver",
        imports: BELOW_THE_DRIVER,
    },
    Place {
        folder: "tests/generate",
        imports: &["compiler/ir"],
    },
    // Compiled schedulers beside the same in C.
    Place {
        folder: "tests/bench",
        imports: &[
            "compiler/ir",
            "kmod-shim/abi",
            "compiler/syntax",
            "compiler/rules",
            "compiler/rewrite",
            "codegen-ebpf",
            "compiler/hosts",
        ],
    },
    // The chores build before anything has been fetched.
    Place {
        folder: "tests/xtask",
        imports: &[],
    },
    Place {
        folder: "tests/fuzz",
        imports: BELOW_THE_DRIVER,
    },
    Place {
        folder: "tests",
        imports: EVERYTHING,
    },
];

const BELOW_THE_DRIVER: &[&str] = &[
    "compiler/ir",
    "compiler/rules",
    "kmod-shim/abi",
    "compiler/syntax",
    "compiler/rewrite",
    "codegen-ebpf",
    "verifier",
    "compiler/hosts",
    "kmod-shim/control",
    // `progmp diff` compares on random programs.
    "tests/generate",
];

const EVERYTHING: &[&str] = &[
    "compiler/ir",
    "compiler/rules",
    "kmod-shim/abi",
    "kmod-shim/control",
    "compiler/syntax",
    "compiler/rewrite",
    "codegen-ebpf",
    "verifier",
    "compiler/hosts",
    "compiler/driver",
    "tests/generate",
];

/// What the tests of every crate may import besides: schedulers as source text, generated programs.
const FOR_TESTS: &[&str] = &["compiler/syntax", "tests/generate", "compiler/ir"];

/// Libraries from outside that have doors, and the folders of the crates that are these doors: one,
/// but for `libc` and `rustix`, as each user of system calls keeps its own.
const DOORS: &[(&str, &str)] = &[
    ("lalrpop", "compiler/syntax"),
    ("lalrpop-util", "compiler/syntax"),
    ("logos", "compiler/syntax"),
    ("egg", "compiler/rewrite"),
    ("z3", "verifier"),
    ("z3-sys", "verifier"),
    ("goblin", "verifier"),
    ("regalloc2", "codegen-ebpf"),
    ("petgraph", "codegen-ebpf"),
    ("object", "codegen-ebpf"),
    ("libbpf-rs", "compiler/hosts"),
    ("rbpf", "compiler/hosts"),
    ("libc", "compiler/bpf"),
    ("libc", "kmod-shim/control"),
    ("rustix", "kmod-shim/control"),
    ("rustix", "kmod-shim/vm/guest"),
    ("clap", "compiler/driver"),
    ("indicatif", "compiler/driver"),
];

/// What is wrong with the manifest at `path`.
pub(crate) fn faults(path: &str, manifest: &str) -> Vec<String> {
    let folder = path.strip_suffix("/Cargo.toml").unwrap_or(path);
    let manifest: Table = match manifest.parse() {
        Ok(manifest) => manifest,
        Err(error) => return vec![format!("{path}: {error}")],
    };
    let Some(place) = PLACES.iter().find(|place| place.folder == folder) else {
        return vec![format!(
            "{path}: no place is given to this crate in tests/tidy/arrows.rs"
        )];
    };
    let mut faults = Vec::new();
    let name = manifest
        .get("package")
        .and_then(|package| package.get("name"));
    if name.and_then(Value::as_str) != Some(&package_of(folder)) {
        faults.push(format!(
            "{path}: the package is to be named {}",
            package_of(folder)
        ));
    }
    if manifest
        .get("lints")
        .and_then(|lints| lints.get("workspace"))
        != Some(&Value::Boolean(true))
    {
        faults.push(format!("{path}: the workspace's lints are not taken over"));
    }
    for (section, library) in dependencies(&manifest) {
        let allowed = match (folder_of(&library), section) {
            (Some(ours), Section::Dev) => {
                place.imports.contains(&ours) || FOR_TESTS.contains(&ours)
            }
            (Some(ours), Section::Normal) => place.imports.contains(&ours),
            (None, _) if library.starts_with("progmp-") => false,
            (None, Section::Normal) if folder == "tests/xtask" => false,
            (None, _) => {
                let mut doors = DOORS.iter().filter(|(inside, _)| *inside == library);
                let has_doors = doors.clone().next().is_some();
                !has_doors || doors.any(|(_, door)| *door == folder)
            }
        };
        if !allowed {
            faults.push(format!("{path}: may not depend on {library}"));
        }
    }
    faults
}

/// Which part of a crate a dependency serves; build scripts count as the crate itself.
#[derive(Clone, Copy)]
enum Section {
    Normal,
    Dev,
}

fn package_of(folder: &str) -> String {
    format!("progmp-{}", folder.rsplit('/').next().unwrap_or(folder))
}

/// The folder of one of our crates.
fn folder_of(package: &str) -> Option<&'static str> {
    let folders = PLACES.iter().map(|place| place.folder);
    folders
        .into_iter()
        .find(|folder| package_of(folder) == package)
}

/// Every dependency by the name of its package, those of single platforms included.
fn dependencies(manifest: &Table) -> Vec<(Section, String)> {
    let platforms = manifest.get("target").and_then(Value::as_table).into_iter();
    let platforms = platforms
        .flat_map(Table::values)
        .filter_map(Value::as_table);
    let mut found = Vec::new();
    for table in std::iter::once(manifest).chain(platforms) {
        for (key, section) in [
            ("dependencies", Section::Normal),
            ("build-dependencies", Section::Normal),
            ("dev-dependencies", Section::Dev),
        ] {
            let named = table
                .get(key)
                .and_then(Value::as_table)
                .into_iter()
                .flatten();
            found.extend(named.map(|(name, detail)| {
                let renamed = detail.get("package").and_then(Value::as_str);
                (section, renamed.unwrap_or(name).to_owned())
            }));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The faults of a manifest that is in order but for these lines.
    fn faults_of(folder: &str, lines: &str) -> Vec<String> {
        let name = package_of(folder);
        let manifest = format!("[package]\nname = \"{name}\"\n[lints]\nworkspace = true\n{lines}");
        faults(&format!("{folder}/Cargo.toml"), &manifest)
    }

    #[test]
    fn an_arm_may_read_the_middle() {
        assert!(faults_of("verifier", "[dependencies]\nprogmp-ir.workspace = true").is_empty());
    }

    #[test]
    fn an_arm_may_not_read_an_arm() {
        let found = faults_of("verifier", "[dependencies]\nprogmp-syntax.workspace = true");
        assert_eq!(
            found,
            ["verifier/Cargo.toml: may not depend on progmp-syntax"]
        );
        assert_eq!(
            faults_of("compiler/ir", "[dependencies]\nprogmp-verifier = {}").len(),
            1
        );
    }

    #[test]
    fn tests_of_an_arm_may_read_source_but_not_the_driver() {
        let wants = |library: &str| {
            let lines = format!("[dev-dependencies]\n{library}.workspace = true");
            faults_of("verifier", &lines).len()
        };
        assert_eq!(wants("progmp-syntax"), 0);
        assert_eq!(wants("progmp-generate"), 0);
        assert_eq!(wants("progmp-driver"), 1);
        assert_eq!(wants("progmp-codegen-ebpf"), 1);
    }

    #[test]
    fn only_tests_import_the_driver() {
        let line = "[dependencies]\nprogmp-driver.workspace = true";
        for place in PLACES {
            let allowed = place.folder == "tests";
            assert_eq!(
                faults_of(place.folder, line).is_empty(),
                allowed,
                "{}",
                place.folder
            );
        }
    }

    #[test]
    fn a_library_has_one_door() {
        for line in [
            "[dependencies]\nz3 = \"1\"",
            "[dev-dependencies]\nz3.workspace = true",
            "[build-dependencies]\nz3.workspace = true",
            "[dependencies]\nsolver = { package = \"z3\", version = \"1\" }",
            "[target.'cfg(unix)'.dependencies]\nz3 = \"1\"",
        ] {
            assert!(faults_of("verifier", line).is_empty(), "{line}");
            assert_eq!(faults_of("compiler/syntax", line).len(), 1, "{line}");
        }
    }

    #[test]
    fn chores_depend_on_nothing_but_in_their_tests() {
        assert_eq!(
            faults_of("tests/xtask", "[dependencies]\nserde = \"1\"").len(),
            1
        );
        assert!(faults_of("tests/xtask", "[dev-dependencies]\ntempfile = \"3\"").is_empty());
    }

    #[test]
    fn a_crate_of_ours_that_no_place_is_given_to_is_a_fault() {
        assert_eq!(faults_of("compiler/extra", "").len(), 1);
        assert_eq!(
            faults_of("verifier", "[dependencies]\nprogmp-extra = {}").len(),
            1
        );
    }

    #[test]
    fn name_and_lints_are_those_of_the_workspace() {
        let found = faults("verifier/Cargo.toml", "[package]\nname = \"verifier\"");
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(faults("verifier/Cargo.toml", "[package").len(), 1);
    }

    #[test]
    fn the_tables_name_known_folders() {
        let known = |folder: &str| PLACES.iter().any(|place| place.folder == folder);
        for place in PLACES {
            assert!(
                place.imports.iter().all(|folder| known(folder)),
                "{}",
                place.folder
            );
        }
        assert!(FOR_TESTS.iter().all(|folder| known(folder)));
        assert!(DOORS.iter().all(|(_, folder)| known(folder)));
    }
}
