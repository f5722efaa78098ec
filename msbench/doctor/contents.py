"""What msbench itself brings: registered models, datasets and losses, and the demo songs."""

from __future__ import annotations

from collections.abc import Iterator

from msbench import registry
from msbench.doctor.finding import Finding
from msbench.doctor.installing import install
from msbench.system.errors import sentence


def plugins() -> Iterator[Finding]:
    for kind in registry.KINDS:
        fix = "correct or uninstall what brings them; `msbench list` shows where each comes from"
        try:
            found = registry.entries(kind)
        except FileNotFoundError as error:
            yield Finding(kind, False, sentence(error), True, "unset MSBENCH_PLUGINS, or correct it")
            continue
        # Code that reading alone cannot judge is not run here: it may be a stranger's.
        verdicts = {name: registry.judge(entry) for name, entry in found.items()}
        errors = {name: None if verdict is registry.UNSURE else verdict for name, verdict in verdicts.items()}
        unsure = [name for name, verdict in verdicts.items() if verdict is registry.UNSURE]
        broken = [f"{name} is broken: {error}" for name, error in errors.items() if error]
        if not found:
            fix = install("msbench", again=True)
        # Without one of ours something is amiss; a stranger's broken plugin stops nothing else.
        ours = any(errors[name] and entry.module.startswith("msbench") for name, entry in found.items())
        registered = f"{len(found)} registered: {', '.join(found)}"
        if unsure:
            registered += f"; unchecked (msbench check NAME imports one): {', '.join(unsure)}"
        detail = "; ".join(broken) or registered
        yield Finding(kind, bool(found) and not broken, detail, ours or not found, fix)


def demo() -> Iterator[Finding]:
    from msbench.data.dataset import default_root

    root = default_root("demo")
    if not root.is_dir() or not any(root.iterdir()):
        yield Finding(
            "demo songs", False, f"not in {root} yet", False, "they are made at first use, or by msbench data demo"
        )
        return
    try:
        registry.load("datasets", "demo")(root)
    except ValueError as error:
        yield Finding("demo songs", False, sentence(error), True, f"remove {root}")
        return
    yield Finding("demo songs", True, str(root), False, "")
