//! User namespaces: which ids of the host stand for the ids of a container.

use serde::{Deserialize, Serialize};

/// The id that the kernel shows for one that is not mapped (`/proc/sys/kernel/overflowuid`).
pub const OVERFLOW_ID: u32 = 65_534;

/// Ids that follow each other, in a container and on the host (CRI `IDMapping`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdRange {
    /// The first id in the container.
    pub container: u32,
    /// The id of the host that stands for it.
    pub host: u32,
    /// How many; at least one.
    pub length: u32,
}

impl IdRange {
    /// The host's id for one of the container's.
    pub fn on_host(&self, id: u32) -> Option<u32> {
        Self::across(self.container, self.host, self.length, id)
    }

    /// The container's id for one of the host's.
    pub fn inside(&self, id: u32) -> Option<u32> {
        Self::across(self.host, self.container, self.length, id)
    }

    /// The id of the other side at the same place, where this side has it.
    fn across(from: u32, to: u32, length: u32, id: u32) -> Option<u32> {
        let offset = id.checked_sub(from).filter(|offset| *offset < length)?;
        to.checked_add(offset)
    }

    /// Whether some id stands in both, on one of the two sides.
    fn meets(&self, other: &Self) -> bool {
        let meet = |a: u32, b: u32| {
            let (a, b) = (u64::from(a), u64::from(b));
            a < b + u64::from(other.length) && b < a + u64::from(self.length)
        };
        meet(self.container, other.container) || meet(self.host, other.host)
    }
}

impl std::fmt::Display for IdRange {
    /// As Podman shows it: `container:host:length`.
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "{}:{}:{}", self.container, self.host, self.length)
    }
}

/// The ids of a user namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IdMappings {
    /// Users.
    pub uids: Vec<IdRange>,
    /// Groups.
    pub gids: Vec<IdRange>,
}

impl IdMappings {
    /// Whom of the host a user and a group of the container are; `None` where one of them is not mapped.
    pub fn to_host(&self, (uid, gid): (u32, u32)) -> Option<(u32, u32)> {
        let host = |ranges: &[IdRange], id| {
            let mut found = ranges.iter();
            found.find_map(|range| range.on_host(id))
        };
        Some((host(&self.uids, uid)?, host(&self.gids, gid)?))
    }

    /// Whom of the container a user and a group of the host are: [`OVERFLOW_ID`] where they are nobody in it, as its processes
    /// see it.
    pub fn to_container(&self, (uid, gid): (u32, u32)) -> (u32, u32) {
        let inside = |ranges: &[IdRange], id| {
            let mut found = ranges.iter();
            let found = found.find_map(|range| range.inside(id));
            found.unwrap_or(OVERFLOW_ID)
        };
        (inside(&self.uids, uid), inside(&self.gids, gid))
    }

    /// Root of the container as a user of the host; the host's overflow id where the container has none.
    pub fn root(&self) -> (u32, u32) {
        self.to_host((0, 0)).unwrap_or((OVERFLOW_ID, OVERFLOW_ID))
    }

    /// The first range that shares an id with one before it.
    pub fn conflict(&self) -> Option<IdRange> {
        let of = |ranges: &[IdRange]| {
            let mut numbered = ranges.iter().enumerate();
            let found = numbered.find(|(at, range)| {
                let mut before = ranges.iter().take(*at);
                before.any(|before| before.meets(range))
            });
            found.map(|(_, range)| *range)
        };
        of(&self.uids).or_else(|| of(&self.gids))
    }
}

/// What a request asks for of the ids of its user namespace, for the daemon to choose the mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdsWanted {
    /// Ids of the host that no other container has (`auto`).
    Auto(AutoIds),
    /// Those of the host, each as itself, in a namespace of its own (`keep-id`, as root).
    HostIds,
}

/// What `auto` is asked with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AutoIds {
    /// How many ids; 0 is what image and user need.
    pub size: u32,
    /// Ranges that are given, and are no part of what is chosen.
    pub given: IdMappings,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(container: u32, host: u32, length: u32) -> IdRange {
        IdRange {
            container,
            host,
            length,
        }
    }

    #[test]
    fn ids_go_to_the_host_and_back() {
        let mappings = IdMappings {
            uids: vec![range(0, 100_000, 10), range(10, 7, 1)],
            gids: vec![range(0, 200_000, 10)],
        };
        assert_eq!(mappings.root(), (100_000, 200_000));
        assert_eq!(mappings.to_host((9, 9)), Some((100_009, 200_009)));
        assert_eq!(mappings.to_host((10, 0)), Some((7, 200_000)));
        assert_eq!(mappings.to_host((11, 0)), None);
        assert_eq!(mappings.to_host((0, 10)), None);
        assert_eq!(mappings.to_container((7, 200_003)), (10, 3));
        assert_eq!(mappings.to_container((0, 0)), (OVERFLOW_ID, OVERFLOW_ID));
        let all = IdMappings {
            uids: vec![range(0, 0, u32::MAX)],
            gids: vec![range(0, 0, u32::MAX)],
        };
        assert_eq!(all.to_container((5, u32::MAX - 1)), (5, u32::MAX - 1));
    }

    #[test]
    fn two_ranges_with_an_id_in_common_conflict() {
        let of = |uids: &[IdRange]| IdMappings {
            uids: uids.to_vec(),
            gids: Vec::new(),
        };
        for (uids, wanted) in [
            (vec![range(0, 100, 10), range(10, 110, 10)], None),
            (vec![range(0, 100, 10), range(9, 300, 1)], Some((9, 300, 1))),
            (
                vec![range(0, 100, 10), range(10, 109, 1)],
                Some((10, 109, 1)),
            ),
            (vec![range(0, 0, u32::MAX)], None),
        ] {
            let wanted = wanted.map(|(container, host, length)| range(container, host, length));
            assert_eq!(of(&uids).conflict(), wanted, "{uids:?}");
        }
    }
}
