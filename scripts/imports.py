"""Imports every module of the installed package: what an extra is needed for may be missing, and nothing else.

Read by the bare environment of a release from stdin, so that nothing of this tree is on its path.
"""

import importlib
import pkgutil

import exporter

missing: dict[str, str] = {}
count = 0
for module in pkgutil.walk_packages(exporter.__path__, "exporter."):
    if module.name.endswith("__main__"):
        continue
    count += 1
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:
        missing[module.name] = (error.name or "").partition(".")[0]

for name, library in missing.items():
    if not name.startswith(("exporter.demo.", "exporter.generate.")):
        raise SystemExit(f"{name} needs {library}, which is not installed with drift-exporter")
needed = ", ".join(sorted(set(missing.values()))) or "nothing"
print(f"{count} modules; missing for {len(missing)} of the demo and the generator, as it should be: {needed}")
