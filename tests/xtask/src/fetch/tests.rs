//! `fetch` against wheels that the tests make themselves: no network.

use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;

/// Makes the wheel of a package `tiny` that holds one folder, and prints its SHA-256.
const MAKE_WHEEL: &str = r#"
import hashlib, sys, zipfile
path = sys.argv[1] + "/tiny-1.0-py3-none-any.whl"
with zipfile.ZipFile(path, "w") as wheel:
    wheel.writestr("tiny/lib.so", "code")
    wheel.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
    wheel.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr("tiny-1.0.dist-info/RECORD", "")
print(hashlib.sha256(open(path, "rb").read()).hexdigest(), end="")
"#;

/// A folder of wheels that holds `tiny`, an empty `.deps`, and the wheel's hash.
struct Scene {
    wheels: TempDir,
    deps: TempDir,
    hash: String,
}

fn scene() -> Scene {
    let wheels = TempDir::new().expect("a folder for the wheel");
    let output = Command::new("python3")
        .args(["-c", MAKE_WHEEL])
        .arg(wheels.path())
        .output()
        .expect("python3 makes a wheel");
    assert!(output.status.success(), "{output:?}");
    let hash = String::from_utf8(output.stdout).expect("a hash is ASCII");
    Scene {
        wheels,
        deps: TempDir::new().expect("a folder for .deps"),
        hash,
    }
}

fn tiny(hash: &str, part: &'static str) -> Package {
    let pin = format!("tiny==1.0 --hash=sha256:{hash}\n");
    Package {
        name: "tiny",
        pin: Box::leak(pin.into_boxed_str()),
        part,
        per_python: false,
    }
}

fn fetch_from(scene: &Scene, package: &Package) -> Result<Fetched, Error> {
    let source = Source::Folder(scene.wheels.path().to_owned());
    fetch(scene.deps.path(), package, &source, Path::new("python3"))
}

/// What stands in `.deps`, the lock aside.
fn left_in(deps: &TempDir) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(deps.path())
        .expect(".deps can be listed")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| name != "lock")
        .collect();
    names.sort();
    names
}

/// A program that answers every call with this exit code.
fn python_that_exits(folder: &TempDir, code: u8) -> PathBuf {
    let path = folder.path().join("python3");
    fs::write(&path, format!("#!/bin/sh\nexit {code}\n")).expect("a script");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("an executable script");
    path
}

#[test]
fn a_wheel_is_fetched_once() {
    let scene = scene();
    let package = tiny(&scene.hash, "tiny");
    assert_eq!(
        fetch_from(&scene, &package).expect("the wheel is there"),
        Fetched::Now
    );
    let library = scene.deps.path().join("tiny/lib.so");
    assert_eq!(
        fs::read_to_string(library).expect("the part is kept"),
        "code"
    );
    assert_eq!(left_in(&scene.deps), ["tiny"]);
    assert_eq!(
        fetch_from(&scene, &package).expect("nothing to do"),
        Fetched::Already
    );
}

#[test]
fn without_a_part_the_whole_wheel_is_kept() {
    let scene = scene();
    fetch_from(&scene, &tiny(&scene.hash, "")).expect("the wheel is there");
    assert!(scene.deps.path().join("tiny/tiny/lib.so").is_file());
}

#[test]
fn a_wheel_with_another_hash_is_refused_and_leaves_nothing_in_place() {
    let scene = scene();
    let wrong = tiny(&"0".repeat(64), "tiny");
    let error = fetch_from(&scene, &wrong).expect_err("the hash differs");
    assert!(matches!(error, Error::WrongHash { .. }), "{error}");
    assert!(!scene.deps.path().join("tiny").exists());
}

#[test]
fn an_interrupted_run_does_not_count_as_fetched() {
    let scene = scene();
    // What a run leaves that is stopped while it unpacks, and one stopped while it removes the
    // folder of an older pin.
    fs::create_dir_all(scene.deps.path().join("unfinished-tiny/wheel/tiny")).expect("a folder");
    fs::create_dir_all(scene.deps.path().join("tiny/half")).expect("a folder");
    let package = tiny(&scene.hash, "tiny");
    assert_eq!(
        fetch_from(&scene, &package).expect("the wheel is there"),
        Fetched::Now
    );
    assert_eq!(left_in(&scene.deps), ["tiny"]);
    assert!(!scene.deps.path().join("tiny/half").exists());
}

#[test]
fn another_pin_is_fetched_anew() {
    let scene = scene();
    fetch_from(&scene, &tiny(&scene.hash, "tiny")).expect("the wheel is there");
    let mut package = tiny(&scene.hash, "tiny");
    package.pin = Box::leak(format!("# renewed\n{}", package.pin).into_boxed_str());
    assert_eq!(
        fetch_from(&scene, &package).expect("the wheel is there"),
        Fetched::Now
    );
}

#[test]
fn a_wheel_of_one_python_is_not_another_pythons() {
    let scene = scene();
    let mut package = tiny(&scene.hash, "tiny");
    package.per_python = true;
    fetch_from(&scene, &package).expect("the wheel is there");
    let stamp = scene.deps.path().join("tiny").join(STAMP);
    let said = fs::read_to_string(&stamp).expect("a stamp");
    fs::write(&stamp, said.replace("python-", "python-of-old-")).expect("a stamp");
    assert_eq!(
        fetch_from(&scene, &package).expect("the wheel is there"),
        Fetched::Now
    );
    assert_eq!(
        fetch_from(&scene, &package).expect("nothing to do"),
        Fetched::Already
    );
}

#[test]
fn a_part_that_the_wheel_lacks_is_named() {
    let scene = scene();
    let error = fetch_from(&scene, &tiny(&scene.hash, "include")).expect_err("no such folder");
    assert_eq!(
        error.to_string(),
        "the wheel of tiny holds no folder include"
    );
}

#[test]
fn a_folder_without_the_wheel_is_not_taken_for_a_missing_network() {
    let scene = scene();
    fs::remove_file(scene.wheels.path().join("tiny-1.0-py3-none-any.whl")).expect("it was there");
    let error = fetch_from(&scene, &tiny(&scene.hash, "tiny")).expect_err("no wheel");
    assert!(matches!(error, Error::NoWheel("tiny")), "{error}");
}

#[test]
fn an_index_that_does_not_answer_is_a_missing_network() {
    let package = tiny("", "tiny");
    let silent = "ERROR: No matching distribution found for tiny==1.0 (from versions: none)";
    let retries = "WARNING: Retrying after connection broken by 'NewConnectionError'";
    for said in [silent, retries] {
        let error = explain(&package, &Source::Index, said);
        assert!(matches!(error, Error::NoNetwork { .. }), "{error}");
        assert!(error.to_string().contains(said), "{error}");
    }
    let others = "(from versions: 0.8, 0.9)\nERROR: No matching distribution found for tiny==1.0";
    assert!(matches!(
        explain(&package, &Source::Index, others),
        Error::NoWheel("tiny")
    ));
}

#[test]
fn what_debian_calls_the_missing_packages_is_said() {
    let scene = scene();
    let package = tiny(&scene.hash, "tiny");
    let fetch_with = |python: &Path| {
        let error = fetch(scene.deps.path(), &package, &Source::Index, python);
        error.expect_err("this Python is of no use").to_string()
    };
    let absent = fetch_with(&scene.wheels.path().join("absent"));
    assert!(
        absent.contains("apt-get install python3 python3-pip"),
        "{absent}"
    );
    let without_pip = fetch_with(&python_that_exits(&scene.wheels, 1));
    assert!(without_pip.contains("python3-pip"), "{without_pip}");
    assert!(without_pip.contains("python3-venv"), "{without_pip}");
}

#[test]
fn the_pins_name_one_version_and_list_its_hashes() {
    for (package, wheels) in [(Z3, 2), (CVC5, 10)] {
        assert!(package.version().contains("=="), "{}", package.version());
        assert_eq!(package.pin.matches("==").count(), 1, "{}", package.name);
        assert_eq!(
            package.pin.matches("--hash=sha256:").count(),
            wheels,
            "{}",
            package.name
        );
    }
}
