//! The newest kernel of a series, by apt, unpacked and not installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::build::run;

/// An unpacked kernel.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    /// As `uname -r` says it.
    pub(crate) release: String,
    /// What is booted.
    pub(crate) image: PathBuf,
    /// Its headers.
    pub(crate) headers: PathBuf,
    /// Its modules.
    pub(crate) modules: PathBuf,
}

/// The names of packages in which the words `linux-headers-SERIES.*cloud-amd64` are found, newest last.
fn newest(series: &str, names: &str) -> Option<String> {
    let prefix = format!("linux-headers-{series}.");
    let release = |line: &str| {
        let name = line.split_whitespace().next()?;
        let release = name.strip_prefix("linux-headers-")?;
        (name.starts_with(&prefix) && release.ends_with("-cloud-amd64")).then(|| release.to_owned())
    };
    let mut releases: Vec<String> = names.lines().filter_map(release).collect();
    releases.sort_by_key(|release| numbers(release));
    releases.pop()
}

/// The numbers in a version: 6.12.9 is older than 6.12.10.
fn numbers(version: &str) -> Vec<u64> {
    let digits = version.split(|c: char| !c.is_ascii_digit());
    digits.filter_map(|digits| digits.parse().ok()).collect()
}

/// Fetches what is not there yet.
pub(crate) fn fetch(work: &Path, series: &str) -> Result<Kernel, String> {
    let mut search = Command::new("apt-cache");
    search.args(["search", "--names-only", "^linux-headers-.*-cloud-amd64$"]);
    let names = run(&mut search)?;
    let release = newest(series, &names).ok_or_else(|| {
        format!("apt knows no linux-headers-{series}.*-cloud-amd64: run apt-get update")
    })?;
    let root = work.join(&release);
    let version = release.trim_end_matches("-cloud-amd64");
    let kernel = Kernel {
        image: root.join(format!("boot/vmlinuz-{release}")),
        headers: root.join(format!("usr/src/linux-headers-{release}")),
        modules: root.join(format!("lib/modules/{release}/kernel")),
        release: release.clone(),
    };
    if root.is_dir() {
        return Ok(kernel);
    }
    let fresh = work.join(format!("{release}.new"));
    let downloads = fresh.join("packages");
    if fresh.exists() {
        fs::remove_dir_all(&fresh).map_err(|error| format!("{}: {error}", fresh.display()))?;
    }
    fs::create_dir_all(&downloads).map_err(|error| format!("{}: {error}", downloads.display()))?;
    run(Command::new("apt-get")
        .current_dir(&downloads)
        .args(["--quiet", "--option", "APT::Sandbox::User=root", "download"])
        .arg(format!("linux-image-{release}"))
        .arg(format!("linux-headers-{release}"))
        .arg(format!("linux-headers-{version}-common"))
        .arg(format!("linux-kbuild-{version}")))?;
    let packages = fs::read_dir(&downloads).map_err(|error| error.to_string())?;
    for package in packages {
        let package = package.map_err(|error| error.to_string())?.path();
        run(Command::new("dpkg-deb")
            .arg("--extract")
            .arg(package)
            .arg(&fresh))?;
    }
    fs::remove_dir_all(&downloads).map_err(|error| format!("{}: {error}", downloads.display()))?;
    fs::rename(&fresh, &root).map_err(|error| format!("{}: {error}", root.display()))?;
    Ok(kernel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_a_series_is_chosen_by_its_numbers() {
        let names = "\
linux-headers-6.12.95+deb12-cloud-amd64 - Header files
linux-headers-6.12.117+deb12-cloud-amd64 - Header files
linux-headers-6.12.117+deb12-rt-amd64 - Header files
linux-headers-6.1.0-50-cloud-amd64 - Header files
linux-headers-7.3.4+deb13-cloud-amd64 - Header files
";
        let newest = |series| newest(series, names);
        assert_eq!(
            newest("6.12").as_deref(),
            Some("6.12.117+deb12-cloud-amd64")
        );
        assert_eq!(newest("6.1").as_deref(), Some("6.1.0-50-cloud-amd64"));
        assert_eq!(newest("5.10"), None);
    }
}
