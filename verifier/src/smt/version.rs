//! Which Z3 the program was linked with, checked before anything is proved.
//!
//! The bindings number Z3's constructs as Z3 4.13.3 and later do. An older
//! library links and runs, and is misunderstood; so it is refused.

use std::fmt;

use thiserror::Error;

/// A version of Z3: major, minor, build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

/// The oldest version that the bindings are made for.
pub const OLDEST: Version = Version(4, 13, 3);

/// The version that `cargo setup` fetches, and that all measurements were made with.
pub const EXPECTED: Version = Version(5, 4, 1);

/// The linked library is not one that proofs can be trusted to.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "this program runs with Z3 {found}, and needs at least {OLDEST} (made for {EXPECTED}): \
     run `cargo setup` to fetch it into .deps/, and then build again"
)]
pub struct UnfitVersion {
    /// What the library says of itself.
    pub found: String,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// The version of the library that this program runs with, if it is fit for proofs.
///
/// # Errors
/// If it is older than [`OLDEST`] or does not say how old it is.
pub fn check_version() -> Result<Version, UnfitVersion> {
    fit(z3::full_version())
}

fn fit(text: &str) -> Result<Version, UnfitVersion> {
    let number = text
        .split_whitespace()
        .find(|word| word.contains('.'))
        .unwrap_or(text);
    let mut parts = number.split('.').map(str::parse);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor)), Some(Ok(build)))
            if Version(major, minor, build) >= OLDEST =>
        {
            Ok(Version(major, minor, build))
        }
        _ => Err(UnfitVersion {
            found: number.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_linked_version_is_the_expected_one() {
        assert_eq!(check_version(), Ok(EXPECTED));
    }

    #[test]
    fn an_older_version_is_refused_with_the_command_that_mends_it() {
        let error = fit("4.8.12.0").expect_err("4.8.12 is too old");
        assert!(error.to_string().contains("Z3 4.8.12.0"), "{error}");
        assert!(error.to_string().contains("cargo setup"), "{error}");
        assert_eq!(fit("Z3 4.13.3.0 abc"), Ok(Version(4, 13, 3)));
        assert!(fit("unknown").is_err());
    }
}
