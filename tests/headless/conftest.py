from tests.headless.fake_engine import fake_model

__all__ = ["fake_model"]
