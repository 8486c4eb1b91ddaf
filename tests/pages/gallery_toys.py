"""Galleries, comparisons and reports of toy size: pictures of one colour each, scores by formula."""

import math
from pathlib import Path

from PIL import Image

from pages.gallery_data import (
    BASE,
    FINAL,
    LOWER,
    Change,
    CombinedNumber,
    ComparedPrompt,
    ComparedRun,
    ComparedScores,
    ComparePage,
    GalleryPage,
    GalleryPicture,
    GalleryPrompt,
    MetricFacts,
    MetricRow,
    Number,
    RankStep,
    ReportPage,
    ReportRun,
)

EVIL = "<script>window.hacked=1</script>\"'><img src=x onerror=window.hacked=1>"
LONG = "unbroken" * 40
PROMPTS = ["a red house by the sea", f"{EVIL} 🦊 & co", LONG, "a dog in the snow"]
TYPES = ["context", "context", "style", "style"]
SEEDS = [1, 2, 3]
LIKENESS = MetricFacts(
    name="likeness", title="Likeness to the concept", scale="cosine, DINOv2", is_objective=True
)
ADHERENCE = MetricFacts(name="adherence", title="Adherence to the prompt", scale="cosine", is_objective=True)
COPY = MetricFacts(name="memorisation", title=f"Copies {EVIL}", direction=LOWER, scale="share")
HEALTH = MetricFacts(name="health", title="Health", scale="share of sound pictures", is_constraint=True)
PRESERVATION = MetricFacts(
    name="preservation", title="Preservation of the base", scale="cosine with the base's picture; 1 = same"
)
KID = MetricFacts(name="distribution", title="Distance of the sets (KID)", direction=LOWER)
BROKEN = (3, 2)  # prompt, seed

COLOUR_OF_MIDDLE = """image => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    return [...context.getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data].slice(0, 3);
}"""  # what a browser decoded of an <img>


def colour(prompt: int, seed: int, set_name: str = FINAL) -> tuple[int, int, int]:
    """No two pictures have the same."""
    return 40 + 50 * prompt, 60 + 50 * seed, 40 if set_name == FINAL else 200


def score(prompt: int, seed: int) -> float:
    """Likeness: in no order of prompts or seeds, and no two alike."""
    return round(0.5 + 0.4 * math.sin(5 * prompt + 3 * seed), 4)


def gallery(folder: Path, *, side: int = 64, prompts: list[str] | None = None) -> GalleryPage:
    """Four prompts, three seeds, base pictures, a true picture for each of the first two; one is black."""
    texts = PROMPTS if prompts is None else prompts
    true = picture_file(folder / "true.png", (40, 60, 220), side)
    return GalleryPage(
        title="toy run",
        lead="12 pictures of 4 prompts, scored against their true pictures.",
        link=("The page of the run", "../index.html"),
        notices=[f"One prompt was cut: {EVIL}"],
        metrics=metric_rows(),
        combined=CombinedNumber(number=Number(value=0.62, spread=0.11)),
        prompts=[
            GalleryPrompt(
                index=index,
                text=text,
                kind="plain" if index == 3 else "concept",
                tone="bright" if index == 0 else None,
                type=TYPES[index],
                references=[true] if index < 2 else [],
                pictures=prompt_pictures(folder, index, side=side),
            )
            for index, text in enumerate(texts)
        ],
        noise=[
            "Of the noise of likeness 80 % lies between prompts.",
            "60 pictures would tell 0.05 from noise.",
        ],
        environment=[("DINOv2", "facebook/dinov2-small, 3f2a"), ("torch", "2.13.0")],
    )


def metric_rows() -> list[MetricRow]:
    """One of each kind: better, within the noise, a constraint, a small one, a skipped one."""
    better = Change(value=0.25, low=0.2, high=0.3, verdict="better")
    noise = Change(value=-0.011, low=-0.04, high=0.018, verdict="within_noise")
    return [
        MetricRow(
            facts=LIKENESS,
            base=number(0.5),
            final=number(0.75),
            real=number(0.875),
            change=better,
            anchored=Number(value=0.667, spread=0.1),
        ),
        MetricRow(
            facts=ADHERENCE, base=number(0.312), final=number(0.301), change=noise, note="2 prompts cut."
        ),
        MetricRow(facts=COPY, final=number(0.083), change=Change(value=0.083)),
        MetricRow(facts=HEALTH, base=number(1.0), final=number(0.917)),
        MetricRow(facts=PRESERVATION, base=number(1.0), final=number(0.967)),
        *validation_losses(),
        MetricRow(facts=KID, skipped="needs 50 pictures, there are 12"),
    ]


def validation_losses() -> list[MetricRow]:
    """The fixed loss, and its four quarters from the least noise to the most."""
    scale, title = "mean squared error of the model's prediction", "Fixed validation loss"
    rows = [MetricRow(facts=_loss_facts("val_loss", title, scale), base=number(0.1), final=number(0.06))]
    for quarter, noise in enumerate(("least", "less", "more", "most"), start=1):
        facts = _loss_facts(f"val_loss_q{quarter}", f"{title}, quarter {quarter} of 4: {noise} noise", scale)
        better = Change(value=-0.2, low=-0.266, high=-0.134, verdict="better")
        note = f"at timestep {250 * quarter - 125}"
        rows.append(MetricRow(facts=facts, base=number(0.3), final=number(0.1), change=better, note=note))
    return rows


def _loss_facts(name: str, title: str, scale: str) -> MetricFacts:
    return MetricFacts(name=name, title=title, direction=LOWER, scale=scale)


def number(value: float, spread: float = 0.03) -> Number:
    """Of twelve pictures."""
    return Number(value=value, spread=spread, n=12, num_prompts=4)


def prompt_pictures(folder: Path, prompt: int, *, side: int = 64, shift: float = 0.0) -> list[GalleryPicture]:
    """Scored and base pictures of one prompt."""
    return [
        toy_picture(folder, (prompt, seed), set_name=set_name, side=side, shift=shift)
        for set_name in (FINAL, BASE)
        for seed in SEEDS
    ]


def toy_picture(
    folder: Path, place: tuple[int, int], *, set_name: str = FINAL, side: int = 64, shift: float = 0.0
) -> GalleryPicture:
    """A picture of one colour, and its scores; the broken one is black and has none."""
    prompt, seed = place
    is_broken = place == BROKEN and set_name == FINAL
    name = f"{set_name}/p{prompt:02d}_s{seed}.png"
    path = picture_file(folder / name, (0, 0, 0) if is_broken else colour(prompt, seed, set_name), side)
    scores = {LIKENESS.name: score(prompt, seed) + shift, ADHERENCE.name: 0.3 + seed / 100 - prompt / 1000}
    if set_name == BASE:
        scores = {name: value - 0.1 for name, value in scores.items()}
    scores[COPY.name] = 1.0 if place == (1, 3) else 0.0
    return GalleryPicture(
        set_name=set_name,
        seed=seed,
        path=path,
        file=f"{EVIL} {name}" if place == (0, 1) else name,
        fault="black" if is_broken else None,
        scores={} if is_broken else scores,
    )


def picture_file(path: Path, rgb: tuple[int, int, int], side: int) -> Path:
    """A PNG of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (side, side), rgb).save(path)
    return path


def comparison(folder: Path, names: tuple[str, ...] = ("steady", "too long", EVIL)) -> ComparePage:
    """Three runs: the first beats the second beyond the noise, the third does not fall behind it."""
    values = dict(zip(names, (0.75, 0.6, 0.59), strict=True))
    adherence = dict(zip(names, (0.301, 0.322, 0.25), strict=True))
    steps = [
        RankStep(better=names[0], worse=names[1], difference=Change(value=0.15, low=0.1, high=0.2)),
        RankStep(
            better=names[1],
            worse=names[2],
            difference=Change(value=0.01, low=-0.03, high=0.05, verdict="within_noise"),
        ),
    ]
    return ComparePage(
        title="three runs",
        lead="The same 4 prompts and 3 seeds.",
        runs=[ComparedRun(name=name, link=f"{place}/index.html") for place, name in enumerate(names)],
        metrics=[
            ComparedScores(
                facts=LIKENESS, numbers={name: number(value) for name, value in values.items()}, steps=steps
            ),
            ComparedScores(
                facts=ADHERENCE, numbers={name: number(value) for name, value in adherence.items()}
            ),
            *(
                ComparedScores(facts=row.facts, numbers={name: number(0.1) for name in names}, steps=steps)
                for row in validation_losses()
            ),
            ComparedScores(facts=KID, numbers={}, missing=dict.fromkeys(names, "needs 50 pictures")),
        ],
        prompts=[
            ComparedPrompt(
                index=index,
                text=text,
                type=TYPES[index],
                pictures={
                    name: [toy_picture(folder / str(place), (index, seed)) for seed in SEEDS]
                    for place, name in enumerate(names)
                },
            )
            for index, text in enumerate(PROMPTS)
        ],
        axes=(ADHERENCE.name, LIKENESS.name),
    )


def report(count: int = 8) -> ReportPage:
    """Runs on a bow: from faithful to the prompt to like the concept; every third lies behind, one failed."""
    runs = []
    for place in range(count):
        angle = math.pi / 2 * place / (count - 1)
        reach = 0.7 if place % 3 == 2 else 1.0
        numbers = {
            LIKENESS.name: number(0.4 + 0.4 * reach * math.sin(angle), 0.02),
            ADHERENCE.name: number(0.2 + 0.12 * reach * math.cos(angle), 0.008),
            HEALTH.name: Number(value=1.0, n=12, num_prompts=4),
        }
        runs.append(
            ReportRun(
                name=f"rank{2**place}-lr{place}e-4",
                link=f"rank {place}/index.html",
                outcome="completed",
                numbers=numbers,
                options={"network.rank": str(2**place), "optimizer.lr": f"{place}e-4"},
            )
        )
    failed = ReportRun(name=EVIL, outcome="diverged", options={"network.rank": "3"}, note="loss ran away")
    return ReportPage(
        title="a sweep",
        lead=f"{count + 1} runs.",
        metrics=[LIKENESS, ADHERENCE, HEALTH],
        runs=[*runs, failed],
        axes=(ADHERENCE.name, LIKENESS.name),
    )
