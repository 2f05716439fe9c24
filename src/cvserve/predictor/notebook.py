"""How a notebook shows a `Prediction`: the picture and a bar for each of the best classes, as plain HTML."""

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import Any

from cvserve.errors import CvserveError
from cvserve.predictor.images.decode import decode
from cvserve.predictor.images.limits import Limits, Want
from cvserve.values import IMAGE_FORMATS

_THUMBNAIL_PX = 160


def render_prediction(source: Any, top: Sequence[tuple[str, float]], warning: str | None, model: str) -> str:
    """The picture beside a bar for each class, as HTML.

    It has no scripts, and styles are inline, so that it also shows on pages that strip both.

    Args:
        source: the picture as it was given to `predict`, or None.
        top: labels and scores, best first.
        warning: of the model, or None.
        model: name and version.
    """
    label, score = top[0]
    bars = "".join(_render_bar(*entry) for entry in top)
    note = f'<div style="color:#b45309">⚠ {escape(warning)}</div>' if warning else ""
    return (
        '<div style="display:flex;gap:16px;align-items:flex-start;font-family:system-ui,sans-serif">'
        f'{_render_picture(source, label)}<div style="min-width:220px"><div style="font-size:1.4em;font-weight:600">'
        f"{escape(label)} <small>{score:.1%}</small></div>{bars}{note}"
        f'<div style="opacity:.6;font-size:.8em">{escape(model)}</div></div></div>'
    )


def _render_bar(label: str, score: float) -> str:
    return (
        '<div style="display:flex;align-items:center;gap:6px;margin:2px 0">'
        f'<span style="width:6em;overflow:hidden;text-overflow:ellipsis">{escape(label)}</span>'
        '<span style="flex:1;background:#8884;height:.7em;border-radius:3px">'
        f'<span style="display:block;background:#3b82f6;height:100%;width:{score * 100:.1f}%;'
        f'border-radius:3px"></span></span><span style="width:4em;text-align:right">{score:.1%}</span></div>'
    )


def _render_picture(source: Any, label: str) -> str:
    if source is None:
        return ""
    try:
        image, _ = decode(source, Want("RGB", _THUMBNAIL_PX, _THUMBNAIL_PX), Limits(formats=IMAGE_FORMATS))
    except CvserveError:
        return ""  # the file went away since it was predicted
    image.thumbnail((_THUMBNAIL_PX, _THUMBNAIL_PX))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f'<img alt="{escape(label, quote=True)}" src="data:image/png;base64,{data}"/>'
