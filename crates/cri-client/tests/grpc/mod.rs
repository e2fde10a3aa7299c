//! gRPC's answers, by hand: what a server of HTTP/2 sends for a message.

use std::convert::Infallible;
use std::future::{Ready, ready};

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use http_body_util::combinators::WithTrailers;
use http_body_util::{BodyExt as _, Full};
use prost::Message;

type Trailers = Ready<Option<Result<HeaderMap, Infallible>>>;

/// An answer.
pub(crate) type Answer = Response<WithTrailers<Full<Bytes>, Trailers>>;

/// The answer of a call that went well.
pub(crate) fn answer(message: &impl Message) -> Answer {
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.encoded_len()).expect("small"));
    message.encode(&mut frame).expect("it grows");
    ended(frame.freeze(), &[("grpc-status", "0")])
}

/// What a server sends with these trailers at its end.
pub(crate) fn ended(body: Bytes, trailers: &[(&'static str, &'static str)]) -> Answer {
    let trailers: HeaderMap = trailers
        .iter()
        .map(|(name, value)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        })
        .collect();
    Response::builder()
        .header("content-type", "application/grpc")
        .body(Full::new(body).with_trailers(ready(Some(Ok(trailers)))))
        .expect("a right head")
}
