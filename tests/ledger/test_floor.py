"""The two lower floors stand without the server: what it is made of is not even importable.

pyHanko, on which signing stands, itself imports aiohttp. So for signing it is loaded beforehand,
and what is blocked afterwards is blocked for our own modules.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import importlib, pkgutil, sys

for name in BROUGHT:
    importlib.import_module(name)
for name in [name for name in sys.modules if name.split(".")[0] == "aiohttp"]:
    del sys.modules[name]

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"aiohttp", "aiortc", "av", "cv2", *FORBIDDEN}:
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocked())
package = importlib.import_module(PACKAGE)
for module in pkgutil.walk_packages(package.__path__, PACKAGE + "."):
    importlib.import_module(module.name)
"""


def load(
    package: str, brought: list[str], forbidden: list[str]
) -> subprocess.CompletedProcess[str]:
    """Import every module of a package in a fresh interpreter."""
    names = f"PACKAGE, BROUGHT, FORBIDDEN = {package!r}, {brought!r}, {forbidden!r}\n"
    return subprocess.run([sys.executable, "-c", names + PROGRAM], capture_output=True, text=True)


@pytest.mark.parametrize(
    ("package", "brought", "forbidden"),
    [
        ("ledger", [], ["signing", "server"]),
        ("signing", ["pyhanko.sign", "pyhanko_certvalidator"], ["server"]),
    ],
)
def test_every_module_is_imported_with_the_server_s_libraries_blocked(
    package: str, brought: list[str], forbidden: list[str]
) -> None:
    result = load(package, brought, forbidden)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("name", ["aiohttp", "server"])
def test_the_block_works(name: str) -> None:
    assert f"{name} is blocked" in load(name, [], ["server"]).stderr


def test_the_verifier_is_read_without_the_database() -> None:
    """merkle, note, entry and proof: the standard library and `cryptography`, no more."""
    program = (
        "import sys, ledger.merkle, ledger.note, ledger.entry, ledger.proof\n"
        "print(*{name.split('.')[0] for name in sys.modules} - sys.stdlib_module_names)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    found = {name for name in result.stdout.split() if not name.startswith("_")}
    assert {"cryptography", "ledger"} <= found
    assert found.isdisjoint({"sqlalchemy", "click", "rich", "asn1crypto", "pyhanko", "aiohttp"})
