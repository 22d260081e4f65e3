//! Files of bids.

use std::path::Path;

use althing_protocol::{
    ids::{Hash, MemberId},
    limits::{MAX_MINT, MAX_VALUE},
    market::Ask,
    statement::Marks,
};
use serde_json::{Map, Value};

use crate::{failure::Failure, files};

/// Longest file of bids, in bytes.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Most bids in it.
const MAX_BIDS: usize = 500_000;

/// Longest name of a member, in bytes.
const MAX_NAME: usize = 128;

/// What the fields of a bid are called.
const FIELDS: [&str; 4] = ["member", "price", "value", "mark"];

/// A bid as the file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MarkedBid {
    /// What the file calls its member.
    pub(super) name: String,
    /// What it asks, in micro-credits.
    pub(super) price: u64,
    /// The selector's weight, in hundredths.
    pub(super) mark: u16,
    id: MemberId,
    value: u64,
}

impl MarkedBid {
    /// What it is worth, marks counted.
    pub(super) fn worth(&self) -> u64 {
        self.value * u64::from(self.mark) / u64::from(Marks::NEUTRAL)
    }

    /// As the clearing rule sees it.
    pub(super) fn ask(&self) -> Ask {
        Ask { member: self.id, price: self.price, value: self.worth() }
    }
}

/// The bids in the file at `path`, in the order of their members' ids.
pub(super) fn read(path: &Path) -> Result<Vec<MarkedBid>, Failure> {
    let text = files::read(path, MAX_BYTES)?;
    parse(&text).map_err(|reason| Failure::user(format_args!("{}: {reason}", path.display())))
}

/// The bid of this member, if there is one.
pub(super) fn find<'a>(bids: &'a [MarkedBid], member: &MemberId) -> Option<&'a MarkedBid> {
    bids.binary_search_by(|bid| bid.id.cmp(member)).ok().and_then(|place| bids.get(place))
}

fn parse(text: &str) -> Result<Vec<MarkedBid>, String> {
    let file: Value = serde_json::from_str(text).map_err(|error| format!("this is no JSON: {error}"))?;
    let Value::Array(list) = file else {
        return Err("expected a list of bids, as [{\"member\": \"anna\", \"price\": 90000, \"value\": 100}]".into());
    };
    if list.is_empty() || list.len() > MAX_BIDS {
        return Err(format!("it holds {} bids; give from 1 to {MAX_BIDS}", list.len()));
    }
    let numbered = list.iter().enumerate();
    let mut bids = numbered
        .map(|(place, value)| bid(value).map_err(|reason| format!("bid {}: {reason}", place + 1)))
        .collect::<Result<Vec<_>, _>>()?;
    bids.sort_unstable_by_key(|bid| bid.id);
    match bids.windows(2).find(|pair| pair[0].id == pair[1].id) {
        Some(pair) => Err(format!("member: {} bids twice; everybody has one bid in a round", pair[0].name)),
        None => Ok(bids),
    }
}

fn bid(value: &Value) -> Result<MarkedBid, String> {
    let Value::Object(object) = value else { return Err("expected an object with member, price and value".into()) };
    if let Some(field) = object.keys().find(|key| !FIELDS.contains(&key.as_str())) {
        return Err(format!("{field}: no bid has such a field; the fields are {}", FIELDS.join(", ")));
    }
    let name = match object.get("member") {
        Some(Value::String(name)) if (1..=MAX_NAME).contains(&name.len()) => name.clone(),
        Some(_) => return Err(format!("member: expected a name of 1 to {MAX_NAME} bytes")),
        None => return Err("member: is missing; give a name or an id".into()),
    };
    let price = amount(object, "price", 0, MAX_MINT)?;
    let value = amount(object, "value", 1, MAX_VALUE / u64::from(Marks::MOST))?;
    let mark = match object.contains_key("mark") {
        true => amount(object, "mark", Marks::LEAST.into(), Marks::MOST.into())?,
        false => Marks::NEUTRAL.into(),
    };
    let id = name.parse().unwrap_or_else(|_| MemberId(Hash::of(name.as_bytes()).0));
    // A mark is at most two hundred, as was checked.
    Ok(MarkedBid { name, price, mark: mark as u16, id, value })
}

/// A whole number within these bounds.
fn amount(object: &Map<String, Value>, field: &str, least: u64, most: u64) -> Result<u64, String> {
    let value = object.get(field).ok_or_else(|| format!("{field}: is missing; give a whole number"))?;
    let number = value.as_u64().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("{field}: is {value}, but must be a whole number from {least} to {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_bids_is_read_in_the_order_of_ids() {
        let id = MemberId([0; 32]);
        let text =
            format!(r#"[{{"member":"anna","price":9,"value":10,"mark":150}},{{"member":"{id}","price":0,"value":7}}]"#);
        let bids = parse(&text).unwrap();
        assert_eq!(bids.iter().map(|bid| (bid.price, bid.worth())).collect::<Vec<_>>(), [(0, 7), (9, 15)]);
        assert_eq!(find(&bids, &id), bids.first());
        assert_eq!(find(&bids, &MemberId([1; 32])), None);
    }

    #[test]
    fn what_is_wrong_is_named_by_its_bid_and_its_field() {
        let table = [
            ("", "this is no JSON"),
            ("{}", "expected a list of bids"),
            ("[]", "it holds 0 bids"),
            ("[7]", "bid 1: expected an object"),
            (r#"[{"price":1,"value":1}]"#, "bid 1: member: is missing"),
            (r#"[{"member":"","price":1,"value":1}]"#, "bid 1: member: expected a name"),
            (r#"[{"member":"a","value":1}]"#, "bid 1: price: is missing"),
            (r#"[{"member":"a","price":1,"value":1},{"member":"b","price":-1,"value":1}]"#, "bid 2: price: is -1, but"),
            (r#"[{"member":"a","price":"1","value":1}]"#, r#"price: is "1", but must be a whole number from 0 to"#),
            (r#"[{"member":"a","price":1.5,"value":1}]"#, "price: is 1.5"),
            (r#"[{"member":"a","price":1,"value":0}]"#, "value: is 0, but must be a whole number from 1 to"),
            (
                r#"[{"member":"a","price":1,"value":1,"mark":201}]"#,
                "mark: is 201, but must be a whole number from 50 to 200",
            ),
            (
                r#"[{"member":"a","price":1,"value":1,"bonus":1}]"#,
                "bonus: no bid has such a field; the fields are member",
            ),
            (
                r#"[{"member":"a","price":1,"value":1},{"member":"a","price":2,"value":1}]"#,
                "member: a bids twice; everybody has one bid",
            ),
        ];
        for (text, wanted) in table {
            let error = parse(text).expect_err(wanted);
            assert!(error.contains(wanted), "{wanted}: {error}");
        }
    }
}
