"""What the bodies of requests share."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Form(BaseModel):
    """What every body shares: nothing unknown may stand in it."""

    model_config = ConfigDict(extra="forbid")


class Reason(Form):
    """Why."""

    reason: str = Field(max_length=4000)


class Empty(Form):
    """No content."""

    model_config = ConfigDict(extra="ignore")
