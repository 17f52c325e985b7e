"""From the log to a published model, and the figures it is judged by."""

import app  # noqa: F401  (says so where the locked environment is missing)
