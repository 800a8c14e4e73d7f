//! `wasi:filesystem/preopens`: the directories that a guest starts with.

use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::bindings::filesystem::preopens;

use super::FilesView;

impl preopens::Host for FilesView<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        let files = self.files;
        files
            .roots
            .iter()
            .map(|(index, root)| {
                let fd = self.push_root(index, &root.host).map_err(|error| {
                    wasmtime::Error::msg(format!("no directory for the guest: {error}"))
                })?;
                Ok((fd, root.guest.clone()))
            })
            .collect()
    }
}
