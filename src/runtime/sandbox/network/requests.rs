//! `wasi:http/outgoing-handler`.
//!
//! Redirects are ordinary responses: a guest that follows one makes another request,
//! which is checked like the first. Proxies are not supported, because the host could
//! not know to which address a proxy resolves a name.

use std::sync::Arc;

use http::Request;
use tokio::time::timeout;
use wasmtime_wasi_http::{Error as HttpError, RequestOptions, WasiBody, WasiHttpHooks};

use super::connector::Unconnected;
use super::destination::Destination;
use super::exchange::{self, Patience, Running};
use super::{DenialKind, Network, address_list, messages};
use crate::policy::Decision;

type Answer = Result<(http::Response<WasiBody>, Running), HttpError>;

impl WasiHttpHooks for Network {
    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        messages::CHUNK
    }

    fn send_request(
        &mut self,
        mut request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _ended: Running,
    ) -> Box<dyn Future<Output = Answer> + Send> {
        let (destination, url) = match self.admit(&mut request) {
            Ok(admitted) => admitted,
            Err(error) => return Box::new(async { Err(error) }),
        };
        let patience = Patience::from(options);
        let (connector, own) = (Arc::clone(&self.host.connector), self.places());
        let (sandbox, denials) = (self.sandbox.clone(), self.denials.clone());
        Box::new(async move {
            let connecting = async {
                let held = own.connection().await;
                let redactor = denials.look().redactor();
                let stream = connector.connect(&destination, &sandbox, &own, &redactor);
                Ok((stream.await?, held))
            };
            let connected = match timeout(patience.connect, connecting).await {
                Ok(connected) => connected,
                Err(_) => Err(Unconnected::Failed(HttpError::ConnectionTimeout)),
            };
            let (stream, held) = connected.map_err(|error| match error {
                Unconnected::Failed(error) => error,
                Unconnected::Prohibited(reason, addresses) => {
                    let what = format!("{url} at {}", address_list(&addresses));
                    denials.record(DenialKind::Address, &what, reason);
                    HttpError::DestinationIpProhibited
                }
            })?;
            exchange::exchange(stream, request, patience, held).await
        })
    }
}

impl Network {
    /// Checks the request against the grants, without sending anything, and returns
    /// its destination and URL.
    fn admit(&self, request: &mut Request<WasiBody>) -> Result<(Destination, String), HttpError> {
        let destination = Destination::of(request.uri())?;
        let url = destination.url(request.uri());
        let Destination { scheme, host, port } = &destination;
        let granted = self.sandbox.network();
        let decision = granted.request(*scheme, &host.to_string(), *port);
        if let Decision::Denied(reason) = decision {
            self.denials.record(DenialKind::Request, &url, reason);
            return Err(HttpError::HttpRequestDenied);
        }
        exchange::prepare(request, &destination)?;
        Ok((destination, url))
    }
}
