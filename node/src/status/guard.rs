//! Who may ask a node over HTTP.
//!
//! On loopback anybody on this machine may, but no web page of elsewhere: such a page can point a name of its own at
//! 127.0.0.1 and have the visitor's browser ask us, and the request then carries that name. Beyond loopback, and wherever
//! the configuration names a token, only who knows the token may. What changes the node also wants a header that a page
//! of another origin cannot add without asking first, which is never answered.

use std::{
    fs,
    net::IpAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header, uri::Authority},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};

use crate::files::{self, FileError};

/// Shortest token, in characters: 128 bits in hexadecimal digits, or something as hard to guess.
pub const TOKEN_CHARS_MIN: usize = 32;

/// Longest token, in characters.
const TOKEN_CHARS_MAX: usize = 256;

/// Longest file with a token, in bytes.
const TOKEN_FILE_BYTES_MAX: u64 = 1_024;

/// The name that a browser gives along with the token as password.
pub const USER: &str = "althing";

/// The header that a request which changes the node must carry, whatever its value.
pub(super) const INTENT: &str = "x-althing-intent";

/// Why a token cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read.
    #[error("http.token_file: {0}")]
    File(#[from] FileError),
    /// Others on this machine can read it.
    #[error("http.token_file: others on this machine can read {path}; run `chmod 600 {path}`")]
    Readable {
        /// The file.
        path: PathBuf,
    },
    /// It can be guessed, or cannot be sent.
    #[error(
        "http.token_file: {path} holds no token; it must be one line of {TOKEN_CHARS_MIN} to {TOKEN_CHARS_MAX} letters, digits, '-' and '_', as `openssl rand -hex 32` makes one"
    )]
    Unusable {
        /// The file.
        path: PathBuf,
    },
}

/// What who asks must know.
#[derive(Clone)]
pub struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// The token in the file at `path`, which its owner alone may be able to read.
    ///
    /// # Errors
    /// [`TokenError`] says what to do.
    pub fn load(path: &Path) -> Result<Self, TokenError> {
        let text = files::read(path, TOKEN_FILE_BYTES_MAX)?;
        if fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode()) & 0o077 != 0 {
            return Err(TokenError::Readable { path: path.to_owned() });
        }
        let token = text.trim();
        let fits = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'-' | b'_');
        if (TOKEN_CHARS_MIN..=TOKEN_CHARS_MAX).contains(&token.len()) && token.bytes().all(fits) {
            return Ok(Self(token.to_owned()));
        }
        Err(TokenError::Unusable { path: path.to_owned() })
    }

    /// What the header `authorization` holds when a program sends the token.
    pub(super) fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// What it holds when a browser has asked its user.
    fn basic(&self) -> String {
        format!("Basic {}", base64(format!("{USER}:{}", self.0).as_bytes()))
    }

    /// Whether `header` proves that the token is known. It takes the same time wherever a wrong header goes wrong: two
    /// hashes are compared, by a comparison that never stops early.
    fn is_known_to(&self, header: &[u8]) -> bool {
        let given = blake3::hash(header);
        let wanted = [self.bearer(), self.basic()].map(|header| blake3::hash(header.as_bytes()));
        wanted.iter().fold(false, |known, wanted| known | (given == *wanted))
    }
}

/// Lets a request through, or says what it lacks.
pub(super) async fn admit(State(token): State<Arc<Option<Token>>>, request: Request, next: Next) -> Response {
    if request.method() == axum::http::Method::POST && !has_intent(request.headers()) {
        let why = "a request that changes the node carries the header x-althing-intent or a type of its own\n";
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    let Some(token) = &*token else {
        if names_loopback(&request) {
            return next.run(request).await;
        }
        let why = "this host is not served: ask for 127.0.0.1, [::1] or localhost\n";
        return (StatusCode::FORBIDDEN, why).into_response();
    };
    let given = request.headers().get(header::AUTHORIZATION);
    if given.is_some_and(|header| token.is_known_to(header.as_bytes())) {
        return next.run(request).await;
    }
    let ask = [(header::WWW_AUTHENTICATE, "Basic realm=\"althing\", charset=\"UTF-8\"")];
    (StatusCode::UNAUTHORIZED, ask, "send the token, as `authorization: Bearer TOKEN`\n").into_response()
}

/// `routes`, for whoever is on this machine: a web page of elsewhere that points a name of its own at us is refused, as
/// it is by a node without a token.
pub fn for_this_machine(routes: Router) -> Router {
    routes.layer(middleware::from_fn_with_state(Arc::new(None), admit))
}

/// Whether the request carries what a page of another origin cannot send unasked: a header of ours, or a body of a type
/// that no form has.
fn has_intent(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    headers.contains_key(INTENT) || kind == Some(super::teller::CONTENT_TYPE)
}

fn names_loopback(request: &Request) -> bool {
    let named = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    let names = [named, request.uri().authority().cloned()];
    let mut names = names.iter().flatten().peekable();
    names.peek().is_some() && names.all(|name| is_loopback(name.host()))
}

fn is_loopback(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Base64 with padding (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let whole = chunk.iter().fold(0_u32, |whole, byte| (whole << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let sextet = (whole >> (18 - 6 * place)) & 63;
            text.push(if place <= chunk.len() { char::from(LETTERS[sextet as usize]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_its_standard() {
        for (plain, coded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn a_token_is_private_long_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        files::create(&path, "short", files::Readers::Owner).unwrap();
        assert!(matches!(Token::load(&path), Err(TokenError::Unusable { .. })));
        let secret = "0123456789abcdef0123456789abcdef";
        fs::write(&path, format!("{secret}\n")).unwrap();
        let token = Token::load(&path).unwrap();
        assert!(!format!("{token:?}").contains(secret));
        assert!(token.is_known_to(format!("Bearer {secret}").as_bytes()));
        assert!(token.is_known_to(token.basic().as_bytes()));
        for wrong in ["", "Bearer ", secret, "Bearer 0123456789abcdef0123456789abcdeg"] {
            assert!(!token.is_known_to(wrong.as_bytes()), "{wrong}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Token::load(&path), Err(TokenError::Readable { .. })));
    }
}
