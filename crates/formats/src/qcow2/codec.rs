//! Compressed clusters: one DEFLATE stream without a head (compression type 0, "zlib"), or zstd frames (type 1). Whatever the
//! bytes claim, nothing but the buffer of one cluster is filled: both decoders use it as their window.

use miniz_oxide::inflate::decompress_slice_iter_to_slice;
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::{self, CParameter};

/// How the compressed clusters of a file are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Deflate,
    Zstd,
}

/// Level of zstd itself and of QEMU; the higher ones cost far more time than they save space.
const LEVEL: i32 = 3;

/// Fills `out`, a whole cluster, from packed bytes; what follows behind the packed cluster is another one's.
pub(super) fn unpack(method: Method, packed: &[u8], out: &mut [u8]) -> Result<(), String> {
    let len = match method {
        Method::Deflate => decompress_slice_iter_to_slice(out, std::iter::once(packed), false, true)
            .map_err(|status| format!("the DEFLATE stream is damaged ({status:?})"))?,
        Method::Zstd => unpack_frames(packed, out)?,
    };
    if len == out.len() { Ok(()) } else { Err(format!("it holds only {len} bytes")) }
}

/// A cluster may be spread over several frames.
fn unpack_frames(packed: &[u8], out: &mut [u8]) -> Result<usize, String> {
    let mut decompressor = Decompressor::new().map_err(|error| error.to_string())?;
    let (mut rest, mut filled) = (packed, 0);
    while filled < out.len() && !rest.is_empty() {
        let len = frame_len(rest).ok_or("no whole zstd frame lies there")?;
        let (frame, behind) = rest.split_at(len);
        let room = out.get_mut(filled..).unwrap_or_default();
        let got = decompressor
            .decompress_to_buffer(frame, room)
            .map_err(|error| format!("the zstd frame is damaged ({error})"))?;
        filled += got;
        rest = behind;
    }
    Ok(filled)
}

/// Bytes of the zstd frame at the start of `bytes`, when all of it is there.
pub(super) fn frame_len(bytes: &[u8]) -> Option<usize> {
    zstd_safe::find_frame_compressed_size(bytes).ok().filter(|len| (1..=bytes.len()).contains(len))
}

/// The most bytes that a packed cluster of `len` bytes can take.
pub(super) fn most(len: usize) -> usize {
    zstd_safe::compress_bound(len)
}

/// Packs clusters as zstd frames.
pub(super) struct Packer(Compressor<'static>);

impl Packer {
    pub(super) fn new() -> std::io::Result<Self> {
        let mut compressor = Compressor::new(LEVEL)?;
        // Without it most flipped bits give wrong data and no error, here and in QEMU; it costs four bytes a cluster.
        compressor.set_parameter(CParameter::ChecksumFlag(true))?;
        Ok(Packer(compressor))
    }

    /// Writes one frame to the start of `out`, which has at least [`most`] bytes; its length.
    pub(super) fn pack(&mut self, cluster: &[u8], out: &mut [u8]) -> std::io::Result<usize> {
        self.0.compress_to_buffer(cluster, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_may_lie_in_two_frames_with_rubbish_behind() {
        let cluster: Vec<u8> = (0..65536u32).map(|n| (n / 7) as u8).collect();
        let mut packer = Packer::new().unwrap();
        let mut packed = vec![0; 2 * most(40000)];
        let first = packer.pack(&cluster[..40000], &mut packed).unwrap();
        let second = packer.pack(&cluster[40000..], &mut packed[first..]).unwrap();
        packed.truncate(first + second);
        assert_eq!(frame_len(&packed), Some(first));
        packed.extend_from_slice(b"the next cluster");
        let mut out = vec![1; 65536];
        unpack(Method::Zstd, &packed, &mut out).unwrap();
        assert!(out == cluster);
        assert!(unpack(Method::Zstd, &packed[..first + second - 1], &mut out).is_err());
        assert!(unpack(Method::Zstd, &packed[..first], &mut out).is_err());
        assert!(unpack(Method::Deflate, &packed, &mut out).is_err());
        assert!(unpack(Method::Zstd, &packed, &mut vec![0; 65535]).is_err());
    }
}
