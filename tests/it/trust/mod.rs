//! What an artifact must prove.

mod verify;
