//! Tombstones in memory.

use std::collections::HashSet;
use std::sync::Arc;

use model::Id;

/// Ids whose removal was asked for, while that is remembered. The table says how long (see
/// [`super::schema::bury`]); a clone shares the ids.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buried(Arc<HashSet<Id>>);

impl Buried {
    /// Whether what the runtime still has of this id is a leftover.
    pub(crate) fn contains(&self, id: &Id) -> bool {
        self.0.contains(id)
    }

    /// Takes in new ones and forgets old ones.
    pub(super) fn change(&mut self, added: Vec<Id>, forgotten: &[Id]) {
        if added.is_empty() && forgotten.is_empty() {
            return;
        }
        let ids = Arc::make_mut(&mut self.0);
        for id in forgotten {
            ids.remove(id);
        }
        ids.extend(added);
    }
}
