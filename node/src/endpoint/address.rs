//! Where an endpoint is.

use std::{fmt, str::FromStr};

use hyper::http::{Uri, uri::Scheme};
use serde::Deserialize;

/// Path that a server of OpenAI's protocol has by custom, taken where the address names none.
const CUSTOMARY_PATH: &str = "/v1";

/// The address of an endpoint, as `http://127.0.0.1:8080`, `http://127.0.0.1:8080/v1` or `https://models.example/api/v1`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Address {
    security: Security,
    /// A name or an IP address, the latter without brackets.
    host: String,
    port: u16,
    /// What stands before `/chat/completions`, without a slash at its end.
    path: String,
    /// Host and port as they were given, for the header `host`.
    authority: String,
}

/// How connections to an endpoint are secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Security {
    /// `http://`: not at all.
    Plain,
    /// `https://`: by TLS, with the server's certificate checked.
    Tls,
}

/// A text is no address of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is not understood at all, or names no host.
    #[error(
        "this is no address of an endpoint, must be like \"http://127.0.0.1:8080\" or \"https://models.example/v1\""
    )]
    Unreadable,
    /// It holds a name or a password. They are not repeated here.
    #[error(
        "the endpoint's address holds a name or password, must be without: put the key into the environment, and the variable's name into key_env"
    )]
    Credentials,
    /// It ends with a query.
    #[error("the endpoint's address ends with a query (from `?` on), must be without")]
    Query,
}

impl Address {
    pub(super) const fn security(&self) -> Security {
        self.security
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    /// The path of `page`, which begins with a slash.
    pub(super) fn path_of(&self, page: &str) -> String {
        format!("{}{page}", self.path)
    }

    pub(super) fn authority(&self) -> &str {
        &self.authority
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let uri: Uri = text.parse().map_err(|_| AddressError::Unreadable)?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(AddressError::Unreadable);
        };
        let (security, customary_port) = match scheme {
            scheme if *scheme == Scheme::HTTP => (Security::Plain, 80),
            scheme if *scheme == Scheme::HTTPS => (Security::Tls, 443),
            _ => return Err(AddressError::Unreadable),
        };
        if authority.as_str().contains('@') {
            return Err(AddressError::Credentials);
        }
        if uri.query().is_some() {
            return Err(AddressError::Query);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => customary_port,
            _ => authority.port_u16().filter(|port| *port != 0).ok_or(AddressError::Unreadable)?,
        };
        if host.is_empty() {
            return Err(AddressError::Unreadable);
        }
        let path = match uri.path().trim_end_matches('/') {
            "" => CUSTOMARY_PATH.to_owned(),
            path => path.to_owned(),
        };
        Ok(Self { security, host, port, path, authority: authority.to_string() })
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.security {
            Security::Plain => "http",
            Security::Tls => "https",
        };
        write!(f, "{scheme}://{}{}", self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_people_write_it() {
        let cases = [
            ("http://127.0.0.1:8080", "127.0.0.1", 8080, "/v1"),
            ("http://127.0.0.1:8080/", "127.0.0.1", 8080, "/v1"),
            ("http://localhost:11434/v1/", "localhost", 11434, "/v1"),
            ("https://models.example", "models.example", 443, "/v1"),
            ("HTTP://models.example/api/v1", "models.example", 80, "/api/v1"),
            ("http://[::1]:8000/v1", "::1", 8000, "/v1"),
            ("http://[::1]", "::1", 80, "/v1"),
        ];
        for (text, host, port, path) in cases {
            let address: Address = text.parse().unwrap();
            assert_eq!((address.host(), address.port(), address.path_of("").as_str()), (host, port, path), "{text}");
            assert_eq!(address.to_string().parse(), Ok(address), "{text}");
        }
    }

    #[test]
    fn a_mistake_says_what_to_write_and_repeats_no_password() {
        use AddressError::{Credentials, Query, Unreadable};
        let cases = [
            ("", Unreadable),
            ("127.0.0.1:8080", Unreadable),
            ("/v1", Unreadable),
            ("ftp://models.example", Unreadable),
            ("http://", Unreadable),
            ("http://:8080", Unreadable),
            ("http://models.example:0", Unreadable),
            ("http://models.example:", Unreadable),
            ("http://models.example:99999", Unreadable),
            ("http://mod els.example", Unreadable),
            ("https://anna:hidden@models.example", Credentials),
            ("https://models.example/v1?key=hidden", Query),
        ];
        for (text, expected) in cases {
            let error = text.parse::<Address>().expect_err(text);
            assert_eq!(error, expected, "{text}");
            assert!(!error.to_string().contains("hidden"), "{error}");
        }
    }
}
