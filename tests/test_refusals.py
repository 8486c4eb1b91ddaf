"""What a command line that cannot run is told, and that nothing heavy was imported to say it."""
# ruff: noqa: E501

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from engine.compose.refusal import refusing

PROJECT = Path(__file__).parents[1]
HEAVY = ("torch", "diffusers", "transformers", "accelerate", "wandb", "peft")
RUNNER = f"""
import json, sys
HEAVY = {HEAVY!r}
sys.path.insert(0, sys.argv.pop(1))
import train
try:
    train.main()
    code = 0
except SystemExit as end:
    code = end.code
modules = [name for name in HEAVY if name in sys.modules]
print("\\n" + json.dumps(dict(code=code, modules=modules)))
"""


@dataclass
class Answer:
    code: int
    sentences: list[str]
    modules: list[str]
    output: str
    error: str


def answer(folder: Path, *words: str) -> Answer:
    """Run train.py in `folder` as a process of its own."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, str(PROJECT), *words],
        cwd=folder,
        env=env,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.stdout.strip(), done.stderr
    output, _, last = done.stdout.rstrip("\n").rpartition("\n")
    facts = json.loads(last)
    sentences = [line.removeprefix("  - ") for line in done.stderr.splitlines() if line.startswith("  - ")]
    return Answer(facts["code"], sentences, facts["modules"], output, done.stderr)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with data sets that are wrong in one way each."""
    folder = tmp_path_factory.mktemp("desk")
    for name in ("good", "bare", "broken", "empty"):
        (folder / name).mkdir()
    for name in ("good", "bare", "broken"):
        Image.new("RGB", (80, 64), "red").save(folder / name / "a.png")
    (folder / "good/a.txt").write_text("a red wall")
    (folder / "broken/a.txt").write_text("a red wall")
    (folder / "broken/b.png").write_bytes(b"not a picture")
    (folder / "broken/b.txt").write_text("nothing")
    (folder / "no_prompts.txt").write_text("# only a comment\n")
    return folder


QUICK = [  # command line -> the start of a sentence, and words in it
    ("modle=sd15", "modle: unknown option (did you mean model?)"),
    ("model=sd_15", "model=sd_15: unknown choice (did you mean sd15?)"),
    ("experiment=nigt", "experiment=nigt: unknown choice (did you mean night?)"),
    ("network.rnk=8", "network.rnk: unknown option of LoRAConfig (did you mean rank?)"),
    ("+network.rnk=8", "network.rnk: unknown option of LoRAConfig (did you mean rank?)"),
    ("++network.rnk=8", "network.rnk: unknown option of LoRAConfig (did you mean rank?)"),
    ("netwrk.rank=8", "netwrk.rank: unknown option (did you mean network.rank?)"),
    ("lr=1e-3", "lr: unknown option (did you mean optimizer.lr?)"),
    ("steps=9", "steps: unknown option (did you mean training.steps or sampling.steps?)"),
    ("network.rank=abc", "network.rank=abc: this option takes a whole number."),
    ("training.steps=1.5", "training.steps=1.5: this option takes a whole number or null."),
    ("dry_run=maybe", "dry_run=maybe: this option takes true or false."),
    ("dry_run=2", "dry_run=2: this option takes true or false."),
    ("network.rank=null", "network.rank=null: this option takes a whole number."),
    ("lr_schedule.kind=cosin", "lr_schedule.kind=cosin: unknown choice (did you mean cosine?)"),
    ("network.layers=[attention,foo]", "network.layers=[attention,foo]: unknown choice foo (one of attention"),
    ("sampling.seeds=[a]", "sampling.seeds=[a]: this option takes a list such as [1, 2]."),
    ("dataset={path:x}", "dataset={path:x}: give one of folder, kohya_folder, kohya_toml, subsets. Single options are written dataset.option=value."),
    ("optimizer.args=3", "optimizer.args=3: this option takes a mapping."),
    ("network.rank.x=3", "network.rank.x: network.rank takes a whole number and has no options of its own."),
    ("~network.rank", "~network.rank: an option can't be removed."),
    ("foo", "foo: not an option. Options are written key=value"),
    ("--steps", "--steps: here options are written key=value: training.steps=VALUE or sampling.steps=VALUE."),
    ("--stips", "--stips: unknown flag. Options are written without dashes"),
    ("max_train_steps=3", "max_train_steps: kohya's name; here it is training.steps."),
    ("--multirun", "--multirun: nothing is searched. Add a file of conf/sweep/, for example +sweep=lora, or give several values: network.rank=4,16."),
    ("network.rank=8,16", "network.rank=8,16: several values make a sweep: add --multirun."),
    ("sampling.seeds=1,2", "sampling.seeds=1,2: several values make a sweep: add --multirun. A list is written sampling.seeds=[1,2]."),
    ("sampling.negative_prompt=bad, ugly", "sampling.negative_prompt=bad, ugly: a text with a comma needs quotes"),
    ("hydra.foo=1", "hydra.foo=1: Hydra has no such option, or not with this value."),
    ("network.rank=${model.rnk}", "network.rank=${model.rnk}: there is no option model.rnk."),
    ("network.rank=${nope:1}", "network.rank=${nope:1}: there is no function nope."),
    ("network.rank=${model.name}", "network.rank=${model.name}: what it refers to does not fit this option."),
    ("network.rank=0", "network.rank=0: out of range. Give at least 1."),
    ("optimizer.lr=0", "optimizer.lr=0: out of range. Give more than 0."),
    ("optimizer.lr=-1e-4", "optimizer.lr=-0.0001: out of range. Give more than 0."),
    ("optimizer.lr=nan", "optimizer.lr=nan: not a finite number."),
    ("optimizer.args.weight_decay=inf", "optimizer.args.weight_decay=inf: not a finite number."),
    ("optimizer.args.weight_decy=0.1", "optimizer.args.weight_decy: AdamW takes no such argument (did you mean weight_decay?)"),
    ("model=sd15", "dataset.path=null: the demo's concepts belong to model=demo, this is sd15. Give a folder"),
    ("model.checkpoint=missing", "model.checkpoint=missing: not found. Give a diffusers folder: model.checkpoint=DIR, or a .safetensors file."),
    ("model.checkpoint=empty", "model.checkpoint=empty: an empty folder. Give a diffusers folder, or a .safetensors file."),
    ("dataset.path=nowhere", "dataset.path=nowhere: there is no such folder in"),
    ("dataset.path=été (1)", "dataset.path=été (1): there is no such folder in"),
    ("dataset.path=empty", "dataset.path=empty: the folder is empty."),
    ("model.clip_skip=4", "model.clip_skip=4: the text encoder of demo/weights has 3 layers. Give at most 3."),
    ("dataset.path=bare", "dataset.path=bare: 1 of 1 picture without a caption: a.png."),
    ("dataset.path=broken", "dataset.path=broken: 1 of 2 pictures cannot be read: b.png"),
    ("sampling.prompt_file=none.txt", "sampling.prompt_file=none.txt: no such file."),
    ("sampling.prompt_file=no_prompts.txt", "sampling.prompt_file=no_prompts.txt: holds no prompt."),
    ("evaluation.references=none.json", "evaluation.references=none.json: no such file."),
    ("evaluation.encoder=no_clip", "evaluation.encoder=no_clip: the model that scores the pictures is not on this machine."),
    ("output_dir=/proc/x", "output_dir=/proc/x: /proc can't be written to."),
    ("output_dir=no_prompts.txt", "output_dir=no_prompts.txt: "),
    ("cache_dir=/proc/x", "cache_dir=/proc/x: /proc can't be written to."),
    ("--config-name=nope", "--config-name=nope: no such file in conf/."),
]  # fmt: skip


@pytest.mark.parametrize(("word", "start"), QUICK, ids=[word for word, _ in QUICK])
def test_refusal_says_what_is_wrong_and_imports_nothing_heavy(desk: Path, word: str, start: str) -> None:
    before = sorted(desk.rglob("*"))
    told = answer(desk, word)
    assert told.code == 2
    assert told.error.startswith("This run cannot start:\n  - ")
    assert any(sentence.startswith(start) for sentence in told.sentences), told.sentences
    assert told.modules == []
    assert "Traceback" not in told.error and "ydra-core" not in told.error
    assert sorted(desk.rglob("*")) == before  # no folder is made for a run that is refused


def test_several_mistakes_are_told_together_in_one_answer(desk: Path) -> None:
    told = answer(desk, "network.rnk=8", "optimizer.lr=-1", "model=sd16", "dataset.path=bare", "seed=x")
    assert [sentence.split(":")[0] for sentence in told.sentences] == [
        "model=sd16",
        "network.rnk",
        "seed=x",
        "optimizer.lr=-1",
        "dataset.path=bare",
    ]
    assert told.modules == []


def test_rules_and_disk_are_told_together(desk: Path) -> None:
    told = answer(desk, "network.rank=0", "dataset.path=nowhere", "sampling.prompt_file=none.txt")
    assert [sentence.split("=")[0] for sentence in told.sentences] == [
        "network.rank",
        "dataset.path",
        "sampling.prompt_file",
    ]


def test_prodigy_with_another_mistake_is_refused_without_torch(desk: Path) -> None:
    told = answer(desk, "optimizer=prodigy", "optimizer.args.d_coeff=2", "network.rank=0")
    assert [sentence.split(":")[0] for sentence in told.sentences] == [
        "network.rank=0",
        "optimizer.args.d_coeff",
    ]
    assert told.modules == []


def test_value_given_twice_is_refused(desk: Path) -> None:
    assert answer(desk, "network.rank=8", "network.rank=9").sentences == [
        "network.rank=9: given twice (before: 8). Give it once."
    ]
    assert answer(desk, "optimizer=adamw", "+optimizer=prodigy").sentences == [
        "+optimizer=prodigy: given twice (before: adamw). Give it once."
    ]


def test_only_an_unlisted_optimizer_class_is_imported_to_be_checked(desk: Path) -> None:
    told = answer(desk, "optimizer.class_path=torch.optim.SGD", "optimizer.args.momentun=0.9")
    assert "optimizer.args.momentun: SGD takes no such argument (did you mean momentum?)" in told.sentences
    assert set(told.modules) <= {"torch"}


def test_composed_config_is_printed_resolved_without_anything_heavy(desk: Path) -> None:
    told = answer(
        desk, "--cfg", "job", "optimizer.args.weight_decay=0.1", "+experiment=night", "network.alpha=4"
    )
    assert told.code == 0 and told.modules == [] and told.error == ""
    assert "  lr: 0.003\n" in told.output and "    weight_decay: 0.1\n" in told.output
    assert "  alpha: 4.0\n  alpha_ratio: null\n" in told.output
    assert "${" not in told.output


@pytest.mark.parametrize("flag", [["--help"], ["--info", "config"], ["--cfg=hydra"], ["--hydra-help"]])
def test_flags_of_hydra_answer_without_anything_heavy(desk: Path, flag: list[str]) -> None:
    told = answer(desk, *flag)
    assert told.code == 0 and told.modules == [] and told.output


def test_mistake_in_an_experiment_file_names_the_file(desk: Path, tmp_path: Path) -> None:
    file = tmp_path / "experiment" / "mine.yaml"
    file.parent.mkdir()
    file.write_text(
        "# @package _global_\ndefaults:\n  - override /optimizer: prodgy\nnetwrk:\n  rank: 8\nnetwork:\n  rank: abc\n"
    )
    told = answer(desk, f"--config-dir={tmp_path}", "experiment=mine")
    shown = f"{tmp_path.name}/experiment/mine.yaml: "
    assert told.sentences == [
        f"{shown}optimizer=prodgy: unknown choice (did you mean prodigy?)",
        f"{shown}netwrk: unknown option (did you mean network?)",
        f"{shown}network.rank=abc: this option takes a whole number.",
    ]


def test_experiment_in_a_folder_of_ones_own_is_found(desk: Path, tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment/mine.yaml").write_text("# @package _global_\nnetwork:\n  rank: 3\n")
    told = answer(desk, "--config-dir", str(tmp_path), "experiment=mine", "--cfg", "job", "name=é")
    assert told.code == 0, told.error
    assert "  rank: 3\n" in told.output and told.output.startswith("name: é\n")


def test_ctrl_c_before_the_steps_ends_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, refusing():
        raise KeyboardInterrupt
    assert ended.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"
