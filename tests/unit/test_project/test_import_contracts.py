"""The import contracts of pyproject.toml can fail: each one reports an import that is planted against it."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[3]
PLANTED = {
    "app/domain/planted.py": "import joblib\n",
    "app/domain/ranking/planted.py": "import app.domain.feed.planted\n",
    "app/domain/feed/planted.py": "import app.domain.ranking.planted\n",
    "app/application/planted.py": "import fastapi\n",
    "app/infrastructure/planted.py": "import app.application.dto\n",
    "app/presentation/planted.py": "import app.domain.entities\nimport app.domain.ids\n",
    "app/presentation/api/planted.py": "import app.domain.repositories.interaction_repository\n",
    "app/presentation/schemas/planted.py": "import app.application.workers\nimport app.infrastructure.clock\n",
    "app/shared/planted.py": "import app.domain.errors\n",
    "app/unknown_layer.py": "",
    "data/planted.py": "import training.train\n",
    "data/also_planted.py": "import sklearn\n",
    "training/planted.py": "import app.presentation\n",
}


def test_every_contract_reports_the_import_that_is_planted_against_it(tmp_path):
    for folder in ("app", "data", "training", "tests/support"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "tests/__init__.py").touch()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for path, text in PLANTED.items():
        (tmp_path / path).write_text(text)

    ended = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )

    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert ended.returncode == 1, ended.stdout + ended.stderr
    kept = [one["name"] for one in contracts if f"{one['name']} BROKEN" not in ended.stdout]
    assert not kept, ended.stdout
    for path, text in PLANTED.items():
        importer = path.removesuffix(".py").replace("/", ".")
        for imported in text.replace("import ", "").split():
            if importer.startswith("app.presentation."):
                assert f"{importer} imports {imported} " in ended.stdout
