//! What a copied disk consists of, so that anyone can check it later: the hash of each block of the virtual content,
//! and the hash of each block of the file that holds it.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use hvm_formats::disk::{Layer, LayerFormat};
use hvm_model::capabilities::DiskFormat;
use serde::{Deserialize, Serialize};

use crate::blocks::{Blocks, block_size};
use crate::digest::Digest;
use crate::error::TransferError;
use crate::io::write_atomic;
use crate::signing::{OperatorKey, PublicKey, SigningError};
use crate::tree::Tree;

/// Version of the document; raised when a reader of the old form would misunderstand the new one.
pub const MANIFEST_VERSION: u32 = 2;

/// Largest manifest that is read, bytes: twice what two full lists of blocks take.
const MAX_BYTES: u64 = 128 << 20;

/// The manifest of one copied disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`MANIFEST_VERSION`].
    pub version: u32,
    /// Name and version of the tool that wrote it.
    pub tool: String,
    /// What the source was when it was read, as the caller names it.
    pub source: String,
    /// Layers of the source's chain, the leaf first.
    pub layers: Vec<LayerNote>,
    /// Format of the copy; `None` when the manifest describes the disk that was read itself, in the format of its first
    /// layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<DiskFormat>,
    /// Unique id given to the copy, 32 hex digits; empty when there is no copy.
    pub id: String,
    /// Virtual size, bytes.
    pub size: u64,
    /// Bytes of a block: 1 MiB up to 256 GiB, a larger power of two beyond; the last block may be shorter.
    pub block_size: u64,
    /// The value of the whole virtual content: the root of a BLAKE3 tree in which zeros cost nothing (FORMAT.md).
    pub content: Digest,
    /// The value of each block of the content in that tree, in order.
    pub blocks: Blocks,
    /// The file that holds the copy; none when only the content was hashed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileManifest>,
    /// The Ed25519 key of the signature, 64 hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// Signature over the manifest without this field as compact JSON, its fields in this order; 128 hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

/// The file of a copy as it was read back after writing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileManifest {
    /// Length, bytes.
    pub size: u64,
    /// Bytes of a block, as in [`Manifest::block_size`].
    pub block_size: u64,
    /// BLAKE3 of the file: what `b3sum` prints.
    pub blake3: Digest,
    /// BLAKE3 subtree value of each block of the file; the hash itself when there is only one block.
    pub blocks: Blocks,
}

/// One layer of the chain that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerNote {
    /// File name as opened.
    pub name: String,
    /// Format and type.
    pub format: String,
    /// Unique id; empty where the format has none.
    pub unique_id: String,
    /// Length of the file, bytes.
    pub file_size: u64,
}

impl LayerNote {
    /// Takes from a layer what identifies it.
    pub fn of(layer: &Layer) -> Self {
        let format = match layer.format {
            LayerFormat::Raw => "raw",
            LayerFormat::VhdFixed => "vhd-fixed",
            LayerFormat::VhdDynamic => "vhd-dynamic",
            LayerFormat::VhdDifferencing => "vhd-differencing",
            LayerFormat::VhdxFixed => "vhdx-fixed",
            LayerFormat::VhdxDynamic => "vhdx-dynamic",
            LayerFormat::VhdxDifferencing => "vhdx-differencing",
            LayerFormat::Qcow2 => "qcow2",
        };
        LayerNote {
            name: layer.name.clone(),
            format: format.to_owned(),
            unique_id: layer.unique_id.clone(),
            file_size: layer.file_size,
        }
    }
}

impl Manifest {
    /// Reads a manifest and checks that it is consistent in itself.
    pub fn load(path: &Path) -> Result<Manifest, TransferError> {
        let bad = |reason: String| TransferError::Manifest { path: path.to_owned(), reason };
        let length = std::fs::metadata(path).map_err(TransferError::io("read", path))?.len();
        if length > MAX_BYTES {
            return Err(bad(format!("it has {length} bytes, at most {MAX_BYTES} were expected")));
        }
        let file = File::open(path).map_err(TransferError::io("opened", path))?;
        let mut reader = BufReader::new(file.take(MAX_BYTES));
        let manifest: Manifest = serde_json::from_reader(&mut reader).map_err(|error| bad(error.to_string()))?;
        manifest.check().map_err(bad)?;
        Ok(manifest)
    }

    /// Writes the manifest so that it is there whole or not at all.
    pub fn save(&self, path: &Path) -> Result<(), TransferError> {
        let mut bytes = serde_json::to_vec_pretty(self)
            .map_err(|error| TransferError::Manifest { path: path.to_owned(), reason: error.to_string() })?;
        bytes.push(b'\n');
        write_atomic(path, &bytes)
    }

    /// Signs the manifest as it is now.
    pub fn sign(&mut self, key: &OperatorKey) -> Result<(), TransferError> {
        self.public_key = Some(key.public().to_string());
        self.signature = Some(key.sign(&self.signed_bytes()?));
        Ok(())
    }

    /// Checks the signature. With `expected` the manifest must be signed with that key; without, a signature that is
    /// there must fit its own key, which alone proves nothing about who signed.
    pub fn check_signature(&mut self, expected: Option<&PublicKey>) -> Result<Option<PublicKey>, TransferError> {
        let bytes = self.signed_bytes()?;
        let (key, signature) = match (&self.public_key, &self.signature, expected) {
            (Some(key), Some(signature), _) => (key.clone(), signature),
            (_, _, Some(expected)) => return Err(SigningError::Unsigned { expected: *expected }.into()),
            (None, None, None) => return Ok(None),
            (key, _, None) => return Err(SigningError::Wrong { key: key.clone().unwrap_or_default() }.into()),
        };
        let found = PublicKey::from_hex(&key);
        if let Some(expected) = expected
            && found != Some(*expected)
        {
            return Err(SigningError::OtherKey { expected: *expected, found: key }.into());
        }
        match found.filter(|found| found.fits(&bytes, signature)) {
            Some(found) => Ok(Some(found)),
            None => Err(SigningError::Wrong { key }.into()),
        }
    }

    /// What is signed.
    fn signed_bytes(&mut self) -> Result<Vec<u8>, TransferError> {
        let signature = self.signature.take();
        let bytes = serde_json::to_vec(self);
        self.signature = signature;
        bytes.map_err(|error| TransferError::Manifest { path: Path::new("").to_owned(), reason: error.to_string() })
    }

    fn check(&self) -> Result<(), String> {
        if self.version != MANIFEST_VERSION {
            return Err(format!("it has version {}, this program reads version {MANIFEST_VERSION}", self.version));
        }
        let content = (self.size, self.block_size, &self.blocks, self.content);
        check_blocks("content", Tree::Manifest, content)?;
        match &self.file {
            Some(file) => check_blocks("file", Tree::Plain, (file.size, file.block_size, &file.blocks, file.blake3)),
            None => Ok(()),
        }
    }
}

/// Whether a list of blocks fits its length and gives the value of the whole.
fn check_blocks(
    name: &str,
    tree: Tree,
    (size, block, blocks, whole): (u64, u64, &Blocks, Digest),
) -> Result<(), String> {
    let expected = block_size(size);
    if block != expected {
        return Err(format!("the blocks of the {name} have {block} bytes, {expected} were expected"));
    }
    if blocks.len() != size.div_ceil(block) {
        return Err(format!("the {name} of {size} bytes has {} blocks in it", blocks.len()));
    }
    if blocks.root(tree, size) != whole {
        return Err(format!("the blocks of the {name} do not give its hash {whole}: the manifest was changed"));
    }
    Ok(())
}
