//! Where the solver's library is: found before anything is linked, or the build ends with a hint.
//!
//! `cargo setup` puts Z3 into `.deps/` at the root of the repository; the variable
//! `Z3_LIBRARY_PATH_OVERRIDE`, which `.cargo/config.toml` sets, may name another folder.
//! Three things are told to Cargo:
//! where to link from, an absolute run path for this package's own tests,
//! and a folder inside the target directory with a link to the library, because Cargo
//! puts such folders into the search path of whatever `cargo run` and `cargo test` start.
//! So these work with any target directory and any RUSTFLAGS. Programs that are to be
//! started without Cargo read `DEP_PROGMP_Z3_LIB` in a build script of their own.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=Z3_LIBRARY_PATH_OVERRIDE");
    let folder = folder();
    println!("cargo::rerun-if-changed={}", folder.display());
    let Some(library) = library_in(&folder) else {
        println!(
            "cargo::error=the solver Z3 is not there: {} has no libz3.so. Run `cargo setup` first, it fetches Z3 into .deps/.",
            folder.display()
        );
        return;
    };
    if let Err(error) = link_into_target_directory(&library) {
        println!(
            "cargo::error=cannot make a link to {}: {error}",
            library.display()
        );
        return;
    }
    println!("cargo::rustc-link-search=native={}", folder.display());
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", folder.display());
    println!("cargo::metadata=lib={}", folder.display());
}

/// The folder that holds the library, as an absolute path.
fn folder() -> PathBuf {
    let named = env::var_os("Z3_LIBRARY_PATH_OVERRIDE").map(PathBuf::from);
    let fetched = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../.deps/z3/lib");
    let folder = named.unwrap_or_else(fetched);
    folder.canonicalize().unwrap_or(folder)
}

/// The library under the name that a program asks for when it starts, such as `libz3.so.5.4`.
fn library_in(folder: &Path) -> Option<PathBuf> {
    let mut names: Vec<PathBuf> = fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("libz3.so"))
        })
        .collect();
    names.sort();
    names
        .contains(&folder.join("libz3.so"))
        .then(|| names.pop())?
}

fn link_into_target_directory(library: &Path) -> io::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR for a build script"));
    let link = out.join(library.file_name().expect("a file in a folder has a name"));
    match fs::remove_file(&link) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    std::os::unix::fs::symlink(library, link)?;
    println!("cargo::rustc-link-search=native={}", out.display());
    Ok(())
}
