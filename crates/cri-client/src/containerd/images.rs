//! Names of containerd's images, and leases.

use std::collections::BTreeMap;

use cri_api::containerd::{
    CreateImageRequest, CreateLeaseRequest, DeleteImageRequest, DeleteLeaseRequest, Descriptor,
    Empty, GetImageRequest, Image, ImageResponse, UpdateImageRequest,
};
use cri_api::method;

use super::Containerd;
use crate::client::present;
use crate::deadline;
use crate::error::Error;

/// The label by which the CRI plugin knows an image as its own.
const MANAGED: (&str, &str) = ("io.cri-containerd.image", "managed");
/// The label that ends a lease whose owner died, at a time in RFC 3339.
const EXPIRES: &str = "containerd.io/gc.expire";

impl Containerd {
    /// What an image's name stands for: a manifest, or an index of several; `None` where there is no such name.
    pub async fn image_target(&self, name: &str) -> Result<Option<Descriptor>, Error> {
        let request = GetImageRequest {
            name: name.to_owned(),
        };
        let path = method::IMAGE_GET;
        let answer = self.call(path, name, deadline::READ, request).await;
        let answer: ImageResponse = match answer {
            Ok(answer) => answer,
            Err(Error::NotFound(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let image = present(answer.image, "Get", "image")?;
        present(image.target, "Get", "target").map(Some)
    }

    /// Gives a name to a manifest, perhaps under a lease, taking it from whatever had it. The CRI plugin hears of it a
    /// moment later.
    pub async fn name_image(
        &self,
        lease: Option<&str>,
        name: &str,
        target: Descriptor,
    ) -> Result<(), Error> {
        let (label, value) = MANAGED;
        let image = Some(Image {
            name: name.to_owned(),
            labels: BTreeMap::from([(label.to_owned(), value.to_owned())]),
            target: Some(target),
        });
        let create = CreateImageRequest {
            image: image.clone(),
        };
        let made = self.leased(lease, method::IMAGE_CREATE, name, create).await;
        let _: ImageResponse = match made {
            Err(Error::NameReserved { .. }) => {
                let update = UpdateImageRequest { image };
                self.leased(lease, method::IMAGE_UPDATE, name, update)
                    .await?
            }
            made => made?,
        };
        Ok(())
    }

    /// Takes a name away; what no other name holds is collected. One that is not there is no error.
    pub async fn unname_image(&self, name: &str) -> Result<(), Error> {
        let request = DeleteImageRequest {
            name: name.to_owned(),
        };
        let path = method::IMAGE_DELETE;
        match self.call(path, name, deadline::UPDATE, request).await {
            Ok(Empty {}) | Err(Error::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Makes a lease that ends by itself at a time (RFC 3339) if nobody ends it before.
    pub async fn create_lease(&self, id: &str, expires: &str) -> Result<(), Error> {
        let request = CreateLeaseRequest {
            id: id.to_owned(),
            labels: BTreeMap::from([(EXPIRES.to_owned(), expires.to_owned())]),
        };
        let path = method::LEASE_CREATE;
        // the answer is the lease, which is known
        let Empty {} = self.call(path, id, deadline::UPDATE, request).await?;
        Ok(())
    }

    /// Ends a lease: what it alone held is collected.
    pub async fn delete_lease(&self, id: &str) -> Result<(), Error> {
        let request = DeleteLeaseRequest { id: id.to_owned() };
        let path = method::LEASE_DELETE;
        let Empty {} = self.call(path, id, deadline::UPDATE, request).await?;
        Ok(())
    }
}
