//! The containers whose mounts another one gets (`--volumes-from`).

use model::Error;
use model::container::VolumesFrom;

/// `CONTAINER[:OPTIONS]`, with Podman's checks and words.
pub(crate) fn volumes_from(asked: &[String]) -> Result<Vec<VolumesFrom>, Error> {
    asked.iter().map(|text| from_container(text)).collect()
}

fn from_container(text: &str) -> Result<VolumesFrom, Error> {
    let plain = |text: &str| Error::Plain(text.to_owned());
    let (container, options) = match text.split_once(':') {
        Some((container, options)) => (container, options.split(',').collect()),
        None => (text, Vec::new()),
    };
    let count = |words: &[&str]| options.iter().filter(|word| words.contains(word)).count();
    if let Some(option) = options
        .iter()
        .find(|word| !["z", "ro", "rw"].contains(word))
    {
        return Err(Error::Plain(format!(
            "invalid option {option:?} specified - volumes from another container can only use z,ro,rw options"
        )));
    }
    if count(&["ro", "rw"]) > 1 {
        return Err(plain("cannot set ro or rw options more than once"));
    }
    if count(&["z"]) > 1 {
        return Err(plain("cannot set :z more than once in mount options"));
    }
    Ok(VolumesFrom {
        container: container.to_owned(),
        options: options.into_iter().map(str::to_owned).collect(),
    })
}
