//! `podman diff`: a container or an image beside what it was made of, or beside another one.

use std::path::{Path, PathBuf};

use model::archive::{Change, DiffKind};
use model::container::Face;
use model::error::Kind;
use model::view::ContainerBody;
use model::{Error, Id};

use super::root::Root;
use super::whole::Layers;
use super::{changes, compare, forget};
use crate::runtime::Runtime as _;
use crate::system::{Engine, Inner};
use crate::volumes::on_disk;

/// What a name means.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Meant {
    /// A container of ours or of others.
    Container(String),
    Image(Image),
}

/// An image by its layers.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Image {
    id: String,
    /// Their folders, topmost first.
    layers: Vec<PathBuf>,
}

/// A tree of files, as long as it is held.
enum Tree {
    Container(Box<Layers>),
    Image(Image),
}

impl Engine {
    /// `GET /containers/{name}/changes` and `GET /libpod/images/{name}/changes`: what differs from the layer below, or from
    /// `parent`, sorted by path; nothing of a container that never ran and that nothing was copied into.
    ///
    /// # Errors
    /// Podman's for names that mean nothing; layers that are not at hand (a virtual machine, no overlay); more changes than
    /// an answer may have.
    pub async fn changes(
        &self,
        name: &str,
        parent: Option<&str>,
        kind: DiffKind,
        face: Face,
    ) -> Result<Vec<Change>, Error> {
        let to = self.meant(name, kind, face).await?;
        let Some(parent) = parent else {
            return self.changes_below(to).await;
        };
        let from = self.meant(parent, kind, face).await?;
        if to == from {
            return Ok(Vec::new());
        }
        if self.is_made_of(&to, &from).await? {
            return self.changes_below(to).await;
        }
        self.changes_between(&to, &from).await
    }

    /// What differs between two trees. Operations on their containers do not wait for it; where one has taken a layer away
    /// meanwhile it is read once more, and then they wait.
    async fn changes_between(&self, to: &Meant, from: &Meant) -> Result<Vec<Change>, Error> {
        for let_go in [true, false] {
            let (mut to, mut from) = self.both(to.clone(), from.clone()).await?;
            let scratch = self.inner().scratch();
            let (trees, changes) = on_disk(move || {
                let open = |at: &Path| Ok((to.root(&at.join("to"))?, from.root(&at.join("from"))?));
                let (one, other) = scratch.with(open)?;
                if let_go {
                    to.let_go();
                    from.let_go();
                }
                Ok(([to, from], compare::find(&one, &other)))
            })
            .await?;
            let [to, from] = &trees;
            if self.is_whole(to, let_go).await? && self.is_whole(from, let_go).await? {
                return changes.map_err(Error::internal);
            }
        }
        Err(Error::internal("layers that are held have gone"))
    }

    /// Whether nothing of a tree has gone away since: a container's only where it was let go.
    async fn is_whole(&self, tree: &Tree, let_go: bool) -> Result<bool, Error> {
        match tree {
            Tree::Container(_) if !let_go => Ok(true),
            Tree::Container(layers) => layers.are_current(self.inner()).await,
            Tree::Image(image) => self.inner().has_layers(image).await,
        }
    }

    /// An image's name goes before a container's, as in Podman.
    async fn meant(&self, name: &str, kind: DiffKind, face: Face) -> Result<Meant, Error> {
        if kind != DiffKind::Container {
            let image = match self.inner().image_named(name, face).await {
                // a container's name need be no image's, and an id that begins as two images' do may be
                Err(Error::Plain(_) | Error::Ambiguous(_)) if kind == DiffKind::All => None,
                image => image?,
            };
            if let Some(image) = image {
                return Ok(Meant::Image(image));
            }
        }
        if kind != DiffKind::Image {
            match self.inspect_container(name, false).await {
                Ok(detail) => return Ok(Meant::Container(detail.view.id().to_owned())),
                Err(Error::NotFound {
                    kind: Kind::Container,
                    ..
                }) => {}
                Err(error) => return Err(error),
            }
        }
        let (unknown, again) = match kind {
            DiffKind::All => ("layer not known", String::new()),
            DiffKind::Container => ("container not known", String::new()),
            DiffKind::Image => ("image not known", format!("{name}: ")),
        };
        Err(Error::Failed {
            message: format!("{name} not found: {again}{unknown}"),
            cause: unknown.to_owned(),
        })
    }

    async fn changes_below(&self, of: Meant) -> Result<Vec<Change>, Error> {
        let image = match of {
            Meant::Container(id) => return self.changes_of_container(&id).await,
            Meant::Image(image) => image,
        };
        let layers = image.layers.clone();
        let scratch = self.inner().scratch();
        let changes = on_disk(move || {
            scratch.with(|at| {
                let (top, below) = layers.split_at(layers.len().min(1));
                let below = match below {
                    [] => Root::at(at),
                    below => Root::of_folders(below, &at.join("below")),
                }?;
                let top = top
                    .first()
                    .ok_or_else(|| Error::internal("an image without layers"))?;
                let top = Root::at(top)?;
                changes::find(top.folder(), &below).map_err(Error::internal)
            })
        })
        .await;
        match self.inner().has_layers(&image).await? {
            true => changes,
            false => Err(Error::internal(format!("image {} has gone", image.id))),
        }
    }

    /// Whether one is the layer right below the other.
    async fn is_made_of(&self, to: &Meant, from: &Meant) -> Result<bool, Error> {
        let Meant::Image(below) = from else {
            return Ok(false);
        };
        Ok(match to {
            Meant::Image(image) => image.layers.get(1..) == Some(below.layers.as_slice()),
            Meant::Container(id) => {
                let image = self.image_of(id).await?;
                image.is_some_and(|image| image.layers == below.layers)
            }
        })
    }

    /// That of a container of ours, where its layers are seen.
    async fn image_of(&self, id: &str) -> Result<Option<Image>, Error> {
        let inner = self.inner();
        let ContainerBody::Own(record) = self.inspect_container(id, false).await?.view.body else {
            return Ok(None);
        };
        let id = record.spec.image.id.clone();
        let layers = inner.runtime.image_layers(&inner.facts(), &id).await?;
        Ok(Some(Image { id, layers }).filter(|image| !image.layers.is_empty()))
    }

    /// Opens both, of two containers always the same first: each waits for what the other one's request has.
    async fn both(&self, to: Meant, from: Meant) -> Result<(Tree, Tree), Error> {
        let from_first = match (&to, &from) {
            (Meant::Container(to), Meant::Container(from)) => from < to,
            _ => false,
        };
        if from_first {
            let from = self.tree(from).await?;
            return Ok((self.tree(to).await?, from));
        }
        let to = self.tree(to).await?;
        Ok((to, self.tree(from).await?))
    }

    async fn tree(&self, of: Meant) -> Result<Tree, Error> {
        let id = match of {
            Meant::Image(image) => return Ok(Tree::Image(image)),
            Meant::Container(id) => id,
        };
        if let Some(layers) = self.layers_of(&id, "diff", false).await? {
            return Ok(Tree::Container(Box::new(layers)));
        }
        // it never ran: it is as its image
        let image = self.image_of(&id).await?;
        image.map(Tree::Image).ok_or_else(unseen)
    }
}

impl Inner {
    /// An image by its name; `None` where there is none.
    async fn image_named(&self, name: &str, face: Face) -> Result<Option<Image>, Error> {
        let Some(image) = self.find_image(name, face).await? else {
            return Ok(None);
        };
        let id = image.detail.summary.id.clone();
        let layers = self.runtime.image_layers(&self.facts(), &id).await?;
        match layers.is_empty() {
            true => Err(unseen()),
            false => Ok(Some(Image { id, layers })),
        }
    }

    /// Whether an image has them still: one that is removed takes them along, folder by folder.
    async fn has_layers(&self, image: &Image) -> Result<bool, Error> {
        let layers = self.runtime.image_layers(&self.facts(), &image.id).await?;
        Ok(layers == image.layers)
    }

    fn scratch(&self) -> Scratch {
        let name = Id::generate();
        Scratch(self.store.dir().path().join("diff").join(name.as_str()))
    }
}

fn unseen() -> Error {
    let why = "where the runtime keeps the layers of the image cannot be seen";
    Error::unsupported("diff", why)
}

impl Tree {
    fn let_go(&mut self) {
        match self {
            Self::Container(layers) => layers.let_go(),
            Self::Image(_) => {}
        }
    }

    fn root(&self, at: &Path) -> Result<Root, Error> {
        let root = match self {
            Self::Container(layers) => layers.merged(),
            Self::Image(image) => Root::of_folders(&image.layers, at),
        };
        forget(at);
        root
    }
}

/// A folder for as long as one comparison takes: what is mounted there is open and nowhere to be seen.
struct Scratch(PathBuf);

impl Scratch {
    fn with<T>(&self, work: impl FnOnce(&Path) -> Result<T, Error>) -> Result<T, Error> {
        std::fs::create_dir_all(&self.0).map_err(Error::internal)?;
        let done = work(&self.0);
        for name in ["to", "from", "below"] {
            forget(&self.0.join(name));
        }
        forget(&self.0);
        done
    }
}
