"""tracking=none: nothing is recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class NoRun:
    """A run whose methods do nothing."""

    def log_config(
        self, config: Mapping[str, Any], overrides: Sequence[str] = (), choices: Mapping[str, str] | None = None
    ) -> None: ...

    def log_params(self, params: Mapping[str, Any]) -> None: ...

    def log_dataset(self, name: str, split: str, digest: str, source: str, rows: int) -> None: ...

    def log_environment(self, environment: Mapping[str, Any]) -> None: ...

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None, at: int | None = None) -> None: ...

    def log_points(self, name: str, points: Sequence[tuple[int, float, int]]) -> None: ...

    def goes_on(self) -> bool:
        return False

    def last_step(self, name: str) -> int:
        return 0

    def describe(self, text: str) -> None: ...

    def set_tags(self, tags: Mapping[str, Any]) -> None: ...

    def log_text(self, text: str, file: str) -> None: ...

    def log_folder(self, folder: Path, name: str) -> None: ...

    def log_model(self, folder: Path) -> None: ...

    def end_child(self, run_id: str, reason: str) -> None: ...

    def add_failed_child(self, name: str, reason: str) -> None: ...

    def end_children(self, reason: str) -> None: ...

    def location(self) -> None: ...


class NoTracking:
    """The target of conf/tracking/none.yaml."""

    @contextmanager
    def run(
        self,
        *,
        parent_run_id: str | None = None,
        name: str | None = None,
        key: str | None = None,
        folder: Path | None = None,
        log_file: Path | None = None,
    ) -> Iterator[NoRun]:
        """Yield a run that records nothing."""
        yield NoRun()
