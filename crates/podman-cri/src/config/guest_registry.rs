//! `--guest-registry`: an address that is part of images' names.

use std::net::SocketAddrV4;

use super::{ConfigError, given};

const FLAG: &str = "--guest-registry";

/// The address. Guests ask for it as it stands, and names of images have no place for the brackets of IPv6.
pub(super) fn parse(value: Option<String>) -> Result<Option<SocketAddrV4>, ConfigError> {
    let Some(text) = value.and_then(given) else {
        return Ok(None);
    };
    let refused = |why: &str| ConfigError::new(FLAG, format!("{text:?}: {why}"));
    let address: SocketAddrV4 = text
        .parse()
        .map_err(|_| refused("it is no IPv4 address with a port"))?;
    if address.ip().is_unspecified() {
        return Err(refused("guests need one address, which they reach"));
    }
    match address.port() {
        0 => Err(refused("guests need a port that stays")),
        _ => Ok(Some(address)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Option<SocketAddrV4>, String> {
        parse(Some(text.to_owned())).map_err(|error| error.to_string())
    }

    #[test]
    fn it_is_one_address_that_guests_can_name() {
        let good = of("192.0.2.10:5000").unwrap().unwrap();
        assert_eq!(good.to_string(), "192.0.2.10:5000");
        assert_eq!(of(""), Ok(None));
        for bad in [
            "192.0.2.10",
            "0.0.0.0:5000",
            "192.0.2.10:0",
            "[2001:db8::1]:5000",
            "registry:5000",
            "192.0.2.10:5000/x",
        ] {
            let error = of(bad).unwrap_err();
            assert!(error.contains(FLAG) && error.contains(bad), "{error}");
        }
    }
}
