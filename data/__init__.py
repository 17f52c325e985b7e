"""Making, reading and loading feeds."""

import app  # noqa: F401  (says so where the locked environment is missing)
