//! A language model takes part in contests and markets of the `testnet` program, behind a server that is none.

mod fake_model;

use std::{
    fs,
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

/// A market in which nobody fails, bids are paid as they are, and half of the members follow a model; the others are
/// truthful.
const MARKET: [&str; 11] = [
    "market",
    "--members=60",
    "--rounds=24",
    "--set=seeds=2",
    "--mechanism=first-price",
    "--set=market.bonus_permille=0",
    "--set=market.max_winners=60",
    "--set=market.budget_per_round=40000000",
    "--set=market.mint_per_round=40000000",
    "--set=members.failure_permille=0",
    "--set=members.cost_per_sample={uniform={low=5.0,high=90.0}}",
];

/// Half of the members as this table of TOML says, the others truthful.
fn population(strategy: &str) -> String {
    format!("--set=population=[{{share=1,strategy='truthful'}},{{share=1,strategy={strategy}}}]")
}

fn market(report: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_testnet"));
    command.args(MARKET).args(arguments).arg("--report").arg(report).stdin(Stdio::null()).output().unwrap()
}

/// What came of a market.
fn played(report: &Path, arguments: &[&str]) -> Value {
    let output = market(report, arguments);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&fs::read_to_string(report.join("summary.json")).unwrap()).unwrap()
}

fn counts(advice: &Value, fields: &[&str]) -> Vec<u64> {
    fields.iter().map(|field| advice[*field].as_u64().unwrap()).collect()
}

/// All files of a report but the marker.
fn files(report: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(report).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn members_of_a_market_bid_as_a_model_orders_and_share_its_answers() {
    let model = FakeModel::start(|asked| match asked {
        Asked::Text => say("Costs are low."),
        Asked::OneOf(words) => say(words.iter().find(|word| *word == "wide").unwrap()),
        Asked::Score(_) => panic!("nobody asks so"),
    });
    let folder = tempfile::tempdir().unwrap();
    let strategy = population("{model={asking='once',renew_every=6,questions_most=20}}");
    let found = played(folder.path(), &[&strategy, "--endpoint", &model.url(), "--set=regret.every=0"]);
    let [truthful, advised] = [0, 1].map(|part| &found["points"][0]["parts"][part]);
    let advice = &advised["advice"];
    assert_eq!((&found["model"], &truthful["advice"]), (&json!(NAME), &Value::Null));
    let [questions, orders, model_bids, others] =
        counts(advice, &["questions", "orders", "bids_by_model", "bids_by_fallback"])[..]
    else {
        panic!("{advice:#}")
    };
    assert!((8..=40).contains(&questions) && orders == questions, "{advice:#}");
    assert!(others > 0, "half as much again is more than the dearest may ask: {advice:#}");
    assert_eq!(advice["ordered"], json!({ "wide": orders }), "{advice:#}");
    assert_eq!(advice["answers"], json!(2 * questions), "a thought and a choice");
    assert!(model_bids > 30 * 24, "most bids of two seeds follow an order: {advice:#}");
    let heard = model.heard();
    assert!(
        heard.len() as u64 <= 2 * questions && heard.iter().any(|words| words.contains("wide earned ")),
        "{heard:?}"
    );
    let distinct: std::collections::BTreeSet<_> = heard.iter().collect();
    assert!(distinct.len() * 2 >= heard.len(), "a question is sent once");

    // Whoever is hired under first price earns what it asks above its cost.
    let rows = fs::read_to_string(folder.path().join("members.csv")).unwrap();
    let names: Vec<&str> = rows.lines().next().unwrap().split(',').collect();
    let column = |name: &str| names.iter().position(|column| *column == name).unwrap();
    let margins = rows.lines().skip(1).map(|row| row.split(',').collect::<Vec<_>>()).map(|row| {
        let number = |name: &str| row[column(name)].parse::<f64>().unwrap();
        (row[column("strategy")] == "model", number("paid_micro") / number("cost_micro"))
    });
    let margins: Vec<(bool, f64)> = margins.filter(|(_, margin)| margin.is_finite()).collect();
    assert!(margins.iter().all(|(follows, margin)| *follows || *margin == 1.0), "{margins:?}");
    assert!(margins.iter().any(|(follows, margin)| *follows && (margin - 1.5).abs() < 0.001), "{margins:?}");
}

#[test]
fn a_markets_questions_stay_within_bounds_and_are_spread_over_the_rounds() {
    let model = FakeModel::start(|asked| match asked {
        Asked::Text | Asked::Score(_) => say("yes"),
        Asked::OneOf(words) => say(&words[0]),
    });
    let folder = tempfile::tempdir().unwrap();
    let strategy = population("{model={renew_every=8,questions_most=6}}");
    let found = played(folder.path(), &[&strategy, "--endpoint", &model.url(), "--seeds=1"]);
    let advice = &found["points"][0]["parts"][1]["advice"];
    assert_eq!(counts(advice, &["questions", "answers"]), [6, 6 * 5], "a thought and four margins each: {advice:#}");
    let rows = fs::read_to_string(folder.path().join("orders.csv")).unwrap();
    let place = rows.lines().next().unwrap().split(',').position(|column| column == "round").unwrap();
    let rounds: Vec<&str> = rows.lines().skip(1).map(|row| row.split(',').nth(place).unwrap()).collect();
    assert_eq!(rounds, ["1", "1", "9", "9", "17", "17"]);
}

#[test]
fn a_model_that_gives_no_order_leaves_bids_to_the_rules_and_is_counted_by_what_it_did() {
    let mut turn = 0;
    let model = FakeModel::start(move |asked| match asked {
        Asked::Text | Asked::Score(_) => say("I think."),
        Asked::OneOf(_) => {
            turn += 1;
            match turn % 3 {
                0 => Reply::Nothing,
                1 => Reply::Fail(500),
                _ => say("steal"),
            }
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let [advised, truthful] = ["advised", "truthful"].map(|name| folder.path().join(name));
    let strategy = population("{model={asking='once',renew_every=12,questions_most=6}}");
    let answers = ["--endpoint", &model.url(), "--answer-within-ms", "300", "--seeds=1"];
    let found = played(&advised, &[&[strategy.as_str()], &answers[..]].concat());
    let advice = &found["points"][0]["parts"][1]["advice"];
    assert_eq!(advice["failed"], json!({ "late": 2, "off-menu": 2, "status": 2 }), "{advice:#}");
    assert_eq!(counts(advice, &["questions", "orders", "bids_by_model"]), [6, 0, 0]);
    let [fallback, rules] = counts(advice, &["bids_by_fallback", "bids_by_rules"])[..] else { panic!("{advice:#}") };
    assert!(fallback > 0 && (fallback + rules) % 24 == 0, "{advice:#}");

    played(&truthful, &[&population("'truthful'"), "--seeds=1"]);
    let [one, other] = [&advised, &truthful].map(|report| fs::read_to_string(report.join("rounds.csv")).unwrap());
    assert_eq!(one, other, "members without orders bid by rules, which tell the truth");
    let page = fs::read_to_string(advised.join("report.html")).unwrap();
    assert!(page.contains("Orders of the model") && page.contains("late 2, off-menu 2, status 2"));
}

#[test]
fn recorded_answers_play_a_market_again_to_the_same_bytes_without_a_model() {
    let mut turn = 0;
    let model = FakeModel::start(move |asked| {
        turn += 1;
        match asked {
            _ if turn % 11 == 0 => Reply::Fail(503),
            Asked::Score(word) => Reply::Say(word.clone(), -1.0 / f64::from(turn)),
            Asked::Text | Asked::OneOf(_) => say("Rivals are dear."),
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let [first, again, more] = ["first", "again", "more"].map(|name| folder.path().join(name));
    let strategy = population("{model={renew_every=6,questions_most=30}}");
    let found = played(&first, &[&strategy, "--endpoint", &model.url(), "--threads=2"]);
    let advice = &found["points"][0]["parts"][1]["advice"];
    assert!(advice["failed"]["status"].as_u64() > Some(0) && advice["orders"].as_u64() > Some(0), "{advice:#}");
    let heard = model.heard().len();
    let recorded = first.join("answers.jsonl").display().to_string();
    played(&again, &[&strategy, "--answers", &recorded, "--threads=1"]);
    assert!(files(&first) == files(&again), "the same answers gave other bytes");
    assert_eq!(model.heard().len(), heard, "nobody was asked");

    let refused = |arguments: &[&str], words: &str| {
        let output = market(&more, arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(words), "{arguments:?}: {said}");
    };
    refused(&[&strategy], "--endpoint URL, or the answers.jsonl of an earlier report with --answers FILE");
    refused(&[&strategy, "--answers", &recorded, "--seed=9"], "the recorded answers have none to what is asked");
    refused(&[&strategy, "--answers", "/nowhere"], "/nowhere");
    played(&more, &[&strategy, "--answers", &recorded, "--seed=9", "--endpoint", &model.url()]);
    assert!(model.heard().len() > heard, "what the answers lack is asked");
}
