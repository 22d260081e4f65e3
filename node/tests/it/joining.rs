//! A federation that begins with one founder: others come by invitation, without a file that anybody has to edit.

use std::{fs, net::TcpListener, thread};

use althing_node::{
    files::{self, Readers},
    keyfile::KeyFile,
    net::SharedKey,
};
use althing_protocol::{event::Event, ids::MemberId, wire::Decision};
use tempfile::TempDir;

use crate::harness::{Seat, Warden, answer, mnist, one_history, read_ledger, run};

/// Parts of the data, so that each node trains on few examples.
const PARTS: u32 = 60;

/// A folder in which nodes have folders of their own.
struct Village {
    // Before the folder, so that the processes are gone when it is removed.
    warden: Warden,
    seats: Vec<Seat>,
    folder: TempDir,
}

impl Village {
    /// Anna founds it, runs her node, and hands an invitation for so many out.
    fn found(uses: &str) -> (Self, String) {
        Self::found_as(uses, &[])
    }

    /// The same, with more words for `althing init`.
    fn found_as(uses: &str, more: &[&str]) -> (Self, String) {
        let folder = TempDir::new().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
        let words = ["init", "village", "--name", "anna", "--model", "2nn", "--port", &port, "--uses", uses];
        let founded = answer(folder.path(), &[&words[..], more, &data(1)].concat());
        let mut village = Self { warden: Warden::start(), seats: Vec::new(), folder };
        village.take_seat("anna", "village");
        village.seats[0].spawn(&[], village.warden.group());
        village.seats[0].wait_listening();
        (village, founded["invitation"].as_str().unwrap().to_owned())
    }

    /// Somebody joins by `invitation`, with the next part of the data; its place.
    fn join(&mut self, name: &str, invitation: &str) -> usize {
        let place = self.settle_in(name, invitation);
        self.seats[place].spawn(&[], self.warden.group());
        place
    }

    /// The same, but the node does not run yet.
    fn settle_in(&mut self, name: &str, invitation: &str) -> usize {
        let words = ["join", invitation, name, "--name", name, "--no-run"];
        answer(self.folder.path(), &[&words[..], &data(1 + self.seats.len() as u32)].concat());
        self.take_seat(name, name)
    }

    fn take_seat(&mut self, name: &str, dir: &str) -> usize {
        let dir = self.folder.path().join(dir);
        let key = KeyFile::load(&dir.join("key.toml")).unwrap();
        self.seats.push(Seat::new(name.into(), key, dir));
        self.seats.len() - 1
    }

    /// Waits until the founder has heard that the member at `place` has come.
    fn wait_member(&mut self, place: usize) {
        let id = self.seats[place].id();
        self.seats[0].wait_any("that somebody has joined", |event| joined(event) == Some(id));
    }

    /// Waits until everybody at `places` has settled a round with updates of them all, and of nobody else.
    fn wait_together(&mut self, places: &[usize]) {
        for &place in places {
            self.seats[place].look_ahead();
            self.seats[place].wait("a round of all", |event| match event {
                Event::Settled { updates, .. } if *updates == places.len() => Some(()),
                _ => None,
            });
        }
    }

    fn stop(&mut self, place: usize) {
        let pid = self.seats[place].pid();
        self.warden.signal(crate::harness::Signal::Terminate, pid);
        assert_eq!(self.seats[place].wait_end().code(), Some(0), "{}", self.seats[place].stderr());
    }

    /// The ledger of a member that does not run, verified by the binary.
    fn ledger(&self, place: usize) -> Vec<Decision> {
        let dir = &self.seats[place].dir;
        answer(dir, &["ledger", "export", "--out", "export.json"]);
        let verified = answer(dir, &["ledger", "verify", "export.json"]);
        assert_eq!(verified["supply_conserved"], true);
        read_ledger(&dir.join("export.json"))
    }
}

/// What everybody said last, when the test has failed.
impl Drop for Village {
    fn drop(&mut self) {
        if thread::panicking() {
            self.seats.iter_mut().for_each(|seat| eprintln!("{}", seat.last_words()));
        }
    }
}

fn data(part: u32) -> [&'static str; 4] {
    let path = mnist().display().to_string();
    ["--data", path.leak(), "--part", format!("{part}/{PARTS}").leak()]
}

fn joined(event: &Event) -> Option<MemberId> {
    match event {
        Event::MemberJoined { member, .. } => Some(*member),
        _ => None,
    }
}

#[test]
fn three_commands_make_a_federation() {
    let (mut village, invitation) = Village::found("2");
    let places = [0, village.join("berta", &invitation), village.join("carla", &invitation)];
    village.wait_together(&places);
    let carla = village.seats[2].id().to_string();
    let credits = answer(&village.seats[1].dir, &["credits", "--account", &carla]);
    assert!(credits["passbook"]["balance"].as_u64().unwrap() > 0, "{credits}");

    let dora = village.join("dora", &invitation);
    let refused = "the invitation is used up";
    while !village.seats[dora].stderr().contains(refused) {
        assert!(village.seats[dora].is_running());
        thread::sleep(std::time::Duration::from_millis(50));
    }
    for place in [3, 2, 1, 0] {
        village.stop(place);
    }
    assert!(village.seats[dora].told().iter().all(|event| !matches!(event, Event::Trained { .. })));
    one_history(&[0, 1, 2].map(|place| village.ledger(place)));
}

#[test]
fn a_newcomer_that_is_killed_on_its_way_comes_all_the_same_and_leaves_for_good() {
    let (mut village, invitation) = Village::found("9");
    let berta = village.join("berta", &invitation);
    village.seats[berta].wait("that it has begun", |event| matches!(event, Event::Started { .. }).then_some(()));
    village.seats[berta].kill();
    village.seats[berta].spawn(&[], village.warden.group());
    village.wait_member(berta);
    village.seats[berta].kill();
    village.seats[berta].spawn(&[], village.warden.group());
    village.wait_together(&[0, berta]);

    let left = answer(&village.seats[berta].dir, &["leave"]);
    assert_eq!(left["decided"], true);
    let id = village.seats[berta].id();
    village.seats[0]
        .wait_any("that it has left", |event| matches!(event, Event::MemberLeft { member, .. } if *member == id));
    village.wait_together(&[0]);
    let gone = |event: &Event| matches!(event, Event::MemberLeft { member, .. } if *member == id);
    village.seats[berta].wait_any("that it has left", gone);
    village.stop(berta);
    assert!(!village.seats[berta].dir.join("invitation.txt").exists());
    village.seats[berta].spawn(&[], village.warden.group());
    village.seats[berta].wait("that it is no member", |event| matches!(event, Event::Hindered { .. }).then_some(()));
    village.wait_together(&[0]);
    let comings = village.seats[0].told().iter().filter(|event| joined(event) == Some(id)).count();
    assert_eq!(comings, 1, "it does not come back by itself");
    village.stop(berta);
    village.stop(0);
    one_history(&[0, berta].map(|place| village.ledger(place)));
}

#[test]
fn an_invitation_that_was_taken_back_lets_nobody_in() {
    let (mut village, invitation) = Village::found("9");
    let revoked = answer(&village.seats[0].dir, &["invite", "--revoke", &invitation]);
    assert_eq!(revoked["decided"], true);
    let other = answer(&village.seats[0].dir, &["invite"])["invitation"].as_str().unwrap().to_owned();
    let berta = village.join("berta", &invitation);
    let carla = village.join("carla", &other);
    village.wait_together(&[0, carla]);
    assert!(village.seats[berta].stderr().contains("was taken back"), "{}", village.seats[berta].stderr());

    let dir = village.folder.path().to_owned();
    let words = |word| vec!["join", word, "x", "--name", "x", "--data", "nowhere"];
    let cut = run(&dir, &words(&other[..100]));
    assert!(cut.code == Some(2) && cut.stderr.contains("this is no invitation, or not all of it"), "{cut:?}");
    run(&dir, &words(&other)).refuses(2, &["nowhere"]);
    let again = run(&dir, &["join", &other, "carla", "--name", "carla", "--data", "nowhere"]);
    again.refuses(2, &["carla exists already", "althing run --config carla/node.toml"]);
    run(&village.seats[carla].dir, &["invite"]).refuses(2, &["carla may not invite", "founders only"]);
    assert!(!dir.join("x").exists() && fs::read_dir(&dir).unwrap().count() == 3, "nothing is left behind");
}

#[test]
fn in_a_private_network_whoever_lacks_the_key_meets_nobody() {
    let (mut village, invitation) = Village::found_as("9", &["--private"]);
    let berta = village.join("berta", &invitation);
    village.wait_together(&[0, berta]);

    let carla = village.settle_in("carla", &invitation);
    let file = village.seats[carla].dir.join("shared.key");
    let held = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    SharedKey::generate().unwrap().create(&file).unwrap();
    village.seats[carla].spawn(&[], village.warden.group());
    village.seats[carla].wait_listening();
    for _ in 0..3 {
        village.wait_together(&[0, berta]);
    }
    assert_eq!(answer(&village.seats[carla].dir, &["status"])["peers"], 0);
    village.stop(carla);

    fs::remove_file(&file).unwrap();
    files::create(&file, &held, Readers::Owner).unwrap();
    village.seats[carla].spawn(&[], village.warden.group());
    village.wait_together(&[0, berta, carla]);
    let digits = held.lines().nth(2).unwrap();
    assert!(village.seats.iter().all(|seat| !seat.stderr().contains(digits)), "the key is in a log");

    village.stop(carla);
    answer(&village.seats[carla].dir, &["backup", "../saved", "--move"]);
    let again = village.folder.path().join("again");
    fs::create_dir(&again).unwrap();
    fs::copy(village.seats[carla].dir.join("node.toml"), again.join("node.toml")).unwrap();
    answer(&again, &["restore", "../saved"]);
    assert_eq!(fs::read_to_string(again.join("shared.key")).unwrap(), held, "a backup holds it too");
}

#[test]
fn members_vote_another_out_and_no_invitation_leads_it_back() {
    let (mut village, invitation) = Village::found("9");
    let berta = village.join("berta", &invitation);
    village.wait_member(berta);
    village.wait_together(&[0, berta]);
    let id = village.seats[berta].id();
    let dirs = [0, berta].map(|place| village.seats[place].dir.clone());

    answer(&dirs[1], &["vote", "remove", "berta"]);
    let stands = answer(&dirs[0], &["members"]);
    assert_eq!(stands["motions"][0]["votes"], serde_json::json!([id]), "{stands}");
    assert_eq!((&stands["power"], &stands["motions"][0]["power"]), (&2.into(), &1.into()), "{stands}");
    run(&dirs[1], &["vote", "remove", "berta"]).refuses(2, &["has voted for this already"]);
    assert_eq!(answer(&dirs[0], &["vote", "remove", "berta"])["decided"], true);
    let removed = |event: &Event| matches!(event, Event::MemberRemoved { member, .. } if *member == id).then_some(());
    village.seats[0].wait("that berta is removed", removed);
    village.wait_together(&[0]);
    let after = answer(&dirs[0], &["members"]);
    assert_eq!(after["members"].as_array().unwrap().len(), 1, "{after}");
    assert!(after["barred"][id.to_string()].as_u64().unwrap() > 10_000, "{after}");
    village.seats[berta].wait("that it has heard of it", removed);
    assert!(!dirs[1].join("invitation.txt").exists(), "it does not come back by itself");
    for place in [berta, 0] {
        village.stop(place);
    }
    one_history(&[0, berta].map(|place| village.ledger(place)));
}
