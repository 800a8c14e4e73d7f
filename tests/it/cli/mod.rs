//! The command line as its users see it.

mod authorities;
mod bad_input;
mod doctor;
mod documents;
mod help;
mod keyring;
mod load;
mod login;
mod offline;
mod secret;
mod sources;
mod terminal;
