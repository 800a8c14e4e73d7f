//! Runs the binary at a terminal, with a scripted user.

use std::collections::HashMap;
use std::process::Command;

use serde::Deserialize;
use serde_json::json;

use super::cli::Cli;

/// Runs a command at its own terminal. Each line of the dialog is the text to wait for, after the
/// text typed before, and then the text to type.
const PERSON: &str = r#"
import fcntl, json, os, pty, select, signal, struct, subprocess, sys, termios, time

told = json.loads(sys.argv[1])
env = {**os.environ, **{k: v for k, v in told["env"].items() if v is not None}}
for key in [k for k, v in told["env"].items() if v is None]:
    env.pop(key, None)
def at_terminal():
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    # What runs in the background is often told to ignore it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

master, slave = pty.openpty()
fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
before = termios.tcgetattr(slave)
child = subprocess.Popen(
    told["command"], stdin=slave, stdout=slave, stderr=slave, env=env, cwd=told["cwd"],
    start_new_session=True, preexec_fn=at_terminal)
screen, end = b"", time.monotonic() + 60

def read():
    global screen
    if select.select([master], [], [], 0.05)[0]:
        screen += os.read(master, 65536)
        return True
    if time.monotonic() > end:
        child.kill()
        sys.exit("it hangs after: " + screen.decode(errors="replace"))

seen = 0
for wait, typed in told["dialog"]:
    while wait.encode() not in screen[seen:]:
        if not read() and child.poll() is not None:
            sys.exit("it ended after: " + screen.decode(errors="replace"))
    seen = len(screen)
    os.write(master, typed.encode())
while child.poll() is None:
    read()
while read():
    pass
print(json.dumps({
    "code": child.returncode,
    "screen": screen.decode(),
    "restored": termios.tcgetattr(slave) == before}))
"#;

/// The final state of the terminal.
#[derive(Deserialize)]
pub struct Seen {
    pub code: i32,
    /// Everything that was printed or echoed.
    pub screen: String,
    /// Whether the terminal's settings are the same as before.
    pub restored: bool,
}

impl Cli {
    /// Runs at a terminal of 80 columns with escape sequences and UTF-8.
    pub fn at_terminal(&self, args: &[&str], dialog: &[(&str, &str)]) -> Seen {
        self.at_terminal_with(args, dialog, &[])
    }

    pub fn at_terminal_with(
        &self,
        args: &[&str],
        dialog: &[(&str, &str)],
        variables: &[(&str, &str)],
    ) -> Seen {
        let mut command = self.command();
        command.env("TERM", "xterm").env("LC_ALL", "C.UTF-8");
        command.env_remove("NO_COLOR");
        command.envs(variables.iter().copied());
        let env: HashMap<_, _> = command
            .get_envs()
            .map(|(key, value)| (key.to_str().unwrap(), value.map(|it| it.to_str().unwrap())))
            .collect();
        let program = command.get_program().to_str().unwrap();
        let whole = [&[program], args].concat();
        let told = json!({
            "command": whole,
            "cwd": command.get_current_dir(),
            "env": env,
            "dialog": dialog,
        });
        let output = Command::new("python3")
            .args(["-c", PERSON, &told.to_string()])
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}
