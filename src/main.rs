use std::process::ExitCode;

/// Returns memory to the system after large calls; glibc's allocator keeps it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    wassette::cli::main()
}
