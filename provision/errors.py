"""What can go wrong while a guide is carried out."""

from __future__ import annotations

from lab.errors import LabError, ScenarioError


class PlanError(ScenarioError):
    """A plan contradicts itself: found before any machine is touched."""


class NoteMissing(ScenarioError):
    """A step needs what an earlier step should have noted."""


class UnexpectedContent(LabError):
    """A file on a machine does not hold what the guide says it holds."""


class StepFailed(LabError):
    """A step could not be carried out, so the deployment is not there to be judged."""


class SourceRefused(LabError):
    """A source of the genuine software is not what its catalogue says, or cannot be had."""


class PackagingFailed(LabError):
    """The genuine software could not be made into packages."""
