//! `althing ask`, by the binary itself, over HTTP and over TLS.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
    sync::Arc,
};

use rcgen::CertifiedKey;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_rustls::rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer, version::TLS13};

use crate::fake_endpoint::{Deed, FakeEndpoint, Heard, News, models};

/// A key that must be seen nowhere.
const KEY: &str = "key-that-nobody-sees";

fn althing(dir: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_althing"));
    command.current_dir(dir).args(words);
    command
}

/// The answer to `command`, which must say nothing that is secret, however much it logs.
fn json(mut command: Command) -> Value {
    let output = command.env("ALTHING_LOG", "trace").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(!stderr(&output).contains(KEY), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Checks that `command` fails as it should: with `code`, nothing on stdout, and one line that says `wanted`.
fn refuses(mut command: Command, code: i32, wanted: &str) {
    let output = command.output().unwrap();
    let said = stderr(&output);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(code), 0), "{said}");
    assert!(said.lines().count() == 1 && said.contains(wanted), "{wanted}: {said}");
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Serves a model called `small`, which always takes the last word that there is.
fn small(heard: &Heard) -> Deed {
    if heard.line == "GET /v1/models" {
        return Deed::json(200, &models("small"));
    }
    let schema = &heard.body["response_format"]["json_schema"]["schema"];
    match (schema["const"].as_str(), heard.menu().pop()) {
        (Some(word), _) => Deed::say(&json!(word).to_string()),
        (None, Some(word)) => Deed::say(&json!({ "choice": word }).to_string()),
        (None, None) => Deed::say("Because they are many."),
    }
}

#[test]
fn a_user_can_ask_in_every_form() {
    let dir = TempDir::new().unwrap();
    let fake = FakeEndpoint::start(small);
    let url = fake.url();
    let ask = |more: &[&str]| {
        let words = [&["ask", "--endpoint", &url, "Spend?", "--json"], more].concat();
        let mut command = althing(dir.path(), &words);
        command.env("ALTHING_TEST_KEY", KEY);
        json(command)
    };
    let chosen = ask(&["--choose", "save,spend", "--key-env", "ALTHING_TEST_KEY"]);
    assert_eq!(
        (&chosen["answer"], &chosen["complete"], &chosen["model"]),
        (&json!("spend"), &json!(true), &json!("small"))
    );
    assert_eq!((&chosen["prompt_tokens"], &chosen["cached_tokens"]), (&json!(40), &json!(30)));
    assert!(chosen["latency_ms"].is_u64() && chosen["log_probability"].is_null(), "{chosen}");
    let News::Heard(list) = fake.news() else { panic!("nobody has left") };
    assert!(list.head.contains(&format!("authorization: bearer {KEY}")), "{:?}", list.head);

    assert_eq!(ask(&["--score", "save"])["log_probability"], json!(-0.75));
    assert_eq!(ask(&[])["answer"], "Because they are many.");
}

#[test]
fn the_endpoint_of_a_configuration_is_asked_and_people_get_lines() {
    let dir = TempDir::new().unwrap();
    let fake = FakeEndpoint::start(small);
    let least = "genesis = \"g\"\nkey = \"k\"\ndata_dir = \"d\"\n";
    let named = format!("{least}[agents]\nendpoint = \"{}\"\nmodel = \"small\"\n", fake.url());
    fs::write(dir.path().join("node.toml"), named).unwrap();
    fs::write(dir.path().join("rules.toml"), least).unwrap();
    let output = althing(dir.path(), &["ask", "Spend?", "--score", "spend"]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("answer   spend\nlikely   0.472367 (ln -0.7500)\nmodel    small\nlatency  "), "{said}");

    refuses(althing(dir.path(), &["ask", "Spend?", "--config", "rules.toml"]), 2, "names no endpoint");
    refuses(althing(dir.path(), &["ask", "Spend?", "--model", "large"]), 2, "(no-model)");
    refuses(althing(dir.path(), &["ask", "Spend?", "--key-env", "ALTHING_UNSET"]), 2, "ALTHING_UNSET");
}

#[test]
fn a_refusal_is_one_line_with_its_name() {
    let dir = TempDir::new().unwrap();
    let fake = FakeEndpoint::start(|heard| match heard.line.as_str() {
        "GET /v1/models" => Deed::json(200, &models("small")),
        _ => Deed::Stall(Vec::new()),
    });
    let ask = |url: &str| althing(dir.path(), &["ask", "Spend?", "--endpoint", url, "--answer-within-ms", "2000"]);
    refuses(ask(&fake.url()), 1, "(late)");
    let secured = fake.url().replace("http:", "https:");
    let mut command = ask(&secured);
    command.env("SSL_CERT_FILE", identity(dir.path(), "anybody").0);
    refuses(command, 2, "(unreachable)");
}

/// A certificate for `localhost` that vouches for itself: its file, and a server that has it.
fn identity(dir: &Path, name: &str) -> (std::path::PathBuf, ServerConfig) {
    let CertifiedKey { cert, key_pair } = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
    let file = dir.join(name);
    fs::write(&file, cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(key_pair.serialize_der()).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_protocol_versions(&[&TLS13]).unwrap().with_no_client_auth();
    (file, builder.with_single_cert(vec![cert.der().clone()], key).unwrap())
}

#[test]
fn over_tls_a_server_must_prove_its_name() {
    let dir = TempDir::new().unwrap();
    let (trusted, tls) = identity(dir.path(), "ours");
    let (other, _) = identity(dir.path(), "theirs");
    let fake = FakeEndpoint::start_tls(small, tls);
    let ask = |host: &str, authorities: &Path| {
        let url = format!("https://{host}:{}", fake.port());
        let mut command =
            althing(dir.path(), &["ask", "Spend?", "--json", "--choose", "save,spend", "--endpoint", &url]);
        command.env("SSL_CERT_FILE", authorities).env_remove("SSL_CERT_DIR");
        command
    };
    assert_eq!(json(ask("localhost", &trusted))["answer"], "spend");
    refuses(ask("localhost", &other), 2, "(untrusted)");
    refuses(ask("127.0.0.1", &trusted), 2, "(untrusted)");
    let nobody = dir.path().join("nobody");
    fs::write(&nobody, "").unwrap();
    refuses(ask("localhost", &nobody), 2, "trusts no certificate authority");
}
