"""Limits of a zip archive (`.skops`, PyTorch), checked on its table of contents before a member is unpacked."""

import io
import stat
import zipfile

from cvserve.predictor.models.fault import ModelFault

MAX_MEMBERS = 100_000
MAX_UNPACKED_BYTES = 2 * 1024**3
MAX_SCHEMA_BYTES = 128 * 1024**2
# Arrays of nothing but zeros pack about 1:1000; real models stay below 1:20.
MAX_RATIO = 200
_RATIO_COUNTS_FROM_BYTES = 16 * 1024**2
SCHEMA = "schema.json"


def check_archive(data: bytes, saver: str = "skops.io.dump") -> None:
    """Refuse what an archive written by skops or PyTorch never is. Nothing is unpacked.

    Args:
        data: all of the file.
        saver: the function that writes such archives; the way out in each sentence.

    Raises:
        ModelFault: damaged, too many members, too large when unpacked, names that leave the archive or stand
            twice, links.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
    except Exception:  # zipfile raises a dozen kinds on bad bytes
        raise ModelFault("is damaged or cut off; save or copy it again.") from None
    unpacked = sum(member.file_size for member in members)
    if len(members) > MAX_MEMBERS:
        raise _refuse(saver, f"{len(members):,} members; at most {MAX_MEMBERS:,} are read")
    if unpacked > MAX_UNPACKED_BYTES:
        raise _refuse(saver, f"{unpacked:,} bytes unpacked; at most {MAX_UNPACKED_BYTES:,} are read")
    if unpacked > max(_RATIO_COUNTS_FROM_BYTES, len(data) * MAX_RATIO):
        raise _refuse(saver, f"{unpacked:,} bytes packed into {len(data):,}; that is no model but a zip bomb")
    seen: set[str] = set()
    for member in members:
        _check_member(member, saver)
        if member.filename in seen:
            raise _refuse(saver, f"the member {member.filename!a} twice")
        seen.add(member.filename)


def _check_member(member: zipfile.ZipInfo, saver: str) -> None:
    # `filename` ends at a NUL byte, `orig_filename` is what stands in the file.
    path = member.orig_filename.replace("\\", "/")
    steps = path.split("/")
    if path.startswith("/") or ".." in steps or "\0" in path or ":" in steps[0]:
        raise _refuse(saver, f"the member {path!a}, a path that leaves the archive")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise _refuse(saver, f"the member {path!a}, a link")
    if path == SCHEMA and member.file_size > MAX_SCHEMA_BYTES:
        size = f"{member.file_size:,} bytes; at most {MAX_SCHEMA_BYTES:,} are read"
        raise _refuse(saver, f"a {SCHEMA} of {size}")


def _refuse(saver: str, what: str) -> ModelFault:
    return ModelFault(f"has {what}; save the model again with {saver}.")
