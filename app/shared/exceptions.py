"""Errors that every entry point renders the same way."""


class ConfigurationError(Exception):
    """A variable, argument or file that cannot be used.

    The message is one line that names the place and never shows a secret; the process ends with exit code 2.
    """
