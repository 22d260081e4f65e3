use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::*;

fn view() -> View {
    let node = |name: &str, doing, lives| NodeRow {
        name: name.into(),
        doing,
        lives,
        reached: 6,
        credits: Some(1_500_000),
        reputation: Some(510),
        accuracy: Some(0.875),
        sent_bytes: 2_000_000,
        page: (doing == Doing::Running).then(|| "127.0.0.1:4001".to_owned()),
        ..NodeRow::default()
    };
    let round = |number| RoundRow { number, accuracy: Some(0.5 + number as f64 / 100.0), ..RoundRow::default() };
    View {
        unit: "round",
        goal: 20,
        number: 7,
        chair: Some("node-1".into()),
        nodes: vec![node("node-1", Doing::Running, 1), node("<b>node-2", Doing::Down, 2)],
        rounds: (1..=6).map(round).collect(),
        said: vec!["round 6: kill -9 <b>node-2".into()],
        ..View::default()
    }
}

#[test]
fn every_node_is_shown_with_what_it_does_and_where_its_own_page_is() {
    let (whole, parts) = (html::page(&view()), html::live(&view()));
    for (id, html) in &parts {
        assert!(whole.contains(&format!("<div id=\"{id}\">{html}</div>")), "{id}");
    }
    let nodes = &parts["nodes"];
    assert!(nodes.contains("<td>node-1 (chair)</td><td><span class=\"here\">running</span></td>"), "{nodes}");
    assert!(nodes.contains("<a id=\"node-0\" href=\"http://127.0.0.1:4001/\">page of node-1</a>"), "{nodes}");
    assert!(nodes.contains("killed") && nodes.matches("<a ").count() == 1, "a dead node has no page: {nodes}");
    for words in ["1.500", "510", "87.5 %", "2.0 MB"] {
        assert!(nodes.contains(words), "{words}: {nodes}");
    }
    assert!(parts["now"].contains("round 7") && parts["now"].contains("6 of 20 rounds"), "{}", parts["now"]);
    assert!(parts["accuracy"].contains("56.0 % in round 6"), "{}", parts["accuracy"]);
    assert!(!whole.contains("<b>"), "nothing that somebody wrote becomes markup");
}

#[test]
fn before_anything_has_happened_there_is_a_page_too() {
    let parts = html::live(&View { unit: "step", goal: 3, ..View::default() });
    assert!(parts["now"].contains("0 of 3 steps") && !parts["now"].contains("chaired"), "{}", parts["now"]);
    assert!(!parts["nodes"].contains("credits"), "steps have no ledger: {}", parts["nodes"]);
}

/// What the server answers to somebody who calls it `host`.
async fn ask(address: SocketAddr, host: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("GET /live HTTP/1.0\r\nHost: {host}\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn the_newest_view_is_served_to_this_machine_until_the_run_ends() {
    let page = Page::start("127.0.0.1:0".parse().unwrap(), View::default()).await.unwrap();
    let address = page.address();
    page.show(view());
    assert!(ask(address, &address.to_string()).await.contains("round 7"));
    assert!(ask(address, "althing.example").await.starts_with("HTTP/1.0 403"), "no page of elsewhere");
    drop(page);
    let gone = async { while TcpStream::connect(address).await.is_ok() {} };
    timeout(Duration::from_secs(60), gone).await.expect("nobody listens any more");
}

#[tokio::test]
async fn an_address_that_cannot_be_had_is_the_users_to_mend() {
    let page = Page::start("127.0.0.1:0".parse().unwrap(), View::default()).await.unwrap();
    for (listen, words) in [("0.0.0.0:0".parse().unwrap(), "not loopback"), (page.address(), "127.0.0.1:0")] {
        let error = Page::start(listen, View::default()).await.unwrap_err();
        assert!(error.exit_code() == 2 && error.to_string().contains(words), "{error}");
    }
}
