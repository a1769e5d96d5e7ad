"""axe-core on a page as it stands: what somebody with other eyes, ears or hands would trip over."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Page

AXE = Path(__file__).resolve().parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
# Evaluated, not added as a tag: the pages' own policy lets no foreign script in.
RUN = "axe.run(document, { resultTypes: ['violations'] }).then((found) => found.violations)"


async def violations(page: Page) -> list[str]:
    """One line for each thing axe finds: the page, the rule, and where."""
    if not await page.evaluate("typeof axe === 'object'"):
        await page.evaluate(f"{AXE.read_text()}; 0")
    found = await page.evaluate(RUN)
    path = page.url.split("/", 3)[-1]
    return [
        f"/{path}: {rule['id']} {[node['target'] for node in rule['nodes']][:3]}" for rule in found
    ]
