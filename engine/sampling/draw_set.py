"""A whole set of pictures into a samples folder: from the cache what it has, the rest drawn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.models.family import ModelFamily
from engine.sampling.draw import DrawSettings, Wanted, draw_batches, settings_of, to_png
from engine.sampling.picture_cache import PictureCache, picture_key
from engine.sampling.sample_folder import Filling


@dataclass(kw_only=True, slots=True, frozen=True)
class Drawer:
    """What draws: a model with whatever is attached to it, and where its pictures are kept."""

    family: ModelFamily
    settings: DrawSettings
    cache: PictureCache | None = None  # None: nothing is kept beside the set itself
    network: str = ""  # what is attached, by its content; "" = nothing

    def key(self, wanted: Wanted) -> str:
        """The key of a picture in the cache."""
        return picture_key(self.family, wanted, self.settings_of(wanted), network=self.network)

    def settings_of(self, wanted: Wanted) -> DrawSettings:
        """What a picture is drawn with."""
        return settings_of(self.settings, wanted.own)


@dataclass(kw_only=True, slots=True)
class Drawn:
    """Where the pictures of a set came from."""

    num_cached: int = 0
    num_drawn: int = 0
    warning: str | None = None  # why pictures could not be kept in the cache

    def lines(self, title: str) -> list[str]:
        """What a user may want to know, title being "base pictures"."""
        now = f", {self.num_drawn} drawn now" if self.num_drawn else ""
        found = [f"{title}: {self.num_cached} of earlier runs{now}"] if self.num_cached else []
        return found if self.warning is None else [*found, f"{self.warning}; they will be drawn again"]


def draw_set(
    drawer: Drawer,
    wanted: Sequence[Wanted],
    filling: Filling,
    *,
    on_progress: Callable[[int], None] = lambda done: None,
) -> Drawn:
    """Bring every picture into the set; of the pixels no more than two batches are held.

    on_progress  is told how many pictures are there
    """
    drawn, missing = Drawn(), []
    for one in wanted:
        content = _kept(drawer, one)
        if content is None:
            missing.append(one)
            continue
        filling.add(one, content)
        drawn.num_cached += 1
    on_progress(drawn.num_cached)
    for batch in draw_batches(drawer.family, missing, drawer.settings):
        for sample in batch:
            content = to_png(sample.image)
            filling.add(sample, content)
            _keep(drawer, sample, content, drawn)
        drawn.num_drawn += len(batch)
        on_progress(drawn.num_cached + drawn.num_drawn)
    return drawn


def _kept(drawer: Drawer, wanted: Wanted) -> bytes | None:
    if drawer.cache is None:
        return None
    settings, factor = drawer.settings_of(wanted), drawer.family.latent_factor
    size = (settings.width // factor * factor, settings.height // factor * factor)
    return drawer.cache.get(drawer.key(wanted), size=size)


def _keep(drawer: Drawer, wanted: Wanted, content: bytes, drawn: Drawn) -> None:
    if drawer.cache is None or drawn.warning is not None:
        return
    try:
        drawer.cache.put(drawer.key(wanted), content)
    except OSError as error:
        drawn.warning = f"{drawer.cache.folder}: pictures cannot be kept there ({error.strerror or error})"
