"""One call and one function for each job, used by the command line, the worker and a library alike; no click in here.

from headless.runs import RenderCall, render

render(RenderCall(output=Path("cars"), seeds=(0, 1)))
"""

# Not lazy: a function has its module's name, which Python binds here when anything first imports the module; none of them loads torch.
from headless.runs.render import RenderCall, render
from headless.runs.subject_cloud import SubjectCloudCall, subject_cloud
from headless.runs.views import ViewsCall, views

__all__ = ["RenderCall", "SubjectCloudCall", "ViewsCall", "render", "subject_cloud", "views"]
