use podman_api::KeySet;
use podman_api::container::compat::{
    BindOptions, ImageOptions, MountRequest, TmpfsOptions, VolumeOptions,
};
use podman_api::container::libpod::{ImageVolume, NamedVolume, OverlayVolume};
use podman_api::oci;

use super::libpod::{from_image, from_libpod, from_named, from_overlay};
use super::*;

fn libpod(kind: &str, options: &[&str]) -> oci::Mount {
    oci::Mount {
        destination: "/w".into(),
        r#type: kind.into(),
        source: "/srv/work".into(),
        options: options.iter().map(|&word| word.to_owned()).collect(),
        ..oci::Mount::default()
    }
}

#[test]
fn the_forms_of_a_bind_mount_mean_the_same() {
    let one = from_libpod(libpod("bind", &["ro", "rslave", "z"])).unwrap();
    let two = from_bind("/srv/work:/w/:ro,rslave,z").unwrap();
    assert_eq!(one, two);
    assert!(one.read_only && one.relabel);
    assert_eq!(one.propagation.as_deref(), Some("rslave"));
    let three = from_request(MountRequest {
        r#type: "bind".into(),
        source: "/srv/work".into(),
        target: "/w".into(),
        read_only: true,
        bind_options: Some(BindOptions {
            propagation: "rslave".into(),
            ..BindOptions::default()
        }),
        ..MountRequest::default()
    })
    .unwrap();
    assert_eq!(
        (three.read_only, three.propagation),
        (true, one.propagation)
    );
}

#[test]
fn the_forms_of_a_tmpfs_mean_the_same() {
    let one = from_tmpfs("/t", "size=64m,mode=700").unwrap();
    assert_eq!(one.kind, MountKind::Tmpfs);
    assert_eq!(one.source, "");
    let two = from_request(MountRequest {
        r#type: "tmpfs".into(),
        target: "/t".into(),
        tmpfs_options: Some(TmpfsOptions {
            size_bytes: 1024,
            mode: 0o1777,
            options: Vec::new(),
        }),
        ..MountRequest::default()
    })
    .unwrap();
    assert_eq!(two.options, ["size=1024", "mode=1777"]);
}

#[test]
fn what_cannot_be_meant_is_an_invalid_argument_that_names_the_field() {
    let duplicate = check_distinct(&[from_bind("/a:/w").unwrap(), from_bind("/b:/w").unwrap()]);
    for (error, text) in [
        (
            from_bind("/a:b").unwrap_err(),
            "HostConfig.Binds: invalid container path \"b\", must be an absolute path",
        ),
        (
            from_bind("/a:/b:ro:x").unwrap_err(),
            "HostConfig.Binds: /a:/b:ro:x: incorrect volume format, should be [host-dir:]ctr-dir[:option]",
        ),
        (
            from_bind(":/b").unwrap_err(),
            "HostConfig.Binds: host directory cannot be empty",
        ),
        (
            from_libpod(libpod("bind", &["rslave", "shared"])).unwrap_err(),
            "mounts: only one root propagation mode can be used: duplicate mount option passed",
        ),
        (
            from_libpod(libpod("bind", &["sideways"])).unwrap_err(),
            "mounts: unknown mount option \"sideways\": invalid mount option",
        ),
        (
            from_libpod(libpod("bind", &["size=1m"])).unwrap_err(),
            "mounts: the 'size' option is only allowed with tmpfs mounts: invalid mount option",
        ),
        (
            from_libpod(libpod("nosuch", &[])).unwrap_err(),
            "mounts: invalid filesystem type \"nosuch\"",
        ),
        (duplicate.unwrap_err(), "/w: duplicate mount destination"),
    ] {
        assert!(matches!(error, Error::InvalidArgument(_)), "{error}");
        assert_eq!(error.to_string(), format!("{text}: invalid argument"));
    }
}

#[test]
fn the_forms_of_a_volume_mean_the_same() {
    let one = from_bind("gv2:/data/:ro,nocopy").unwrap();
    assert_eq!(one.kind, MountKind::Volume);
    assert_eq!(
        (one.volume.as_str(), one.source.as_str(), one.read_only),
        ("gv2", "", true)
    );
    let two = from_named(NamedVolume {
        name: "gv2".into(),
        dest: "/data".into(),
        options: vec!["ro".into(), "nocopy".into()],
        ..NamedVolume::default()
    });
    assert_eq!(two.unwrap(), one);
    let three = from_request(MountRequest {
        r#type: "volume".into(),
        source: "gv2".into(),
        target: "/data".into(),
        read_only: true,
        volume_options: Some(VolumeOptions {
            no_copy: true,
            ..VolumeOptions::default()
        }),
        ..MountRequest::default()
    });
    assert_eq!(three.unwrap(), one);
}

#[test]
fn another_containers_mounts_may_be_asked_for_with_few_options() {
    let read = |text: &str| volumes_from(&[text.to_owned()]);
    for (text, container, options) in [("c", "c", ""), ("c:ro", "c", "ro"), ("c:rw,z", "c", "rw,z")]
    {
        let read = read(text).unwrap();
        assert_eq!(
            (read[0].container.as_str(), read[0].options.join(",")),
            (container, options.to_owned())
        );
    }
    // recorded of Podman 5.8.6
    let only = "specified - volumes from another container can only use z,ro,rw options";
    for (text, error) in [
        ("c:bad", format!("invalid option \"bad\" {only}")),
        ("c:Z", format!("invalid option \"Z\" {only}")),
        ("c:", format!("invalid option \"\" {only}")),
        ("c:ro:z", format!("invalid option \"ro:z\" {only}")),
        (
            "c:ro,rw",
            "cannot set ro or rw options more than once".to_owned(),
        ),
        (
            "c:z,z",
            "cannot set :z more than once in mount options".to_owned(),
        ),
    ] {
        assert_eq!(read(text).unwrap_err().to_string(), error, "{text}");
    }
}

#[test]
fn volumes_without_a_name_lie_where_no_mount_does() {
    let one = from_bind("/data").unwrap();
    assert_eq!((one.kind, one.volume.as_str()), (MountKind::Volume, ""));
    let paths = KeySet(["/data/".to_owned(), "/w".to_owned()].into());
    let open = from_paths(&paths, std::slice::from_ref(&one)).unwrap();
    let destinations: Vec<_> = open
        .iter()
        .map(|mount| mount.destination.as_str())
        .collect();
    assert_eq!(destinations, ["/w"]);
    let relative = KeySet(["data".to_owned()].into());
    assert!(from_paths(&relative, &[]).is_err());
}

#[test]
fn other_kinds_are_refused_by_name() {
    for kind in ["image", "volume", "glob", "artifact"] {
        let error = from_libpod(libpod(kind, &[])).unwrap_err();
        let named = error.to_string().contains(kind);
        assert!(
            named && matches!(error, Error::Unsupported { .. }),
            "{error}"
        );
    }
}

#[test]
fn the_forms_of_a_part_of_a_volume_mean_the_same() {
    let one = from_named(NamedVolume {
        name: "v".into(),
        dest: "/d".into(),
        sub_path: "a/b".into(),
        ..NamedVolume::default()
    });
    let two = from_request(MountRequest {
        r#type: "volume".into(),
        source: "v".into(),
        target: "/d".into(),
        volume_options: Some(VolumeOptions {
            subpath: "a/b".into(),
            ..VolumeOptions::default()
        }),
        ..MountRequest::default()
    });
    let one = one.unwrap();
    assert_eq!(one.sub_path, "a/b");
    assert_eq!(two.unwrap(), one);
}

#[test]
fn the_forms_of_an_image_mean_the_same() {
    let one = from_image(ImageVolume {
        source: "busybox".into(),
        destination: "/i/".into(),
        read_write: false,
        sub_path: "etc".into(),
    })
    .unwrap();
    assert_eq!(
        (one.kind, one.source.as_str(), one.destination.as_str()),
        (MountKind::Image, "busybox", "/i")
    );
    assert!(one.read_only);
    let two = from_request(MountRequest {
        r#type: "image".into(),
        source: "busybox".into(),
        target: "/i".into(),
        image_options: Some(ImageOptions {
            subpath: "etc".into(),
        }),
        ..MountRequest::default()
    });
    assert_eq!(two.unwrap(), one);
    let nothing = from_image(ImageVolume {
        destination: "/i".into(),
        ..ImageVolume::default()
    });
    assert!(nothing.is_err());
}

#[test]
fn the_forms_of_an_overlay_mean_the_same() {
    let overlay = |options: &[&str]| {
        from_overlay(OverlayVolume {
            destination: "/x".into(),
            source: "/srv".into(),
            options: options.iter().map(|&word| word.to_owned()).collect(),
        })
    };
    let one = from_bind("/srv:/x:O").unwrap();
    assert!(one.is_overlay());
    assert_eq!(overlay(&[]).unwrap(), one);
    assert_eq!(overlay(&["O"]).unwrap(), one);
    let named = overlay(&["upperdir=/u", "workdir=/w"]).unwrap();
    assert_eq!(named.value_of("upperdir"), Some("/u"));
    for options in [
        &["upperdir=/u"][..],
        &["upperdir=u", "workdir=/w"],
        &["upperdir=/u", "upperdir=/v"],
        &["upperdir", "workdir"],
        &["bogus"],
    ] {
        let error = overlay(options).unwrap_err();
        assert!(matches!(error, Error::InvalidArgument(_)), "{error}");
    }
    assert!(from_libpod(libpod("bind", &["upperdir=/u", "workdir=/w"])).is_err());
    let volume = from_bind("v:/x:O").unwrap();
    assert!(volume.is_overlay() && volume.kind == MountKind::Volume);
}

#[test]
fn file_systems_that_begin_anew_are_named_by_their_type() {
    for (word, kind) in [("ramfs", MountKind::Ramfs), ("devpts", MountKind::Devpts)] {
        let one = from_libpod(libpod(word, &["mode=700"])).unwrap();
        assert_eq!((one.kind, one.source.as_str()), (kind, word));
        let two = from_request(MountRequest {
            r#type: word.into(),
            target: "/w".into(),
            ..MountRequest::default()
        });
        assert_eq!(two.unwrap().kind, kind);
    }
}
