"""`cvserve model trust`: vouch for a file in which code can hide."""

import shlex

import typer

from cvserve.commands.loading.ask_trust import ask_for_hash, is_terminal
from cvserve.commands.terminal.output import say
from cvserve.errors import InvalidSetting, UntrustedModel
from cvserve.predictor.backends.python.module import file_of
from cvserve.predictor.models.code.trust import describe_parts, record
from cvserve.predictor.models.files.file import check_sha256, with_imports
from cvserve.predictor.models.files.folder import read_model


def trust_file(path: str, sha256: str | None) -> None:
    """Record that this user vouches for a file, and print its hash.

    Args:
        path: of the file, or a class as `my_model.py:MyModel` or `package.module:MyModel`.
        sha256: hash that the file must have, 64 hex digits; None: ask on the terminal.

    Raises:
        InvalidSetting: `sha256` is no hash, or there is nobody to ask.
        ModelLoadError: the file cannot be read, or has another hash.
        UntrustedModel: the answer was no.
        Unsafe: others may replace the file, or the record of trust.
    """
    file = with_imports(read_model(file_of(path)))
    name = file.path.name
    if not file.kind.hides_code:
        say(f"'{name}' is {file.kind.title}: no code can hide in it.")
        return
    if sha256 is not None:
        check_sha256(file, sha256)
        record(file.code_sha256, file.path, file.size, "cvserve model trust --sha256", describe_parts(file))
    elif not is_terminal():
        raise InvalidSetting(
            f"There is nobody to ask; run: cvserve model trust {shlex.quote(path)} --sha256 HEX, with the hash that "
            "`sha256sum` prints."
        )
    elif not ask_for_hash(file):
        raise UntrustedModel(f"'{name}' is still not trusted: that was not the beginning of its hash.")
    typer.echo(file.code_sha256)
    say(f"'{name}' is trusted now, for you and as long as its hash is this.")
