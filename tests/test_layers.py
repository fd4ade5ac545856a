"""Who may import whom: DESIGN's table, held against the imports that are written in the files."""

import ast
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(ROOT.glob("svdx/**/*.py"))
ENTRY_POINTS = [ROOT / name for name in ("train.py", "evaluate.py", "explain.py")]

MAY_IMPORT = {  # room → rooms; its own siblings and `errors` go without saying
    "errors": set(),
    "whole": set(),
    "contents": set(),
    "headers": set(),
    "decoding": {"headers"},
    "soundfiles": {"decoding", "headers"},
    "levels": set(),
    "downmix": set(),
    "containers": set(),
    "seeds": set(),
    "wavfiles": set(),
    "audio": {"downmix", "levels", "soundfiles"},
    "frontend": set(),
    "sound": {"frontend"},
    "corpora": {"contents", "levels", "soundfiles", "whole"},
    "data": {"audio", "contents", "corpora", "frontend", "seeds", "whole"},
    "models": {"containers", "whole"},
    "explain": {"models"},
    "evaluation": {"explain", "whole"},
    "plots": {"explain", "evaluation", "frontend"},
    "canvas": {"frontend"},
    "slider": set(),
    "report": {"canvas", "frontend", "slider"},
    "exports": {"frontend", "listener", "models", "recipes", "whole"},
    "listener": {"audio", "explain", "frontend", "models", "sound"},
    "engines": set(),
    "document": {"audio", "contents", "corpora", "engines", "explain", "frontend", "listener", "models", "plots"}
    | {"report", "slider", "soundfiles", "wavfiles", "whole"},
    "callbacks": {"audio", "explain", "evaluation", "frontend", "plots", "report", "seeds", "sound", "wavfiles"},
    "multirun": set(),
    "sweep": {"evaluation", "multirun", "plots", "provenance", "results", "whole"},
    "trainer": set(),
    "checkpoints": {"containers"},
    "provenance": {"whole"},
    "results": {"provenance", "trainer", "whole"},
    "arguments": set(),
    "shell": {"arguments"},
    "cli": {"multirun", "provenance", "shell"},
    "annotations": set(),
    "settings": {"annotations", "explain"},
    "loggers": {"metrics_csv", "multirun", "settings"},
    "metrics_csv": {"whole"},
    "points": {"explain", "settings", "slider"},
    "rehearsal": {"settings", "explain", "loggers", "multirun"},
    "recipes": {"models", "settings", "trainer"},
    "overrides": {"multirun", "settings"},
}
MAY_IMPORT["pipeline"] = set(MAY_IMPORT) - {"arguments", "cli", "document", "shell", "sweep"}
MAY_IMPORT |= {
    "comparison": {"audio", "evaluation", "explain", "frontend"},
    "plots_comparison": {"comparison", "frontend"},
}
MAY_IMPORT["detecting"] = {"data", "evaluation", "pipeline"}
MAY_IMPORT["comparing"] = set(MAY_IMPORT) - {"arguments", "cli", "document", "shell", "sweep"}
MAY_IMPORT["commands"] = set(MAY_IMPORT) - {"arguments", "shell"}
CONFIGURED = (
    "arguments",
    "cli",
    "comparing",
    "loggers",
    "multirun",
    "overrides",
    "pipeline",
    "points",
    "recipes",
    "rehearsal",
    "settings",
    "shell",
    "sweep",
    *(f"commands/{path.stem}" for path in ENTRY_POINTS),
)
HYDRA = {f"svdx/{name}.py" for name in CONFIGURED}


def imports(path, nodes=ast.walk):
    """Full names of what a file imports, wherever in it."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in nodes(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, [start, node.module]))
            yield from (f"{module}.{alias.name}" for alias in node.names)


def tops(path):
    return {name.partition(".")[0] for name in imports(path)}


def room(path):
    """svdx/models/svdnet.py → models; svdx/audio.py → audio."""
    first = path.relative_to(ROOT / "svdx").parts[0]
    return first.removesuffix(".py")


def module(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def uses(path):
    """The modules of svdx that a file imports, `from package import name` resolved to a module where it is one."""
    known = {module(file) for file in FILES}
    for name in imports(path):
        if name.partition(".")[0] == "svdx":
            yield name if name in known else name.rpartition(".")[0]


def named(paths):
    return {"argvalues": paths, "ids": [str(path.relative_to(ROOT)) for path in paths]}


def test_every_room_stands_in_the_table_and_every_line_of_the_table_is_a_room():
    assert {room(path) for path in FILES} - {"__init__"} == set(MAY_IMPORT)


@pytest.mark.parametrize("path", **named(FILES))
def test_a_room_imports_what_the_table_allows(path):
    allowed = MAY_IMPORT.get(room(path), set()) | {room(path), "errors"}
    used = {name.split(".")[1] for name in uses(path) if name != "svdx"}
    assert used <= allowed


@pytest.mark.parametrize("path", **named(ENTRY_POINTS))
def test_entry_points_import_svdx_and_nobody_imports_them(path):
    assert "svdx" in tops(path)
    assert not any(tops(file) & {"train", "evaluate", "explain", "tests"} for file in [*FILES, *ENTRY_POINTS])


def test_no_module_imports_itself_by_a_detour():
    graph = {module(path): set(uses(path)) - {module(path)} for path in FILES}
    while leaves := {name for name, needed in graph.items() if not needed & set(graph)}:
        graph = {name: needed for name, needed in graph.items() if name not in leaves}
    assert graph == {}


@pytest.mark.parametrize("path", **named(FILES + ENTRY_POINTS))
def test_hydra_stays_at_the_entry_points(path):
    if str(path.relative_to(ROOT)) not in HYDRA:
        assert "hydra" not in tops(path)


@pytest.mark.parametrize("path", **named(FILES + ENTRY_POINTS))
def test_configurations_stay_out_of_the_rooms(path):
    if "omegaconf" in tops(path):
        assert str(path.relative_to(ROOT)) in HYDRA | {"svdx/provenance.py", "svdx/results.py"}


def test_torchaudio_is_easy_to_leave():
    assert [path.name for path in FILES + ENTRY_POINTS if "torchaudio" in tops(path)] == ["audio.py"]
    at_the_top = imports(ROOT / "svdx/audio.py", nodes=lambda tree: tree.body)
    assert not any(name.startswith("torchaudio") for name in at_the_top)


@pytest.mark.parametrize("name", ["plots", "plots_comparison", "canvas", "slider", "report"])
def test_rendering_imports_of_torch_a_type_at_most(name):
    path = ROOT / f"svdx/{name}.py"
    assert {used for used in imports(path) if used.startswith("torch")} <= {"torch.Tensor"}
    tree = ast.parse(path.read_text())
    arguments = chain.from_iterable(
        [*node.args.args, *node.args.kwonlyargs] for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)
    )
    annotations = {id(part) for argument in arguments if argument.annotation for part in ast.walk(argument.annotation)}
    tensors = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "Tensor"]
    assert all(id(node) in annotations for node in tensors)


def test_a_page_is_made_without_torch():
    code = "import sys, svdx.report; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.parametrize(
    "name", ["corpora", "plots", "report", "explain", "evaluation", "comparison", "models", "data", "listener"]
)
def test_nothing_but_the_command_line_knows_wandb_or_a_logger(name):
    for path in FILES:
        if room(path) == name:
            assert "wandb" not in tops(path)


def test_corpora_know_no_tensors():
    assert not any("torch" in tops(path) for path in FILES if room(path) == "corpora")


@pytest.mark.parametrize("path", **named(FILES + ENTRY_POINTS))
def test_files_are_short_and_none_is_called_utils(path):
    assert len(path.read_text().splitlines()) < 260
    assert path.stem not in ("utils", "util", "helpers", "misc", "common")


@pytest.mark.parametrize("path", **named(FILES + ENTRY_POINTS))
def test_every_file_says_what_it_is_for(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree) or not tree.body
