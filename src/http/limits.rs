//! Limits on what clients of the HTTP server may use.

use std::time::Duration;

/// Limits for all clients together, or for each request or connection.
#[derive(Debug, Clone)]
pub struct HttpLimits {
    /// Most connections. At the limit, a new one replaces an idle one.
    pub connections: usize,
    /// Most sessions of each transport; also the most streams of all its sessions.
    pub sessions: usize,
    /// How long a session may be silent in both directions.
    ///
    /// Long enough for an agent to be left alone overnight: many clients do not start
    /// a new session when theirs has expired.
    pub session_idle: Duration,
    /// Most requests being worked on; others are answered with 503.
    pub requests: usize,
    /// Largest request body, in bytes.
    pub body_bytes: usize,
    /// Memory budget for the parsed form of requests of more than 4 KiB, for all together, in
    /// bytes.
    pub request_memory: usize,
    /// Memory budget for answers that clients have not read yet, for all together, in bytes; a
    /// second budget of this size is for waiting results. When it is used up, calls wait before
    /// they begin.
    pub answer_memory: usize,
    /// Most of those requests that may be downloads of shared content.
    pub downloads: usize,
    /// How long a request's body may take to arrive.
    pub body_time: Duration,
    /// How long the rest of a refused body is read and dropped.
    pub refused_body_time: Duration,
    /// Largest request headers, in bytes.
    pub header_bytes: usize,
    /// How long a request's headers may take to arrive, and how long a
    /// connection may be idle between requests.
    pub header_time: Duration,
    /// How long a client may leave sent data unread.
    pub stall: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        HttpLimits {
            connections: 4096,
            sessions: 1024,
            session_idle: Duration::from_secs(24 * 60 * 60),
            requests: 1024,
            body_bytes: 4 * 1024 * 1024,
            request_memory: 256 * 1024 * 1024,
            answer_memory: 128 * 1024 * 1024,
            downloads: 256,
            body_time: Duration::from_secs(60),
            refused_body_time: Duration::from_secs(10),
            header_bytes: 32 * 1024,
            header_time: Duration::from_secs(30),
            stall: Duration::from_secs(60),
        }
    }
}
