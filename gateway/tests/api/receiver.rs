//! A merchant's webhook receiver that keeps what it gets and answers as it is told.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use wire::webhook::{VerifiedWebhook, WebhookHeaders, WebhookPublicKey, WebhookSecret};

/// One message as it was received.
#[derive(Clone, Debug)]
pub struct Message {
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Message {
    pub fn header(&self, name: &str) -> &str {
        let mut found = self.headers.iter().filter(|(key, _)| key == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} stands twice");
        value.unwrap_or_default()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Verifies as a careful receiver does.
    pub fn verify(
        &self,
        secret: &str,
        public_key: Option<&WebhookPublicKey>,
        now: i64,
    ) -> Result<VerifiedWebhook, wire::webhook::WebhookRefusal> {
        let secrets: Vec<WebhookSecret> = (!secret.is_empty())
            .then(|| WebhookSecret::parse(secret).unwrap())
            .into_iter()
            .collect();
        let headers = WebhookHeaders {
            id: &[self.header("webhook-id")],
            timestamp: &[self.header("webhook-timestamp")],
            signature: &[self.header("webhook-signature")],
        };
        wire::webhook::verify(&secrets, public_key, headers, &self.body, now)
    }
}

/// What a receiver does with a message.
#[derive(Clone, Debug)]
pub enum Reaction {
    /// Answers with a status, headers and a body.
    Answer(u16, String, String),
    /// Never answers.
    Silence,
    /// Begins to answer and never ends.
    Endless,
}

impl Reaction {
    pub fn status(status: u16) -> Self {
        Self::Answer(status, String::new(), String::new())
    }
}

#[derive(Default)]
struct State {
    messages: Vec<Message>,
    script: VecDeque<Reaction>,
    usual: Option<Reaction>,
    at_once: usize,
    at_once_max: usize,
}

/// A receiver that listens until it is dropped with its test.
#[derive(Clone)]
pub struct Receiver {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    news: Arc<Notify>,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let receiver = Self { address, state: Arc::default(), news: Arc::default() };
        let accepting = receiver.clone();
        actix_web::rt::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                actix_web::rt::spawn(accepting.clone().serve(stream));
            }
        });
        receiver
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// What to do with every message from now on.
    pub fn usually(&self, reaction: Reaction) {
        self.state.lock().unwrap().usual = Some(reaction);
    }

    /// What to do with the next messages.
    pub fn next(&self, reactions: impl IntoIterator<Item = Reaction>) {
        self.state.lock().unwrap().script.extend(reactions);
    }

    pub fn messages(&self) -> Vec<Message> {
        self.state.lock().unwrap().messages.clone()
    }

    pub fn count(&self) -> usize {
        self.state.lock().unwrap().messages.len()
    }

    /// Most messages that were under way at the same time.
    pub fn at_once_max(&self) -> usize {
        self.state.lock().unwrap().at_once_max
    }

    /// Waits for a number of messages.
    pub async fn until(&self, count: usize) {
        while self.count() < count {
            self.news.notified().await;
        }
    }

    async fn serve(self, stream: TcpStream) {
        let (reader, mut writer) = stream.into_split();
        let mut reader = BufReader::new(reader);
        while let Some(message) = read(&mut reader).await {
            let reaction = {
                let mut state = self.state.lock().unwrap();
                state.messages.push(message);
                state.at_once += 1;
                state.at_once_max = state.at_once_max.max(state.at_once);
                let next = state.script.pop_front();
                next.or_else(|| state.usual.clone()).unwrap_or_else(|| Reaction::status(200))
            };
            self.news.notify_one();
            match reaction {
                Reaction::Silence => std::future::pending().await,
                Reaction::Endless => {
                    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
                    let chunk = format!("1000\r\n{}\r\n", "x".repeat(4096));
                    if writer.write_all(head.as_bytes()).await.is_err() {
                        return;
                    }
                    while writer.write_all(chunk.as_bytes()).await.is_ok() {}
                    return;
                }
                Reaction::Answer(status, headers, body) => {
                    self.state.lock().unwrap().at_once -= 1;
                    let length = body.len();
                    let answer = format!(
                        "HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\n\r\n{body}"
                    );
                    if writer.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

async fn read(reader: &mut BufReader<tokio::net::tcp::OwnedReadHalf>) -> Option<Message> {
    let mut line = String::new();
    reader.read_line(&mut line).await.ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, value)| value.parse().unwrap())];
    reader.read_exact(&mut body).await.ok()?;
    Some(Message { path, headers, body })
}
