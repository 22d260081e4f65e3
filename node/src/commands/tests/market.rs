//! `althing market`, with the bids that its manual has.

use super::*;

/// The bids of docs/market.md.
const BIDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/market/bids.json");

fn cleared(words: &str) -> Value {
    json(Path::new("."), &format!("althing market clear {BIDS} {words}"))
}

fn payments(answer: &Value) -> Vec<(String, u64)> {
    let wins = answer["wins"].as_array().unwrap().iter();
    wins.map(|win| (win["member"].as_str().unwrap().to_owned(), win["payment"].as_u64().unwrap())).collect()
}

#[test]
fn a_market_is_cleared_as_its_manual_says() {
    let manual = include_str!("../../../../docs/market.md");
    for words in [
        "--mechanism critical --budget 700000 --winners 2 --reserve 4000",
        "--mechanism vcg --budget 2000000 --winners 2 --reserve 4000",
        "--mechanism first-price --budget 700000 --winners 2 --reserve 4000",
        "--mechanism posted:1000 --budget 700000 --winners 2 --reserve 4000",
        "--mechanism fixed --budget 280000 --winners 2 --reserve 4000",
    ] {
        let command = format!("$ althing market clear docs/market/bids.json {words}\n");
        let shown = manual.split_once(&command).unwrap_or_else(|| panic!("{command}")).1;
        let shown = shown.split_once("```").unwrap().0;
        let text = run(Path::new("."), &format!("althing market clear {BIDS} {words}")).unwrap();
        assert_eq!(text, shown, "{words}");
    }
}

#[test]
fn programs_get_the_same_numbers() {
    let answer = cleared("--budget 700000 --winners 2");
    assert_eq!((&answer["mechanism"], &answer["truthful"]), (&"critical".into(), &true.into()));
    let paid: u64 = payments(&answer).iter().map(|(_, payment)| payment).sum();
    assert_eq!((answer["paid"].as_u64(), answer["left"].as_u64()), (Some(paid), Some(700_000 - paid)));
    assert_eq!(answer["wins"].as_array().unwrap().len() + answer["losses"].as_array().unwrap().len(), 5);
}

#[test]
fn what_is_wrong_with_an_argument_is_said() {
    let fails = |words: &str| run(Path::new("."), &format!("althing market clear {words}")).unwrap_err();
    let missing = fails("nowhere.json --budget 1 --winners 1");
    assert!(missing.blame == Blame::User && missing.to_string().contains("nowhere.json"), "{missing}");
    let much = fails(&format!("{BIDS} --budget 1099511627777 --winners 1")).to_string();
    assert!(much.contains("--budget is 1099511627777; give at most"), "{much}");
    for (words, wanted) in [
        ("--mechanism second-price --budget 1 --winners 1", "is no market mechanism; say critical"),
        ("--mechanism first-price --budget 1 --winners 1", "--reserve"),
        ("--budget 1 --winners 0", "--winners"),
        ("--budget 1 --winners 1 --seed 12", "--seed"),
    ] {
        let words = format!("althing market clear {BIDS} {words}");
        let error = Cli::try_parse_from(words.split(' ')).unwrap_err().to_string();
        assert!(error.contains(wanted), "{wanted}: {error}");
    }
}

#[test]
fn a_founder_names_the_mechanism() {
    let folder = node_folder();
    let dir = folder.path();
    let found = |file: &str, words: &str| {
        let founder = "althing genesis new --name village --member-key HERE/key.toml";
        run(dir, &format!("{founder} {words} --out HERE/{file}"))
    };
    found("fixed.toml", "--mechanism fixed --deposit-permille 250").unwrap();
    let market = json(dir, "althing genesis show HERE/fixed.toml")["genesis"]["market"].clone();
    let said = ["mechanism", "deposit_permille", "max_counter_offers"].map(|field| market[field].clone());
    assert_eq!(Value::from(said.to_vec()), serde_json::json!(["fixed", 250, 0]));
    let shown = run(dir, "althing genesis show HERE/fixed.toml").unwrap();
    assert!(shown.contains("market     fixed, deposits of 250 permille\n"), "{shown}");
    let dear = found("posted.toml", "--mechanism posted:4001").unwrap_err().to_string();
    assert!(
        dear.contains("market.mechanism is posted:4001, but must be posted:PRICE with a price from 1 to"),
        "{dear}"
    );
    let offers = found("offers.toml", "--mechanism fixed --max-counter-offers 1").unwrap_err().to_string();
    assert!(offers.contains("market.max_counter_offers is 1, but must be 0"), "{offers}");
}
