"""A PyTorch archive is whole: PyTorch itself does not compare checksums and would compute with damaged weights."""

import io
import zipfile

from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.models.files.file import ModelFile
from cvserve.predictor.models.formats.zip_limits import check_archive


def check_whole(file: ModelFile, saver: str) -> None:
    """Compare every member with its checksum.

    Args:
        file: a zip archive.
        saver: what writes such archives, for the sentence.

    Raises:
        ModelFault: a member is damaged, or `check_archive` refuses the archive.
    """
    check_archive(file.data, saver)
    try:
        with zipfile.ZipFile(io.BytesIO(file.data)) as archive:
            damaged = archive.testzip()
    except Exception:  # zipfile raises a dozen kinds on bad bytes
        damaged = "a member"
    if damaged is not None:
        raise ModelFault(f"is damaged: the checksum of {damaged} is wrong; save or copy it again.")
