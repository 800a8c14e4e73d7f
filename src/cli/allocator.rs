//! Returns freed memory to the operating system.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use crate::runtime::TotalMemory;

/// mimalloc keeps what is freed for a second, in case it is needed again.
const KEPT: Duration = Duration::from_millis(1200);
/// It returns a quarter of what is due each time that it looks.
const LOOKS: usize = 6;
/// An allocation of this size is not cached for its thread, in bytes.
const LARGE: usize = 8 << 20;

/// Makes the allocator return what calls have freed, as long as the server runs.
/// mimalloc returns memory only while a thread frees some, which an idle server does
/// not, so it would keep the largest results for ever.
pub(super) async fn return_freed_memory(memory: Arc<TotalMemory>) {
    loop {
        memory.much_freed().await;
        for _ in 0..LOOKS {
            tokio::time::sleep(KEPT).await;
            drop(black_box(Vec::<u8>::with_capacity(LARGE)));
        }
    }
}
