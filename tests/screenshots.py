"""Pictures of the pages for the README: `make screenshots`, with Chromium."""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from tests.browser import Browser, browser, chromium

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
SIZE = {"width": 1000, "height": 1120, "deviceScaleFactor": 1, "mobile": False}
COLOURS = 96
"""Of a picture: text stays sharp, and the file a third as large."""


def main() -> None:
    """Runs the bundled job and takes its report in light and in dark."""
    if chromium() is None:
        sys.exit("make screenshots needs Chromium: none is installed")
    nocturna = str(Path(sys.executable).with_name("nocturna"))
    job = str(ROOT / "data" / "jobs" / "opiniones.yaml")
    PICTURES.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder:
        subprocess.run([nocturna, "score", "--job", job, "--out", folder], check=True)
        (page,) = Path(folder, "opiniones", "runs").glob("*/report.html")
        with browser(Path(folder, "profile")) as window:
            window.call("Emulation.setDeviceMetricsOverride", **SIZE)
            window.call("Emulation.setScrollbarsHidden", hidden=True)
            for scheme in ("light", "dark"):
                features = [{"name": "prefers-color-scheme", "value": scheme}]
                window.call("Emulation.setEmulatedMedia", features=features)
                window.open(page.as_uri())
                window.wait_for("opiniones", "sentiment")
                _keep(window, PICTURES / f"report-{scheme}.png")


def _keep(window: Browser, path: Path) -> None:
    window.photograph(path)
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(COLOURS)
    small.save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}  {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
