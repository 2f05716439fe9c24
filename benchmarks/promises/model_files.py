"""Promise 24: no code in a model file runs unless somebody vouched for the file."""

import pickle
import pickletools
import zipfile
from pathlib import Path

from promises.harness import Outcome, Promise, Target, main
from support.pictures import grey

PROMISE = Promise(
    24,
    "Code in a model file never runs without trust; the refusal names the reason and has no traceback.",
    "pickles of all protocols that would write a file, under every name and in archives, by predict and by inspect; "
    "what a file without trust may do to memory is counted by the fuzzer of scripts/test-long",
)


def measure(target: Target) -> Outcome:
    """Load each, and look whether it left its mark."""
    home, mark = target.home(), target.folder / "executed"
    (home / "img.png").write_bytes(grey(0))
    files = make_files(home, mark)[:: max(1, round(1 / target.scale))]
    executed, traces, codes = 0, 0, []
    for number, path in enumerate(files):
        arguments = ("predict", "--model", path.name, "img.png") if number % 2 else ("model", "inspect", path.name)
        said = target.run(home, *arguments)
        codes.append(said.returncode)
        traces += "Traceback" in said.stderr
        executed += mark.exists()
        mark.unlink(missing_ok=True)
    figures = {"files": len(files), "executed": executed, "tracebacks": traces, "exit codes": sorted(set(codes))}
    return Outcome(figures, not executed and not traces and set(codes) <= {4, 5})


def make_files(home: Path, mark: Path) -> list[Path]:
    """Hostile files; each would make the file `mark`."""
    files = []
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        for how, hostile in {"open": Hostile(mark), "eval": HostileEval(mark)}.items():
            data = pickle.dumps(hostile, protocol)
            for name in (f"{how}{protocol}.pkl", f"{how}{protocol}.joblib", f"{how}{protocol}.onnx"):
                (home / name).write_bytes(data)
                files.append(home / name)
            archive = home / f"{how}{protocol}.skops"
            with zipfile.ZipFile(archive, "w") as stream:
                stream.writestr("schema.json", "{}")
                stream.writestr("data.pkl", pickletools.optimize(data))
            files.append(archive)
    return files


class Hostile:
    """Makes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return open, (str(self._mark), "w")


class HostileEval(Hostile):
    """The same by `eval`."""

    def __reduce__(self) -> tuple[object, ...]:
        return eval, (f"open({str(self._mark)!r}, 'w').close()",)


if __name__ == "__main__":
    main(PROMISE, measure)
