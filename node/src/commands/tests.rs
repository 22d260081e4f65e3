mod market;
mod model;

use std::{fs, path::Path, sync::Arc};

use clap::Parser;
use tokio::sync::watch;

use super::*;
use crate::{
    failure::Blame,
    genesis_file,
    keyfile::KeyFile,
    status::{Place, Server, Status, tests::told},
    store::{Commit, Store},
};

/// The real models, and nothing that would run for long.
fn handlers() -> Handlers {
    Handlers {
        catalogue: Catalogue::built_in(),
        run: |args, _, format| Err(Failure::user(format_args!("run {} {format:?}", args.config.display()))),
        ledger: |command, _| Err(Failure::machine(format_args!("ledger {command:?}"))),
    }
}

fn run(dir: &Path, words: &str) -> Result<String, Failure> {
    let here = dir.display().to_string();
    let words = words.replace("HERE", &here);
    let cli = Cli::try_parse_from(words.split(' ')).unwrap();
    let mut out = Vec::new();
    execute(&cli, &handlers(), &mut out).map(|()| String::from_utf8(out).unwrap())
}

fn json(dir: &Path, words: &str) -> Value {
    serde_json::from_str(&run(dir, &format!("{words} --json")).unwrap()).unwrap()
}

/// A folder with a key, a genesis with two members, and a configuration.
fn node_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    run(dir, "althing key new --name anna --out HERE/key.toml").unwrap();
    let berta = json(dir, "althing key new --name berta --out HERE/berta.toml")["member"].as_str().unwrap().to_owned();
    run(
        dir,
        &format!(
            "althing genesis new --name village --member-key HERE/key.toml --member {berta} --out HERE/genesis.toml"
        ),
    )
    .unwrap();
    let text = "genesis = \"genesis.toml\"\nkey = \"key.toml\"\ndata_dir = \"data\"\n";
    fs::write(dir.join("node.toml"), text).unwrap();
    folder
}

#[test]
fn a_founder_needs_keys_and_a_name() {
    let folder = node_folder();
    let dir = folder.path();
    let genesis = genesis_file::load(&dir.join("genesis.toml")).unwrap();
    let names: Vec<&str> = genesis.members.iter().map(|member| member.name.as_str()).collect();
    assert_eq!(names, ["berta", "anna"]);
    assert_eq!(genesis.task.initial_model, handlers().catalogue.facts("lenet", "mnist", 1).unwrap().initial_model);
    let key = KeyFile::load(&dir.join("key.toml")).unwrap();
    assert_eq!(genesis.member(&key.id()).unwrap().anchor, key.anchor());
    let shown = json(dir, "althing genesis show HERE/genesis.toml");
    assert_eq!(shown["network"], genesis.network().to_string());
    assert_eq!(shown["genesis"]["members"][1]["name"], "anna");
    let checked = run(dir, "althing genesis check HERE/genesis.toml").unwrap();
    assert!(checked.contains(&genesis.network().to_string()) && checked.contains("2 members"), "{checked}");
}

#[test]
fn what_a_founder_gets_wrong_leaves_no_file() {
    let folder = node_folder();
    let dir = folder.path();
    let member = "--member-key HERE/key.toml";
    for (words, wanted) in [
        (
            format!("--name v {member} --model oracle --out HERE/new.toml"),
            "it has: 2nn for mnist, fedavg-cnn for mnist, lenet for cifar10",
        ),
        (format!("--name v {member} {member} --out HERE/new.toml"), "listed twice"),
        (format!("--name v {member} --out HERE/genesis.toml"), "never overwritten"),
        ("--name v --member-key HERE/nobody.toml --out HERE/new.toml".into(), "does not exist"),
        (format!("--name v {member} --out HERE/no/where.toml"), "does not exist"),
    ] {
        let failure = run(dir, &format!("althing genesis new {words}")).unwrap_err();
        assert_eq!(failure.blame, Blame::User, "{failure}");
        assert!(failure.to_string().contains(wanted), "{failure}");
        assert!(!dir.join("new.toml").exists());
    }
}

#[test]
fn a_resting_node_tells_what_its_store_holds() {
    let folder = node_folder();
    let dir = folder.path();
    let none = run(dir, "althing status --config HERE/node.toml").unwrap();
    assert!(none.contains("none yet") && !dir.join("data").exists(), "{none}");
    let network = genesis_file::load(&dir.join("genesis.toml")).unwrap().network();
    let store = Store::open(&dir.join("data"), &network).unwrap();
    store.commit(Commit { height: 1, body: b"b", certificate: b"c", state: b"s", drop_journal_up_to: 1 }).unwrap();
    let failure = run(dir, "althing status --config HERE/node.toml").unwrap_err();
    assert_eq!(failure.blame, Blame::Machine, "locked, but silent: {failure}");
    drop(store);
    let told = json(dir, "althing status --config HERE/node.toml");
    assert_eq!((told["running"].as_bool(), told["height"].as_u64()), (Some(false), Some(1)));
    assert_eq!(told["network"], network.to_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_running_node_answers_for_itself_and_for_nobody_else() {
    let folder = node_folder();
    let dir = folder.path();
    fs::create_dir(dir.join("data")).unwrap();
    let network = genesis_file::load(&dir.join("genesis.toml")).unwrap().network();
    let key = KeyFile::load(&dir.join("key.toml")).unwrap();
    let mut own = Status::new(key.id(), network);
    own.credits = 1_500_000;
    own.chair = Some(KeyFile::load(&dir.join("berta.toml")).unwrap().id());
    let store = Arc::new(Store::open(&dir.join("elsewhere"), &network).unwrap());
    let (sender, receiver) = watch::channel(own);
    let place = Place { listen: "127.0.0.1:0".parse().unwrap(), token: None, data_dir: dir.join("data") };
    let server = Server::start(place, told(receiver), store).await.unwrap();
    let asking = dir.to_owned();
    let ask = move |words: &'static str| {
        let dir = asking.clone();
        tokio::task::spawn_blocking(move || run(&dir, words).unwrap())
    };
    let text = ask("althing status --config HERE/node.toml").await.unwrap();
    assert!(text.contains("credits     1.500000") && text.contains("chaired by berta"), "{text}");
    let told: Value =
        serde_json::from_str(&ask("althing status --config HERE/node.toml --json").await.unwrap()).unwrap();
    assert_eq!((told["running"].as_bool(), told["credits"].as_u64()), (Some(true), Some(1_500_000)));
    sender.send_modify(|status| status.member = KeyFile::generate("stranger").unwrap().id());
    let text = ask("althing status --config HERE/node.toml").await.unwrap();
    assert!(text.contains("running  no"), "another node has the port: {text}");
    server.stop().await;
}

#[test]
fn run_and_ledger_go_to_their_handlers() {
    let dir = Path::new("/tmp");
    let failure = run(dir, "althing run --config n.toml --json").unwrap_err();
    assert_eq!((failure.blame, failure.to_string().as_str()), (Blame::User, "run n.toml Json"));
    assert_eq!(run(dir, "althing ledger verify f").unwrap_err().blame, Blame::Machine);
}

/// An output whose reader has gone, or whose disk is full.
struct Broken(io::ErrorKind);

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn only_a_reader_that_left_is_no_failure() {
    let answer = Answer { text: "text\n".into(), json: Value::Null };
    print(&answer, Format::Json, &mut Broken(io::ErrorKind::BrokenPipe)).unwrap();
    let failure = print(&answer, Format::Text, &mut Broken(io::ErrorKind::StorageFull)).unwrap_err();
    assert_eq!(failure.blame, Blame::Machine);
}
