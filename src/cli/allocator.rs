//! Returns freed memory to the operating system.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use crate::runtime::TotalMemory;

/// mimalloc keeps freed memory for a second before it returns it.
const KEPT: Duration = Duration::from_millis(1200);
/// Number of checks to trigger: in each, mimalloc returns a quarter of the memory that is due.
const LOOKS: usize = 6;
/// Size of an allocation that its thread does not cache, in bytes.
const LARGE: usize = 8 << 20;

/// Makes the allocator return the memory that calls have freed, while the server runs. mimalloc
/// returns memory only while a thread frees some. An idle server does not, so it would keep the
/// largest results forever. While calls
/// go on freeing memory, this only waits for them to stop.
pub(super) async fn return_freed_memory(memory: Arc<TotalMemory>) {
    loop {
        memory.much_freed().await;
        let mut looks = 0;
        while looks < LOOKS {
            match tokio::time::timeout(KEPT, memory.much_freed()).await {
                Ok(()) => looks = 0,
                Err(_) => {
                    drop(black_box(Vec::<u8>::with_capacity(LARGE)));
                    looks += 1;
                }
            }
        }
    }
}
