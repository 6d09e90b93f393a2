from tests.headless.fake_engine import fake_model
from tests.headless.tiny_engine import painted_folder, tiny_demo, tiny_model, trained_model

__all__ = ["fake_model", "painted_folder", "tiny_demo", "tiny_model", "trained_model"]
