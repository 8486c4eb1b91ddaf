"""What scoring will need, looked at before hours of training: files and headers only, no torch."""

from engine.config.errors import ConfigError
from engine.config.sources import Sources
from evaluation.encoder_folder import find_encoder
from evaluation.material import read_manifest
from evaluation.pictures import read_preprocessing


def check_sources(sources: Sources) -> list[str]:
    """One sentence for each thing that was named for scoring and cannot be used."""
    problems: list[str] = []
    if sources.encoder is not None:
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
