//! Reads a file of a share from its begin to its end and says how fast that was: for comparing with other clients of the same
//! server (`cargo xtask bench --only smb`).

use std::time::Instant;

use hvm_smb::{Client, Credentials, Encryption, Endpoint, Login, Mechanism, Options, Secret};

/// Bytes of one read.
const PIECE: usize = 1 << 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [host, port, user, share, path, how] = args.as_slice() else {
        return Err(
            "HOST PORT USER SHARE PATH signed|sealed are wanted, and the password as the first line of the input"
                .into(),
        );
    };
    let mut password = String::new();
    std::io::stdin().read_line(&mut password)?;
    let credentials = Credentials { user: user.clone(), password: Secret::new(password.trim_end().to_owned()) };
    let login = Login { credentials, mechanism: Mechanism::Ntlm };
    let encryption = if how == "sealed" { Encryption::Always } else { Encryption::WhereDemanded };
    let options = Options { encryption, ..Options::default() };
    let client = Client::connect(Endpoint::new(host, Some(port.parse()?))?, login, options)?;
    let share = client.share(share)?;
    let file = share.open_file(path)?;
    let (mut buf, mut at, begin) = (vec![0; PIECE], 0, Instant::now());
    while at < file.len() {
        let count = usize::try_from(file.len() - at).unwrap_or(PIECE).min(PIECE);
        file.read_exact_at(buf.get_mut(..count).unwrap_or_default(), at)?;
        at += count as u64;
    }
    let seconds = begin.elapsed().as_secs_f64();
    println!("{} {} {:.0} MB/s", client.dialect()?, share.protection()?, at as f64 / 1e6 / seconds);
    Ok(())
}
