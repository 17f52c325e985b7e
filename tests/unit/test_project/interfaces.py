"""Reads the interfaces of the project from the running code, and compares them with the committed list.

Each interface is one line: a name and a short description (type, default, labels). `interfaces.json` holds the lines
of the commit before issue 20 and, under "issue N", the lines that an issue added or changed; null marks a line that
the issue removed. Record new lines under an issue: `python -m tests.unit.test_project.interfaces "issue 21"`.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from alembic.config import Config
from alembic.script import ScriptDirectory
from prometheus_client.parser import text_string_to_metric_families

from app.infrastructure.config.settings import Settings, env_example
from app.infrastructure.database.embedded import CHECKOUT
from app.presentation.api.application import create_api
from app.presentation.api.dependencies import ApiOptions
from app.shared.api_keys import plain_keys
from app.shared.monitoring import Metrics
from tests.support.fake_use_cases import Running
from tests.support.http_server import served
from tests.support.small_service import SmallService

Lines = dict[str, str]
LIST: Final = Path(__file__).with_name("interfaces.json")
BASE: Final = "before issue 20"
_COMMAND_FOLDERS: Final = ("app", "data", "training", "benchmarks", "scripts")
_WEB_SOURCES: Final = ("*.ts", "app/**/*.ts*", "lib/**/*.ts", "components/**/*.tsx")


# -- commands ----------------------------------------------------------------------------------------------------


def commands() -> Lines:
    """Commands with their arguments, scripts, npm scripts and the revisions of the database schema."""
    lines: Lines = {}
    for module, command in sorted(_python_commands()):
        lines[command] = "command"
        if (parser := _parser_of(module)) is not None:
            lines |= _arguments(command, parser)
    for script in sorted((CHECKOUT / "scripts").glob("*.sh")):
        lines[f"scripts/{script.name}"] = "script"
        patterns = re.findall(r"^\s*((?:-[-a-z]+(?: \| )?)+)\)", script.read_text(), re.MULTILINE)
        lines |= {
            f"scripts/{script.name} {option}": "switch"
            for pattern in patterns
            for option in pattern.split(" | ")
        }
    lines |= _npm_scripts()
    revisions = ScriptDirectory.from_config(Config(str(CHECKOUT / "alembic.ini"))).walk_revisions()
    return lines | {f"python -m alembic upgrade {one.revision}": "revision" for one in revisions}


def _python_commands() -> Iterator[tuple[str, str]]:
    """Modules that run as a command, and how a user calls them."""
    for folder in _COMMAND_FOLDERS:
        for path in (CHECKOUT / folder).rglob("*.py"):
            if '\nif __name__ == "__main__":\n' not in path.read_text():
                continue
            place = path.relative_to(CHECKOUT)
            module = ".".join(place.with_suffix("").parts)
            is_script = folder == "scripts"
            yield module, f"python {place}" if is_script else f"python -m {module.removesuffix('.__main__')}"


class _Found(Exception):
    """Carries the parser out of a command, before the command does anything."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self.parser = parser


def _parser_of(name: str) -> argparse.ArgumentParser | None:
    """The argument parser of a command; None for a command that has none."""
    module = import_module(name)
    if not {"argparse", "OneLineParser"} & vars(module).keys():
        return None

    def stop(parser: argparse.ArgumentParser, *_: object) -> None:
        raise _Found(parser)

    with patch.object(argparse.ArgumentParser, "parse_args", stop):
        try:
            module.main([])
        except _Found as found:
            return found.parser
    raise AssertionError(f"{name}: main() does not parse its arguments first")


_MANY: Final = (argparse.ZERO_OR_MORE, argparse.ONE_OR_MORE, argparse.REMAINDER)


def _arguments(command: str, parser: argparse.ArgumentParser) -> Lines:
    lines: Lines = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                lines |= {f"{command} {name}": "command"} | _arguments(f"{command} {name}", below)
        elif not isinstance(action, argparse._HelpAction):
            kind = "switch" if action.nargs == 0 else "values" if action.nargs in _MANY else "value"
            is_required = action.required if action.option_strings else action.nargs is None
            for option in action.option_strings or [f"<{action.metavar or action.dest}>"]:
                lines[f"{command} {option}"] = f"required {kind}" if is_required else kind
                lines |= {f"{command} {option} {choice}": "choice" for choice in action.choices or ()}
    return lines


def _npm_scripts() -> Lines:
    root = json.loads((CHECKOUT / "package.json").read_text())
    lines = {f"npm run {script}": "script" for script in root["scripts"]}
    for workspace in root["workspaces"]:
        package = json.loads((CHECKOUT / workspace / "package.json").read_text())
        lines |= {
            f"npm run --workspace {package['name']} {script}": "script" for script in package["scripts"]
        }
    return lines


# -- variables ---------------------------------------------------------------------------------------------------


def variables() -> Lines:
    """Environment variables with their defaults and bounds."""
    schema = Settings.model_json_schema()
    defaults = dict(re.findall(r"^([A-Z_]+)=(.*)$", env_example(), re.MULTILINE))
    lines: Lines = {}
    for field in Settings.model_fields:
        name, kind = field.upper(), schema["properties"][field]
        lines[name] = f"default {defaults[name] or 'unset'}, {_type_of(kind, schema)}"
        lines |= _values(name, kind, schema)
    for path in (CHECKOUT / "app").rglob("*.py"):
        source = path.read_text()
        if "os.environ" in source:
            lines |= dict.fromkeys(re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', source), "read by the process")
    read = r'process\.env\["(\w+)"\](?: (?:\|\||\?\?) "([^"]*)")?'
    web_variables = dict(re.findall(read, _web_source())) | web_settings()
    for name in web_variables.keys() - {"NODE_ENV", "NEXT_RUNTIME"}:  # Next.js sets these
        default = web_variables[name]
        lines[f"{name} (web)"] = f"default {default}" if default else "read by the process"
    compose = (CHECKOUT / "docker-compose.dev.yml").read_text()
    for name, default in re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", compose):
        lines[f"{name} (compose)"] = f"default {default or 'unset'}"
    for dockerfile in ("Dockerfile", "web/Dockerfile"):
        for name, default in re.findall(
            r"^ARG (\w+)=(\S*)$", (CHECKOUT / dockerfile).read_text(), re.MULTILINE
        ):
            lines[f"{name} (docker build)"] = f"default {default}"
    return lines


def web_settings() -> dict[str, str]:
    """The variables that the web application checks at its start, with their defaults; "" for none."""
    source = (CHECKOUT / "web/lib/platform/config.ts").read_text()
    fields = re.findall(
        r"^    ([A-Z]+(?:_[A-Z]+)+): (.*?)(?=^    [A-Z_]+: |^  \}\))", source, re.DOTALL | re.MULTILINE
    )
    defaults = {name: re.search(r'text \?\? "?([^")]+)', rule) for name, rule in fields}
    return {name: found[1] if found else "" for name, found in defaults.items()}


def _web_source() -> str:
    web = CHECKOUT / "web"
    return "\n".join(path.read_text() for pattern in _WEB_SOURCES for path in sorted(web.glob(pattern)))


# -- metrics -----------------------------------------------------------------------------------------------------


def metrics() -> Lines:
    """Metrics with type and labels, as the service shows them after one call of each endpoint."""
    with served(create_api(ApiOptions(), Metrics(), Running().open, version="1")) as client:
        client.post("/recommendations/generate", json={"user_id": "alice"}).raise_for_status()
        event = {"user_id": "alice", "post_id": "post-1", "interaction_type": "like"}
        client.post("/interactions/track", json=event).raise_for_status()
        client.get("/health").raise_for_status()
        text = client.get("/metrics").raise_for_status().text
    lines: Lines = {}
    for family in text_string_to_metric_families(text):
        labels = sorted({label for sample in family.samples for label in sample.labels} - {"le"})
        name = family.name + "_total" * (family.type == "counter")
        lines[name] = family.type + (f" by {', '.join(labels)}" if labels else "")
    return lines | dict.fromkeys(re.findall(r"\bweb_[a-z_]+", _web_source()), "of the web application")


# -- HTTP --------------------------------------------------------------------------------------------------------


def http() -> Lines:
    """Endpoints, their request and response fields, status codes and problem codes."""
    api = create_api(ApiOptions(find_key=plain_keys(["a key"]).get), Metrics(), Running().open, version="1")
    document = api.openapi()
    lines: Lines = {f"GET {url}": "document" for url in (api.docs_url, api.openapi_url)}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            lines |= _endpoint(f"{method.upper()} {path}", operation, document)
    for name, scheme in document["components"]["securitySchemes"].items():
        lines[f"key as {name}"] = " ".join(scheme[part] for part in sorted(scheme))
    return lines | {
        f"{_GENERATE} 200 recommendations[].{name}": "explanation" for name in sorted(_explanation())
    }


_GENERATE: Final = "POST /recommendations/generate"


def _endpoint(name: str, operation: Mapping[str, Any], document: Mapping[str, Any]) -> Lines:
    lines: Lines = {name: "endpoint"}
    for parameter in operation.get("parameters", []):
        lines[f"{name} {parameter['in']} {parameter['name']}"] = _type_of(parameter["schema"], document)
    for content in operation.get("requestBody", {}).get("content", {}).values():
        lines |= _fields(f"{name} request", content["schema"], document)
    for status, response in operation["responses"].items():
        lines[f"{name} {status}"] = "status"
        for media_type, content in response.get("content", {}).items():
            if media_type != "application/problem+json":
                lines |= _fields(f"{name} {status}", content["schema"], document)
                continue
            lines |= _fields("problem", content["schema"], document)
            lines |= {f"{name} {status} {code}": "problem code" for code in content["examples"]}
    return lines


def _fields(body: str, schema: Mapping[str, Any], document: Mapping[str, Any], path: str = "") -> Lines:
    """The fields of a body, below `path` where that is given; an array's items are written as `name[]`."""
    lines: Lines = {}
    for part in _alternatives(schema, document):
        if "items" in part:
            lines |= _fields(body, part["items"], document, f"{path}[]")
        for name, below in part.get("properties", {}).items():
            place = f"{path}.{name}" if path else name
            required = "required" if name in part.get("required", ()) else "optional"
            default = f", default {json.dumps(below['default'])}" if "default" in below else ""
            lines[f"{body} {place}"] = f"{_type_of(below, document)}, {required}{default}"
            lines |= _values(f"{body} {place}", below, document)
            lines |= _fields(body, below, document, place)
    return lines


def _values(name: str, schema: Mapping[str, Any], document: Mapping[str, Any]) -> Lines:
    """The values that a field or a variable may take, where these are few."""
    parts = _alternatives(schema, document)
    return {f"{name} = {value}": "value" for part in parts for value in part.get("enum", ())}


def _alternatives(schema: Mapping[str, Any], document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The schema with its references resolved; several where any of them may hold."""
    if "$ref" in schema:
        target: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return _alternatives(target, document)
    several = schema.get("anyOf", schema.get("allOf"))
    if several is None:
        return [schema]
    return [found for one in several for found in _alternatives(one, document)]


_BOUNDS: Final = {
    "minimum": ">=",
    "exclusiveMinimum": ">",
    "maximum": "<=",
    "exclusiveMaximum": "<",
    "minLength": "length >=",
    "maxLength": "length <=",
    "minItems": "items >=",
    "maxItems": "items <=",
    "pattern": "like",
}


def _type_of(schema: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    """A schema in a few words: type, format and bounds."""
    found = []
    for one in _alternatives(schema, document):
        words = [str(one.get("type", "any")), str(one.get("format", ""))]
        words += [
            f"{word} {one[bound]}".removesuffix(".0") for bound, word in _BOUNDS.items() if bound in one
        ]
        found.append(" ".join(word for word in words if word))
    return " or ".join(dict.fromkeys(found))


def _explanation() -> set[str]:
    """Fields of a post of a page that was requested with `explain`, which the OpenAPI document leaves open."""
    service = SmallService()
    service.add_users("author", "reader", "neighbour")
    for name in ("first", "second", "third"):
        service.add_post(name, "author", tags=("topic",))
    service.catch_up()
    for user, post in (("reader", "first"), ("neighbour", "first"), ("neighbour", "second")):
        service.track(user, post, "like")
    pages = [service.page("reader", explain=True)]  # without a model, by trending
    for learned in (False, True):
        service.publish(learned=learned)
        pages.append(service.page("reader", explain=True))
    return {name for page in pages for explanation in page.explanations for name in explanation}


# -- the list ----------------------------------------------------------------------------------------------------


READERS: Final[Mapping[str, Callable[[], Lines]]] = {
    "commands": commands,
    "variables": variables,
    "metrics": metrics,
    "http": http,
}
Recorded = dict[str, dict[str, dict[str, str | None]]]


def recorded() -> Recorded:
    """The committed list: group (a commit or an issue), kind, name, description."""
    content: Recorded = json.loads(LIST.read_text())
    return content


def expected(groups: Recorded, kind: str) -> Lines:
    """The lines of one kind after all groups, in their order."""
    merged: dict[str, str | None] = {}
    for group in groups.values():
        merged |= group.get(kind, {})
    return {name: line for name, line in merged.items() if line is not None}


def differences(listed: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """One sentence for each interface that is gone, changed or new."""
    gone = [f"gone: {name} ({line})" for name, line in listed.items() if name not in found]
    changed = [
        f"changed: {name}: was {line!r}, is {found[name]!r}"
        for name, line in listed.items()
        if found.get(name, line) != line
    ]
    new = [f"new: {name} ({line})" for name, line in found.items() if name not in listed]
    return gone + changed + new


def record(group: str) -> None:
    """Write what differs from the list into one of its groups."""
    groups: Recorded = {}
    with suppress(FileNotFoundError):
        groups = recorded()
    own = groups.setdefault(group, {})
    for kind, read in READERS.items():
        listed, found = expected(groups, kind), read()
        new = {name: line for name, line in found.items() if listed.get(name) != line}
        removed = dict.fromkeys(name for name in listed if name not in found)
        if new or removed:
            own[kind] = own.get(kind, {}) | new | removed
    LIST.write_text(json.dumps(groups, indent=2, ensure_ascii=False) + "\n")


def main(argv: Sequence[str]) -> int:
    """Record what differs from the list under the group that the caller names."""
    if len(argv) != 1 or not re.fullmatch(r"issue \d+|" + BASE, argv[0]):
        print('interfaces: name the issue, as in "issue 21"', file=sys.stderr)
        return 2
    record(argv[0])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
