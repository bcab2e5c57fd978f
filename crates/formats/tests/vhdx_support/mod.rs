//! Files of the testkit's VHDX builder as files that can be opened.

#![allow(dead_code)]

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use hvm_formats::disk::{GateError, ParentGate, ParentRequest};
use hvm_formats::io::{ReadAt, SharedFile};
use hvm_testkit::vhdx::SparseImage;

struct ImageFile {
    name: String,
    image: SparseImage,
}

impl ReadAt for ImageFile {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.image.len
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        if offset.checked_add(buf.len() as u64).is_none_or(|end| end > self.image.len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.image.fill(offset, buf);
        Ok(())
    }
}

pub fn file(name: &str, image: SparseImage) -> SharedFile {
    Arc::new(ImageFile { name: name.to_owned(), image })
}

/// Finds parents by the last part of a recorded path.
#[derive(Default)]
pub struct Gate(HashMap<String, SharedFile>);

impl Gate {
    pub fn add(&mut self, name: &str, image: SparseImage) {
        self.0.insert(name.to_owned(), file(name, image));
    }

    pub fn add_bytes(&mut self, name: &str, bytes: &[u8]) {
        let mut image = SparseImage::default();
        image.put(0, bytes);
        image.set_len(bytes.len().next_multiple_of(1 << 20) as u64);
        self.add(name, image);
    }

    pub fn file(&self, name: &str) -> SharedFile {
        SharedFile::clone(&self.0[name])
    }
}

impl ParentGate for Gate {
    fn candidates(&self, request: &ParentRequest) -> Result<Vec<SharedFile>, GateError> {
        let paths = request.locators.iter().map(|locator| locator.path.as_str());
        Ok(paths.filter_map(|path| self.0.get(path.rsplit(['\\', '/']).next()?).cloned()).collect())
    }
}
