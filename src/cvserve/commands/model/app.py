"""`cvserve model`: look at a model file, try it on a picture, check it on many, vouch for it."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cvserve.errors import InvalidSetting, UntrustedModel
from cvserve.values import class_reference

if TYPE_CHECKING:
    from cvserve.predictor.models.file import ModelFile
    from cvserve.predictor.predictor import LoadedPredictor

_BUILTIN = "builtin"
_TYPED_CHARACTERS = 8
_MAX_CAUSES = 5

model_app = typer.Typer(
    help="Look at a model file, try it on a picture, check it on many, vouch for it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_File = Annotated[
    str, typer.Argument(metavar="FILE", help=f"A model file, a class as my_model.py:MyModel, or '{_BUILTIN}'.")
]
_Weights = Annotated[Path | None, typer.Option("--weights", metavar="FILE", help="Weights of the class.")]
_Config = Annotated[Path | None, typer.Option("--model-config", help="Another model.toml than the one beside.")]
_Sha256 = Annotated[str | None, typer.Option("--model-sha256", metavar="HEX", help="The hash that FILE must have.")]
_Json = Annotated[bool, typer.Option("--json", help="For programs.")]
_Compile = Annotated[
    str, typer.Option(metavar="MODE", envvar="CVSERVE_COMPILE", help="Run estimators as ONNX: auto, never or require.")
]
_TrustType = Annotated[list[str] | None, typer.Option("--trust-type", help="Allow this type in a skops file.")]


@model_app.command()
def inspect(
    file: _File,
    weights: _Weights = None,
    write: Annotated[bool, typer.Option("--write", help="Write the model.toml that says all of it.")] = False,
    force: Annotated[bool, typer.Option("--force", help="With --write: over the one that is there.")] = False,
    model_config: _Config = None,
    model_sha256: _Sha256 = None,
    trust_type: _TrustType = None,
    compile: _Compile = "auto",  # noqa: A002 - the setting's name
    json: _Json = False,
) -> None:
    """Print what was found in a model file and where each value came from."""
    from cvserve.commands.model import views  # the command line starts fast
    from cvserve.predictor.backends.python.module import file_of
    from cvserve.predictor.models.file import read_model_file
    from cvserve.predictor.models.toml_read import read_config
    from cvserve.predictor.models.toml_write import config_text, write_config
    from cvserve.predictor.properties import properties

    whole = None if file == _BUILTIN else read_model_file(file_of(file))
    try:
        predictor = _load(file, weights, model_config, model_sha256, trust_type, compile)
    except UntrustedModel:
        if whole is not None:
            views.show_untrusted(whole, as_json=json)
        raise
    found = properties(predictor)
    if write and whole is None:
        raise InvalidSetting("The built-in model has no file beside which a model.toml could stand; name a file.")
    if write and whole is not None:
        said = read_config(whole.path, model_config)
        write_config(said.path, config_text(found, said.values), overwrite=force)
        look = f"cvserve model try {shlex.quote(file)} img.jpg"
        typer.echo(f"Wrote {said.path}; check what the model sees with: {look}", err=True)
    views.show_properties(predictor, found, whole, as_json=json)


@model_app.command(name="try")
def try_(
    file: _File,
    images: Annotated[list[str], typer.Argument(metavar="IMAGE", help="Pictures, folders, or - for stdin.")],
    save: Annotated[
        Path | None, typer.Option("--save", metavar="DIR", help="Write each picture and what the model sees of it.")
    ] = None,
    weights: _Weights = None,
    model_config: _Config = None,
    model_sha256: _Sha256 = None,
    trust_type: _TrustType = None,
    compile: _Compile = "auto",  # noqa: A002 - the setting's name
    top_k: Annotated[int, typer.Option(min=1, help="How many classes to show.")] = 5,
    json: _Json = False,
) -> None:
    """Show what the model really sees of a picture, what it says, and how long each step takes."""
    from cvserve.commands.model import trial_views as views
    from cvserve.commands.model.trial import save_trials, trials
    from cvserve.commands.terminal.pictures import find_pictures

    _ask_first(file, model_sha256)
    predictor = _load(file, weights, model_config, model_sha256, trust_type, compile)
    done = trials(predictor, find_pictures(images), top_k)
    if save is not None:
        done = save_trials(done, save)
    raise typer.Exit(1 if views.show(done, predictor, as_json=json) else 0)


@model_app.command()
def check(
    file: _File,
    pictures: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A folder of a class each, or a CSV with the columns path, label.")
    ],
    min_accuracy: Annotated[
        str | None, typer.Option("--min-accuracy", metavar="SHARE", help="Exit with 1 under this, such as 0.9 or 90%.")
    ] = None,
    worst: Annotated[int, typer.Option(min=0, help="How many mistakes to show.")] = 10,
    weights: _Weights = None,
    model_config: _Config = None,
    model_sha256: _Sha256 = None,
    trust_type: _TrustType = None,
    compile: _Compile = "auto",  # noqa: A002 - the setting's name
    json: _Json = False,
) -> None:
    """Ask a model about pictures whose class is known, and count how often it is right."""
    from cvserve.commands.model import evaluation_views as views
    from cvserve.commands.model.check import checked_on, parse_share, refusals
    from cvserve.commands.terminal.options import parse_option
    from cvserve.commands.terminal.output import say, say_cause

    wanted = None if min_accuracy is None else parse_option("--min-accuracy", min_accuracy, parse_share)
    _ask_first(file, model_sha256)
    predictor = _load(file, weights, model_config, model_sha256, trust_type, compile)
    evaluation = checked_on(predictor, pictures)
    reasons = refusals(evaluation, wanted)
    views.show(evaluation, reasons, worst, as_json=json)
    for reason in reasons:
        say(f"cvserve: {reason}")
    for path, error in evaluation.failed[:_MAX_CAUSES]:
        say_cause(error, f"{path}: ")
    raise typer.Exit(1 if reasons else 0)


@model_app.command()
def trust(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file in which code can hide.")],
    sha256: Annotated[str | None, typer.Option(metavar="HEX", help="Its hash; without it you are asked.")] = None,
) -> None:
    """Vouch for a file in which code can hide; it is remembered for you, by its hash."""
    from cvserve.predictor.models.file import check_sha256, read_model_file
    from cvserve.predictor.models.trust import record

    whole = read_model_file(file)
    if not whole.kind.hides_code:
        typer.echo(f"'{file.name}' is {whole.kind.title}: no code can hide in it.", err=True)
        return
    if sha256 is not None:
        check_sha256(whole, sha256)
        record(whole.sha256, file, whole.size, "cvserve model trust --sha256")
    elif not _is_terminal():
        raise InvalidSetting(
            f"There is nobody to ask; run: cvserve model trust {shlex.quote(str(file))} --sha256 HEX, with the "
            f"hash that `sha256sum` prints."
        )
    elif not _asked(whole):
        raise UntrustedModel(f"'{file.name}' is still not trusted: that was not the beginning of its hash.")
    typer.echo(whole.sha256)
    typer.echo(f"'{file.name}' is trusted now, for you and as long as its hash is this.", err=True)


def ask_trust(path: str | Path) -> bool:
    """Whether this user vouches for a file; on a terminal they are asked, and a yes is remembered.

    Args:
        path: of a model file, or a class as `my_model.py:MyModel`.

    Returns:
        True when the file needs no trust, has it, or was just given it; False when there is nobody to ask, or
        the answer is no.

    Raises:
        ModelLoadError: the file cannot be read.
        Unsafe: others may replace it, or the record of trust.
    """
    from cvserve.predictor.backends.python.module import file_of
    from cvserve.predictor.loading import is_served
    from cvserve.predictor.models.file import read_model_file
    from cvserve.predictor.models.trust import is_trusted

    whole = read_model_file(file_of(path))
    # What has no loader is refused by the loader, with a better reason than trust.
    if not whole.kind.hides_code or not is_served(whole) or is_trusted(whole.sha256):
        return True
    return _is_terminal() and _asked(whole)


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _asked(whole: "ModelFile") -> bool:
    """Ask for the beginning of the hash: a key that the hand knows by itself would be no answer."""
    from cvserve.commands.model.views import show_risk
    from cvserve.predictor.models.trust import record

    show_risk(whole)
    answer = typer.prompt(
        f"To run it, type the first {_TYPED_CHARACTERS} characters of its SHA-256",
        default="",
        show_default=False,
        err=True,
    )
    if answer.strip().lower() != whole.sha256[:_TYPED_CHARACTERS]:
        return False
    record(whole.sha256, whole.path, whole.size, "asked on a terminal")
    return True


def _load(
    file: str,
    weights: Path | None,
    model_config: Path | None,
    model_sha256: str | None,
    trust_type: list[str] | None,
    compile: str,  # noqa: A002
) -> "LoadedPredictor":
    """Load, with the warnings of the model as sentences on stderr."""
    import warnings

    from cvserve.predictor.contract import ModelVersionWarning
    from cvserve.predictor.loading import load_model
    from cvserve.predictor.predictor import LoadedPredictor

    path = None if file == _BUILTIN else file
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ModelVersionWarning)
        types = trust_type or ()
        model = load_model(
            path, weights=weights, config=model_config, sha256=model_sha256, trust_types=types, compile=compile
        )
    for entry in caught:
        typer.echo(f"Warning: {entry.message}", err=True)
    return LoadedPredictor(model)


def _ask_first(file: str, model_sha256: str | None) -> None:
    """On a terminal, whether a file in which code can hide is trusted, unless that was said already."""
    if file != _BUILTIN and model_sha256 is None and class_reference(file) is None:
        ask_trust(file)
