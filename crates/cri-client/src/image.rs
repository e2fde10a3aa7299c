//! `ImageService`. Names and ids differ by runtime: CRI-O's ids are bare hex and it refuses `sha256:…`;
//! containerd's carry that prefix.

use std::time::Duration;

use cri_api::method;
use cri_api::v1::{
    AuthConfig, Image, ImageFilter, ImageFsInfoRequest, ImageFsInfoResponse, ImageSpec,
    ImageStatusRequest, ImageStatusResponse, ListImagesRequest, ListImagesResponse,
    PodSandboxConfig, PullImageRequest, PullImageResponse, RemoveImageRequest, RemoveImageResponse,
};

use crate::client::Client;
use crate::deadline;
use crate::error::Error;
use crate::transport::Call;
use crate::verbose::ImageInfo;

/// What CRI-O's error says of an image that has no manifest yet, or none any more (read in 1.36.3's answer beside a commit).
const HALF_WRITTEN: &str = "locating item named";
/// Lists that are asked for until that is no passing state: the files of an image take milliseconds.
const LISTS: usize = 20;
/// Pause between two of them.
const LIST_AGAIN: Duration = Duration::from_millis(50);

impl Client {
    /// The images; containerd ignores the filter and lists all. CRI-O lists none while one is being written or removed by
    /// another program, for it reads that one's files: it is asked again.
    pub async fn list_images(&self, filter: Option<ImageFilter>) -> Result<Vec<Image>, Error> {
        let mut asked = 0;
        loop {
            let call = Call::new(method::LIST_IMAGES, "", deadline::READ);
            let request = ListImagesRequest {
                filter: filter.clone(),
            };
            let answer: Result<ListImagesResponse, Error> = self.image.unary(call, request).await;
            asked += 1;
            match answer {
                Err(error) if asked < LISTS && error.to_string().contains(HALF_WRITTEN) => {
                    tokio::time::sleep(LIST_AGAIN).await;
                }
                answer => return Ok(answer?.images),
            }
        }
    }

    /// The image of a name or id; none where there is no such image (CRI-O has an error for a short name,
    /// which is none here).
    pub async fn image_status(&self, image: ImageSpec) -> Result<Option<Image>, Error> {
        let answer = self.image_status_answer(image, false).await?;
        Ok(answer.and_then(|answer| answer.image))
    }

    /// The image, and its configuration.
    pub async fn image_status_verbose(
        &self,
        image: ImageSpec,
    ) -> Result<Option<(Image, ImageInfo)>, Error> {
        let Some(answer) = self.image_status_answer(image, true).await? else {
            return Ok(None);
        };
        let Some(image) = answer.image else {
            return Ok(None);
        };
        Ok(Some((image, ImageInfo::parse(&answer.info)?)))
    }

    async fn image_status_answer(
        &self,
        image: ImageSpec,
        verbose: bool,
    ) -> Result<Option<ImageStatusResponse>, Error> {
        let name = image.image.clone();
        let call = Call::new(method::IMAGE_STATUS, &name, deadline::READ);
        let request = ImageStatusRequest {
            image: Some(image),
            verbose,
        };
        match self.image.unary(call, request).await {
            Ok(answer) => Ok(Some(answer)),
            Err(Error::UnknownImage(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Pulls an image; what the runtime then calls it (CRI-O: an id or a digested name, containerd: the
    /// id). `sandbox` is for handlers that pull inside their VM.
    pub async fn pull_image(
        &self,
        image: ImageSpec,
        auth: Option<AuthConfig>,
        sandbox: Option<PodSandboxConfig>,
    ) -> Result<String, Error> {
        let name = image.image.clone();
        let call = Call::new(method::PULL_IMAGE, &name, deadline::PULL);
        let request = PullImageRequest {
            image: Some(image),
            auth,
            sandbox_config: sandbox,
        };
        let answer: PullImageResponse = self.image.unary(call, request).await?;
        Ok(answer.image_ref)
    }

    /// Removes a name (CRI-O) or the whole image with all its names (containerd), used or not; CRI-O
    /// refuses to remove an image in use by its id. An image that does not exist is no error.
    pub async fn remove_image(&self, image: ImageSpec) -> Result<(), Error> {
        let name = image.image.clone();
        let call = Call::new(method::REMOVE_IMAGE, &name, deadline::REMOVE_IMAGE);
        let request = RemoveImageRequest { image: Some(image) };
        let RemoveImageResponse {} = self.image.unary(call, request).await?;
        Ok(())
    }

    /// Where images lie and how much they use.
    pub async fn image_fs_info(&self) -> Result<ImageFsInfoResponse, Error> {
        let call = Call::new(method::IMAGE_FS_INFO, "", deadline::STATS);
        self.image.unary(call, ImageFsInfoRequest {}).await
    }
}
