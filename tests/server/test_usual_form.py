"""The form that nearly everybody sends is read at one glance; it must say what the whole parser says of it."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from cvserve.errors import CvserveError
from cvserve.server import multipart
from cvserve.server.multipart import Part, parse_multipart

HEAD = b'Content-Disposition: form-data; name="file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
BEGIN, END = b"--b\r\n" + HEAD, b"\r\n--b--\r\n"
TYPE = "multipart/form-data; boundary=b"
PIECES = st.one_of(
    st.sampled_from(
        [
            HEAD,
            BEGIN,
            END,
            *(b"\r\n--b--", b"\r\n--b", b"--b", b"--", b"\r\n", b"\r", b"\n", b'"', b"\\", b"\0", b";", b"b"),
        ]
    ),
    st.binary(max_size=8),
)
bounded = settings(max_examples=1_500, deadline=None, derandomize=True)


def as_read_by_the_parser(body: bytes) -> list[Part] | str:
    """The glance knows headers in their usual case only."""
    return parse_or_error(body.replace(b"Content-Disposition", b"content-disposition", 1))


def parse_or_error(body: bytes) -> list[Part] | str:
    try:
        return parse_multipart(body, TYPE, 17)
    except CvserveError as error:
        return str(error)


@bounded
@given(st.integers(0, len(BEGIN + END)), st.integers(0, 12), st.lists(PIECES, max_size=3), st.binary(max_size=20))
@example(0, 0, [], b"")
@example(0, 0, [b"\r\n--b"], b"x")
@example(len(BEGIN) + 1, 0, [END, b"x"], b"x")
def test_a_changed_form_is_read_as_the_parser_reads_it(
    place: int, removed: int, pieces: list[bytes], data: bytes
) -> None:
    whole = BEGIN + data + END
    body = whole[:place] + b"".join(pieces) + whole[place + removed :]
    assert parse_or_error(body) == as_read_by_the_parser(body)


@bounded
@given(st.binary(max_size=200))
def test_any_bytes_between_the_boundaries_are_the_file(data: bytes) -> None:
    assert parse_or_error(BEGIN + data + END) == as_read_by_the_parser(BEGIN + data + END)


def test_the_usual_form_does_not_need_the_parser() -> None:
    """Else the tests above would compare the parser with itself."""
    assert multipart.read_only_part(BEGIN + b"data" + END, b"b") == Part("file", "a.png", b"data")
    assert multipart.read_only_part((BEGIN + b"data" + END).replace(b"Content-D", b"content-d"), b"b") is None
