//! Notifies clients of changes to the tool list.

use rmcp::service::{Peer, RoleServer, SubscriptionContext};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Sends `notifications/tools/list_changed` after each change until `gone`.
///
/// Changes that come faster than the client reads are merged into one notification.
/// Each connection has its own task, so that a slow client does not delay others.
pub(super) fn announce(
    peer: Peer<RoleServer>,
    mut changes: watch::Receiver<u64>,
    gone: CancellationToken,
) {
    let news = async move {
        while changes.changed().await.is_ok() {
            if peer.notify_tool_list_changed().await.is_err() {
                return;
            }
        }
    };
    tokio::spawn(async move { gone.run_until_cancelled_owned(news).await });
}

/// Like [`announce`], for one `subscriptions/listen` request (2026-07-28), until the client ends
/// it or the connection is `closing`.
pub(super) async fn publish(
    subscription: &SubscriptionContext,
    mut changes: watch::Receiver<u64>,
    closing: &CancellationToken,
) {
    let wanted = subscription.accepted().tools_list_changed == Some(true);
    let news = async {
        while wanted && changes.changed().await.is_ok() {
            if subscription
                .sink()
                .notify_tool_list_changed()
                .await
                .is_err()
            {
                return;
            }
        }
        std::future::pending().await
    };
    tokio::select! {
        () = subscription.cancelled() => {}
        () = closing.cancelled() => {}
        () = news => {}
    }
}
