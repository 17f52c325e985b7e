"""A contract type for import-linter: a package imports what its list allows, and nothing else.

The layers contract of the library orders packages; its forbidden contract needs the name of each package to forbid, so
a new dependency passes unnoticed. Here it is the other way round.
"""

import sys

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

_STANDARD_LIBRARY = frozenset(sys.stdlib_module_names)


class AllowedImportsContract(Contract):
    """Each import of `packages` is from the standard library, from the package itself or from `allowed`.

    packages  packages of this repository; their submodules are checked as well
    allowed   modules and packages, of this repository or of others; their submodules are allowed as well.
              A name that starts with "=" allows the module alone
    """

    type_name = "allowed_imports"

    packages = fields.ListField(subfield=fields.StringField())
    allowed = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Find the imports that no list allows."""
        del verbose
        broken: list[tuple[str, str, str]] = []
        for package in self.packages:  # type: ignore[attr-defined]
            allowed = (package, *self.allowed)  # type: ignore[attr-defined]
            for importer in sorted({package} | graph.find_descendants(package)):
                for imported in sorted(graph.find_modules_directly_imported_by(importer)):
                    if imported.partition(".")[0] in _STANDARD_LIBRARY or _is_within(imported, allowed):
                        continue
                    details = graph.get_import_details(importer=importer, imported=imported)
                    lines = ", ".join(str(one["line_number"]) for one in details)
                    broken.append((importer, imported, lines))
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print each import that is not allowed, and the remedy."""
        for importer, imported, lines in check.metadata["broken"]:
            output.print_error(f"{importer} imports {imported} (line {lines})", bold=False)
        allowed = ", ".join(self.allowed)  # type: ignore[attr-defined]
        output.print_error(f"Allowed are the standard library and {allowed}.", bold=False)


def _is_within(module: str, packages: tuple[str, ...]) -> bool:
    return any(
        module == package.removeprefix("=") or module.startswith(f"{package}.") for package in packages
    )
