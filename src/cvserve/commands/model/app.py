"""`cvserve model inspect | try | check | compare | trust`: arguments and options; each body has a file of its own."""

import importlib
from typing import Annotated, Any

import typer

from cvserve.commands.terminal.plain import PlainCommand
from cvserve.commands.terminal.setting_options import take_settings
from cvserve.settings import MODEL_SETTINGS
from cvserve.values import BUILTIN_MODEL

model_app = typer.Typer(
    help="Look at a model file, try it on a picture, check it on many, compare it, vouch for it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_File = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="A model file or folder, a class or function (my_model.py:MyModel, torchvision.models:resnet18), "
        f"timm:NAME, or '{BUILTIN_MODEL}'.",
        show_default=False,
    ),
]
_AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


@model_app.command(cls=PlainCommand)
@take_settings(MODEL_SETTINGS)
def inspect(
    file: _File,
    write: Annotated[bool, typer.Option("--write", help="Write the model.toml that says all of it.")] = False,
    force: Annotated[bool, typer.Option("--force", help="With --write: over the one that is there.")] = False,
    as_json: _AsJson = False,
    **flags: Any,
) -> None:
    """Print what was found in a model file and where each value came from."""
    from cvserve.commands.model.inspect import inspect_model  # `--help` needs no NumPy

    inspect_model({"model": file, **flags}, writes=write, overwrites=force, as_json=as_json)


@model_app.command(name="try", cls=PlainCommand)
@take_settings([*MODEL_SETTINGS, "top_k"])
def try_(
    file: _File,
    images: Annotated[
        list[str], typer.Argument(metavar="IMAGE", help="Pictures, folders, or - for stdin.", show_default=False)
    ],
    save: Annotated[
        str | None, typer.Option("--save", metavar="DIR", help="Write each picture and what the model sees of it.")
    ] = None,
    as_json: _AsJson = False,
    **flags: Any,
) -> None:
    """Show what the model really sees of a picture, what it says, and how long each step takes."""
    from cvserve.commands.model.try_ import try_model

    raise typer.Exit(try_model({"model": file, **flags}, images, save, as_json=as_json))


@model_app.command(cls=PlainCommand)
@take_settings(MODEL_SETTINGS)
def check(
    file: _File,
    pictures: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER",
            help="A folder of a class each, or a CSV with the columns path, label.",
            show_default=False,
        ),
    ],
    min_accuracy: Annotated[
        str | None, typer.Option("--min-accuracy", metavar="SHARE", help="Exit with 1 under this, such as 0.9 or 90%.")
    ] = None,
    worst: Annotated[str, typer.Option("--worst", metavar="NUMBER", help="How many mistakes to show.")] = "10",
    as_json: _AsJson = False,
    **flags: Any,
) -> None:
    """Ask a model about pictures whose class is known, and count how often it is right."""
    from cvserve.commands.model.check import check_model

    raise typer.Exit(check_model({"model": file, **flags}, pictures, min_accuracy, worst, as_json=as_json))


@model_app.command(cls=PlainCommand)
@take_settings(MODEL_SETTINGS)
def compare(
    file: _File,
    images: Annotated[
        list[str], typer.Argument(metavar="IMAGE", help="Pictures, or folders of them.", show_default=False)
    ],
    reference: Annotated[
        str | None,
        typer.Option(
            "--reference",
            metavar="train.py:predict",
            help="A function from a PIL image to the scores of the model's own framework; it is run.",
        ),
    ] = None,
    tolerance: Annotated[
        str, typer.Option("--tolerance", metavar="SCORE", help="How far a score may be apart.")
    ] = "1e-4",
    reference_scores: Annotated[
        str,
        typer.Option(
            "--reference-scores",
            metavar="KIND",
            help="What the reference gives: probabilities, logits or sigmoid (logits of independent labels).",
        ),
    ] = "auto",
    most: Annotated[str, typer.Option("--most", metavar="NUMBER", help="How many pictures to show.")] = "30",
    as_json: _AsJson = False,
    **flags: Any,
) -> None:
    """Put the scores of the model's own framework beside those of cvserve, and say what makes a difference."""
    body = importlib.import_module("cvserve.commands.model.compare")  # `--help` needs no NumPy
    options = {"tolerance": tolerance, "kind": reference_scores, "most": most}
    raise typer.Exit(body.compare_model({"model": file, **flags}, images, reference, options, as_json=as_json))


@model_app.command(cls=PlainCommand)
def trust(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A file in which code can hide.", show_default=False)],
    sha256: Annotated[
        str | None, typer.Option("--sha256", metavar="HEX", help="Its hash; without it you are asked.")
    ] = None,
) -> None:
    """Vouch for a file in which code can hide; it is remembered for you, by its hash."""
    from cvserve.commands.model.trust import trust_file

    trust_file(file, sha256)
