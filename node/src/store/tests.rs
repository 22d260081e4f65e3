use std::{
    env,
    fs::{self, File},
    io::{self, BufRead, BufReader, Seek, SeekFrom, Write},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use redb::{StorageBackend, backends::FileBackend};
use tempfile::TempDir;

use super::*;

const NETWORK: NetworkId = NetworkId([7; 32]);

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn open(dir: &Path) -> Store {
    Store::open(dir, &NETWORK).unwrap()
}

fn entry(number: u64) -> (u64, Vec<u8>) {
    (1 + number / 10, format!("entry {number}").into_bytes())
}

fn decide(store: &Store, height: u64) -> Result<(), StoreError> {
    let body = format!("body {height}").into_bytes();
    let state = format!("state {height}").into_bytes();
    store.commit(Commit { height, body: &body, certificate: b"certificate", state: &state, drop_journal_up_to: height })
}

#[test]
fn a_reopened_store_has_everything() {
    let dir = folder();
    {
        let store = open(dir.path());
        assert_eq!((store.height().unwrap(), store.state().unwrap()), (0, None));
        store.append(&[(1, b"old".to_vec()), (2, b"kept".to_vec()), (1, b"old too".to_vec())]).unwrap();
        decide(&store, 1).unwrap();
        store.append(&[(3, b"later".to_vec()), (2, b"latest".to_vec())]).unwrap();
        store.remember("bidder", b"orders").unwrap();
    }
    let store = open(dir.path());
    assert_eq!(store.state().unwrap(), Some((1, b"state 1".to_vec())));
    assert_eq!(
        store.block(1).unwrap(),
        Some(Block { height: 1, body: b"body 1".to_vec(), certificate: b"certificate".to_vec() })
    );
    assert_eq!(store.block(2).unwrap(), None);
    assert_eq!(store.recall("bidder").unwrap(), Some(b"orders".to_vec()));
    let expected = [(2, b"kept".to_vec()), (3, b"later".to_vec()), (2, b"latest".to_vec())];
    assert_eq!(store.journal().unwrap(), expected, "in the order of writing, whatever the heights");
}

#[test]
fn decisions_follow_one_another() {
    let dir = folder();
    let store = open(dir.path());
    assert!(matches!(decide(&store, 2), Err(StoreError::Gap { have: 0, got: 2 })));
    decide(&store, 1).unwrap();
    decide(&store, 2).unwrap();
    decide(&store, 1).expect("the same body again is no news");
    assert_eq!(store.state().unwrap().unwrap().0, 2, "an old decision does not bring an old state back");
    let other = Commit { height: 2, body: b"other", certificate: b"", state: b"", drop_journal_up_to: 0 };
    assert!(matches!(store.commit(other), Err(StoreError::Overwrite { height: 2 })));
    assert!(matches!(decide(&store, 4), Err(StoreError::Gap { have: 2, got: 4 })));
    assert_eq!(store.block(2).unwrap().unwrap().body, b"body 2");
}

#[test]
fn blocks_come_in_bounded_answers() {
    let dir = folder();
    let store = open(dir.path());
    (1..=5).for_each(|height| decide(&store, height).unwrap());
    let heights = |from, count, bytes| -> Vec<u64> {
        store.blocks(from, count, bytes).unwrap().iter().map(|block| block.height).collect()
    };
    let one = "body 1certificate".len();
    assert_eq!(heights(2, 2, usize::MAX), [2, 3]);
    assert_eq!(heights(2, 16, 3 * one), [2, 3, 4]);
    assert_eq!(heights(4, 16, 1), [4], "the first one comes whatever its size");
    assert_eq!(heights(6, 16, usize::MAX), [] as [u64; 0]);
    assert_eq!(heights(1, 0, usize::MAX), [] as [u64; 0]);
}

#[test]
fn the_transcript_keeps_the_newest_entries_and_is_durable_with_the_next_change() {
    let dir = folder();
    let said = |number: u64| format!("entry {number}").into_bytes();
    {
        let store = open(dir.path());
        (0..ENTRIES_MAX + 3).for_each(|number| store.transcribe(&said(number)).unwrap());
        assert_eq!(store.transcript(2).unwrap(), [said(ENTRIES_MAX + 1), said(ENTRIES_MAX + 2)]);
        store.remember("bidder", b"orders").unwrap();
    }
    let kept = open(dir.path()).transcript(usize::MAX).unwrap();
    assert_eq!((kept.len() as u64, &kept[0]), (ENTRIES_MAX, &said(3)), "the oldest three are forgotten");
}

#[test]
fn a_store_has_one_owner_and_one_network() {
    let dir = folder();
    let store = open(dir.path());
    let error = Store::open(dir.path(), &NETWORK).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    drop(store);
    let error = Store::open(dir.path(), &NetworkId([8; 32])).unwrap_err();
    assert!(matches!(error, StoreError::OtherNetwork { .. }), "{error}");
    assert!(error.to_string().contains("07070707") && error.to_string().contains("08080808"), "{error}");
    drop(open(dir.path()));
}

#[test]
fn a_newer_schema_is_refused() {
    let dir = folder();
    let store = open(dir.path());
    store
        .write(|transaction| {
            transaction.open_table(META)?.insert(META_SCHEMA, &2_u32.to_le_bytes()[..])?;
            Ok(())
        })
        .unwrap();
    drop(store);
    let error = Store::open(dir.path(), &NETWORK).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 2, .. }), "{error}");
}

/// The journal of a [`filled`] store: most of the file is alive, so that few flips meet free pages.
fn filled_journal() -> Vec<(u64, Vec<u8>)> {
    (0..60).map(|number: u8| (21, vec![number; 2_000])).collect()
}

/// A store with some of everything, closed in good order; its bytes.
fn filled(dir: &Path) -> Vec<u8> {
    let store = open(dir);
    (1..=20).for_each(|height| decide(&store, height).unwrap());
    store.append(&filled_journal()).unwrap();
    drop(store);
    fs::read(dir.join(FILE_NAME)).unwrap()
}

/// Opens what may be damaged: either it is refused as damaged, or everything that it says is true.
fn opens_true_or_not_at_all(dir: &Path, what: &str) -> bool {
    let store = match Store::open(dir, &NETWORK) {
        Ok(store) => store,
        Err(error @ (StoreError::Damaged { .. } | StoreError::Newer { .. } | StoreError::Disk { .. })) => {
            assert!(error.to_string().contains(FILE_NAME), "{what}: {error}");
            return false;
        }
        Err(error) => panic!("{what}: {error}"),
    };
    let height = store.height().unwrap();
    let blocks = store.blocks(1, 100, usize::MAX).unwrap();
    assert_eq!(blocks.len() as u64, height, "{what}");
    for block in blocks {
        assert_eq!(block.body, format!("body {}", block.height).into_bytes(), "{what}");
        assert_eq!(block.certificate, b"certificate", "{what}");
    }
    let journal = store.journal().unwrap();
    assert_eq!(journal, filled_journal()[..journal.len()], "{what}");
    if height > 0 {
        assert_eq!(store.state().unwrap(), Some((height, format!("state {height}").into_bytes())), "{what}");
    }
    true
}

#[test]
fn a_truncated_file_never_panics() {
    let dir = folder();
    let bytes = filled(dir.path());
    let path = dir.path().join(FILE_NAME);
    for length in [1, 7, 64, 320, 4_096, 5_000, bytes.len() / 2, bytes.len() - 4_096, bytes.len() - 1] {
        fs::write(&path, &bytes[..length]).unwrap();
        opens_true_or_not_at_all(dir.path(), &format!("cut to {length}"));
    }
}

#[test]
fn flipped_bytes_never_panic_and_never_lie() {
    let dir = folder();
    let bytes = filled(dir.path());
    let path = dir.path().join(FILE_NAME);
    let used = bytes.iter().rposition(|&byte| byte != 0).unwrap();
    let mut refused = 0;
    // A step that is no power of two visits headers, page headers, keys and values in turn; the head comes whole.
    for at in (0..320).step_by(5).chain((320..used).step_by(1 + used / 60)) {
        fs::write(&path, &bytes).unwrap();
        let mut file = OpenOptions::new().write(true).open(&path).unwrap();
        file.seek(SeekFrom::Start(at as u64)).unwrap();
        file.write_all(&[bytes[at] ^ 0x5a]).unwrap();
        drop(file);
        refused += usize::from(!opens_true_or_not_at_all(dir.path(), &format!("flipped at {at}")));
    }
    assert!(refused > 20, "only {refused} flips were noticed");
    fs::write(&path, b"this is no store, but somebody's diary, and it is longer than a header would be".repeat(20))
        .unwrap();
    assert!(!opens_true_or_not_at_all(dir.path(), "a diary"));
}

const CHILD_FOLDER: &str = "ALTHING_TEST_STORE";

/// Not a test by itself: the process that the next test kills.
#[test]
fn child_that_appends() {
    let Some(dir) = env::var_os(CHILD_FOLDER) else { return };
    let store = Store::open(dir.as_ref(), &NETWORK).unwrap();
    let first = store.journal().unwrap().len() as u64;
    for number in first..first + 100_000 {
        store.append(&[entry(number)]).unwrap();
        // Straight to the pipe, so that the parent hears of this entry only after it is durable.
        writeln!(io::stdout().lock(), "durable {number}").unwrap();
    }
}

#[test]
fn kill_9_loses_nothing_that_was_acknowledged() {
    let dir = folder();
    for run in 0..5 {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "store::tests::child_that_appends", "--nocapture"])
            .env(CHILD_FOLDER, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut durable = lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("durable ")?.parse().ok());
        let last: u64 = durable.by_ref().nth(7 + run).expect("the child appends");
        child.kill().unwrap();
        let last = durable.last().unwrap_or(last);
        child.wait().unwrap();
        let journal = open(dir.path()).journal().unwrap();
        assert!(journal.len() as u64 > last, "{} entries, but {last} was acknowledged", journal.len());
        let expected: Vec<_> = (0..journal.len() as u64).map(entry).collect();
        assert_eq!(journal, expected, "a prefix, in order");
    }
}

/// A disk with room for so many more bytes of writing.
#[derive(Debug)]
struct SmallDisk {
    file: FileBackend,
    room: Arc<AtomicI64>,
}

impl SmallDisk {
    fn take(&self, bytes: usize) -> io::Result<()> {
        let left = self.room.fetch_sub(bytes as i64, Ordering::SeqCst);
        if left < bytes as i64 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl StorageBackend for SmallDisk {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.take(data.len())?;
        self.file.write(offset, data)
    }
}

#[test]
fn a_full_disk_is_told_and_loses_nothing_decided() {
    for extra in (0..60_000).step_by(3_331) {
        let dir = folder();
        drop(open(dir.path()));
        let path = dir.path().join(FILE_NAME);
        let file = File::options().read(true).write(true).open(&path).unwrap();
        let room = Arc::new(AtomicI64::new(i64::MAX));
        let disk = SmallDisk { file: FileBackend::new(file).unwrap(), room: Arc::clone(&room) };
        let store = Store::with_backend(disk, path, &NETWORK).unwrap();
        decide(&store, 1).unwrap();
        room.store(extra, Ordering::SeqCst);
        let (failed_at, error) = (2..)
            .find_map(|height| {
                let noted = store.append(&[(height, vec![1; 2_000])]);
                noted.and_then(|()| decide(&store, height)).err().map(|error| (height, error))
            })
            .unwrap();
        assert!(matches!(error, StoreError::Disk { .. }), "{error}");
        assert!(error.to_string().contains("free space"), "{error}");
        assert!(matches!(decide(&store, failed_at), Err(StoreError::Disk { .. })), "it stays refused until reopened");
        drop(store);
        let store = open(dir.path());
        let height = store.height().unwrap();
        assert!(height + 1 >= failed_at, "{height} after {failed_at} failed");
        assert_eq!(store.block(height).unwrap().unwrap().body, format!("body {height}").into_bytes());
        decide(&store, height + 1).expect("with room again, it goes on");
    }
}
