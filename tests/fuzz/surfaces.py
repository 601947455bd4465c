"""Every kind of file of others that is read, by name."""

from __future__ import annotations

from tests.fuzz.input_surfaces import CacheEntries, Configs, Images, JpegBodies, Manifests, OtherSheets, Sheets, Videos
from tests.fuzz.result_surfaces import Audits, Predictions, RunFolders, SpottingBoards, StoredRuns, Submissions
from tests.fuzz.surface import Surface

SURFACES: dict[str, type[Surface]] = {
    "configs": Configs,
    "sheets": Sheets,
    "other-sheets": OtherSheets,
    "images": Images,
    "videos": Videos,
    "jpeg-bodies": JpegBodies,
    "cache-entries": CacheEntries,
    "manifests": Manifests,
    "predictions": Predictions,
    "run-folders": RunFolders,
    "stored-runs": StoredRuns,
    "submissions": Submissions,
    "audits": Audits,
    "spotting-boards": SpottingBoards,
}
