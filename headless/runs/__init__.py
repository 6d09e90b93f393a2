"""One call and one function for each job, used by the command line, the worker and a library alike; no click in here.

from headless.runs import RenderCall, render

render(RenderCall(output=Path("cars"), seeds=(0, 1)))
"""

# Not lazy: the function has its module's name, which Python binds here when anything first imports the module; it loads no torch.
from headless.runs.render import RenderCall, render

__all__ = ["RenderCall", "render"]
