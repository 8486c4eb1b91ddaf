"""The gallery of a scored folder: from what a scoring found to its page."""

from collections.abc import Mapping, Sequence

from engine.config.evaluation import PIXELS
from evaluation.material import BASE, FINAL, REAL, Material, ScoredPicture
from evaluation.maths.statistics import values_by_picture
from evaluation.metrics.by_prompt import by_prompt
from evaluation.records import EncoderFacts, Scores
from evaluation.reports.page_data import row_of
from evaluation.score import Scored
from pages.gallery import gallery_html
from pages.gallery_data import CombinedNumber, GalleryPage, GalleryPicture, GalleryPrompt, Number

_MAX_REFERENCES = 24  # of no particular prompt that a page shows
_Key = tuple[int, int | None]
_ByPicture = Mapping[str, Mapping[str, Mapping[_Key, float]]]  # metric -> set -> picture -> value


def gallery_text(scored: Scored, *, title: str, link: tuple[str, str] | None = None) -> str:
    """The page of a scoring as one HTML file.

    link  words and relative path of the page that it belongs to
    """
    return gallery_html(gallery_page(scored, title=title, link=link))


def gallery_page(scored: Scored, *, title: str, link: tuple[str, str] | None = None) -> GalleryPage:
    """What the page shows."""
    scores, material = scored.scores, scored.material
    combined = scores.combined
    number = None if combined.value is None else Number(value=combined.value, spread=combined.spread)
    return GalleryPage(
        title=title,
        lead=_lead(scores),
        link=link,
        notices=_notices(scores),
        metrics=[row_of(row, scores.objectives) for row in scores.rows],
        combined=CombinedNumber(number=number, reason=combined.reason),
        prompts=_prompts(scored),
        references=() if material.pictures.get(REAL) else material.references[:_MAX_REFERENCES],
        noise=_noise(scores),
        environment=_environment(scores),
    )


def _lead(scores: Scores) -> str:
    count = scores.num_pictures.get(FINAL, 0)
    words = f"{count} picture{'s' if count != 1 else ''}"
    base = scores.num_pictures.get(BASE, 0)
    beside = f" beside {base} of the base model" if base else ""
    broken = sum(picture.set_name == FINAL for picture in scores.excluded)
    left_out = f"; {broken} broken and left out of all scores but health" if broken else ""
    return f"{words}{beside}{left_out}."


def _notices(scores: Scores) -> list[str]:
    failed = [
        f"{row.metric} is an objective and could not be computed: {row.skipped}." for row in scores.failed()
    ]
    cut = scores.truncated_prompts
    truncated = [f"{cut} prompts were longer than the encoder reads and were cut."] if cut else []
    return [*failed, *scores.notices, *truncated]


def _prompts(scored: Scored) -> list[GalleryPrompt]:
    material = scored.material
    values = {
        metric: {name: values_by_picture(found) for name, found in sets.items()}
        for metric, sets in scored.values.items()
    }
    sets = {name: by_prompt(material.pictures.get(name, [])) for name in (FINAL, BASE, REAL)}
    return [
        _prompt(material, index, {name: of_set.get(index, []) for name, of_set in sets.items()}, values)
        for index in sets[FINAL]
    ]


def _prompt(
    material: Material, index: int, pictures: Mapping[str, Sequence[ScoredPicture]], values: _ByPicture
) -> GalleryPrompt:
    text = pictures[FINAL][0].prompt
    known = material.prompts.get(text)
    return GalleryPrompt(
        index=index,
        text=text,
        kind=None if known is None else known.kind,
        tone=None if known is None else known.tone,
        type=None if known is None else known.type,
        references=[picture.path for picture in pictures[REAL]],
        pictures=[
            _picture(picture, material, values) for name in (FINAL, BASE) for picture in pictures[name]
        ],
    )


def _picture(picture: ScoredPicture, material: Material, values: _ByPicture) -> GalleryPicture:
    key = (picture.prompt_index, picture.seed)
    return GalleryPicture(
        set_name=picture.set_name,
        seed=picture.seed,
        path=picture.path,
        file=picture.file,
        fault=material.faults.get(picture.path),
        scores={
            metric: sets[picture.set_name][key]
            for metric, sets in values.items()
            if key in sets.get(picture.set_name, {})
        },
    )


def _noise(scores: Scores) -> list[str]:
    """What these pictures can tell, for the objectives."""
    sentences = []
    for row in scores.rows:
        noise = row.noise
        if row.metric not in scores.objectives or noise is None or row.difference is None:
            continue
        parts = ""
        if noise.between_prompts is not None and noise.within_prompts is not None:
            total = noise.between_prompts + noise.within_prompts
            share = noise.between_prompts / total if total else 0.0
            parts = f" {share:.0%} of their variance lies between prompts, the rest between seeds."
        prompts = noise.prompts_for_half
        half = "" if prompts is None else f"; half of that would need {prompts} prompts"
        sentences.append(
            f"{row.title}: these pictures tell a difference of {noise.smallest_difference:.3f} from noise "
            f"(95 % confidence, 80 % power){half}.{parts}"
        )
    return sentences


def _environment(scores: Scores) -> list[tuple[str, str]]:
    encoders = [
        (f"encoder ({role.replace('_', ' and ')})", _named(facts)) for role, facts in scores.encoders.items()
    ]
    return [*encoders, *scores.environment.items(), ("question", scores.config_hash)]


def _named(encoder: EncoderFacts) -> str:
    """Its name, and the start of its fingerprint where it has files."""
    return encoder.name if encoder.name == PIXELS else f"{encoder.name} {encoder.fingerprint[:12]}"
