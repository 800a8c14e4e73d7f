use std::path::Path;
use std::process::ExitCode;

use wassette::runtime::{Runtime, Tier};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ["compile", "--tier", tier, input, output] = words[..] else {
        return ExitCode::from(2);
    };
    let Some(tier) = Tier::from_name(tier) else {
        return ExitCode::from(2);
    };
    match Runtime::compile_main(tier, Path::new(input), Path::new(output)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
