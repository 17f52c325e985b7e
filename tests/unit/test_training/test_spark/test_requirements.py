"""Training on Spark where pyspark or Java is missing: one line that says what to do."""

import pytest

from app.shared.exceptions import ConfigurationError
from training.spark import requirements
from training.spark.requirements import check_requirements


def java(tmp_path, version: str) -> str:
    """A folder with a `java` that reports a version."""
    program = tmp_path / "bin" / "java"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2026-01-01' >&2\n")
    program.chmod(0o755)
    return str(tmp_path)


@pytest.fixture
def has_pyspark(monkeypatch):
    monkeypatch.setattr(requirements, "find_spec", lambda name: name)
    monkeypatch.delenv("JAVA_HOME", raising=False)


def test_without_pyspark(monkeypatch):
    monkeypatch.setattr(requirements, "find_spec", lambda _name: None)

    with pytest.raises(ConfigurationError, match="pyspark is not installed"):
        check_requirements()


def test_without_java(has_pyspark, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ConfigurationError, match="no Java was found; install Java 17"):
        check_requirements()


@pytest.mark.parametrize(("version", "found"), [("1.8.0_412", "8"), ("11.0.23", "11")])
def test_with_an_old_java(has_pyspark, monkeypatch, tmp_path, version, found):
    monkeypatch.setenv("JAVA_HOME", java(tmp_path, version))

    with pytest.raises(ConfigurationError, match=f"Java {found} is too old; install Java 17"):
        check_requirements()


@pytest.mark.parametrize("version", ["17.0.15", "21", "25-ea"])
def test_with_a_new_java(has_pyspark, monkeypatch, tmp_path, version):
    monkeypatch.setenv("JAVA_HOME", java(tmp_path, version))

    check_requirements()
