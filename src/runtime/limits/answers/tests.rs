use std::task::{Context, Waker};
use std::time::Duration;

use super::*;

const MIB: u64 = 1 << 20;

fn answers(limit: u64) -> Arc<Answers> {
    Answers::new(&TotalMemory::new(1 << 40), limit)
}

fn later() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}

fn returned(reader: &Reader, bytes: u64) -> Kept {
    let mut memory = reader.0.answers.total.share();
    memory.take(bytes).unwrap();
    Kept::waiting(Some(reader.clone()), memory)
}

#[test]
fn who_does_not_read_leaves_half_to_others() {
    let answers = answers(16 * MIB);
    let credential = answers.reader();
    let (slow, quick) = (credential.session(), credential.session());
    let mut unread = Vec::new();
    while slow.has_room() {
        unread.push(slow.keep(MIB).unwrap());
    }
    assert_eq!(unread.len(), 9);
    let mut read = Vec::new();
    while quick.has_room() {
        read.push(quick.keep(MIB).unwrap());
    }
    // Together they have two thirds; other credentials still find room.
    assert_eq!(read.len(), 2);
    assert!(answers.reader().session().has_room());
    drop(read);
    assert!(quick.has_room() && !slow.has_room());
    drop(unread);
    assert!(slow.has_room());
    assert_eq!(answers.counts.all(), 0);
    assert_eq!(answers.total.used(), 0);
}

#[test]
fn whoever_has_read_all_may_ask_for_more() {
    let answers = answers(MIB);
    let slow = answers.reader();
    let _unread = slow.keep(10 * MIB).unwrap();
    assert!(!slow.has_room());
    assert!(answers.reader().has_room());
}

#[tokio::test]
async fn a_request_begins_when_there_is_room() {
    let answers = answers(MIB);
    let reader = answers.reader();
    let unread = reader.keep(MIB).unwrap();
    let now = Instant::now();
    assert_eq!(reader.room(now).await, Err(NoRoom::Unread));
    let mut room = Box::pin(reader.room(later()));
    let mut context = Context::from_waker(Waker::noop());
    assert!(room.as_mut().poll(&mut context).is_pending());
    drop(unread);
    room.await.unwrap();
}

#[tokio::test]
async fn results_wait_for_room_and_too_many_are_dropped() {
    let answers = answers(8 * MIB);
    let reader = answers.reader();
    let mut first = returned(&reader, MIB);
    first.enter(5 * MIB, later()).await.unwrap();
    assert_eq!(answers.total.used(), 6 * MIB);
    let mut second = returned(&reader, 2 * MIB);
    let mut third = returned(&reader, 8 * MIB);
    assert_eq!(third.enter(0, later()).await, Err(NoRoom::Unread));
    drop(third);
    {
        let mut waiting = Box::pin(second.enter(6 * MIB, later()));
        let mut context = Context::from_waker(Waker::noop());
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        first.resize(2 * MIB).unwrap();
        waiting.await.unwrap();
    }
    assert_eq!(answers.total.used(), 10 * MIB);
    // A small one never waits.
    returned(&reader, 100).enter(0, later()).await.unwrap();
    drop((first, second));
    assert_eq!(answers.counts.all(), 0);
}

#[test]
fn answers_are_within_the_memory_of_all() {
    let answers = Answers::new(&TotalMemory::new(MIB), 100 * MIB);
    let reader = answers.reader();
    let mut kept = reader.keep(MIB / 2).unwrap();
    assert_eq!(reader.keep(MIB).unwrap_err(), NoRoom::Total(MIB));
    assert_eq!(kept.resize(2 * MIB), Err(NoRoom::Total(MIB)));
    assert_eq!(answers.counts.all(), MIB / 2);
}
