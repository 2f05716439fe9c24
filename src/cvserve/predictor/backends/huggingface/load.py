"""A Hugging Face folder as a model: its class, its weights, its labels, and its own image processor.

Everything in it is data: `config.json` chooses among the classes of transformers that are installed, and nothing is
looked for outside of the folder, neither on this machine nor on the hub.
"""

from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from cvserve.predictor.backends.huggingface.architecture import Architecture, choose_architecture
from cvserve.predictor.backends.huggingface.input import describe_input
from cvserve.predictor.backends.huggingface.library import closed_library, import_transformers
from cvserve.predictor.backends.huggingface.preparation import ProcessorPreparation, make_processor
from cvserve.predictor.backends.huggingface.weights import make_module
from cvserve.predictor.backends.probe.model import assemble_model, make_model, prepare_grey
from cvserve.predictor.backends.torch.backend import TorchBackend
from cvserve.predictor.backends.torch.device import Placement, choose_placement
from cvserve.predictor.backends.torch.library import import_torch
from cvserve.predictor.contract import Backend, LoadedModel
from cvserve.predictor.models.config.read import ModelConfig
from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.models.files.folder import ModelFolder
from cvserve.predictor.models.resolve import ModelFacts
from cvserve.predictor.source import ModelSource


def load_folder(folder: ModelFolder, config: ModelConfig, source: ModelSource) -> LoadedModel:
    """Load a folder of `model.save_pretrained` and `processor.save_pretrained`.

    Args:
        folder: as it was read.
        config: its `model.toml`. Where that says something of `[input]`, pictures are prepared by cvserve, with what
            is left from the folder's image processor; else by this processor.
        source: says where it computes.

    Raises:
        ModelFault: transformers is not installed, it cannot compute where it should, or the folder is none of an image
            classifier that it has.
        ModelLoadError: folder and config contradict each other.
    """
    transformers, torch = import_transformers(), import_torch()
    placement = choose_placement(torch, source)
    with closed_library(transformers):
        architecture = choose_architecture(transformers, folder.read_json("config.json"))
        labels = _read_labels(architecture)
        processor = make_processor(transformers, folder, architecture.model_type)
        module = placement.place(make_module(torch, architecture, folder))
        facts = _make_facts(placement, module, architecture, labels, folder)
        if any(key.startswith("input.") for key in config.values):
            said = {} if processor is None else describe_input(processor)
            return make_model(replace(facts, suggested=said), config, folder)
        if processor is None:
            raise ModelFault(
                "has no preprocessor_config.json, which says how pictures are prepared; save it into the folder, "
                "processor.save_pretrained(…), or write model.toml in it: [input] size, mean and std."
            )
        preparation = ProcessorPreparation(processor, "L" if _channels_of(architecture) == 1 else "RGB")
        extra = {
            **facts.extra,
            "processor": f"{type(processor).__name__} of transformers, with {processor.backend}",
            "pictures": " × ".join(map(str, preparation.size)),
        }
        facts = replace(facts, extra=extra)
        if type(processor).__name__.endswith("Pil"):  # without torchvision: other scores, in the third decimal
            facts = replace(facts, variant={"processor": processor.backend})
        return assemble_model(facts, config, folder, preparation, prepare_grey(preparation), {})


def _make_facts(
    placement: Placement, module: Any, architecture: Architecture, labels: tuple[str, ...], folder: ModelFolder
) -> ModelFacts:
    # Each label is true or not by itself, and its score is the sigmoid of its logit.
    is_multiple = architecture.config.problem_type == "multi_label_classification"

    def make_backend(_batch: NDArray[Any], wanted: str | None) -> tuple[Backend, str | None]:
        return TorchBackend(placement, module), wanted or ("sigmoid" if is_multiple else "logits")

    return ModelFacts(
        format="huggingface",
        connect=make_backend,
        labels=labels,
        extra={"class": type(module).__name__},
        name=folder.name,
        device=placement.device,
        half=placement.half,
        describe_failure=lambda error, batch: (
            f"fails on a grey picture as its image processor prepares it, {batch.dtype} {list(batch.shape)}: "
            f"{type(error).__name__}; are config.json and preprocessor_config.json of one model?"
        ),
    )


def _read_labels(architecture: Architecture) -> tuple[str, ...]:
    """The names of the classes, in the order of their indices.

    Raises:
        ModelFault: it gives one number, or the indices are none.
    """
    config = architecture.config
    named = config.id2label
    if config.problem_type == "regression" or len(named) < 2:
        raise ModelFault(
            f"gives {len(named)} number of a picture, and no scores of classes (num_labels, problem_type in "
            "config.json); train it with one label for each class, two at least."
        )
    if sorted(named) != list(range(len(named))):
        raise ModelFault(
            f"has {len(named)} labels in id2label of config.json, and their keys are not 0 to {len(named) - 1}; "
            "give each class its index."
        )
    return tuple(str(named[index]) for index in range(len(named)))


def _channels_of(architecture: Architecture) -> int:
    config = architecture.config
    return int(getattr(getattr(config, "vision_config", config), "num_channels", 3))
