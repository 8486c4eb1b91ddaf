"""The gallery as text: what stands on it, what stays text, how large it grows."""

import base64
import hashlib
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from pages.gallery import gallery_html, merge_unnamed, write_gallery
from pages.gallery_data import BASE, FINAL, GalleryPage, GalleryPicture, GalleryPrompt, MetricFacts, MetricRow
from pages.picture import MAX_SIDE, THUMBNAIL_SIDE, embed_thumbnail
from pages.script import SCRIPT
from tests.pages.gallery_toys import (
    BROKEN,
    EVIL,
    LIKENESS,
    PROMPTS,
    SEEDS,
    gallery,
    picture_file,
    prompt_pictures,
    score,
)


class Parsed(HTMLParser):
    """Text, and the elements with their attributes, in their order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][0] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def shots(self, kind: str) -> list[dict[str, str]]:
        """The attributes of the figures of one kind: result, base, true."""
        return [
            attributes
            for tag, attributes in self.elements
            if tag == "figure" and kind in attributes["class"].split()
        ]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Parsed:
    return Parsed(gallery_html(gallery(tmp_path_factory.mktemp("gallery"))))


def test_the_scores_say_value_spread_interval_and_what_was_skipped(page: Parsed) -> None:
    for words in (
        "0.50 → 0.75 ± 0.03",
        "12 pictures of 4 prompts; true pictures score 0.88",
        "Combined0.62 ± 0.11",
        "0.500 ± 0.0300.750 ± 0.030+0.250+0.200 to +0.300better than the base0.875 ± 0.0300.67 ± 0.10",
        "−0.011−0.040 to +0.018within the noise",
        "Distance of the sets (KID)not measured: needs 50 pictures, there are 12",
        "60 pictures would tell 0.05 from noise.",
        "facebook/dinov2-small, 3f2a",
    ):
        assert words in page.text, words


def test_every_picture_is_there_with_its_seed_file_and_scores(page: Parsed) -> None:
    shots = page.shots("result")
    assert len(shots) == len(PROMPTS) * len(SEEDS) == len(page.shots("base"))
    assert [int(shot["data-seed"]) for shot in shots] == SEEDS * len(PROMPTS)
    assert shots[1]["data-file"] == "final/p00_s2.png" and shots[1]["data-size"] == "64 × 64"
    values = [json.loads(shot["data-scores"]).get(LIKENESS.name) for shot in shots]
    wanted = [score(prompt, seed) for prompt in range(len(PROMPTS)) for seed in SEEDS]
    wanted[BROKEN[0] * len(SEEDS) + SEEDS.index(BROKEN[1])] = None  # type: ignore[call-overload]
    assert values == wanted
    assert len(page.shots("true")) == 2
    assert [shot["data-file"] for shot in page.shots("broken")] == ["final/p03_s2.png"]


def test_the_text_of_prompts_files_and_metrics_is_never_markup(page: Parsed) -> None:
    tags = [tag for tag, _ in page.elements]
    assert tags.count("script") == 1 and tags.count("img") == 4 * 3 * 2 + 2 + 1  # the last one of the dialog
    names = {name for _, attributes in page.elements for name in attributes}
    assert not {name for name in names if name.startswith("on")} and "style" not in names
    assert page.text.count(EVIL) >= 5  # notice, prompt, its pictures, title of a metric in table and select
    assert page.shots("result")[0]["data-file"].startswith(EVIL)


def test_the_content_policy_names_this_style_and_this_script_only(page: Parsed) -> None:
    policy = next(attributes for tag, attributes in page.elements if attributes.get("http-equiv"))["content"]
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; img-src data:;") and "unsafe" not in policy
    assert "</script" not in SCRIPT


def test_nothing_is_loaded_and_links_are_relative(tmp_path: Path) -> None:
    page = gallery(tmp_path)
    page.link = ("page", "javascript:alert(1)")
    html = gallery_html(page)
    assert 'href="javascript%3Aalert%281%29"' in html  # a file of that name beside the page
    addresses = re.findall(r'(?:src|href)="([^"]{1,30})', html)
    assert {address.split(":")[0] for address in addresses} == {
        "data",
        "javascript%3Aalert%281%29",
        "#scores",
    }


def test_the_same_data_give_the_same_bytes(tmp_path: Path) -> None:
    write_gallery(gallery(tmp_path), tmp_path / "a.html")
    write_gallery(gallery(tmp_path), tmp_path / "b.html")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_metrics_that_were_skipped_for_one_reason_share_a_row(tmp_path: Path) -> None:
    page = gallery(tmp_path)
    skipped = [MetricRow(facts=MetricFacts(name=name, title=name), skipped="no encoder") for name in "xyz"]
    text = Parsed(gallery_html(replace(page, metrics=[*page.metrics, *skipped]))).text
    assert "x, y, znot measured: no encoder" in text and text.count("no encoder") == 1


def test_an_empty_page_says_so() -> None:
    text = Parsed(gallery_html(GalleryPage(title="none"))).text
    assert "Nothing was scored." in text and "There are no pictures." in text


def test_a_missing_or_broken_file_leaves_a_place_that_says_so(tmp_path: Path) -> None:
    torn = tmp_path / "torn.png"
    torn.write_bytes(b"\x89PNG\r\n\x1a\n")
    pictures = [
        GalleryPicture(set_name=FINAL, seed=1, path=tmp_path / "none.png", file="none.png"),
        GalleryPicture(set_name=FINAL, seed=2, path=torn, file="torn.png", fault="unreadable"),
    ]
    page = Parsed(
        gallery_html(GalleryPage(title="t", prompts=[GalleryPrompt(index=0, text="a", pictures=pictures)]))
    )
    assert page.text.count("missing") == 2 and "unreadable seed 2" in page.text


def test_pictures_without_a_prompt_are_one_row_named_by_their_files(tmp_path: Path) -> None:
    prompts = [GalleryPrompt(index=i, text="", pictures=prompt_pictures(tmp_path, 0)[:1]) for i in range(5)]
    (merged,) = merge_unnamed(prompts)
    assert [picture.seed for picture in merged.pictures] == [0, 1, 2, 3, 4]
    page = Parsed(gallery_html(GalleryPage(title="t", prompts=prompts)))
    assert (
        len(page.shots("result")) == 5
        and "(no prompt)" in page.text
        and "data-seed" not in page.shots("result")[0]
    )
    assert sum(tag == "article" for tag, _ in page.elements) == 1
    assert "The prompts of these pictures are not known." in page.text


def test_a_picture_without_its_base_keeps_the_columns(tmp_path: Path) -> None:
    pictures = [
        picture for picture in prompt_pictures(tmp_path, 0) if picture.set_name == FINAL or picture.seed == 2
    ]
    html = gallery_html(GalleryPage(title="t", prompts=[GalleryPrompt(index=0, text="a", pictures=pictures)]))
    base_row = html.split('<div class="line">')[2]
    order = re.findall(r'class="shot (\w+)', base_row.split("</article>")[0])
    assert order == ["gap", "base", "gap"]


def test_a_single_seed_has_its_base_and_true_picture_beside_it(tmp_path: Path) -> None:
    true = picture_file(tmp_path / "true.png", (1, 2, 3), 8)
    pictures = [picture for picture in prompt_pictures(tmp_path, 0) if picture.seed == 1]
    prompt = GalleryPrompt(index=0, text="a", references=[true], pictures=pictures)
    html = gallery_html(GalleryPage(title="t", prompts=[prompt]))
    assert html.count('<div class="line">') == 1 and "columns-3 with-base" in html
    assert re.findall(r'<figure class="shot (\w+)', html) == ["result", "base", "true"]


def test_a_folder_of_ten_thousand_pictures_gives_a_page_of_bounded_size(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    noise = Image.effect_noise((300, 300), 80).convert("RGB")
    noise.save(path)
    prompts = [
        GalleryPrompt(
            index=index,
            text=f"prompt {index}",
            pictures=[
                GalleryPicture(
                    set_name=FINAL,
                    seed=seed,
                    path=path,
                    file="a.png",
                    fault="black" if (index, seed) == (7, 3) else None,
                    scores={} if (index, seed) == (7, 3) else {LIKENESS.name: index + seed / 100},
                )
                for seed in range(100)
            ],
        )
        for index in range(100)
    ]
    whole = gallery(tmp_path)
    html = gallery_html(replace(whole, prompts=prompts), most=60, larger_chars=2_000_000)
    page = Parsed(html)
    shots = page.shots("result")
    assert len(shots) == 60 and len(html) < 6e6
    assert (
        "The page shows 60 of 10,000 scored pictures: all 1 broken, the 5 best and the 5 worst by Likeness "
        "to the concept, the rest evenly over the prompts." in page.text
    )
    values = sorted(json.loads(shot["data-scores"]).get(LIKENESS.name, -1) for shot in shots)
    assert values[:6] == [-1, 0.0, 0.01, 0.02, 0.03, 0.04]
    assert values[-5:] == [99.95, 99.96, 99.97, 99.98, 99.99]
    middle = values[6:-5]
    assert max(after - before for before, after in pairwise(middle)) < 4


def test_base_and_true_pictures_count_as_shown_ones(tmp_path: Path) -> None:
    true = picture_file(tmp_path / "true.png", (1, 2, 3), 8)
    prompts = [
        GalleryPrompt(
            index=index, text=f"p{index}", references=[true], pictures=prompt_pictures(tmp_path, index % 4)
        )
        for index in range(20)
    ]
    page = Parsed(gallery_html(GalleryPage(title="t", prompts=prompts), most=40))
    shown = {kind: len(page.shots(kind)) for kind in ("result", BASE, "true")}
    assert shown["result"] == shown["base"] and 30 <= sum(shown.values()) <= 40


def test_a_large_picture_is_a_thumbnail_with_a_larger_version_and_a_small_one_keeps_its_pixels(
    tmp_path: Path,
) -> None:
    large = picture_file(tmp_path / "large.png", (200, 40, 40), 900)
    found = embed_thumbnail(large)
    assert found is not None and found.larger is not None and not found.picture.is_small
    assert (found.width, found.height) == (900, 900)
    assert _decoded(found.picture.uri).size == (THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    assert _decoded(found.larger).size == (MAX_SIDE, MAX_SIDE)
    red, green, blue = _decoded(found.larger).getpixel((300, 300))  # type: ignore[misc]
    assert abs(red - 200) < 4 and abs(green - 40) < 4 and abs(blue - 40) < 4
    small = embed_thumbnail(picture_file(tmp_path / "small.png", (200, 40, 40), 64))
    assert small is not None and small.larger is None and small.picture.is_small
    assert base64.b64decode(small.picture.uri.split(",")[1]) == (tmp_path / "small.png").read_bytes()
    without = embed_thumbnail(large, with_larger=False)
    assert without is not None and without.larger is None


def test_larger_versions_stop_where_the_room_for_them_ends(tmp_path: Path) -> None:
    html = gallery_html(gallery(tmp_path, side=700), larger_chars=20_000)
    count = html.count("data-larger=")
    assert 1 <= count < 8
    assert sum(map(len, re.findall(r'data-larger="([^"]*)"', html))) < 20_000 + 10_000


def _decoded(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1])))
