use std::process::ExitCode;

fn main() -> ExitCode {
    wassette::cli::main()
}
