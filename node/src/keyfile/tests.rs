use std::io::{self, Write};

use super::*;

#[test]
fn a_key_is_the_owners_alone_and_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key.toml");
    let key = KeyFile::generate("anna").unwrap();
    key.create(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let other = KeyFile::generate("berta").unwrap();
    assert!(matches!(other.create(&path), Err(KeyFileError::File(FileError::Exists { .. }))));
    let loaded = KeyFile::load(&path).unwrap();
    assert_eq!((loaded.id(), loaded.anchor(), loaded.name), (key.id(), key.anchor(), "anna".to_owned()));
    assert_eq!((loaded.secret, loaded.chain_secret), (key.secret, key.chain_secret));
    assert_ne!(key.id(), other.id());
    assert_ne!(key.secret, key.chain_secret);
}

#[test]
fn an_edited_key_is_refused_without_telling_its_secret() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key.toml");
    let key = KeyFile::generate("anna").unwrap();
    key.create(&path).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let secret = hex::encode(key.secret);
    let other = KeyFile::generate("anna").unwrap();
    let edits = [
        (text.replace(&key.id().to_string(), &other.id().to_string()), "id does not follow"),
        (text.replace(&key.anchor().to_string(), &other.anchor().to_string()), "anchor does not follow"),
        (text.replace(&secret, &hex::encode(other.secret)), "id does not follow"),
        (text.replace(&secret, &secret[..62]), "id does not follow"),
        (text.replace(&format!("\"{secret}\""), &secret), "toml:"),
        (text.replace("id = ", "id = 1 # "), "toml:4: "),
        (text.replace("secret = ", "secrets = "), "unknown field"),
        (text.replace("\"anna\"", "\"\\u001b[31m\""), "letters, digits"),
        (text[..40].to_owned(), "missing field"),
        (String::new(), "missing field"),
    ];
    for (edited, wanted) in edits {
        fs::write(&path, &edited).unwrap();
        let error = KeyFile::load(&path).expect_err(&edited).to_string();
        assert!(error.contains(wanted), "{error}");
        assert!(!error.contains(&secret[..16]) && !error.contains(&hex::encode(key.chain_secret)), "{error}");
    }
    assert!(!format!("{key:?}").contains(&secret[..16]));
}

#[test]
fn names_are_short_and_printable() {
    for good in ["a", "node-1", "Þóra.2", &"n".repeat(MAX_NAME_CHARS)] {
        check_name(good).unwrap();
    }
    for bad in ["", " ", "a b", "a:b", "a\n", "a\x1b[0m", &"n".repeat(MAX_NAME_CHARS + 1)] {
        assert!(check_name(bad).unwrap_err().to_string().contains("letters, digits"), "{bad:?}");
    }
}

/// A log that a test can read.
#[derive(Clone, Default)]
struct Log(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_key_that_others_can_read_is_warned_about() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key.toml");
    KeyFile::generate("anna").unwrap().create(&path).unwrap();
    let log = Log::default();
    let sink = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || sink.clone()).finish();
    tracing::subscriber::with_default(subscriber, || {
        KeyFile::load(&path).unwrap();
        assert!(log.0.lock().unwrap().is_empty());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        KeyFile::load(&path).unwrap();
    });
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("chmod 600"), "{text}");
}
