"""The house rules that a program can check: arrows between the rooms, sizes, names, what start-up imports."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
PACKAGES = ("engine", "evaluation", "sweeper", "pages", "hydra_plugins", "kohya", "captions", "demo")
ROOMS = tuple(p for p in PACKAGES if (PROJECT / p).is_dir())
LONGEST_FILE = 400
LONGEST_FUNCTION = 60
HEAVY = ("torch", "diffusers", "transformers", "accelerate", "peft", "wandb", "optuna")
FORBIDDEN_NAMES = {
    "utils",
    "util",
    "common",
    "helpers",
    "helper",
    "core",
    "base",
    "manager",
    "misc",
    "adapter",
}

DATA_WITHOUT_TORCH = tuple(
    f"engine.data.{name}"
    for name in (
        "captions",
        "caption_changes",
        "scan",
        "buckets",
        "repeats",
        "batches",
        "bucket_rules",
        "dataset_file",
        "cache_folder",
        "file_content",
        "indexes",
        "file_keys",
        "kohya_folders",
        "subset_scan",
        "layouts",
    )
)
# Who may import whom; a room may always import itself. The rooms of the engine run down only:
# training -> sampling, validation -> optimizers | networks | models | data -> diffusion -> config.
LOWEST = ("engine.config", "engine.diffusion")
ARROWS: dict[str, tuple[str, ...]] = {
    "train": ("engine.compose", "engine.config", "engine.training", "evaluation", "pages", "demo", "kohya"),
    "sweeper": (
        "evaluation",
        "engine.training",
        "engine.compose",
        "engine.config",
        "engine.data.fingerprints",  # of the pictures that all trials of a study share
        "engine.data.json_file",
        "pages",
    ),
    "hydra_plugins": ("sweeper",),
    "evaluation": (
        "engine.sampling",
        "engine.validation",
        "engine.models",
        "engine.networks",
        "engine.data",
        "engine.config",
        "engine.compose",
        "engine.training.tracker",
        "engine.training.tracking",
        "demo.folder",  # of a LoRA file for the demo, which no run says anything about
        "pages",
    ),
    "kohya": (
        "engine.compose",
        "engine.models.facts",
        "engine.data.dataset_file",
        "engine.data.cache_folder",
        "engine.sampling.prompt_file",
        "engine.config",
    ),
    "captions": ("engine.data", "engine.config"),
    "demo": ("engine.config",),
    "pages": (),
    "engine.training": (
        "engine.sampling",
        "engine.validation",
        "engine.optimizers",
        "engine.networks",
        "engine.models",
        "engine.data",
        "engine.compose",
        *LOWEST,
    ),
    "engine.__main__": ("engine.data.cache_folder",),
    "engine.sampling": ("engine.networks", "engine.models", "engine.data", *LOWEST),
    "engine.validation": ("engine.networks", "engine.models", "engine.data", *LOWEST),
    "engine.compose": (
        "engine.models.facts",
        "engine.models.layer_words",
        "engine.models.locate",
        "engine.models.fingerprint",
        "engine.models.weight_headers",
        "engine.models.layouts",
        "engine.models.original_names",
        "engine.models.places",
        "engine.models.words",
        "engine.models.prompt_weights",
        "engine.networks.kohya_names",
        "engine.optimizers.table",
        "engine.optimizers.build",
        "engine.sampling.prompt_file",
        "engine.sampling.prompt_sets",
        *DATA_WITHOUT_TORCH,
        "engine.config",
    ),
    "engine.networks": ("engine.models.facts", "engine.models.layer_words", *LOWEST),
    "engine.optimizers": LOWEST,
    "engine.models": LOWEST,
    "engine.data": LOWEST,
    "engine.diffusion": ("engine.config",),  # the enum of predictions
    "engine.config": (),
}
# What a room may import from outside the project, where that is limited.
LIBRARIES: dict[str, tuple[str, ...]] = {
    "engine.config": ("omegaconf",),
    "engine.diffusion": ("torch", "engine", "numpy"),
    "pages": ("PIL", "pages"),
}
TORCH_FREE = (
    "engine.config",
    "engine.compose.guard",
    "engine.compose.load",
    "engine.compose.preflight",
    "engine.compose.plan",
    "engine.compose.record",
    "engine.models.facts",
    "engine.models.locate",
    "engine.models.places",
    "engine.models.original_names",
    "engine.models.fingerprint",
    "engine.optimizers.table",
    "engine.data.captions",
    "engine.data.caption_changes",
    "engine.data.scan",
    "engine.data.buckets",
    "engine.data.repeats",
    "engine.data.batches",
    "engine.data.dataset_file",
    "engine.data.kohya_folders",
    "engine.data.metadata",
    "engine.data.subset_scan",
    "engine.data.layouts",
    "engine.compose.presets",
    "engine.sampling.prompt_file",
    "engine.sampling.prompt_lines",
    "engine.sampling.prompt_sets",
    "engine.training.tracking",
    "pages",
    "pages.run_page",
    "pages.gallery",
    "pages.compare_page",
    "pages.report_page",
    "evaluation.__main__",
    "evaluation.commands",
    "evaluation.reading.folder",
    "evaluation.score",
    "train",
)
EMPTY = ("engine", "engine/models", "engine/optimizers", "engine/data", "engine/sampling", "engine/training")


def tracked(*endings: str) -> list[Path]:
    """Files that git knows, or would add, relative to the project; files of the disk outside a checkout."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    paths = [Path(line) for line in done.stdout.splitlines()]
    return [path for path in paths if (PROJECT / path).is_file() and (not endings or path.suffix in endings)]


def sources() -> list[Path]:
    """The Python files of the product."""
    return [path for path in tracked(".py") if path.parts[0] in ROOMS or path == Path("train.py")]


def module_of(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    """engine.training.step -> engine.training; evaluation.score -> evaluation."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "engine" else parts[0]


def imports_of(path: Path) -> set[str]:
    """Every module that a file imports, inside functions and for type checking too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((PROJECT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write the whole name of the module"
            found.add(node.module or "")
            found |= {
                f"{node.module}.{name.name}" for name in node.names if is_module(f"{node.module}.{name.name}")
            }
    return found


def is_module(name: str) -> bool:
    path = PROJECT / Path(*name.split("."))
    return path.with_suffix(".py").is_file() or path.is_dir()


def is_allowed(room: str, imported: str) -> bool:
    """True when the arrow from room to the imported module is one of ARROWS, or stays inside the room."""
    allowed = (room, *ARROWS[room])
    if any(imported == name or imported.startswith(f"{name}.") for name in allowed):
        return True
    # `from engine.models import facts` shows up as engine.models and engine.models.facts: the latter counts.
    return any(name.startswith(f"{imported}.") for name in allowed)


def test_the_arrows_between_the_rooms_run_down_only() -> None:
    wrong = [
        f"{path} imports {imported}"
        for path in sources()
        for imported in sorted(imports_of(path))
        if imported.split(".")[0] in (*PACKAGES, "train")
        and not is_allowed(room_of(module_of(path)), imported)
    ]
    assert wrong == []


def test_the_check_of_arrows_sees_one_that_runs_up() -> None:
    assert is_allowed("engine.training", "engine.networks.lora")
    assert is_allowed("engine.compose", "engine.models.facts")
    assert not is_allowed("engine.compose", "engine.models.sd1")
    assert not is_allowed("engine.networks", "engine.training.step")
    assert not is_allowed("engine.training", "evaluation.score")
    assert not is_allowed("pages", "engine.config")


def test_every_room_has_its_arrows() -> None:
    rooms = {room_of(module_of(path)) for path in sources()} - {"engine"}
    assert rooms - set(ARROWS) == set()


@pytest.mark.parametrize("room", LIBRARIES)
def test_the_lowest_rooms_use_few_libraries(room: str) -> None:
    allowed = {*sys.stdlib_module_names, *LIBRARIES[room], room.split(".")[0]}
    wrong = [
        f"{path} imports {name}"
        for path in sources()
        if room_of(module_of(path)) == room
        for name in sorted(imports_of(path))
        if name.split(".")[0] not in allowed
    ]
    assert wrong == []


def test_no_file_is_longer_than_400_lines() -> None:
    lengths = {str(path): len((PROJECT / path).read_text().splitlines()) for path in tracked(".py")}
    assert {path: length for path, length in lengths.items() if length > LONGEST_FILE} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    long = []
    for path in sources():
        for node in ast.walk(ast.parse((PROJECT / path).read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                long += [f"{path}:{node.lineno} {node.name}: {length}"] if length > LONGEST_FUNCTION else []
    assert long == []


def test_every_file_opens_with_a_sentence_on_its_purpose() -> None:
    empty = {f"{folder}/__init__.py" for folder in EMPTY}
    silent = [
        str(path)
        for path in tracked(".py")
        if not ast.get_docstring(ast.parse((PROJECT / path).read_text(encoding="utf-8")))
        and str(path) not in empty
        and (PROJECT / path).stat().st_size > 0
    ]
    assert silent == []


def test_no_folder_or_file_has_a_name_that_says_nothing() -> None:
    named = {part for path in sources() for part in path.with_suffix("").parts}
    assert named & FORBIDDEN_NAMES == set()


def test_the_tree_is_package_area_file_and_no_deeper() -> None:
    assert [str(path) for path in sources() if len(path.parts) > 3] == []


@pytest.mark.parametrize("folder", EMPTY)
def test_packages_on_the_start_up_path_have_an_empty_init(folder: str) -> None:
    assert (PROJECT / folder / "__init__.py").read_text() == ""


def test_what_start_up_needs_imports_nothing_heavy() -> None:
    """One after the other in a fresh process; the first that brings something heavy is named by its list."""
    program = f"""
import importlib, json, sys
sys.path.insert(0, {str(PROJECT)!r})
found = {{}}
for module in {TORCH_FREE!r}:
    before = set(sys.modules)
    importlib.import_module(module)
    found[module] = [name for name in {HEAVY!r} if name in set(sys.modules) - before]
print(json.dumps(found))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert {module: heavy for module, heavy in json.loads(done.stdout).items() if heavy} == {}


def test_no_tracked_file_names_this_machine_or_a_registry() -> None:
    pattern = re.compile(rb"(^|[^a-z.])/(w[o]rk|f[a]rm)/|--(extra-)?index[-]url|\"resolved\": \"http")
    text = tracked(".py", ".md", ".toml", ".txt", ".yaml", ".json", ".jsonl", ".csv", "")
    assert [str(path) for path in text if pattern.search((PROJECT / path).read_bytes())] == []
