use std::sync::Arc;

use model::image::{ImageConfig, ImageDetail, ImageSummary};

use super::*;
use crate::filter::tests::{filters, labels, minute, now};

fn image(id: &str, tags: &[&str], created: i64, containers: usize) -> ImageView {
    let detail = ImageDetail {
        summary: ImageSummary {
            id: id.to_owned(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            digests: vec![format!("localhost/{id}@sha256:{id}")],
            ..ImageSummary::default()
        },
        created_at: Some(minute(created)),
        config: ImageConfig {
            labels: labels(&[("name", id), ("team", "x")]),
            ..ImageConfig::default()
        },
        ..ImageDetail::default()
    };
    ImageView {
        detail: Arc::new(detail),
        containers,
    }
}

fn images() -> Vec<ImageView> {
    vec![
        image("aa", &["localhost/busybox:latest"], 0, 1),
        image(
            "bb",
            &[
                "docker.io/library/nginx:1.27",
                "reg.example:5000/team/web:v1",
            ],
            1,
            0,
        ),
        image("cc", &[], 2, 0),
    ]
}

/// The engine's look-up, small: by the beginning of an id, and two names.
fn find(name: &str) -> Option<String> {
    match name {
        "busybox" | "localhost/busybox:latest" => Some("aa".to_owned()),
        "nginx" => Some("bb".to_owned()),
        _ => ["aa", "bb", "cc"]
            .into_iter()
            .find(|id| *id == name)
            .map(ToOwned::to_owned),
    }
}

fn bind(text: &str) -> Result<BoundImageFilter, Error> {
    ImageFilter::parse(&filters(text))?.bind(&Context::at(now(), &[]), &images(), &find)
}

fn matching(text: &str) -> Result<String, Error> {
    let filter = bind(text)?;
    let images = images();
    let ids = images
        .iter()
        .filter(|image| filter.matches(image))
        .map(|image| image.detail.summary.id.clone());
    Ok(ids.collect::<Vec<_>>().join(" "))
}

#[test]
fn images_are_filtered_as_by_podman() {
    for (text, expected) in [
        ("{}", "aa bb cc"),
        (r#"{"id":["a"]}"#, "aa"),
        (r#"{"id":["A"]}"#, ""),
        (r#"{"id":["a","b"]}"#, ""),
        (r#"{"id!":["a"]}"#, "bb cc"),
        (r#"{"digest":["sha256:b"]}"#, "bb"),
        (r#"{"label":["team=x"]}"#, "aa bb cc"),
        (r#"{"label":["team","name=bb"]}"#, "bb"),
        (r#"{"label!":["name=bb"]}"#, "aa cc"),
        (r#"{"label!":["name=bb","name=aa"]}"#, "cc"),
        (r#"{"dangling":["true"]}"#, "cc"),
        (r#"{"dangling":["0"]}"#, "aa bb"),
        (r#"{"dangling!":["true"]}"#, "aa bb"),
        (r#"{"containers":["true"]}"#, "aa"),
        (r#"{"containers":["false"]}"#, "bb cc"),
        (r#"{"intermediate":["true"]}"#, ""),
        (
            r#"{"intermediate":["false"],"manifest":["false"]}"#,
            "aa bb cc",
        ),
        (r#"{"since":["busybox"]}"#, "bb cc"),
        (r#"{"after":["aa","bb"]}"#, "cc"),
        (r#"{"since!":["bb"]}"#, "aa bb"),
        (r#"{"before":["bb"]}"#, "aa"),
        (r#"{"until":["2026-11-23T10:01:30Z"]}"#, "aa bb"),
        (r#"{"until":["1h","119m"]}"#, "aa"),
        (r#"{"until!":["119m"]}"#, "bb cc"),
    ] {
        assert_eq!(matching(text).unwrap(), expected, "{text}");
    }
}

#[test]
fn references_are_names_ids_or_patterns_of_names() {
    for (text, expected) in [
        (r#"{"reference":["busybox"]}"#, "aa"),
        (r#"{"reference":["busy*"]}"#, "aa"),
        (r#"{"reference":["localhost/*"]}"#, "aa cc"),
        (r#"{"reference":["*/busybox"]}"#, "aa"),
        (r#"{"reference":["busybox:lat*"]}"#, "aa"),
        (r#"{"reference":["nginx"]}"#, "bb"),
        (r#"{"reference":["library/nginx"]}"#, "bb"),
        (r#"{"reference":["library/nginx:1.*"]}"#, "bb"),
        (r#"{"reference":["*/*/nginx:1.27"]}"#, "bb"),
        (r#"{"reference":["web:v?"]}"#, "bb"),
        (r#"{"reference":["team/web"]}"#, "bb"),
        (r#"{"reference":["cc@sha256:*"]}"#, "cc"),
        (r#"{"reference":["cc"]}"#, "cc"),
        (r#"{"reference":["nosuch","busybox"]}"#, "aa"),
        (r#"{"reference":["["]}"#, ""),
        (r#"{"reference":[""]}"#, ""),
        (r#"{"reference!":["busybox"]}"#, "bb cc"),
        (r#"{"reference!":["busybox"],"reference":["*"]}"#, "bb cc"),
    ] {
        assert_eq!(matching(text).unwrap(), expected, "{text}");
    }
}

#[test]
fn a_query_for_one_full_name_shows_that_name_alone() {
    let images = images();
    for (text, tags) in [
        (
            "{}",
            vec![
                "docker.io/library/nginx:1.27",
                "reg.example:5000/team/web:v1",
            ],
        ),
        (
            r#"{"reference":["nginx"]}"#,
            vec![
                "docker.io/library/nginx:1.27",
                "reg.example:5000/team/web:v1",
            ],
        ),
        (
            r#"{"reference":["docker.io/library/nginx:1.27"]}"#,
            vec!["docker.io/library/nginx:1.27"],
        ),
        (
            r#"{"reference":["reg.example:5000/team/web@sha256:bb"]}"#,
            vec!["reg.example:5000/team/web:v1"],
        ),
        (
            r#"{"reference":["docker.io/library/nginx:1.27","x"]}"#,
            vec![
                "docker.io/library/nginx:1.27",
                "reg.example:5000/team/web:v1",
            ],
        ),
    ] {
        assert_eq!(bind(text).unwrap().tags(&images[1]), tags, "{text}");
    }
}

#[test]
fn bad_image_filters_are_refused_in_podmans_words() {
    for (text, error) in [
        (
            r#"{"nosuch":["x"]}"#,
            r#"invalid image filter "nosuch": must be in the format "filter=value or filter!=value""#,
        ),
        (
            r#"{"label":["a!=b"]}"#,
            r#"invalid image filter "label=a": must be in the format "filter=value or filter!=value""#,
        ),
        (
            r#"{"dangling":["maybe"]}"#,
            r#"non-boolean value "dangling" for maybe filter: strconv.ParseBool: parsing "maybe": invalid syntax"#,
        ),
        (
            r#"{"dangling":["true","1"]}"#,
            r#"specifying "dangling" filter more than once with different values is not supported"#,
        ),
        (
            r#"{"containers":["x"]}"#,
            r#"unsupported value "x" for containers filter"#,
        ),
        (
            r#"{"containers":["external"]}"#,
            "libimage error: external containers filter without callback",
        ),
        (
            r#"{"digest":["ad"]}"#,
            r#"invalid value "ad" for digest filter"#,
        ),
        (
            r#"{"before":["nosuch"]}"#,
            r#"could not find local image for filter "before"="nosuch": nosuch: image not known"#,
        ),
        (
            r#"{"until":["x"]}"#,
            r#"failed to parse value as time or duration: "x""#,
        ),
        (
            r#"{"readonly":["true"]}"#,
            "the image filter readonly is not supported: CRI does not tell which images are read-only",
        ),
    ] {
        assert_eq!(matching(text).unwrap_err().to_string(), error, "{text}");
    }
}
