//! Image references: `[registry/]repository[:tag][@digest]`, Podman's rules for short names.
//!
//! After `docker/reference` and libimage's `LookupImage`; the engine looks the candidates up.

use std::collections::BTreeMap;
use std::fmt;

use crate::Error;
use crate::container::Face;

/// The registry Docker means where none is named.
const DOCKER_HUB: &str = "docker.io";
/// Its old name.
const DOCKER_HUB_OLD: &str = "index.docker.io";
/// Characters of a repository name at most.
const NAME_MAX: usize = 255;
/// Characters of a tag at most.
const TAG_MAX: usize = 128;
/// Hex digits of an id.
const ID_LEN: usize = 64;

/// A reference as written; nothing is added to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The registry, where one is named (it has a dot or a port, or is `localhost`).
    pub registry: Option<String>,
    /// The repository.
    pub repository: String,
    /// The tag.
    pub tag: Option<String>,
    /// The digest, `sha256:…`.
    pub digest: Option<String>,
}

/// The host's rules for names without a registry (registries.conf).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShortNames {
    /// Full names by short name.
    pub aliases: BTreeMap<String, String>,
    /// Registries that are searched, in order.
    pub search: Vec<String>,
}

impl Default for ShortNames {
    /// Docker's registry, where the host has no rules.
    fn default() -> Self {
        Self {
            aliases: BTreeMap::new(),
            search: vec![DOCKER_HUB.to_owned()],
        }
    }
}

/// What an image name can mean; the first that exists is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Candidate {
    /// A whole id, without `sha256:`.
    Id(String),
    /// A full name with tag or digest.
    Name(String),
    /// The beginning of an id.
    ShortId(String),
}

impl Reference {
    /// Reads a reference.
    ///
    /// # Errors
    /// [`Error::Plain`] with Podman's text, `parsing reference "UPPER": repository name must be
    /// lowercase`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::read(text).map_err(|why| Error::Plain(format!("parsing reference {text:?}: {why}")))
    }

    fn read(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("repository name must have at least one component".to_owned());
        }
        let Some(reference) = Self::split(text) else {
            return Err(match Self::split(&text.to_lowercase()) {
                Some(_) => "repository name must be lowercase".to_owned(),
                None => "invalid reference format".to_owned(),
            });
        };
        if reference.name().len() > NAME_MAX {
            return Err(format!(
                "repository name must not be more than {NAME_MAX} characters"
            ));
        }
        Ok(reference)
    }

    fn split(text: &str) -> Option<Self> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        let (first, path) = match name.split_once('/') {
            Some((first, path)) if is_domain(first) => (Some(first), path),
            _ => (None, name),
        };
        let valid = path.split('/').all(is_component)
            && tag.is_none_or(is_tag)
            && digest.is_none_or(is_digest);
        if !valid {
            return None;
        }
        let registry = first.filter(|first| first.contains(['.', ':']) || *first == "localhost");
        Some(Self {
            registry: registry.map(str::to_owned),
            repository: if registry.is_some() { path } else { name }.to_owned(),
            tag: tag.map(str::to_owned),
            digest: digest.map(str::to_owned),
        })
    }

    /// The name without tag and digest.
    pub fn name(&self) -> String {
        match &self.registry {
            Some(registry) => format!("{registry}/{}", self.repository),
            None => self.repository.clone(),
        }
    }

    /// It names no registry.
    pub fn is_short(&self) -> bool {
        self.registry.is_none()
    }

    /// The full reference at a registry (its own, where it names one).
    #[must_use]
    pub fn at(&self, registry: &str) -> Self {
        let registry = match self.registry.as_deref().unwrap_or(registry) {
            DOCKER_HUB_OLD => DOCKER_HUB,
            other => other,
        };
        let official = registry == DOCKER_HUB && !self.repository.contains('/');
        Self {
            registry: Some(registry.to_owned()),
            repository: if official {
                format!("library/{}", self.repository)
            } else {
                self.repository.clone()
            },
            tag: self.tag.clone(),
            digest: self.digest.clone(),
        }
    }

    /// With `latest` where it has neither tag nor digest; a tag beside a digest does not count.
    #[must_use]
    pub fn tagged(mut self) -> Self {
        match (&self.tag, &self.digest) {
            (_, Some(_)) => self.tag = None,
            (None, None) => self.tag = Some("latest".to_owned()),
            (Some(_), None) => {}
        }
        self
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

/// What a name can mean among local images, in Podman's order: a whole id; else a full name, the
/// host's alias, `localhost/`, the searched registries, `docker.io/`; else the beginning of an id.
///
/// # Errors
/// [`Error::Plain`] with Podman's text for a name that is no reference.
pub fn local_candidates(name: &str, rules: &ShortNames) -> Result<Vec<Candidate>, Error> {
    let bare = name.strip_prefix("sha256:").unwrap_or(name);
    if is_hex(bare) && bare.len() == ID_LEN {
        return Ok(vec![Candidate::Id(bare.to_owned())]);
    }
    if bare.len() != name.len() && is_hex(bare) {
        return Err(Error::Plain(format!(
            "{name}: image identifier (sha256:…) must have {ID_LEN} hex digits"
        )));
    }
    let reference = Reference::parse(name.strip_prefix("docker://").unwrap_or(name))?;
    let mut names: Vec<Reference> = Vec::new();
    if reference.is_short() {
        names.extend(alias(&reference, rules));
        names.push(reference.at("localhost"));
        names.extend(rules.search.iter().map(|registry| reference.at(registry)));
    }
    names.push(reference.at(DOCKER_HUB));
    let mut candidates: Vec<Candidate> = Vec::new();
    for full in names {
        let candidate = Candidate::Name(full.tagged().to_string());
        if !candidates.contains(&candidate) {
            candidates.push(candidate);
        }
    }
    if is_hex(name) && name.len() < ID_LEN {
        candidates.push(Candidate::ShortId(name.to_owned()));
    }
    Ok(candidates)
}

/// Where a name can be pulled from, in order: itself, where it names a registry; else the host's
/// alias alone; else each searched registry.
///
/// # Errors
/// [`Error::Plain`] with Podman's text for a name that is no reference, or a short name that leads
/// nowhere.
pub fn pull_candidates(name: &str, rules: &ShortNames) -> Result<Vec<String>, Error> {
    let reference = Reference::parse(name.strip_prefix("docker://").unwrap_or(name))?;
    if !reference.is_short() {
        return Ok(vec![reference.at(DOCKER_HUB).tagged().to_string()]);
    }
    if let Some(full) = alias(&reference, rules) {
        return Ok(vec![full.tagged().to_string()]);
    }
    if rules.search.is_empty() {
        return Err(Error::Plain(format!(
            "short-name {name:?} did not resolve to an alias and no containers-registries.conf(5) was found"
        )));
    }
    Ok(rules
        .search
        .iter()
        .map(|registry| reference.at(registry).tagged().to_string())
        .collect())
}

/// The full name the compat face means, without an added tag: it takes Docker's registry where
/// none is named.
///
/// # Errors
/// [`Error::Plain`] with Podman's text for a name that is no reference.
pub fn docker_hub(name: &str) -> Result<String, Error> {
    Ok(Reference::parse(name)?.at(DOCKER_HUB).to_string())
}

/// The full name Podman gives to an image that is built under a name: where no registry is named,
/// `localhost/`, on the compat face Docker's.
///
/// # Errors
/// [`Error::Plain`] with Podman's text for a name that is no reference.
pub fn built_name(name: &str, face: Face) -> Result<String, Error> {
    let registry = match face {
        Face::Libpod => "localhost",
        Face::Compat => DOCKER_HUB,
    };
    Ok(Reference::parse(name)?.at(registry).tagged().to_string())
}

fn alias(reference: &Reference, rules: &ShortNames) -> Option<Reference> {
    let full = rules.aliases.get(&reference.repository)?;
    let mut full = Reference::split(full)?.at(DOCKER_HUB);
    full.tag = reference.tag.clone().or(full.tag);
    full.digest.clone_from(&reference.digest);
    Some(full)
}

fn is_hex(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// `part(.part)*[:port]`, each part letters, digits and inner dashes.
fn is_domain(text: &str) -> bool {
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let is_label = |word: &str| {
        let inner = word
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        !word.is_empty() && inner && !word.starts_with('-') && !word.ends_with('-')
    };
    host.split('.').all(is_label)
        && port.is_none_or(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
}

/// Lower-case letters and digits, held together by one dot, one or two underscores, or dashes.
fn is_component(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut separator = String::new();
    let mut before = false;
    for char in text.chars() {
        match char {
            _ if char.is_ascii() && word(char as u8) => {
                let joined = matches!(separator.as_str(), "" | "." | "_" | "__")
                    || separator.chars().all(|held| held == '-');
                if !joined || (!separator.is_empty() && !before) {
                    return false;
                }
                separator.clear();
                before = true;
            }
            '.' | '_' | '-' => separator.push(char),
            _ => return false,
        }
    }
    before && separator.is_empty()
}

fn is_tag(text: &str) -> bool {
    let word = |char: char| char.is_ascii_alphanumeric() || char == '_';
    text.len() <= TAG_MAX
        && text.starts_with(word)
        && text
            .chars()
            .all(|char| word(char) || char == '.' || char == '-')
}

/// `algorithm:hex`, as far as digests are used: at least 32 hex digits.
fn is_digest(text: &str) -> bool {
    let Some((algorithm, hex)) = text.split_once(':') else {
        return false;
    };
    let named = algorithm.split(['-', '_', '+', '.']).all(|part| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.chars().all(|c| c.is_ascii_alphanumeric())
    });
    named && hex.len() >= 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(name: &str, rules: &ShortNames) -> Vec<String> {
        let text = |candidate| match candidate {
            Candidate::Id(id) => format!("id {id}"),
            Candidate::Name(name) => name,
            Candidate::ShortId(id) => format!("short {id}"),
        };
        local_candidates(name, rules)
            .unwrap()
            .into_iter()
            .map(text)
            .collect()
    }

    #[test]
    fn bad_references_are_refused_in_podmans_words() {
        let long = "a".repeat(300);
        for (text, why) in [
            ("UPPER", "repository name must be lowercase"), // shapes/pull-libpod-badref.json
            ("", "repository name must have at least one component"),
            ("a b", "invalid reference format"),
            ("a:", "invalid reference format"),
            ("-a", "invalid reference format"),
            ("a//b", "invalid reference format"),
            ("a@sha256:12", "invalid reference format"),
            (
                &long,
                "repository name must not be more than 255 characters",
            ),
        ] {
            let error = Reference::parse(text).unwrap_err().to_string();
            assert_eq!(error, format!("parsing reference {text:?}: {why}"));
        }
    }

    #[test]
    fn good_references_come_back_as_they_were() {
        let digest = format!("q.io/a/b:1@sha256:{}", "0".repeat(64));
        for text in [
            "a",
            "a:1",
            "a/b",
            "localhost/a:1",
            "r.io:5000/a/b_c__d--e.f:Tag.1",
            &digest,
        ] {
            assert_eq!(Reference::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(
            Reference::parse("localhost:5000/a")
                .unwrap()
                .registry
                .unwrap(),
            "localhost:5000"
        );
        assert!(Reference::parse("team/a").unwrap().is_short());
    }

    #[test]
    fn a_short_name_is_looked_for_in_podmans_order() {
        let mut rules = ShortNames::default();
        assert_eq!(
            names("busybox", &rules),
            [
                "localhost/busybox:latest",
                "docker.io/library/busybox:latest"
            ]
        );
        assert_eq!(names("quay.io/a/b:1", &rules), ["quay.io/a/b:1"]);
        assert_eq!(
            names("docker.io/busybox", &rules),
            ["docker.io/library/busybox:latest"]
        );
        assert_eq!(
            names("cafe", &rules),
            [
                "localhost/cafe:latest",
                "docker.io/library/cafe:latest",
                "short cafe"
            ]
        );
        rules.search = vec!["quay.io".to_owned()];
        rules
            .aliases
            .insert("ubi".to_owned(), "registry.example/ubi9/ubi".to_owned());
        assert_eq!(
            names("ubi:9", &rules),
            [
                "registry.example/ubi9/ubi:9",
                "localhost/ubi:9",
                "quay.io/ubi:9",
                "docker.io/library/ubi:9"
            ]
        );
    }

    #[test]
    fn a_whole_id_is_nothing_else() {
        let id = "0".repeat(64);
        assert_eq!(names(&id, &ShortNames::default()), [format!("id {id}")]);
        assert_eq!(
            names(&format!("sha256:{id}"), &ShortNames::default()),
            [format!("id {id}")]
        );
        assert!(local_candidates("sha256:123", &ShortNames::default()).is_err());
    }

    #[test]
    fn a_tag_beside_a_digest_does_not_count() {
        let digest = format!("sha256:{}", "0".repeat(64));
        assert_eq!(
            names(&format!("r.io/a:1@{digest}"), &ShortNames::default()),
            [format!("r.io/a@{digest}")]
        );
    }

    #[test]
    fn pulls_go_to_the_alias_or_each_searched_registry() {
        let mut rules = ShortNames::default();
        assert_eq!(
            pull_candidates("busybox", &rules).unwrap(),
            ["docker.io/library/busybox:latest"]
        );
        assert_eq!(
            pull_candidates("docker://r.io/a", &rules).unwrap(),
            ["r.io/a:latest"]
        );
        rules.search.clear();
        assert!(pull_candidates("busybox", &rules).is_err());
    }

    #[test]
    fn the_compat_face_means_docker_hub() {
        assert_eq!(
            docker_hub("nosuch:1").unwrap(),
            "docker.io/library/nosuch:1"
        );
        assert_eq!(docker_hub("quay.io/a").unwrap(), "quay.io/a");
    }
}
