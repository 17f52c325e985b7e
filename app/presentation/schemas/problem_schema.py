"""Errors, as callers see them: RFC 9457."""

from pydantic import BaseModel, ConfigDict, Field


class FieldProblem(BaseModel):
    """One field that is wrong."""

    pointer: str = Field(description="JSON pointer into the request body")
    detail: str


class ProblemResponse(BaseModel):
    """`application/problem+json`; programs go by `code`."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field(description="The problem's kind as a URI")
    title: str
    status: int
    code: str = Field(description="Stable name of the problem's kind")
    detail: str
    request_id: str
    errors: list[FieldProblem] | None = None
