//! Waiting for the word to go.
//!
//! The words are those of `model::gate::word`; a test holds them together, for this program has no part of the daemon in it.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _, Write as _};

use crate::failure::Failure;

/// Become the command.
const GO: u8 = b'g';

/// Waits until the pipe brings the word to go, and writes each letter that it brings before to where it belongs.
///
/// # Errors
/// The pipe cannot be opened or read. A letter that nobody takes is no error.
pub(crate) fn until_told(pipe: &OsStr) -> Result<(), Failure> {
    loop {
        // Lasts until it is opened for writing.
        let mut words = File::open(pipe).map_err(|error| failed(pipe, &error))?;
        if hear(&mut words).map_err(|error| failed(pipe, &error))? {
            return Ok(());
        }
        // Whoever wrote has died without the word: another comes.
    }
}

/// Whether the word to go came before the end.
fn hear(words: &mut File) -> io::Result<bool> {
    let mut buffer = [0; 64];
    loop {
        let length = words.read(&mut buffer)?;
        let heard = buffer.get(..length).unwrap_or_default();
        for word in heard {
            match word {
                b'o' | b'O' => write(&mut io::stdout().lock(), *word),
                b'e' | b'E' => write(&mut io::stderr().lock(), *word),
                &GO => return Ok(true),
                _ => {}
            }
        }
        if heard.is_empty() {
            return Ok(false);
        }
    }
}

fn write(stream: &mut impl io::Write, letter: u8) {
    // Nobody reads a stream that is closed.
    stream.write_all(&[letter]).ok();
    stream.flush().ok();
}

/// Tells another gate to go.
///
/// # Errors
/// The pipe cannot be opened or written.
pub(crate) fn let_go(pipe: &OsStr) -> Result<(), Failure> {
    let told = File::options()
        .write(true)
        .open(pipe)
        .and_then(|mut pipe| pipe.write_all(&[GO]));
    told.map_err(|error| failed(pipe, &error))
}

fn failed(pipe: &OsStr, error: &io::Error) -> Failure {
    Failure::other(format!("gate: {}: {error}", pipe.display()))
}
