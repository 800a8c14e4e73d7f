//! Bounds the HTTP messages that the host keeps for a guest, and counts them as
//! memory of the guest.
//!
//! wasmtime-wasi-http accepts methods and authorities of any length, and a guest may
//! hold many header maps and bodies, which add up to much memory.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceTable};
use wasmtime_wasi_http::p2::bindings::http::types::{
    HeaderError, HostFields, HostOutgoingRequest as _, Method,
};
use wasmtime_wasi_http::p2::body::HostIncomingBody;
use wasmtime_wasi_http::p2::types::{
    HostFutureIncomingResponse, HostIncomingResponse, HostOutgoingRequest, HostOutgoingResponse,
};
use wasmtime_wasi_http::{FieldMap, WasiHttpCtx, WasiHttpView};

use super::limits::BUFFER;
use crate::runtime::sandbox::Guest;

/// The version that wasmtime-wasi-http registers; a test checks that these functions
/// do replace its own.
const INTERFACE: &str = "wasi:http/types@0.2.12";

/// Limits of a guest's message in bytes. Servers commonly accept 8 or 16 KiB of
/// headers, and a path of 8 KiB.
const HEADERS: usize = 32 << 10;
const PATH: usize = 32 << 10;
const METHOD: usize = 64;
const AUTHORITY: usize = 1 << 10;
/// Bytes of a body that are sent at a time; two such chunks may be buffered.
pub(super) const CHUNK: usize = 16 << 10;
const MADE: usize = HEADERS + PATH + METHOD + AUTHORITY + 2 * CHUNK;

/// New messages after which all are counted again.
const INTERVAL: u32 = 64;

/// Returns the context that bounds the header maps.
pub(in crate::runtime::sandbox) fn context() -> WasiHttpCtx {
    let mut context = WasiHttpCtx::new();
    context.set_field_size_limit(HEADERS);
    context
}

/// Replaces functions that are already in the linker. Every message starts with a
/// header map, so counting those is enough.
pub(super) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut types = linker.instance(INTERFACE)?;
    types.func_wrap("[constructor]fields", new)?;
    types.func_wrap("[static]fields.from-list", from_list)?;
    types.func_wrap("[method]fields.clone", clone)?;
    types.func_wrap("[method]outgoing-request.set-method", set_method)?;
    types.func_wrap("[method]outgoing-request.set-authority", set_authority)?;
    types.func_wrap("[method]outgoing-request.set-path-with-query", set_path)
}

type Context<'a> = StoreContextMut<'a, Guest>;
type Fields = Resource<FieldMap>;
type Request = Resource<HostOutgoingRequest>;
type Answer<T, E> = wasmtime::Result<(Result<T, E>,)>;

fn new(mut guest: Context<'_>, (): ()) -> wasmtime::Result<(Fields,)> {
    count(guest.data_mut())?;
    Ok((HostFields::new(&mut guest.data_mut().http())?,))
}

fn from_list(
    mut guest: Context<'_>,
    (entries,): (Vec<(String, Vec<u8>)>,),
) -> Answer<Fields, HeaderError> {
    count(guest.data_mut())?;
    let fields = HostFields::from_list(&mut guest.data_mut().http(), entries);
    Ok((match fields {
        Ok(fields) => Ok(fields),
        Err(error) => Err(error.downcast()?),
    },))
}

fn clone(mut guest: Context<'_>, (fields,): (Fields,)) -> wasmtime::Result<(Fields,)> {
    count(guest.data_mut())?;
    Ok((HostFields::clone(&mut guest.data_mut().http(), fields)?,))
}

fn set_method(mut guest: Context<'_>, (request, method): (Request, Method)) -> Answer<(), ()> {
    if matches!(&method, Method::Other(name) if name.len() > METHOD) {
        return Ok((Err(()),));
    }
    Ok((guest.data_mut().http().set_method(request, method)?,))
}

fn set_authority(
    mut guest: Context<'_>,
    (request, authority): (Request, Option<String>),
) -> Answer<(), ()> {
    if is_longer(authority.as_ref(), AUTHORITY) {
        return Ok((Err(()),));
    }
    Ok((guest.data_mut().http().set_authority(request, authority)?,))
}

fn set_path(mut guest: Context<'_>, (request, path): (Request, Option<String>)) -> Answer<(), ()> {
    if is_longer(path.as_ref(), PATH) {
        return Ok((Err(()),));
    }
    Ok((guest.data_mut().http().set_path_with_query(request, path)?,))
}

fn is_longer(text: Option<&String>, most: usize) -> bool {
    text.is_some_and(|text| text.len() > most)
}

/// Counts one more message; every [`INTERVAL`] messages, charges the guest for all
/// that are kept.
fn count(guest: &mut Guest) -> wasmtime::Result<()> {
    let (network, table) = guest.network();
    network.messages = network.messages.wrapping_add(1);
    if !network.messages.is_multiple_of(INTERVAL) {
        return Ok(());
    }
    let kept = kept(table);
    guest.limiter.keep_for_guest(kept)
}

/// Returns an upper bound of the bytes of all messages in a table.
fn kept(table: &mut ResourceTable) -> usize {
    let bytes = table.iter_mut().map(|entry| {
        if entry.is::<FieldMap>() {
            HEADERS
        } else if entry.is::<HostOutgoingRequest>() || entry.is::<HostOutgoingResponse>() {
            MADE
        } else if entry.is::<HostFutureIncomingResponse>()
            || entry.is::<HostIncomingResponse>()
            || entry.is::<HostIncomingBody>()
        {
            BUFFER
        } else {
            0
        }
    });
    bytes.sum()
}
