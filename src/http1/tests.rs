//! What is HTTP/1.1 and what is not; for each thing taken its nearest neighbour that is refused.

use http::{Method, StatusCode, Version};
use proptest::prelude::*;

use super::*;
use crate::message::Malformed;

const LIMITS: Limits = Limits {
    bytes_max: 1_000,
    count_max: 10,
};

fn read(bytes: &str) -> Result<Option<Arrived>, Malformed> {
    request(bytes.as_bytes(), &LIMITS)
}

fn framing(fields: &str) -> Result<Framing, &'static str> {
    match read(&format!("POST / HTTP/1.1\r\nhost: a\r\n{fields}\r\n")) {
        Ok(Some(arrived)) => Ok(arrived.framing),
        Ok(None) => Err("partial"),
        Err(why) => Err(why.reason()),
    }
}

#[test]
fn a_head_is_read_as_it_was_written() {
    let text = "POST /a?b=%20 HTTP/1.1\r\nHost: a:1\r\nX-Two:  b c \r\nX-Empty:\r\n\r\nrest";

    let arrived = read(text).unwrap().unwrap();

    assert_eq!(arrived.bytes, text.len() - "rest".len());
    assert_eq!(arrived.head.method, Method::POST);
    assert_eq!(arrived.head.target, "/a?b=%20");
    assert_eq!(arrived.head.version, Version::HTTP_11);
    let fields: Vec<_> = arrived.head.fields.iter().collect();
    assert_eq!(
        fields,
        [
            ("host", b"a:1".as_slice()),
            ("x-two", b"b c"),
            ("x-empty", b"")
        ]
    );
    assert_eq!(arrived.framing, Framing::Length(0));
    assert!(arrived.keeps_alive);
}

#[test]
fn a_head_is_read_when_its_last_byte_is_there_and_not_before() {
    let text = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\n";

    for end in 0..text.len() {
        let begun = text.get(..end).unwrap();
        assert!(read(begun).unwrap().is_none(), "{end}");
    }
    assert!(read(text).unwrap().is_some());
}

#[test]
fn what_two_readers_could_read_in_two_ways_is_refused() {
    for head in [
        "POST / HTTP/1.1\nhost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\n\n",
        "POST / HTTP/1.1\r\nhost : a\r\n\r\n",
        "POST / HTTP/1.1\r\nx: a\r\n b\r\n\r\n",
        "POST / HTTP/1.1\r\nx: a\rb\r\n\r\n",
        "POST / HTTP/1.1\r\nx: a\0b\r\n\r\n",
        "POST / HTTP/1.1\r\n: a\r\n\r\n",
        "POST / HTTP/1.1\r\nno colon\r\n\r\n",
        "POST  / HTTP/1.1\r\nhost: a\r\n\r\n",
        "POST / HTTP/1.1 \r\nhost: a\r\n\r\n",
        "PO@ST / HTTP/1.1\r\nhost: a\r\n\r\n",
        "POST /#top HTTP/1.1\r\nhost: a\r\n\r\n",
        "POST a HTTP/1.1\r\nhost: a\r\n\r\n",
        "POST a:1 HTTP/1.1\r\nhost: a\r\n\r\n",
        "POST ftp://a/ HTTP/1.1\r\nhost: a\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\0",
    ] {
        assert!(matches!(read(head), Err(Malformed::Syntax(_))), "{head:?}");
    }
    for version in ["HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "http/1.1"] {
        let head = format!("POST / {version}\r\nhost: a\r\n\r\n");
        assert!(read(&head).is_err(), "{version}");
    }
}

#[test]
fn a_target_in_absolute_form_names_its_authority() {
    let arrived = read("POST http://b:8/c?d HTTP/1.1\r\nhost: a\r\n\r\n")
        .unwrap()
        .unwrap();

    assert_eq!(arrived.head.authority.as_deref(), Some("b:8"));
    assert_eq!(arrived.head.target, "/c?d");

    for (target, path) in [
        ("http://b", "/"),
        ("http://b?c", "/?c"),
        ("http://b?/../c", "/?/../c"),
    ] {
        let head = format!("POST {target} HTTP/1.1\r\nhost: a\r\n\r\n");
        let arrived = read(&head).unwrap().unwrap();
        assert_eq!(arrived.head.target, path, "{target}");
        assert_eq!(arrived.head.authority.as_deref(), Some("b"), "{target}");
    }
}

#[test]
fn a_length_is_digits_and_said_once() {
    assert_eq!(framing("content-length: 0\r\n"), Ok(Framing::Length(0)));
    assert_eq!(framing("Content-Length: 007\r\n"), Ok(Framing::Length(7)));
    for wrong in [
        "",
        "+1",
        "-1",
        "0x1",
        "1,1",
        "1 1",
        "1.0",
        "18446744073709551616",
    ] {
        let refused = framing(&format!("content-length: {wrong}\r\n"));
        assert_eq!(
            refused,
            Err("the Content-Length is not a number of bytes"),
            "{wrong}"
        );
    }
    assert_eq!(
        framing("content-length: 1\r\ncontent-length: 1\r\n"),
        Err("there is more than one Content-Length")
    );
}

#[test]
fn the_only_transfer_coding_is_chunked_once_alone_and_in_http_1_1() {
    let only = "the only transfer coding is chunked";
    assert_eq!(
        framing("Transfer-Encoding: Chunked\r\n"),
        Ok(Framing::Chunked)
    );
    for wrong in [
        "gzip, chunked",
        "chunked, chunked",
        ",chunked",
        "identity",
        "",
        "chunked;x",
    ] {
        let refused = framing(&format!("transfer-encoding: {wrong}\r\n"));
        assert_eq!(refused, Err(only), "{wrong}");
    }
    assert_eq!(
        framing("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n"),
        Err(only)
    );
    assert_eq!(
        framing("content-length: 1\r\ntransfer-encoding: chunked\r\n"),
        Err("there are both Content-Length and Transfer-Encoding")
    );
    assert_eq!(
        read("POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n").unwrap_err(),
        Malformed::Syntax("Transfer-Encoding is for HTTP/1.1 only")
    );
}

#[test]
fn a_connection_stays_open_as_both_sides_said() {
    for (version, connection, stays) in [
        ("1.1", "", true),
        ("1.1", "connection: close\r\n", false),
        ("1.1", "connection: X-Other , Close\r\n", false),
        (
            "1.1",
            "connection: keep-alive\r\nconnection: close\r\n",
            false,
        ),
        ("1.0", "", false),
        ("1.0", "connection: keep-alive\r\n", true),
        ("1.0", "connection: keep-alive, close\r\n", false),
    ] {
        let head = format!("POST / HTTP/{version}\r\nhost: a\r\n{connection}\r\n");
        let arrived = read(&head).unwrap().unwrap();
        assert_eq!(arrived.keeps_alive, stays, "{head}");
    }
}

#[test]
fn a_continue_is_expected_in_http_1_1_only() {
    for (head, expected) in [
        ("POST / HTTP/1.1\r\nexpect: 100-Continue\r\n\r\n", true),
        ("POST / HTTP/1.0\r\nexpect: 100-continue\r\n\r\n", false),
        ("POST / HTTP/1.1\r\nexpect: 200-ok\r\n\r\n", false),
    ] {
        assert_eq!(read(head).unwrap().unwrap().expects_continue, expected);
    }
}

#[test]
fn a_head_at_its_bounds_is_taken_and_a_byte_or_a_field_more_is_too_large() {
    let of = |bytes: usize| {
        let rest = "POST / HTTP/1.1\r\nx: \r\n\r\n".len();
        format!("POST / HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(bytes - rest))
    };
    assert!(read(&of(1_000)).unwrap().is_some());
    assert_eq!(read(&of(1_001)).unwrap_err(), Malformed::TooLarge);
    assert_eq!(read(&"a".repeat(1_000)).unwrap_err(), Malformed::TooLarge);

    let many = |count: usize| format!("POST / HTTP/1.1\r\n{}\r\n", "x: a\r\n".repeat(count));
    assert!(read(&many(10)).unwrap().is_some());
    assert_eq!(read(&many(11)).unwrap_err(), Malformed::TooLarge);
}

fn answer(head: &str, has_body: bool) -> Result<Framing, &'static str> {
    match response(head.as_bytes(), &LIMITS, has_body) {
        Ok(Some(answered)) => Ok(answered.framing),
        Ok(None) => Err("partial"),
        Err(why) => Err(why.reason()),
    }
}

#[test]
fn an_answer_ends_where_rfc_9112_says() {
    for (head, has_body, expected) in [
        ("200 OK\r\ncontent-length: 5\r\n", true, Framing::Length(5)),
        (
            "200 OK\r\ntransfer-encoding: chunked\r\n",
            true,
            Framing::Chunked,
        ),
        ("200 OK\r\n", true, Framing::UntilClose),
        ("200\r\ncontent-length: 5\r\n", false, Framing::Length(0)),
        ("204 No Content\r\n", true, Framing::Length(0)),
        (
            "304 Not Modified\r\ncontent-length: 5\r\n",
            true,
            Framing::Length(0),
        ),
        ("100 Continue\r\n", true, Framing::Length(0)),
    ] {
        let text = format!("HTTP/1.1 {head}\r\n");
        assert_eq!(answer(&text, has_body), Ok(expected), "{head}");
    }
    for head in [
        "200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n",
        "200 OK\r\ntransfer-encoding: gzip\r\n",
        "200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n",
        "20 OK\r\n",
        "200 OK\ncontent-length: 0\r\n",
    ] {
        assert!(
            answer(&format!("HTTP/1.1 {head}\r\n"), true).is_err(),
            "{head}"
        );
    }
    assert!(answer("SSH-2.0-OpenSSH_9.6\r\n\r\n", true).is_err());
}

#[test]
fn an_answer_until_the_end_is_the_last_of_its_connection() {
    let read = |head: &str| {
        let answered = response(head.as_bytes(), &LIMITS, true).unwrap().unwrap();
        (answered.status, answered.keeps_alive)
    };

    let counted = "HTTP/1.1 201 \r\ncontent-length: 0\r\n\r\n";
    assert_eq!(read(counted), (StatusCode::CREATED, true));
    assert_eq!(read("HTTP/1.1 200 OK\r\n\r\n"), (StatusCode::OK, false));
    let empty = "HTTP/1.1 204 No Content\r\n\r\n";
    assert_eq!(read(empty), (StatusCode::NO_CONTENT, true));
    // It says that there is a body where there can be none: the body would be the next answer.
    let said = "HTTP/1.1 204 No Content\r\ncontent-length: 4\r\n\r\n";
    assert_eq!(read(said), (StatusCode::NO_CONTENT, false));
    let old = "HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(read(old), (StatusCode::OK, false));
}

/// Decodes in pieces of `step` bytes.
fn decode(input: &[u8], step: usize, bytes_max: usize) -> (Decoded, Vec<u8>, usize) {
    let (mut chunks, mut data) = (Chunks::default(), Vec::new());
    let mut used = 0;
    for piece in input.chunks(step) {
        match chunks.decode(piece, &mut data, bytes_max) {
            Decoded::More => used += piece.len(),
            Decoded::Done(last) => return (Decoded::Done(last), data, used + last),
            refused => return (refused, data, used),
        }
    }
    (Decoded::More, data, used)
}

#[test]
fn chunks_are_joined_and_what_is_beside_them_is_dropped() {
    let input = b"4\r\nwiki\r\n5;a=\"b;c\"\r\npedia\r\n00A\r\n in chunks\r\n0\r\nx: y\r\n\r\nnext";

    for step in [1, 2, 3, 7, input.len()] {
        let (decoded, data, used) = decode(input, step, 100);
        assert!(matches!(decoded, Decoded::Done(_)), "{decoded:?}");
        assert_eq!(data, b"wikipedia in chunks");
        assert_eq!(used, input.len() - "next".len());
    }
}

#[test]
fn what_is_no_chunk_is_wrong_at_once() {
    let long = format!("4;{}", "x".repeat(20_000));
    let trailers = format!("0\r\n{}", "x: y\r\n".repeat(5_000));
    for input in [
        "\r\n",
        "x\r\n",
        " 4\r\nwiki\r\n",
        "4 \r\nwiki\r\n",
        "4\nwiki\r\n",
        "+4\r\nwiki\r\n",
        "0x4\r\nwiki\r\n",
        "4\r\nwiki!",
        "4\r\nwiki\n",
        "4\r\nwiki\r\r",
        "4\rx",
        "4;a\nb\r\n",
        "4;\0\r\n",
        "0\r\n\n",
        "0\r\nx: y\n",
        "0\r\nno colon\r\n",
        "0\r\n: no name\r\n",
        "0\r\n folded\r\n",
        "0\r\nPOST / HTTP/1.1\r\n",
        "00000000000000001\r\nx\r\n",
        &long,
        &trailers,
    ] {
        for step in [1, 100_000] {
            let (decoded, ..) = decode(input.as_bytes(), step, 100);
            assert_eq!(decoded, Decoded::Wrong, "{input:.20}");
        }
    }
}

#[test]
fn chunks_beyond_their_bound_are_refused_before_they_come() {
    assert_eq!(decode(b"5\r\n", 1, 4).0, Decoded::TooBig);
    assert_eq!(decode(b"4\r\nwiki\r\n1\r\n", 1, 4).0, Decoded::TooBig);
    assert_eq!(decode(b"ffffffffffffffff\r\n", 1, 4).0, Decoded::TooBig);
    assert!(matches!(
        decode(b"4\r\nwiki\r\n0\r\n\r\n", 1, 4).0,
        Decoded::Done(_)
    ));
}

#[test]
fn a_length_is_written_in_digits() {
    for bytes in [0, 7, 10, 12_345, usize::MAX] {
        let mut out = Vec::new();
        length(&mut out, bytes);
        assert_eq!(out, format!("content-length: {bytes}\r\n").into_bytes());
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_head_or_a_refusal(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = request(&bytes, &LIMITS);
        let _ = response(&bytes, &LIMITS, true);
        let _ = decode(&bytes, 3, 100);
    }

    #[test]
    fn chunks_cut_anywhere_are_the_same_body(
        parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..8),
        step in 1_usize..50,
    ) {
        let mut input = Vec::new();
        for part in &parts {
            input.extend(format!("{:X}\r\n", part.len()).into_bytes());
            input.extend(part);
            input.extend(b"\r\n");
        }
        input.extend(b"0\r\n\r\n");

        let (decoded, data, used) = decode(&input, step, 1_000);

        prop_assert!(matches!(decoded, Decoded::Done(_)));
        prop_assert_eq!(data, parts.concat());
        prop_assert_eq!(used, input.len());
    }

    #[test]
    fn what_we_write_we_read(
        fields in proptest::collection::vec(("[a-z][a-z0-9-]{0,12}", "[!-~]([ -~]{0,20}[!-~])?"), 0..9),
        target in "/[a-z0-9/]{0,20}",
    ) {
        let of_the_hop = ["content-length", "transfer-encoding", "connection", "expect"];
        prop_assume!(fields.iter().all(|(name, _)| !of_the_hop.contains(&name.as_str())));
        let mut out = Vec::new();
        begin_request(&mut out, &Method::POST, &target);
        for (name, value) in &fields {
            field(&mut out, name, value.as_bytes());
        }
        length(&mut out, 9);
        end(&mut out);

        let arrived = request(&out, &LIMITS).unwrap().unwrap();

        prop_assert_eq!(arrived.bytes, out.len());
        prop_assert_eq!(arrived.framing, Framing::Length(9));
        let read: Vec<_> = arrived
            .head
            .fields
            .iter()
            .map(|(name, value)| (name.to_owned(), String::from_utf8_lossy(value).into_owned()))
            .filter(|(name, _)| name != "content-length")
            .collect();
        prop_assert_eq!(read, fields);
    }
}
