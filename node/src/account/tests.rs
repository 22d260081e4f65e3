use althing_agents::privacy::{Plan, Terms};
use althing_protocol::ids::{BlobRef, Round};
use tempfile::TempDir;

use super::*;

const NETWORK: NetworkId = NetworkId([1; 32]);

fn owner(data: u8) -> Owner {
    Owner { network: NETWORK, data: Hash([data; 32]) }
}

fn plan() -> Plan {
    Plan::new(10, 100, 5).unwrap()
}

fn ticket(round: u64) -> Ticket {
    Ticket { round: Round(round), contract: Hash([9; 32]) }
}

fn spend() -> Spend {
    plan().spend(Terms { sigma_milli: 2_000, steps: 10 }).unwrap()
}

/// A member's folder, with a key beside which the witness stands.
struct Member(TempDir);

impl Member {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn witness(&self) -> Witness {
        Witness::beside(&self.0.path().join("key.toml"))
    }

    fn store(&self) -> Arc<Store> {
        Arc::new(Store::open(&self.0.path().join("data"), &NETWORK).unwrap())
    }

    fn open(&self, epsilon: f64, data: u8) -> Result<Account, AccountError> {
        let budget = Budget::new(epsilon, 1e-5).unwrap();
        Account::open(self.store(), &self.witness(), owner(data), budget, |budget| plan().open(budget, 1))
    }

    /// The error of a start that must not succeed.
    fn refuses(&self, epsilon: f64, data: u8) -> String {
        match self.open(epsilon, data) {
            Ok(_) => panic!("it opens"),
            Err(error) => error.to_string(),
        }
    }
}

#[test]
fn what_is_spent_survives_a_restart_and_is_paid_once() {
    let member = Member::new();
    let mut account = member.open(4.0, 1).unwrap();
    assert!(matches!(account.pay(ticket(1), spend()).unwrap(), Payment::Paid(_)));
    let spent = account.filter().epsilon_spent();
    drop(account);

    let mut account = member.open(4.0, 1).unwrap();
    assert_eq!(account.filter().epsilon_spent(), spent);
    assert!(spent > 0.0);
    assert!(matches!(account.pay(ticket(1), spend()).unwrap(), Payment::Before(None)));
    let made = Made { update: BlobRef { hash: Hash::ZERO, size: 4 }, samples: 100, training_ms: 5, epsilon_micro: 7 };
    remember_made(account.store(), ticket(1), made).unwrap();
    drop(account);
    let mut account = member.open(4.0, 1).unwrap();
    assert!(matches!(account.pay(ticket(1), spend()).unwrap(), Payment::Before(Some(found)) if found == made));
    assert!(matches!(account.pay(ticket(2), spend()).unwrap(), Payment::Paid(_)));
    assert_eq!(account.made(&ticket(2)).unwrap(), None, "what was made for another ticket is not this one's");
    let dear = plan().spend(Terms { sigma_milli: 300, steps: 100_000 }).unwrap();
    assert!(matches!(account.pay(ticket(3), dear).unwrap(), Payment::Refused(_)));
}

#[test]
fn an_account_that_is_gone_does_not_begin_anew_by_itself() {
    let member = Member::new();
    drop(member.open(4.0, 1).unwrap());
    std::fs::remove_dir_all(member.0.path().join("data")).unwrap();
    let error = member.refuses(4.0, 1);
    assert!(error.contains("remembers it") && error.contains("althing privacy close"), "{error}");
    Account::close(&member.store(), &member.witness(), &owner(1)).unwrap();
    drop(member.open(4.0, 1).unwrap());
    // A crash between store and witness leaves an account without a witness.
    std::fs::remove_file(member.witness().path()).unwrap();
    drop(member.open(4.0, 1).unwrap());
    assert!(member.witness().knows(&owner(1)).unwrap());
}

#[test]
fn a_damaged_account_is_refused() {
    let member = Member::new();
    drop(member.open(4.0, 1).unwrap());
    let store = member.store();
    let whole = store.privacy(keys::ACCOUNT).unwrap().unwrap();
    let error = |bytes: &[u8]| {
        store.keep_privacy(keys::ACCOUNT, bytes).unwrap();
        Account::stored(Arc::clone(&store)).map(|_| ()).unwrap_err().to_string()
    };
    for place in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[place] ^= 1;
        assert!(error(&bytes).contains("restore the store from a copy"), "{place}");
    }
    assert!(error(&whole[..40]).contains("restore the store from a copy"));
    let newer = althing_protocol::codec::seal(&(2_u32, serde_bytes::ByteBuf::new()));
    assert!(error(&newer).contains("use a newer althing") || error(&newer).contains("cannot be read"));
}

#[test]
fn other_examples_are_noticed_and_what_is_spent_stays_spent() {
    let member = Member::new();
    let mut account = member.open(4.0, 1).unwrap();
    assert!(matches!(account.pay(ticket(1), spend()).unwrap(), Payment::Paid(_)));
    let spent = account.filter().epsilon_spent();
    drop(account);
    let error = member.refuses(4.0, 2);
    assert!(error.contains("other examples") && error.contains("althing privacy rebind"), "{error}");
    let mut account = Account::stored(member.store()).unwrap().unwrap();
    account.rebind(&member.witness(), &owner(2)).unwrap();
    drop(account);
    assert_eq!(member.open(4.0, 2).unwrap().filter().epsilon_spent(), spent);
    assert!(member.refuses(4.0, 1).contains("other examples"));
}

#[test]
fn a_budget_shrinks_by_itself_and_grows_on_purpose_only() {
    let member = Member::new();
    let mut account = member.open(4.0, 1).unwrap();
    assert!(matches!(account.pay(ticket(1), spend()).unwrap(), Payment::Paid(_)));
    drop(account);
    assert!(member.refuses(4.1, 1).contains("althing privacy raise"));
    // Less than is spent already: nothing is paid any more, and the account does not pretend otherwise.
    let mut account = member.open(0.05, 1).unwrap();
    assert!(account.filter().epsilon_spent() > 0.05);
    let standing = account.standing(0);
    assert!(standing.spent_micro > standing.epsilon_micro, "{standing:?}");
    assert!(matches!(account.pay(ticket(2), spend()).unwrap(), Payment::Refused(_)));
    drop(account);
    assert!(member.refuses(4.0, 1).contains("althing privacy raise"), "it was lowered for good");
    let mut account = Account::stored(member.store()).unwrap().unwrap();
    account.raise(Budget::new(4.0, 1e-5).unwrap()).unwrap();
    assert!(account.raise(Budget::new(3.0, 1e-5).unwrap()).unwrap_err().to_string().contains("needs no raise"));
    assert!(account.raise(Budget::new(5.0, 1e-6).unwrap()).unwrap_err().to_string().contains("delta never changes"));
    drop(account);
    let mut account = member.open(4.0, 1).unwrap();
    assert!(matches!(account.pay(ticket(2), spend()).unwrap(), Payment::Paid(_)));
}

#[test]
fn nobody_goes_on_without_noise_by_accident() {
    let member = Member::new();
    let check = || Account::check_none(&member.store(), &member.witness(), Some(&owner(1)));
    check().unwrap();
    drop(member.open(4.0, 1).unwrap());
    assert!(check().unwrap_err().to_string().contains("put [privacy] back"));
    Account::close(&member.store(), &member.witness(), &owner(1)).unwrap();
    check().unwrap();
}

#[test]
fn the_same_examples_in_another_federation_are_noticed() {
    let member = Member::new();
    drop(member.open(4.0, 1).unwrap());
    let elsewhere = Owner { network: NetworkId([2; 32]), ..owner(1) };
    assert_eq!(member.witness().elsewhere(&elsewhere).unwrap(), [NETWORK]);
    assert_eq!(member.witness().elsewhere(&owner(1)).unwrap(), []);
    std::fs::write(member.witness().path(), "{").unwrap();
    assert!(member.refuses(4.0, 1).contains("restore it from a copy"));
}
