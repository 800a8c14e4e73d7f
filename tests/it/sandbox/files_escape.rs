//! A component tries to leave the granted directories: every attempt is denied, and recorded with
//! the real path.

use wassette::runtime::Sandbox;

use crate::support::files::{DENIED, Files};

const LOOP: &str = "error Symbolic link loop";
const BUSY: &str = "error Resource busy";
const MISSING: &str = "error No such file or directory";

/// `w` may be read and written; `secret` is beside it.
pub(super) fn files() -> (Files, Sandbox) {
    let files = Files::new();
    files
        .write("w/d/file", "public")
        .write("secret/key", "secret");
    let sandbox = files.sandbox(r#"allow: [{uri: "fs://$/w/**", access: [read, write]}]"#);
    (files, sandbox)
}

#[tokio::test(flavor = "multi_thread")]
async fn dots_and_absolute_paths() {
    let (files, sandbox) = files();
    let denied = files
        .expect(
            &sandbox,
            &[
                ("read $/w:../secret/key", DENIED),
                ("read $/w:d/../../secret/key", DENIED),
                ("read $/w:./d/.././../secret/key", DENIED),
                ("read $/w:../../../../../../../../../../etc/passwd", DENIED),
                ("read $/w:/etc/passwd", DENIED),
                ("read $/w://etc//passwd", DENIED),
                ("read $/w:$/secret/key", DENIED),
                // On the way to a grant, other entries are not shown.
                ("list $/w:..", "ok w/"),
                ("stat $/w:..", "ok directory"),
                ("stat $/w:../secret", DENIED),
                ("write $/w:../secret/new x", DENIED),
                ("mkdir $/w:../new", DENIED),
                ("unlink $/w:../secret/key", DENIED),
                ("rename $/w:d/file $/w:../file", DENIED),
                ("rename $/w:../secret/key $/w:key", DENIED),
                ("link $/w:../secret/key $/w:key", DENIED),
                ("read $/w:d/file/../file", "error Not a directory"),
                ("hold d $/w:d", "ok"),
                ("read @d:../../secret/key", DENIED),
                // A granted file can be reached by any route.
                ("read @d:../d/file", "ok public"),
                ("read $/w:../w/d/file", "ok public"),
                ("read $/w:$/w/d/file", "ok public"),
            ],
        )
        .await;
    let read = denied
        .iter()
        .filter(|what| what.starts_with("Read"))
        .cloned();
    assert_eq!(
        read.collect::<Vec<_>>(),
        ["Read $/secret/key", "Read /etc/passwd", "Read $/secret"]
    );
    assert_eq!(files.read("secret/key"), "secret");
}

#[tokio::test(flavor = "multi_thread")]
async fn symbolic_links_lead_nowhere_else() {
    let (files, sandbox) = files();
    files
        .symlink(files.path("secret/key"), "w/absolute")
        .symlink("../secret/key", "w/relative")
        .symlink("../secret", "w/directory")
        .symlink("relative", "w/chain")
        .symlink("loop-b", "w/loop-a")
        .symlink("loop-a", "w/loop-b")
        .symlink("nothing", "w/dangling")
        .symlink("../secret/new", "w/dangling-out")
        .symlink("/", "w/root")
        .symlink("d/file", "w/inside")
        .symlink("d", "w/inside-d");
    let key = files.path("secret/key").display().to_string();
    let through_root = format!("read $/w:root{key}");
    let denied = files
        .expect(
            &sandbox,
            &[
                ("read $/w:absolute", DENIED),
                ("read $/w:relative", DENIED),
                ("read $/w:chain", DENIED),
                ("read $/w:directory/key", DENIED),
                ("stat $/w:absolute", DENIED),
                ("list $/w:directory", DENIED),
                ("list $/w:directory/", DENIED),
                (&through_root, DENIED),
                ("read $/w:root/etc/passwd", DENIED),
                ("write $/w:relative x", DENIED),
                ("write $/w:dangling-out x", DENIED),
                ("unlink $/w:directory/key", DENIED),
                ("touch $/w:directory/key", DENIED),
                ("read $/w:loop-a", LOOP),
                ("read $/w:dangling", MISSING),
                ("open $/w:absolute rn", LOOP),
                ("read $/w:inside", "ok public"),
                ("read $/w:inside-d/../d/file", "ok public"),
                ("write $/w:dangling made", "ok"),
                ("read $/w:nothing", "ok made"),
                // The guest may read and remove the links themselves.
                ("readlink $/w:relative", "ok ../secret/key"),
                ("lstat $/w:relative", "ok link"),
                ("unlink $/w:relative", "ok"),
            ],
        )
        .await;
    assert!(
        denied.contains(&"Read $/secret/key".to_owned()),
        "{denied:?}"
    );
    assert!(
        denied.contains(&"Write $/secret/new".to_owned()),
        "{denied:?}"
    );
    assert_eq!(files.read("secret/key"), "secret");
    assert!(!files.path("secret/new").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn links_that_a_guest_makes() {
    let (files, sandbox) = files();
    files
        .expect(
            &sandbox,
            &[
                ("symlink ../secret/key $/w:a", DENIED),
                ("symlink /etc/passwd $/w:b", DENIED),
                ("symlink file $/w:d/ok", "ok"),
                ("read $/w:d/ok", "ok public"),
                // Valid where it is created, but outside after a move.
                ("mkdir $/w:e", "ok"),
                ("mkdir $/w:e/f", "ok"),
                ("symlink ../../../w/secret/key $/w:e/f/up", "ok"),
                ("rename $/w:e/f/up $/w:up", DENIED),
                ("link $/w:e/f/up $/w:up", DENIED),
                // The directory that contains it cannot be moved either.
                ("rename $/w:e/f $/w:f", DENIED),
                ("rename $/w:e/f/up $/w:d/up", DENIED),
                ("unlink $/w:e/f/up", "ok"),
                ("rename $/w:e/f $/w:f", "ok"),
                ("link $/w:../secret/key $/w:hard", DENIED),
                ("mkdir $/w:made", "ok"),
                ("link $/w:made $/w:twice", DENIED),
            ],
        )
        .await;
}

/// Programs of the host that follow the links stay inside.
#[tokio::test(flavor = "multi_thread")]
async fn links_that_a_guest_makes_stay_within_its_grants() {
    let (files, _) = files();
    let sandbox = files.sandbox(
        r#"allow: [{uri: "fs://$/w/**", access: [read, write]}], deny: [{uri: "fs://$/w/private/**"}]"#,
    );
    files
        .write("w/private/key", "secret")
        .directory("w/d/e")
        .symlink(files.path("w"), "w/d/e/up")
        .symlink("../../secret", "w/d/out");
    let inside = format!(
        "symlink {} $/w:d/absolute",
        files.path("w/d/file").display()
    );
    files
        .expect(
            &sandbox,
            &[
                // An absolute target is denied even if it is granted: the host may resolve it
                // differently.
                (&inside, DENIED),
                // Through a link to a directory above, and up from there.
                ("symlink up/../secret/key $/w:d/e/a", DENIED),
                ("symlink up/../d/file $/w:d/e/a", DENIED),
                ("symlink up/private/key $/w:d/e/a", DENIED),
                ("symlink ../out/key $/w:d/e/a", DENIED),
                // A missing name could become a link to a directory above.
                ("symlink new/../../secret/key $/w:d/a", DENIED),
                // A directory that contains a denied entry, under any name.
                ("symlink .. $/w:d/a", DENIED),
                ("symlink ../private $/w:d/a", DENIED),
                ("symlink ../../../../../.. $/w:d/a", DENIED),
                // Links of other programs cannot be moved to where they lead out.
                ("rename $/w:d/out $/w:out", DENIED),
                ("link $/w:d/out $/w:out", DENIED),
                ("rename $/w:d/e/up $/w:up", DENIED),
                ("unlink $/w:d/e/up", "ok"),
                ("unlink $/w:d/out", "ok"),
                // Links that stay inside can be created and moved.
                ("symlink e $/w:d/dir", "ok"),
                ("symlink ../file $/w:d/e/back", "ok"),
                ("symlink later/file $/w:d/later", "ok"),
                ("symlink ./dir/./back $/w:d/chain", "ok"),
                ("read $/w:d/chain", "ok public"),
            ],
        )
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn directories_are_moved_with_the_links_that_stay_within() {
    let (files, sandbox) = files();
    files
        .expect(
            &sandbox,
            &[
                ("mkdir $/w:a", "ok"),
                ("mkdir $/w:a/b", "ok"),
                ("mkdir $/w:a/b/c", "ok"),
                ("write $/w:a/b/x text", "ok"),
                ("symlink ../x $/w:a/b/c/within", "ok"),
                ("symlink x $/w:a/b/same", "ok"),
                ("symlink ../../d/file $/w:a/b/above", "ok"),
                ("read $/w:a/b/above", "ok public"),
                // From one level higher, it would lead out.
                ("rename $/w:a/b $/w:b", DENIED),
                ("rename $/w:a/b $/w:a/z", "ok"),
                ("read $/w:a/z/c/within", "ok text"),
                ("unlink $/w:a/z/above", "ok"),
                ("rename $/w:a/z $/w:z", "ok"),
                ("read $/w:z/c/within", "ok text"),
                ("read $/w:z/same", "ok text"),
            ],
        )
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn renames_carry_nothing_over() {
    let files = Files::new();
    files
        .write("w/tree/private/key", "secret")
        .write("w/other/a", "a")
        .write("ro/file", "theirs");
    let sandbox = files.sandbox(
        r#"allow: [{uri: "fs://$/w/**", access: [read, write]}, {uri: "fs://$/ro/**", access: [read]}], deny: [{uri: "fs://$/w/tree/private/**"}]"#,
    );
    files
        .expect(
            &sandbox,
            &[
                ("rename $/w:tree $/w:mine", DENIED),
                ("rename $/w:tree/private $/w:mine", DENIED),
                ("rename $/w:other $/w:tree/private", DENIED),
                ("rename $/w:tree $/w:other/tree", DENIED),
                ("rename $/ro:file $/w:file", DENIED),
                ("rename $/w:other $/ro:other", DENIED),
                // The granted directory itself cannot be changed.
                ("rename $/w:. $/w:other/w", BUSY),
                ("rename $/w:../w $/w:other/w", BUSY),
                ("rename $/w:other $/w:../w", BUSY),
                ("rmdir $/w:../w", BUSY),
                ("mkdir $/w:new", "ok"),
                ("rename $/w:other $/w:new", "ok"),
                ("read $/w:new/a", "ok a"),
            ],
        )
        .await;
    assert_eq!(files.read("w/tree/private/key"), "secret");
    assert_eq!(files.read("ro/file"), "theirs");
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn proc_is_not_meant_by_a_wildcard() {
    let files = Files::new();
    files
        .write("w/file", "public")
        .symlink("/proc/self/environ", "w/environ");
    let everything = files.sandbox(r#"allow: [{uri: "fs:///**", access: [read, write]}]"#);
    let pid = std::process::id();
    let of_pid = format!("read /:proc/{pid}/environ");
    let fd = std::fs::File::open(files.path("w/file")).unwrap();
    let fd = format!(
        "readlink /:proc/self/fd/{}",
        std::os::fd::AsRawFd::as_raw_fd(&fd)
    );
    files
        .expect(
            &everything,
            &[
                ("read /:proc/self/environ", DENIED),
                ("read /:proc/thread-self/environ", DENIED),
                ("read /:proc/self/cmdline", DENIED),
                ("open /:proc/self/mem rw", DENIED),
                (&of_pid, DENIED),
                ("list /:proc/self/fd", DENIED),
                (&fd, DENIED),
                ("readlink /:proc/self/cwd", DENIED),
                ("read /:proc/self/root/proc/self/environ", DENIED),
                ("read /:proc/meminfo", DENIED),
                ("list /:sys", DENIED),
                ("open /:dev/null rw", DENIED),
                ("open /:dev/tty r", DENIED),
                ("read /:$/w/environ", DENIED),
                ("read /:$/w/file", "ok public"),
            ],
        )
        .await;
    // A link in `/proc` is treated like any other: its target is checked.
    let narrow = files.sandbox(
        r#"allow: [{uri: "fs:///proc/**", access: [read]}, {uri: "fs://$/w/**", access: [read]}]"#,
    );
    let through_root = format!("read /proc:self/root{}", files.path("w/file").display());
    files
        .expect(
            &narrow,
            &[
                (&through_root, "ok public"),
                ("read /proc:self/root/etc/passwd", DENIED),
                ("read /proc:self/cwd/Cargo.toml", DENIED),
            ],
        )
        .await;
    let named = files.sandbox(r#"allow: [{uri: "fs:///proc/version", access: [read]}]"#);
    let (answers, _) = files.run(&named, &["read /proc:version"]).await;
    assert!(answers[0].starts_with("ok Linux"), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pipes_sockets_and_privileged_files_are_not_opened() {
    let (files, sandbox) = files();
    let fifo = std::process::Command::new("mkfifo")
        .arg(files.path("w/fifo"))
        .status();
    assert!(fifo.unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(files.path("w/socket")).unwrap();
    files.write("w/setuid", "program");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o4755);
    std::fs::set_permissions(files.path("w/setuid"), mode).unwrap();
    // A pipe without a writer would block the guest for ever.
    files
        .expect(
            &sandbox,
            &[
                ("read $/w:fifo", DENIED),
                ("open $/w:fifo w", DENIED),
                ("open $/w:socket rw", DENIED),
                ("link $/w:fifo $/w:fifo2", DENIED),
                ("write $/w:setuid x", DENIED),
                ("read $/w:setuid", "ok program"),
            ],
        )
        .await;
    assert_eq!(files.read("w/setuid"), "program");
}
