"""Diagnoses of requests for replays with several workers, which import them from here by name."""

import multiprocessing
import os


def describe(request, model):
    """The request, whether there is a model, and the process."""
    return request.event, model is None, os.getpid()


def fail_in_a_worker(_request, _model):
    """Fails in other processes than the first."""
    assert multiprocessing.parent_process() is None, "this request failed"
