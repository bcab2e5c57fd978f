//! What servers answer, behind a first byte that says what it is read as.

use hvm_winrm::answers::Kind;

/// Answers of SMB: a message, or a stream of frames.
pub fn smb(data: &[u8]) {
    match data.split_first() {
        Some((first, stream)) if first & 1 == 1 => {
            hvm_smb::answers::frames(stream);
        }
        Some((_, message)) => {
            hvm_smb::answers::read(message);
        }
        None => {}
    }
}

/// Answers of WinRM.
pub fn winrm(data: &[u8]) {
    let Some((first, bytes)) = data.split_first() else { return };
    let kind = Kind::ALL[usize::from(*first) % Kind::ALL.len()];
    hvm_winrm::answers::read(kind, bytes);
}
