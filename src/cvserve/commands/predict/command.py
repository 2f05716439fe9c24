"""`cvserve predict IMAGE…`: its arguments and options; what it does is in `answer.py`."""

from typing import Annotated, Any

import typer

from cvserve.commands.terminal.options import AsJson, AsNl
from cvserve.commands.terminal.output import choose_format
from cvserve.commands.terminal.setting_options import take_settings
from cvserve.settings import MODEL_SETTINGS


@take_settings(["model", *MODEL_SETTINGS, "top_k", "home"])
def predict(
    images: Annotated[
        list[str], typer.Argument(metavar="IMAGE", help="Files, folders, or - for stdin.", show_default=False)
    ],
    no_history: Annotated[bool, typer.Option("--no-history", help="Store nothing.")] = False,
    as_json: AsJson = False,
    as_nl: AsNl = False,
    **flags: Any,
) -> None:
    """Classify pictures, here and now, without a server."""
    form = choose_format(as_json=as_json, as_nl=as_nl)
    from cvserve.commands.predict.answer import predict_pictures  # `--help` needs no NumPy

    raise typer.Exit(predict_pictures(images, flags, form, keeps_history=not no_history))
