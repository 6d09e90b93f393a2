import pytest

from headless.work import reporting
from tests.headless.fake_engine import fake_model
from tests.headless.tiny_engine import painted_folder, tiny_demo, tiny_model, trained_model

__all__ = ["fake_model", "painted_folder", "tiny_demo", "tiny_model", "trained_model"]


@pytest.fixture(autouse=True)
def no_word_of_slow_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine any job may take so long that it says what it does, which tests of other lines do not look for."""
    monkeypatch.setattr(reporting, "START_SECONDS", 3600.0)
