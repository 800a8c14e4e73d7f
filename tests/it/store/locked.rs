//! A lock that another process holds is reported, and `doctor` does not wait for it.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime};

use wassette::file::FileLock;

use crate::support::cli::Cli;
use crate::support::mcp::{CALC, PATIENCE};

fn root() -> Cli {
    let cli = Cli::new();
    cli.load(&cli.file("calc.wat", CALC));
    cli
}

/// Takes the lock on a file of the root, as another process would.
fn hold(cli: &Cli, file: &str) -> FileLock {
    let lock = FileLock::try_take(&cli.root().join(file)).unwrap();
    lock.expect("nobody else has it")
}

/// Starts a command and waits until it reports on standard error which lock it waits for.
fn waiting(cli: &Cli, args: &[&str]) -> (Child, String) {
    let mut child = cli
        .command()
        .args(args)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let (told, line) = mpsc::channel();
    std::thread::spawn(move || {
        // Read to the end, so that the command can keep writing.
        for line in stderr.lines().map_while(Result::ok) {
            let _ = told.send(line);
        }
    });
    let line = line.recv_timeout(PATIENCE).expect("a word within a minute");
    (child, line)
}

#[test]
fn whoever_waits_for_a_lock_says_so_and_goes_on_when_it_is_free() {
    for (file, args) in [
        ("locks/calc.lock", &["unload", "calc"][..]),
        (".lock", &["unload", "calc"]),
        (
            ".lock",
            &["permission", "grant", "network", "calc", "a.example"],
        ),
    ] {
        let cli = root();
        let lock = hold(&cli, file);
        let (mut child, line) = waiting(&cli, args);
        assert!(line.contains("waiting for the lock"), "{line}");
        assert!(line.contains(file), "{line}");
        if cfg!(target_os = "linux") {
            let holder = format!("process {}", std::process::id());
            assert!(line.contains(&holder), "{line}");
        }
        drop(lock);
        assert!(child.wait().unwrap().success(), "{args:?}");
    }
}

#[test]
fn doctor_says_who_holds_the_root_and_does_not_wait() {
    let cli = root();
    let _lock = hold(&cli, ".lock");
    let ended = cli.run(["doctor"]);
    assert_eq!(ended.code, 1, "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("holds the lock"), "{}", ended.stdout);
    assert!(!ended.stderr.contains("waiting for"), "{}", ended.stderr);
}

/// The holder of the lock keeps touching it.
#[cfg(unix)]
#[test]
fn an_interrupt_ends_a_wait_for_a_lock() {
    use std::os::unix::process::ExitStatusExt as _;

    let cli = root();
    let _lock = hold(&cli, ".lock");
    let held = File::options()
        .write(true)
        .open(cli.root().join(".lock"))
        .unwrap();
    let args = ["permission", "grant", "network", "calc", "a.example"];
    let (mut child, line) = waiting(&cli, &args);
    assert!(line.contains("waiting for the lock"), "{line}");
    let sent = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        held.set_modified(SystemTime::now()).unwrap();
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("it still waits");
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    assert_eq!(status.signal(), Some(2));
}

/// The holder of a component's lock touches it, so that others keep waiting.
#[test]
fn a_load_under_way_gives_signs_of_life() {
    let cli = root();
    let lock = cli.root().join("locks/calc.lock");
    let touched = || std::fs::metadata(&lock).unwrap().modified().unwrap();
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    File::options()
        .write(true)
        .open(&lock)
        .unwrap()
        .set_modified(long_ago)
        .unwrap();
    // Holding the root's lock keeps it from ending while it holds the component's lock.
    let root_lock = hold(&cli, ".lock");
    let (mut child, _) = waiting(&cli, &["unload", "calc"]);
    assert!(touched() > long_ago);
    drop(root_lock);
    assert!(child.wait().unwrap().success());
}
