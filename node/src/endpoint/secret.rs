//! The key to an endpoint, which nobody gets to see.

use std::{env, fmt};

use hyper::header::HeaderValue;

use super::EndpointError;

/// Longest key, in bytes.
const SECRET_BYTES_MAX: usize = 4_096;

/// A key that is sent as a bearer token, and shown by nothing: not by its `Debug`, and not by that of a header.
#[derive(Clone)]
pub struct Secret(HeaderValue);

impl Secret {
    /// The key that the environment variable called `name` holds.
    ///
    /// # Errors
    /// [`EndpointError::KeyMissing`] and [`EndpointError::KeyUnusable`], which name the variable and not what it holds.
    pub fn from_environment(name: &str) -> Result<Self, EndpointError> {
        let missing = || EndpointError::KeyMissing { name: name.to_owned() };
        let unusable = || EndpointError::KeyUnusable { name: name.to_owned() };
        let held = env::var_os(name).ok_or_else(missing)?;
        Self::new(held.to_str().ok_or_else(unusable)?).ok_or_else(unusable)
    }

    /// `key`, if it can stand in a header.
    pub fn new(key: &str) -> Option<Self> {
        let key = key.trim();
        if key.is_empty() || key.len() > SECRET_BYTES_MAX {
            return None;
        }
        let mut header = HeaderValue::from_str(&format!("Bearer {key}")).ok()?;
        header.set_sensitive(true);
        Some(Self(header))
    }

    /// The value of the header `authorization`.
    pub(super) fn bearer(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_shown_by_nothing() {
        let secret = Secret::new(" very-hidden\n").unwrap();
        assert_eq!(secret.bearer(), "Bearer very-hidden");
        assert!(!format!("{secret:?} {:?}", secret.bearer()).contains("hidden"));
    }

    #[test]
    fn a_key_comes_from_the_environment_or_its_absence_is_named() {
        // Cargo sets the former for tests.
        assert_eq!(Secret::from_environment("CARGO_PKG_NAME").unwrap().bearer(), "Bearer althing-node");
        let error = Secret::from_environment("ALTHING_NOT_SET_BY_ANYBODY").unwrap_err().to_string();
        assert!(error.contains("ALTHING_NOT_SET_BY_ANYBODY") && error.contains("export"), "{error}");
        for unusable in ["", "  ", "two\nlines", &"k".repeat(SECRET_BYTES_MAX + 1)] {
            assert!(Secret::new(unusable).is_none(), "{unusable:?}");
        }
    }
}
