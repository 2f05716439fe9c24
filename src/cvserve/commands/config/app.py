"""The options of `cvserve config` and `config trust`."""

from typing import Annotated, Any

import typer

from cvserve.commands.config.show import show_settings
from cvserve.commands.terminal.options import AsJson
from cvserve.commands.terminal.plain import PlainCommand, PlainGroup
from cvserve.commands.terminal.setting_options import take_settings

config_app = typer.Typer(
    cls=PlainGroup, help="The settings of this folder, and whom to trust with them.", invoke_without_command=True
)


@config_app.callback()
def config(context: typer.Context, as_json: AsJson = False) -> None:
    """Show the settings of this folder, and where each comes from; what its files must not say is only shown."""
    if context.invoked_subcommand is None:
        show_settings(as_json=as_json)


@config_app.command(cls=PlainCommand)
@take_settings(["model", "model_config"])
def trust(
    sha256: Annotated[
        list[str] | None,
        typer.Option("--sha256", metavar="HEX", help="Hash of a file that you have read; without it you are asked."),
    ] = None,
    **flags: Any,
) -> None:
    """Vouch for this folder's .env and cvserve.toml, and for links beside its model that lead out of its folder.

    It is remembered for you and for this folder, as long as the files stay as they are.
    """
    from cvserve.commands.config.trust import trust_folder  # `--help` needs no NumPy

    trust_folder(flags, sha256 or [])
