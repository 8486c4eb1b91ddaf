"""What scoring will need, looked at before hours of training: files and headers only, no torch."""

from engine.config.errors import ConfigError
from engine.config.sources import Sources
from engine.models.locate import find_checkpoint, is_hub_id
from evaluation.encoders import find_encoder
from evaluation.material import read_manifest
from evaluation.pictures import read_preprocessing


def check_sources(sources: Sources) -> list[str]:
    """One sentence for each thing that was named for scoring and cannot be used.

    A hub id that is not on this machine is left for the download, which says itself what is wrong.
    """
    problems: list[str] = []
    if sources.encoder is not None and not _must_be_downloaded(sources.encoder):
        try:
            read_preprocessing(find_encoder(sources.encoder))
        except ConfigError as error:
            problems += error.problems
    if sources.manifest is not None:
        try:
            prompts = read_manifest(sources.manifest)
        except ConfigError as error:
            return problems + error.problems
        missing = [path for prompt in prompts.values() for path in prompt.references if not path.is_file()]
        if missing:
            problems.append(
                f"evaluation.references={sources.manifest}: names {len(missing)} pictures that are not "
                f"there, the first: {missing[0]}. Paths are relative to the manifest."
            )
    return problems


def _must_be_downloaded(encoder: str) -> bool:
    return find_checkpoint(encoder) is None and is_hub_id(encoder)
