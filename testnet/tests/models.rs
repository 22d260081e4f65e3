//! A language model takes part in a contest of the `testnet` program, behind a server that is none.

mod fake_model;

use std::{
    net::TcpListener,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};

use self::fake_model::{Asked, FakeModel, NAME, Reply, TOKENS};

/// Questions of each seed.
const CONTEXTS: u64 = 12;

/// Runs a contest of rules and a model.
fn agents(report: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_testnet"));
    command.args(["agents", "--seeds", "1", "--contexts", &CONTEXTS.to_string(), "--policies", "rules", "--json"]);
    command.args(arguments).arg("--report").arg(report).stdin(Stdio::null()).output().unwrap()
}

/// What everybody came to at each seat, by name.
fn contest(model: &FakeModel, arguments: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let output = agents(folder.path(), &[arguments, &["--endpoint", &model.url()]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut found = json!({ "setting": summary["setting"] });
    for seat in summary["seats"].as_array().unwrap() {
        for policy in seat["policies"].as_array().unwrap() {
            found[seat["seat"].as_str().unwrap()][policy["policy"].as_str().unwrap()] = policy.clone();
        }
    }
    found
}

fn say(word: &str) -> Reply {
    Reply::Say(word.to_owned(), -0.5)
}

#[test]
fn a_model_that_goes_by_places_is_found_out_where_the_way_of_asking_lets_it() {
    let model = FakeModel::start(|asked| match asked {
        Asked::Text => say("The first is the best."),
        Asked::OneOf(words) => say(&words[0]),
        Asked::Score(word) => say(word),
    });
    let found = contest(&model, &["--seats", "bidder,pace", "--asking", "each-alone,once,both-ways"]);
    assert_eq!(found["setting"]["model"], json!({ "name": NAME, "answer_within_ms": 120_000 }));
    let policies = ["rules", "model-once", "model-both-ways", "model-each-alone"];
    assert_eq!(found["setting"]["policies"], json!(policies));
    for seat in ["bidder", "pace"] {
        let [rules, once, both, alone] = policies.map(|policy| &found[seat][policy]);
        let changed = once["order_changed"].as_f64().unwrap();
        assert!(changed > 0.5, "{once:#}");
        let [low, high] = [0, 1].map(|end| once["intervals"]["order_changed"][end].as_f64().unwrap());
        assert!(low < changed && changed <= high && low > 0.2, "{once:#}");
        assert_eq!((&both["valid"], &both["failures"]), (&json!(0.0), &json!({ "undecided": CONTEXTS })));
        assert_eq!(both["regret"], rules["regret"], "where the model is undecided, the rules decide");
        assert_eq!((&both["beyond_rules"]["mean"], &rules["beyond_rules"]), (&json!(0.0), &Value::Null));
        assert_eq!((&alone["valid"], &alone["order_changed"]), (&json!(1.0), &json!(0.0)));
        assert_eq!(rules["usage"], Value::Null);
    }
    // A thought and three entries, as often as there were contexts; asking again costs, and does not count.
    let usage = &found["pace"]["model-each-alone"]["usage"];
    let questions = CONTEXTS * 4;
    assert_eq!((&usage["questions"], &usage["prompt_tokens"]), (&json!(questions), &json!(questions * TOKENS.0)));
    assert_eq!(
        (&usage["cached_tokens"], &usage["completion_tokens"]),
        (&json!(questions * 30), &json!(questions * TOKENS.1))
    );
    assert!(model.heard().iter().any(|words| words.contains(" earned ")), "what came of its orders is told");
}

#[test]
fn every_answer_that_is_none_is_counted_under_its_name() {
    let mut turn = 0;
    let model = FakeModel::start(move |asked| match asked {
        Asked::OneOf(words) => {
            turn += 1;
            match turn % 3 {
                1 => say(words.iter().min().unwrap()),
                2 => say("steal"),
                _ => Reply::Nothing,
            }
        }
        Asked::Text | Asked::Score(_) => say("I think."),
    });
    let arguments = ["--seats", "guardian", "--asking", "once", "--permutations", "0", "--answer-within-ms", "300"];
    let found = contest(&model, &[&arguments[..], &["--questions-only"]].concat());
    let once = &found["guardian"]["model-once"];
    assert_eq!((&once["work"], &found["setting"]["questions_only"]), (&Value::Null, &json!(true)));
    let third = CONTEXTS / 3;
    assert_eq!(once["failures"], json!({ "late": third, "off-menu": third }), "{once:#}");
    let rates = ["valid", "fallback"].map(|rate| once[rate].as_f64().unwrap());
    assert!((rates[0] - 1.0 / 3.0).abs() < 1e-9 && (rates[1] - 2.0 / 3.0).abs() < 1e-9, "{rates:?}");
    assert!(once["latency_ms"][1].as_f64().unwrap() >= 300.0, "who waits in vain has waited");
    assert_eq!(once["order_changed"], Value::Null, "nothing was asked twice");
}

#[test]
fn an_endpoint_without_a_model_is_named_before_anything_is_asked() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let output = agents(folder.path(), &["--endpoint", &format!("http://{nobody}")]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("no language model at"), "{said}");
    let output = agents(folder.path(), &["--model", "any"]);
    assert_eq!(output.status.code(), Some(2), "a model without an endpoint");
}
