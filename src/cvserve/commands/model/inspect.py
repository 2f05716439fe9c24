"""`cvserve model inspect`: what was found in a model file, and the `model.toml` that says all of it."""

from collections.abc import Mapping
from typing import Any

from cvserve.commands.loading.guesses import describe_guesses, try_command
from cvserve.commands.loading.load import load_predictor_of
from cvserve.commands.loading.risk_views import show_untrusted
from cvserve.commands.model.views import show_guesses, show_properties
from cvserve.commands.terminal.output import say
from cvserve.configuration import load_configuration
from cvserve.errors import InvalidSetting, UntrustedModel
from cvserve.predictor.backends.python.module import file_of
from cvserve.predictor.models.config.place import find_config_place
from cvserve.predictor.models.config.read import read_config
from cvserve.predictor.models.config.write import format_config, write_config
from cvserve.predictor.models.files.file import ModelFile, with_imports
from cvserve.predictor.models.files.folder import read_model
from cvserve.predictor.properties import Properties, collect_properties
from cvserve.settings import Settings
from cvserve.trust.claims import OF_MODELS


def inspect_model(flags: Mapping[str, Any], *, writes: bool, overwrites: bool, as_json: bool) -> None:
    """Print each property of a model, its value and where that came from.

    Of a file that nobody vouches for, only what can be found out without loading it is printed.

    Args:
        flags: settings from the command line, raw.
        writes: whether to write the `model.toml` that says all of it.
        overwrites: whether that may take the place of one that is there.
        as_json: one object instead of a table.

    Raises:
        InvalidSetting: a setting that cannot be used, or there is a `model.toml` already.
        ModelLoadError: the model cannot be loaded, or nobody vouches for it.
    """
    settings = load_configuration(flags, uses=OF_MODELS).settings
    file = None if settings.model is None else with_imports(read_model(file_of(settings.model)))
    try:
        predictor = load_predictor_of(settings)
    except UntrustedModel as error:  # the model, or the transform that its `model.toml` names
        show_untrusted(with_imports(read_model(error.path)), as_json=as_json)
        raise
    found = collect_properties(predictor)
    if writes:
        _write(file, found, settings, overwrites=overwrites)
    show_properties(predictor, found, file, as_json=as_json)
    if predictor.guessed and not as_json:
        show_guesses(describe_guesses(predictor.guessed, settings))


def _write(file: ModelFile | None, found: Properties, settings: Settings, *, overwrites: bool) -> None:
    if file is None or settings.model is None:
        raise InvalidSetting("The built-in model has no file beside which a model.toml could stand; name a file.")
    config = read_config(find_config_place(settings.model, file.path), settings.model_config)
    write_config(config.path, format_config(found, config.values), overwrite=overwrites)
    say(f"Wrote {config.path}; check what the model sees with: {try_command(settings)}")
