//! Which runtime handler a sandbox has.
//!
//! It is chosen at the create and kept with the record: what a container wrote lies where its handler keeps it. A
//! container in a pod, or with another one, has that sandbox's.

use model::Error;
use model::pod::SandboxRecord;

use crate::system::Inner;

impl Inner {
    /// Chooses it: what is asked for, else the daemon's default, else the runtime's. `home` is the sandbox of others that a
    /// container joins.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for one that does not exist, or that differs from the home's.
    pub(crate) fn choose_handler(
        &self,
        handler: &mut Option<String>,
        home: Option<&SandboxRecord>,
    ) -> Result<(), Error> {
        let named = handler.take().filter(|name| !name.is_empty());
        let own = Some(self.options.default_handler.clone());
        let own = own.filter(|name| !name.is_empty() && home.is_none());
        let Some(asked) = named.or(own) else {
            return Ok(());
        };
        self.check_known(&asked)?;
        if let Some(home) = home {
            let facts = self.facts();
            let (asked, there) = (facts.handler_named(&asked), self.named_handler(home));
            if asked != there {
                return Err(Error::InvalidArgument(format!(
                    "runtime handler \"{asked}\" differs from the sandbox's (\"{there}\"): a container has its \
                     sandbox's handler"
                )));
            }
        }
        *handler = Some(asked);
        Ok(())
    }

    fn check_known(&self, name: &str) -> Result<(), Error> {
        let facts = self.facts();
        match facts.handlers.is_empty() || facts.has_handler(name) || facts.means_default(name) {
            true => Ok(()),
            false => Err(Error::InvalidArgument(format!(
                "runtime handler \"{name}\" is not configured in {}; it has: {}",
                facts.name,
                facts.handler_names()
            ))),
        }
    }

    /// The runtime handler of a sandbox as CRI takes it: "" is the runtime's default.
    pub(crate) fn handler_of(&self, sandbox: &SandboxRecord) -> String {
        let name = asked_of(sandbox);
        match self.facts().means_default(name) {
            true => String::new(),
            false => name.to_owned(),
        }
    }

    /// The same by name, where the runtime says which one its default is.
    pub(crate) fn named_handler(&self, sandbox: &SandboxRecord) -> String {
        self.facts().handler_named(asked_of(sandbox)).to_owned()
    }
}

/// The handler as it was asked for; "" for the runtime's default.
pub(crate) fn asked_of(sandbox: &SandboxRecord) -> &str {
    sandbox.spec.handler.as_deref().unwrap_or_default()
}
