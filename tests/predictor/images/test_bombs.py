"""No picture costs more memory than its number of pixels explains: each bomb in a process of its own, by its VmHWM."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cvserve.predictor.images.limits import Limits
from support.bombs import BOMBS

# Of each kind of model; those that scale a JPEG down and one that decodes all of it.
_MODELS = ("built-in", "RGB", "L", "RGB, exact")
_SHORT = {
    ("16-bit grey", "RGB"),
    ("palette with transparency", "built-in"),
    ("webp, lossless", "RGB"),
    ("EXIF that names itself", "L"),
}
_LONG = bool(os.environ.get("CVSERVE_TEST_LONG"))
_CASES = [(bomb, model) for bomb in BOMBS for model in _MODELS if _LONG or (bomb, model) in _SHORT]
_MIB = 2**20

_CHILD = """
import json, sys, time
from pathlib import Path
from cvserve.errors import ImageError
from cvserve.predictor.batch import decode_batch
from cvserve.predictor.images.decode import lift_pillow_limit
from cvserve.predictor.images.limits import Limits
from cvserve.predictor.models.input_spec import InputSpec
from cvserve.predictor.predictor import Predictor

def read_mib(key):
    return int(Path("/proc/self/status").read_text().split(key + ":")[1].split()[0]) / 1024

lift_pillow_limit()
data = Path(sys.argv[1]).read_bytes()
specs = {"RGB": InputSpec((224, 224), resize="crop", crop_ratio=0.875), "L": InputSpec((8, 8), mode="L"),
         "RGB, exact": InputSpec((224, 224), decode="exact")}
if sys.argv[2] == "built-in":
    predictor = Predictor.load().warm_up()
    want, prepare = predictor.want(), predictor.preprocess
else:
    want, prepare = specs[sys.argv[2]].want(), specs[sys.argv[2]].prepare
begin_s = time.process_time()
entry = decode_batch([data], want, Limits(), prepare)[0]
cpu_s = time.process_time() - begin_s
answer = entry.code if isinstance(entry, ImageError) else entry if isinstance(entry, Exception) else "ok"
print(json.dumps({"peak_mib": read_mib("VmHWM"), "cpu_s": cpu_s, "answer": str(answer)}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("bomb", "model"), _CASES)
def test_a_bomb_needs_no_more_memory_than_three_pictures(bomb: str, model: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(BOMBS[bomb]())
    made = subprocess.run(
        [sys.executable, "-c", _CHILD, path, model], capture_output=True, text=True, check=True, timeout=120
    )
    found = json.loads(made.stdout)
    print(f"{bomb}, {model}: {found['peak_mib']:.0f} MiB, {found['cpu_s']:.2f} s CPU, {found['answer']}")
    assert found["answer"] in ("ok", "image_too_large", "invalid_image")
    process_mib = 32 + 36  # what is there before the first picture: the interpreter, NumPy, Pillow
    assert found["peak_mib"] <= 4 * 3 * Limits().max_pixels / _MIB + process_mib
