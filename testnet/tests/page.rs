//! The page of a run in a browser, over players that speak a node's lines (`fake-althing.sh`).

#[path = "../../node/tests/browser/mod.rs"]
mod browser;

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use browser::{Browser, ENTER, Report, TAB};

/// A run that goes on until it is told to end, and where its page is.
struct Running {
    child: Child,
    url: String,
    _folder: tempfile::TempDir,
}

impl Running {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fake = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fake-althing.sh");
        let mut command = Command::new(env!("CARGO_BIN_EXE_testnet"));
        command.args([
            "run",
            "--nodes",
            "4",
            "--rounds",
            "9999",
            "--kill-aggregator-every",
            "2",
            "--json",
            "--althing",
        ]);
        command.arg(fake).arg("--report").arg(folder.path().join("report")).env("FAKE_SERVING", "127.0.0.1:9");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let url = lines.find_map(|line| Some(line.split_once("all nodes on one page: ")?.1.to_owned()));
        // What else it says is read and forgotten, so that it is never held up.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url: url.expect("it says where the page is"), _folder: folder }
    }

    /// Ends it as Ctrl-C would.
    fn end(&mut self) {
        let order = format!("kill -s INT {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &order]).status().unwrap().success());
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn all_nodes_of_a_run_are_on_one_page_until_it_ends() {
    let Some(browser) = Browser::start() else { return };
    let mut running = Running::start();
    for (width, scheme) in [(1_280, "dark"), (360, "light")] {
        browser.become_device(width, scheme);
        browser.open(&running.url);
        browser.wait("news", "return document.body.dataset.state === 'live'");
        browser.wait("all nodes", "return document.querySelectorAll('#nodes tbody tr').length === 4");
        let wide = browser.run("return document.documentElement.scrollWidth").as_u64().unwrap();
        assert!(wide <= u64::from(width), "{wide} units on a device of {width}");
    }
    browser.run("window.since = 'the first load'");
    let settled = "Number(document.querySelector('#rounds tbody td')?.innerText ?? 0)";
    let now = browser.wait("a settled round", &format!("return {settled}"));
    browser.wait("a later one", &format!("return {settled} > {now}"));
    let revived =
        "return [...document.querySelectorAll('#nodes tr td:nth-child(3)')].some(cell => +cell.innerText > 1)";
    browser.wait("a node that was killed and started again", revived);
    assert!(browser.text("said").contains("kill -9 node-"), "{}", browser.text("said"));
    assert!(browser.text("now").contains("nodes running"));

    for key in [TAB, ENTER, TAB] {
        browser.press(key);
    }
    assert_eq!(browser.run("return document.activeElement.getAttribute('aria-labelledby')"), "nodes-title");
    // In even rounds node 2 or 4 chairs and is killed, so the first link stays.
    browser.press(TAB);
    let link = "return document.activeElement.closest('#nodes a')?.href ?? document.activeElement.textContent";
    assert_eq!(browser.run(link), "http://127.0.0.1:9/", "the nodes' own pages come next");
    let seen = browser.run(&format!("return {settled}"));
    browser.wait("news", &format!("return {settled} > {seen}"));
    assert_eq!(browser.run(link), "http://127.0.0.1:9/", "news do not take the keyboard away");
    assert_eq!(browser.run("return window.since"), "the first load");
    assert_eq!(browser.reports(), []);

    running.end();
    browser.wait("word of its end", "return document.body.dataset.state === 'away'");
    assert_eq!(browser.text("state"), "the testnet has ended, or does not answer");
    assert!(browser.text("nodes").contains("node-4"), "what was known is still there");
    let silence = |report: &Report| report.source == "network" && report.message.contains("/live");
    let others: Vec<Report> = browser.reports().into_iter().filter(|report| !silence(report)).collect();
    assert_eq!(others, []);
    let elsewhere = |url: &String| !url.starts_with(&running.url) && !url.starts_with("data:");
    assert_eq!(browser.requests().into_iter().find(elsewhere), None, "nothing comes from elsewhere");
}
