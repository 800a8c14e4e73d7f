//! NaCl's secretbox: XSalsa20 and Poly1305, with the authenticator first.
//!
//! <https://nacl.cr.yp.to/secretbox.html>

use cryptoxide::poly1305::{Poly1305, Tag};
use cryptoxide::salsa20::XSalsa20;
use zeroize::Zeroizing;

/// Bytes of a nonce.
pub const NONCE: usize = 24;
const TAG: usize = 16;

/// Encrypts a text. The nonce must not be used for another text with the same key.
pub fn seal(key: &[u8; 32], nonce: &[u8; NONCE], plain: &[u8]) -> Vec<u8> {
    let (mut stream, authenticator) = streams(key, nonce);
    let mut sealed = vec![0; TAG];
    sealed.extend_from_slice(plain);
    stream.process_mut(&mut sealed[TAG..]);
    let Tag(tag) = tag(authenticator, &sealed[TAG..]);
    sealed[..TAG].copy_from_slice(&tag);
    sealed
}

/// Decrypts a text; `None` if the key is wrong or the text was changed.
pub fn open(key: &[u8; 32], nonce: &[u8; NONCE], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (given, cipher) = sealed.split_first_chunk::<TAG>()?;
    let (mut stream, authenticator) = streams(key, nonce);
    // `Tag` compares in constant time.
    if tag(authenticator, cipher) != Tag(*given) {
        return None;
    }
    let mut plain = Zeroizing::new(cipher.to_vec());
    stream.process_mut(&mut plain);
    Some(plain)
}

/// The key stream after its first 32 bytes, which are the authenticator's key.
fn streams(key: &[u8; 32], nonce: &[u8; NONCE]) -> (XSalsa20, Poly1305) {
    let mut stream = XSalsa20::new(key, nonce);
    let mut first = Zeroizing::new([0; 32]);
    stream.process_mut(&mut *first);
    let authenticator = Poly1305::new(&first);
    (stream, authenticator)
}

fn tag(mut authenticator: Poly1305, cipher: &[u8]) -> Tag {
    authenticator.update_mut(cipher);
    authenticator.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_and_what_was_changed_does_not() {
        let (key, nonce) = ([7; 32], [9; NONCE]);
        for length in [0, 1, 31, 32, 33, 64, 1000] {
            let plain: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let sealed = seal(&key, &nonce, &plain);
            assert_eq!(sealed.len(), length + TAG);
            assert_eq!(open(&key, &nonce, &sealed).as_deref(), Some(&plain));
            for at in 0..sealed.len() {
                let mut changed = sealed.clone();
                changed[at] ^= 1;
                assert_eq!(open(&key, &nonce, &changed), None);
            }
            assert_eq!(open(&[8; 32], &nonce, &sealed), None);
            assert_eq!(open(&key, &[8; NONCE], &sealed), None);
        }
        assert_eq!(open(&key, &nonce, &[0; TAG - 1]), None);
    }
}
