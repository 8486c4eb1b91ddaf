"""The fingerprint of a scanned data set, as a run takes it."""

from engine.data.fingerprints import dataset_fingerprint, picture_fingerprints
from engine.data.scan import Scan


def fingerprint_of(scan: Scan) -> str:
    return dataset_fingerprint(picture_fingerprints(scan))
