//! The command line as users see it.

mod authorities;
mod bad_input;
mod call;
mod doctor;
mod documents;
mod foreign;
mod help;
mod keyring;
mod load;
mod load_many;
mod login;
mod offline;
mod output;
mod secret;
mod serve;
mod sources;
mod terminal;
