//! The client: two endpoints (often the same one), what they are, and where the calls start from.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cri_api::method;
use cri_api::v1::{
    RuntimeConfigResponse, StatusRequest, StatusResponse, VersionRequest, VersionResponse,
};

use crate::containerd::Containerd;
use crate::crio::Crio;
use crate::deadline;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::observer::CallObserver;
use crate::transport::{Call, Transport};

/// A CRI runtime and its image service. Cheap to clone; all clones share the connections.
///
/// A call goes on in the runtime only while its future lives: dropping the future cancels the call there
/// (containerd then leaves a container that it was stopping RUNNING). Who must not lose a change to a
/// client that hangs up runs it in a task of its own.
#[derive(Clone)]
pub struct Client {
    pub(crate) runtime: Transport,
    pub(crate) image: Transport,
}

impl Client {
    /// A client of these endpoints. Nothing is sent yet: the connections are made at the first call, and
    /// again whenever the runtime has gone and come back. Must be called within a tokio runtime.
    pub fn connect(runtime: Endpoint, image: Endpoint) -> Self {
        let same = image == runtime;
        let runtime = Transport::new(runtime);
        let image = if same {
            runtime.clone()
        } else {
            Transport::new(image)
        };
        Self { runtime, image }
    }

    /// The same client, with `observer` told of every changing call.
    #[must_use]
    pub fn with_observer(self, observer: Arc<dyn CallObserver>) -> Self {
        Self {
            runtime: self.runtime.observed(observer.clone()),
            image: self.image.observed(observer),
        }
    }

    /// Where the runtime service is.
    pub fn runtime_endpoint(&self) -> &Endpoint {
        self.runtime.endpoint()
    }

    /// Where the image service is.
    pub fn image_endpoint(&self) -> &Endpoint {
        self.image.endpoint()
    }

    /// containerd's own services on the same socket.
    pub fn containerd(&self) -> Containerd {
        Containerd::new(self.runtime.clone())
    }

    /// CRI-O's own HTTP on the same socket.
    pub fn crio(&self) -> Crio {
        Crio::new(
            self.runtime.endpoint().clone(),
            self.runtime.observer().cloned(),
        )
    }

    /// Name and version of the runtime.
    pub async fn version(&self) -> Result<VersionResponse, Error> {
        self.version_within(deadline::READ, true).await
    }

    pub(crate) async fn version_within(
        &self,
        deadline: Duration,
        patient: bool,
    ) -> Result<VersionResponse, Error> {
        let mut call = Call::new(method::VERSION, "", deadline);
        call.patient = patient;
        let request = VersionRequest {
            version: "v1".to_owned(),
        };
        self.runtime.unary(call, request).await
    }

    /// Conditions and handlers; `verbose` adds the configuration, which [`crate::verbose`] reads.
    pub async fn status(&self, verbose: bool) -> Result<StatusResponse, Error> {
        let call = Call::new(method::STATUS, "", deadline::READ);
        self.runtime.unary(call, StatusRequest { verbose }).await
    }

    /// The cgroup driver (CRI-O, containerd 2; others: [`Error::Unimplemented`]).
    pub async fn runtime_config(&self) -> Result<RuntimeConfigResponse, Error> {
        let call = Call::new(method::RUNTIME_CONFIG, "", deadline::READ);
        let request = cri_api::v1::RuntimeConfigRequest {};
        self.runtime.unary(call, request).await
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("runtime", self.runtime.endpoint())
            .field("image", self.image.endpoint())
            .finish_non_exhaustive()
    }
}

/// The part of an answer that every runtime fills.
pub(crate) fn present<T>(part: Option<T>, call: &'static str, what: &str) -> Result<T, Error> {
    part.ok_or_else(|| Error::BadAnswer {
        call,
        message: format!("the answer has no {what}"),
    })
}
