//! Storage grants, seen from inside a component: they allow this and nothing more.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::support::files::{DENIED, Files};

const MISSING: &str = "error No such file or directory";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_granted_without_a_grant() {
    let files = Files::new();
    let sandbox = wassette::runtime::Sandbox::deny_all();
    // `/` is preopened so that the guest's request reaches the host, which records the denial.
    let denied = files
        .expect(
            &sandbox,
            &[
                ("roots", "ok /"),
                ("read /:etc/passwd", DENIED),
                ("stat /:etc", DENIED),
                ("stat /:.", DENIED),
                ("stat /:etc/..", DENIED),
                ("list /:.", DENIED),
                ("write /:tmp/new x", DENIED),
                ("mkdir /:new", DENIED),
                ("symlink etc /:new", DENIED),
                ("touch /:.", DENIED),
            ],
        )
        .await;
    assert_eq!(
        denied,
        [
            "Read /etc/passwd",
            "Read /etc",
            "Read /",
            "Write /tmp/new",
            "Write /new",
            "Write /"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_outside_of_what_is_granted_is_told() {
    let files = Files::new();
    files.write("other/secret", "secret").directory("in");
    let sandbox = files.sandbox(r#"allow: [{uri: "fs://$/in/**", access: [read]}]"#);
    let path = files.path("other/secret").display().to_string();
    let read = format!("read /:{}", path.trim_start_matches('/'));
    let denied = files.expect(&sandbox, &[(&read, DENIED)]).await;
    assert_eq!(denied, ["Read $/other/secret"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn granted_files_are_read_and_written() {
    let files = Files::new();
    files.write("in/a.txt", "one").directory("out");
    let sandbox = files.sandbox(
        r#"allow: [{uri: "fs://$/in/**", access: [read]}, {uri: "fs://out/**", access: [read, write]}]"#,
    );
    let denied = files
        .expect(
            &sandbox,
            &[
                ("roots", "ok $/in $/out / out"),
                ("read $/in:a.txt", "ok one"),
                ("read $/in:missing", MISSING),
                ("write $/out:new two", "ok"),
                ("append $/out:new three", "ok"),
                ("read out:new", "ok twothree"),
                ("mkdir out:d", "ok"),
                ("rename out:new $/out:d/moved", "ok"),
                ("link $/out:d/moved out:linked", "ok"),
                ("symlink d/moved out:soft", "ok"),
                ("readlink out:soft", "ok d/moved"),
                ("read out:soft", "ok twothree"),
                ("lstat out:soft", "ok link"),
                ("stat out:soft", "ok file"),
                ("touch out:linked", "ok"),
                ("unlink out:linked", "ok"),
                ("unlink out:d/moved", "ok"),
                ("rmdir out:d", "ok"),
                ("list out:.", "ok soft/"),
            ],
        )
        .await;
    assert!(denied.is_empty(), "{denied:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_read_may_not_be_changed() {
    let files = Files::new();
    files
        .write("in/a", "one")
        .directory("in/d")
        .directory("out");
    let sandbox = files.sandbox(
        r#"allow: [{uri: "fs://$/in/**", access: [read]}, {uri: "fs://$/out/**", access: [read, write]}]"#,
    );
    let denied = files
        .expect(
            &sandbox,
            &[
                ("write $/in:a two", DENIED),
                ("append $/in:a two", DENIED),
                ("open $/in:a rw", DENIED),
                ("open $/in:a rt", DENIED),
                ("write $/in:new two", DENIED),
                ("open $/in:new2 rcx", DENIED),
                ("mkdir $/in:e", DENIED),
                ("rmdir $/in:d", DENIED),
                ("unlink $/in:a", DENIED),
                ("touch $/in:a", DENIED),
                ("touch $/in:d", DENIED),
                ("rename $/in:a $/in:b", DENIED),
                ("rename $/in:a $/out:b", DENIED),
                ("link $/in:a $/out:b", DENIED),
                ("symlink a $/in:s", DENIED),
                ("write $/out:mine x", "ok"),
                ("rename $/out:mine $/in:a", DENIED),
                ("link $/out:mine $/in:b", DENIED),
                ("read $/in:a", "ok one"),
            ],
        )
        .await;
    assert_eq!(
        denied,
        ["a", "new", "new2", "e", "d", "s", "b"].map(|name| format!("Write $/in/{name}"))
    );
    assert_eq!(files.read("in/a"), "one");
    assert_eq!(crate::support::files(&files.path("in")), ["a", "d"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_written_may_not_be_read() {
    let files = Files::new();
    files.write("drop/old", "private").directory("out");
    let sandbox = files.sandbox(
        r#"allow: [{uri: "fs://$/drop/**", access: [write]}, {uri: "fs://$/out/**", access: [read, write]}]"#,
    );
    let denied = files
        .expect(
            &sandbox,
            &[
                ("read $/drop:old", DENIED),
                ("list $/drop:.", DENIED),
                // A rename does not help either.
                ("rename $/drop:old $/out:old", DENIED),
                ("link $/drop:old $/out:old", DENIED),
                ("write $/drop:new text", "ok"),
                ("unlink $/drop:new", "ok"),
            ],
        )
        .await;
    assert_eq!(denied, ["Read $/drop/old", "Read $/drop"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn stars_stand_for_what_they_say() {
    let files = Files::new();
    files
        .write("flat/a.txt", "a")
        .write("flat/b.log", "b")
        .write("flat/sub/c.txt", "c")
        .write("deep/x/y/z.txt", "z")
        .write("deep/x/y/z.log", "l");
    let sandbox = files.sandbox(
        r#"allow: [{uri: "fs://$/flat/*.txt", access: [read]}, {uri: "fs://$/deep/**/*.txt", access: [read]}]"#,
    );
    let denied = files
        .expect(
            &sandbox,
            &[
                ("read $/flat:a.txt", "ok a"),
                ("read $/flat:b.log", DENIED),
                ("read $/flat:sub/c.txt", DENIED),
                ("list $/flat:.", "ok a.txt/"),
                ("read $/deep:x/y/z.txt", "ok z"),
                ("read $/deep:x/y/z.log", DENIED),
                ("list $/deep:x/y", "ok z.txt/"),
                ("list $/deep:.", "ok x/"),
            ],
        )
        .await;
    assert_eq!(
        denied,
        [
            "Read $/flat/b.log",
            "Read $/flat/sub/c.txt",
            "Read $/deep/x/y/z.log"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_file_is_granted_alone() {
    let files = Files::new();
    files.write("a/one", "1").write("a/two", "2");
    let sandbox =
        files.sandbox(r#"allow: [{uri: "fs://$/a/one", access: [read]}, {uri: "fs://$/a/new", access: [read, write]}]"#);
    let denied = files
        .expect(
            &sandbox,
            &[
                ("roots", "ok $/a /"),
                ("read $/a:one", "ok 1"),
                ("read $/a:two", DENIED),
                ("stat $/a:two", DENIED),
                ("stat $/a:three", DENIED),
                ("stat $/a:.", "ok directory"),
                ("write $/a:new text", "ok"),
                ("read $/a:new", "ok text"),
                ("unlink $/a:new", "ok"),
                ("list $/a:.", "ok one/"),
            ],
        )
        .await;
    assert_eq!(denied, ["Read $/a/two", "Read $/a/three"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deny_holds_inside_what_is_allowed() {
    let files = Files::new();
    files
        .write("w/ok", "fine")
        .write("w/private/key", "secret")
        .write("w/sub/.env", "secret");
    let sandbox = files.sandbox(
        r#"allow: [{uri: "fs://$/w/**", access: [read, write]}], deny: [{uri: "fs://$/w/private/**"}, {uri: "fs://$/w/**/.env"}]"#,
    );
    let denied = files
        .expect(
            &sandbox,
            &[
                ("read $/w:private/key", DENIED),
                ("stat $/w:private", DENIED),
                ("stat $/w:private/nothing", DENIED),
                ("write $/w:private/new x", DENIED),
                ("read $/w:sub/.env", DENIED),
                ("write $/w:.env x", DENIED),
                ("rename $/w:private $/w:public", DENIED),
                ("rename $/w:sub/.env $/w:sub/env", DENIED),
                ("link $/w:sub/.env $/w:sub/env", DENIED),
                // A directory cannot be moved while an entry in it is denied.
                ("rename $/w:sub $/w:elsewhere", DENIED),
                ("rename $/w:ok $/w:private/ok", DENIED),
                ("rmdir $/w:private", DENIED),
                ("list $/w:sub", "ok"),
                ("read $/w:ok", "ok fine"),
            ],
        )
        .await;
    assert!(
        denied.contains(&"Read $/w/private/key".to_owned()),
        "{denied:?}"
    );
    assert!(
        denied.contains(&"Write $/w/sub/**".to_owned()),
        "{denied:?}"
    );
    assert_eq!(files.read("w/private/key"), "secret");
    assert_eq!(files.read("w/sub/.env"), "secret");
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_show_what_is_granted() {
    let files = Files::new();
    files
        .write("w/a/in/file", "1")
        .write("w/b/out", "2")
        .write("w/c", "3")
        .directory("w/names");
    for name in [&b"plain"[..], b"not-utf8-\xff", b"\xc3\x28"] {
        std::fs::write(files.path("w/names").join(OsStr::from_bytes(name)), "x").unwrap();
    }
    let sandbox = files.sandbox(
        r#"allow: [{uri: "fs://$/w/*/in/**", access: [read]}, {uri: "fs://$/w/names/**", access: [read]}]"#,
    );
    let (mut answers, _) = files
        .run(&sandbox, &["list $/w:.", "list $/w:a", "list $/w:b"])
        .await;
    let mut shown: Vec<_> = answers[0]
        .trim_start_matches("ok ")
        .split_terminator('/')
        .collect();
    shown.sort_unstable();
    // `c` is a file, so nothing can be below it.
    assert_eq!(shown, ["a", "b", "names"]);
    assert_eq!(answers.split_off(1), ["ok in/", "ok"]);
    files
        .expect(&sandbox, &[("list $/w:names", "ok plain/")])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn huge_directories_and_long_paths_are_bounded() {
    let files = Files::new();
    files.directory("w/many").directory("w/hidden");
    for at in 0..20_000 {
        std::fs::write(files.path(&format!("w/many/{at}")), "").unwrap();
        std::fs::write(files.path(&format!("w/hidden/{at}")), "").unwrap();
    }
    let sandbox = files.sandbox(
        r#"allow: [{uri: "fs://$/w/many/**", access: [read, write]}, {uri: "fs://$/w/hidden/shown", access: [read]}]"#,
    );
    let deep = format!("stat $/w/many:{}x", "d/../".repeat(200));
    let too_long = format!("stat $/w/many:{}", "y".repeat(5000));
    let too_deep = format!("stat $/w/many:{}", "./".repeat(3000));
    files
        .expect(
            &sandbox,
            &[
                ("count $/w/many:.", "ok 20000"),
                ("count $/w/hidden:.", "ok 0"),
                ("mkdir $/w/many:d", "ok"),
                ("write $/w/many:x 1", "ok"),
                (&deep, "ok file"),
                (&too_long, "error Filename too long"),
                (&too_deep, "error Filename too long"),
            ],
        )
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn directories_are_found_when_they_come() {
    let files = Files::new();
    let sandbox = files.sandbox(r#"allow: [{uri: "fs://$/later/**", access: [read, write]}]"#);
    let steps = [("roots", "ok $/later /"), ("read $/later:a", MISSING)];
    files.expect(&sandbox, &steps).await;
    files.write("later/a", "first");
    files
        .expect(&sandbox, &[("read $/later:a", "ok first")])
        .await;
    // Another directory gets the same name.
    std::fs::rename(files.path("later"), files.path("moved")).unwrap();
    files.write("later/a", "second");
    files
        .expect(&sandbox, &[("read $/later:a", "ok second")])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_is_added_than_the_quota_allows() {
    const FULL: &str = "error No space left on device";
    let files = Files::new();
    files.write("w/old", &"o".repeat(1000)).directory("free");
    let sandbox = files.sandbox(
        r#"allow: [{uri: "fs://$/w/**", access: [read, write], quota: 100}, {uri: "fs://$/free/**", access: [write]}]"#,
    );
    let write = |name: &str, bytes: usize| format!("write $/w:{name} {}", "x".repeat(bytes));
    let append = |name: &str, bytes: usize| format!("append $/w:{name} {}", "x".repeat(bytes));
    files
        .expect(
            &sandbox,
            &[
                (&write("a", 60), "ok"),
                (&write("b", 41), FULL),
                (&append("a", 41), FULL),
                (&append("a", 40), "ok"),
                // Rewriting a file counts only the bytes by which it grows.
                (&write("a", 100), "ok"),
                (&write("b", 1), FULL),
                ("rename $/w:a $/w:c", "ok"),
                (&write("b", 1), FULL),
                ("unlink $/w:c", "ok"),
                (&write("b", 100), "ok"),
                ("write $/free:a elsewhere", "ok"),
            ],
        )
        .await;
    // All calls share the quota.
    files
        .expect(
            &sandbox,
            &[
                (&append("b", 1), FULL),
                (&write("new", 100), FULL),
                ("rename $/w:new $/w:b", "ok"),
                (&write("d", 100), "ok"),
            ],
        )
        .await;
    assert_eq!(files.read("w/old").len(), 1000);
}
