//! A browser without a window: Chromium, driven by its debugging protocol over a pipe, so that it needs no port.

use std::io::{BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The programs that are tried.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// How long the browser may be silent: far longer than anything takes, so that only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(40);

/// One tab of a browser, which is killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Browser {
    child: Child,
    commands: ChildStdin,
    messages: Receiver<Value>,
    last_id: u64,
    session: Option<String>,
    events: Vec<Value>,
    _profile: TempDir,
}

/// A picture of what the window shows: four bytes a pixel.
#[derive(Debug)]
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) rgba: Vec<u8>,
}

impl Browser {
    /// Starts a browser; `None` where the machine has none.
    pub(crate) fn start() -> Option<Self> {
        let name = NAMES.into_iter().find(|name| is_installed(name))?;
        let profile = tempfile::tempdir().expect("a temporary directory");
        // The protocol is spoken on descriptors 3 and 4; `exec` makes the shell's process the browser's.
        let mut command = Command::new("sh");
        command.args(["-c", r#"exec "$0" "$@" 3<&0 4>&1 0</dev/null 1>/dev/null 2>/dev/null"#, name]);
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]);
        // The browser's own business with the network, which it has even without a page.
        command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
        command.arg("--remote-debugging-pipe").arg(format!("--user-data-dir={}", profile.path().display()));
        let piped = command
            .env("HOME", profile.path())
            .env("TMPDIR", profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = piped.spawn().expect("a shell");
        let commands = child.stdin.take().expect("a pipe");
        let messages = read(BufReader::new(child.stdout.take().expect("a pipe")));
        let events = Vec::new();
        let mut browser = Self { child, commands, messages, last_id: 0, session: None, events, _profile: profile };
        let target = browser.call("Target.createTarget", &json!({"url": "about:blank"}));
        let attached = browser.call("Target.attachToTarget", &json!({"targetId": target["targetId"], "flatten": true}));
        browser.session = Some(attached["sessionId"].as_str().expect("a session").to_owned());
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        Some(browser)
    }

    /// Makes the window this large, for people who like their pages `light` or `dark`.
    pub(crate) fn window(&mut self, width: u32, height: u32, scheme: &str) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500});
        self.call("Emulation.setDeviceMetricsOverride", &size);
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.call("Emulation.setEmulatedMedia", &features);
    }

    /// Whether scripts run in the pages that are opened from now on.
    pub(crate) fn allow_scripts(&mut self, allowed: bool) {
        self.call("Emulation.setScriptExecutionDisabled", &json!({"value": !allowed}));
    }

    /// Opens a page, and waits until all of it is loaded.
    pub(crate) fn open(&mut self, url: &str) {
        // A change of the part after `#` alone would not load anything.
        for url in ["about:blank", url] {
            self.events.clear();
            self.call("Page.navigate", &json!({"url": url}));
            self.wait_for("Page.loadEventFired");
        }
    }

    /// The value of an expression, which is awaited if it is a promise.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.call("Runtime.evaluate", &asked);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer:#}");
        answer["result"].get("value").cloned().unwrap_or_default()
    }

    /// Presses and releases a key of the keyboard, such as `ArrowDown`.
    pub(crate) fn press(&mut self, key: &str) {
        for kind in ["rawKeyDown", "keyUp"] {
            self.call("Input.dispatchKeyEvent", &json!({"type": kind, "key": key, "code": key}));
        }
    }

    /// Types text into what has the focus.
    pub(crate) fn write(&mut self, text: &str) {
        self.call("Input.insertText", &json!({"text": text}));
    }

    /// What the window shows.
    pub(crate) fn picture(&mut self) -> Picture {
        let answer = self.call("Page.captureScreenshot", &json!({"format": "png"}));
        let file = STANDARD.decode(answer["data"].as_str().expect("text")).expect("base64");
        let mut decoder = png::Decoder::new(std::io::Cursor::new(file));
        decoder.set_transformations(png::Transformations::ALPHA | png::Transformations::STRIP_16);
        let mut reader = decoder.read_info().expect("a picture");
        let mut rgba = vec![0; reader.output_buffer_size().expect("a picture that fits into memory")];
        let info = reader.next_frame(&mut rgba).expect("a whole picture");
        Picture { width: info.width, height: info.height, rgba }
    }

    /// Errors, warnings and messages in the console since the page was opened.
    pub(crate) fn console(&self) -> Vec<&Value> {
        let methods = ["Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"];
        self.events.iter().filter(|event| methods.iter().any(|&method| event["method"] == method)).collect()
    }

    /// The URLs that were requested since the page was opened, itself included.
    pub(crate) fn requests(&self) -> Vec<&str> {
        let sent = self.events.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
        sent.filter_map(|event| event["params"]["request"]["url"].as_str()).collect()
    }

    fn wait_for(&mut self, method: &str) {
        while !self.events.iter().any(|event| event["method"] == method) {
            let message = self.receive();
            self.events.push(message);
        }
    }

    fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.last_id += 1;
        let mut command = json!({"id": self.last_id, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            command["sessionId"] = json!(session);
        }
        self.commands.write_all(format!("{command}\0").as_bytes()).expect("a browser that listens");
        loop {
            let mut message = self.receive();
            if message["id"] != self.last_id {
                self.events.push(message);
                continue;
            }
            assert!(message.get("error").is_none(), "{method}: {message:#}");
            return message["result"].take();
        }
    }

    fn receive(&self) -> Value {
        self.messages.recv_timeout(PATIENCE).expect("a browser that answers")
    }
}

impl Picture {
    /// How many different colours there are.
    pub(crate) fn colours(&self) -> usize {
        let colours: std::collections::HashSet<&[u8]> = self.rgba.chunks_exact(4).collect();
        colours.len()
    }

    /// How bright it is on average, from 0 (black) to 255 (white).
    pub(crate) fn brightness(&self) -> u64 {
        let sum: u64 =
            self.rgba.chunks_exact(4).map(|pixel| pixel[..3].iter().copied().map(u64::from).sum::<u64>()).sum();
        sum / (u64::from(self.width) * u64::from(self.height) * 3)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Asked to, it ends its other processes too, which would still write to the profile while that is removed.
        let close = json!({"id": 0, "method": "Browser.close"});
        if self.commands.write_all(format!("{close}\0").as_bytes()).is_ok() {
            while self.messages.recv_timeout(PATIENCE).is_ok() {}
        }
        // Either fails only when the browser has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "it is a test that looks for a program")]
fn is_installed(name: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|place| place.join(name).is_file()))
}

/// The messages of the browser: JSON, with a zero after each.
fn read(mut from: impl std::io::BufRead + Send + 'static) -> Receiver<Value> {
    let (sender, messages) = mpsc::channel();
    std::thread::spawn(move || {
        let mut message = Vec::new();
        while from.read_until(0, &mut message).is_ok_and(|length| length > 0) {
            let Ok(value) = serde_json::from_slice(message.strip_suffix(b"\0").unwrap_or(&message)) else { return };
            if sender.send(value).is_err() {
                return;
            }
            message.clear();
        }
    });
    messages
}
