//! Limits of processes, of both faces.

use model::Error;
use model::ulimit::{UNLIMITED, Ulimit};
use podman_api::container::compat::UlimitRequest;
use podman_api::oci::Rlimit;

use super::FILL_OUT;
use crate::refuse::invalid;

/// `r_limits` of a libpod create. Podman finds out at the start what cannot be meant.
pub(super) fn from_libpod(asked: &[Rlimit]) -> Result<Vec<Ulimit>, Error> {
    let read = |Rlimit { r#type, hard, soft }: &Rlimit| {
        let name = r#type.to_ascii_lowercase();
        if !Ulimit::is_known(&name) {
            return Err(invalid("r_limits", format!("unknown limit {type:?}")));
        }
        if soft > hard {
            let text = format!("{type}: the soft limit {soft} is above the hard one, {hard}");
            return Err(invalid("r_limits", text));
        }
        Ok(Ulimit {
            name,
            soft: *soft,
            hard: *hard,
        })
    };
    let all = asked.iter().map(read).collect::<Result<_, _>>()?;
    Ok(last_of_each(all))
}

/// `HostConfig.Ulimits` of a compat create. The words are those of Docker's parser, which Podman uses (recorded).
pub(super) fn from_compat(asked: &[UlimitRequest]) -> Result<Vec<Ulimit>, Error> {
    let all = asked.iter().map(read).collect::<Result<_, _>>()?;
    Ok(last_of_each(all))
}

fn read(asked: &UlimitRequest) -> Result<Ulimit, Error> {
    let UlimitRequest { name, hard, soft } = asked;
    let asked = name.to_ascii_lowercase();
    let name = asked.strip_prefix("rlimit_").unwrap_or(&asked);
    let refused = |why: String| {
        let text = format!(
            "ulimit option \"{name}={soft}:{hard}\" requires name=SOFT:HARD, failed to be parsed: {why}"
        );
        Error::Plain(text).behind(FILL_OUT)
    };
    // Docker's parser leaves the address space out
    if !Ulimit::is_known(name) || name == "as" {
        return Err(refused(format!("invalid ulimit type: {name}")));
    }
    // -1 is the largest
    let (bound, upper) = (soft.cast_unsigned(), hard.cast_unsigned());
    if bound > upper {
        let text =
            format!("ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}");
        return Err(refused(text));
    }
    Ok(Ulimit {
        name: name.to_owned(),
        soft: bound,
        hard: upper,
    })
}

/// The last of each name holds, in the place of the first.
fn last_of_each(all: Vec<Ulimit>) -> Vec<Ulimit> {
    let mut kept: Vec<Ulimit> = Vec::with_capacity(all.len());
    for limit in all {
        match kept.iter_mut().find(|known| known.name == limit.name) {
            Some(known) => *known = limit,
            None => kept.push(limit),
        }
    }
    kept
}

/// A bound as Podman shows it: -1 is none.
pub(super) fn shown(bound: u64) -> i64 {
    match bound {
        UNLIMITED => -1,
        bound => i64::try_from(bound).unwrap_or(i64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn libpod(name: &str, soft: u64, hard: u64) -> Rlimit {
        Rlimit {
            r#type: name.to_owned(),
            hard,
            soft,
        }
    }

    fn compat(name: &str, soft: i64, hard: i64) -> UlimitRequest {
        UlimitRequest {
            name: name.to_owned(),
            hard,
            soft,
        }
    }

    #[test]
    fn both_faces_mean_the_same_and_the_last_of_a_name_holds() {
        let asked = [
            libpod("nofile", 1, 2),
            libpod("CORE", 0, UNLIMITED),
            libpod("nofile", 3, 4),
        ];
        let of_libpod = from_libpod(&asked).unwrap();
        let asked = [
            compat("nofile", 1, 2),
            compat("RLIMIT_CORE", 0, -1),
            compat("nofile", 3, 4),
        ];
        assert_eq!(of_libpod, from_compat(&asked).unwrap());
        let lines = of_libpod
            .iter()
            .map(|limit| (limit.constant(), shown(limit.soft), shown(limit.hard)));
        let wanted = [("RLIMIT_NOFILE", 3, 4), ("RLIMIT_CORE", 0, -1)];
        let wanted = wanted.map(|(name, soft, hard)| (name.to_owned(), soft, hard));
        assert_eq!(lines.collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        for asked in [libpod("nosuch", 1, 2), libpod("nofile", 2, 1)] {
            let error = from_libpod(&[asked]).unwrap_err().to_string();
            assert!(error.starts_with("r_limits: "), "{error}");
        }
        for (asked, why) in [
            (compat("nosuch", 1, 2), "invalid ulimit type: nosuch"),
            (compat("as", 1, 2), "invalid ulimit type: as"),
            (
                compat("nofile", 2, 1),
                "less than or equal to hard limit: 2 > 1",
            ),
            (
                compat("nofile", -1, 1),
                "less than or equal to hard limit: -1 > 1",
            ),
        ] {
            let error = from_compat(&[asked]).unwrap_err().to_string();
            assert!(error.ends_with(why), "{error}");
        }
    }
}
