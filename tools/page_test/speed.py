"""How fast is the page on a set of any size? Prints a table; asserts nothing.

    asif serve --index NAME=DIR.asif &
    python3 -m page_test.speed --url URL --photo FILE --chromium PROGRAM --packages DIR

| line | what is measured |
|---|---|
| map | from scrolling to it until it is drawn: asked for, made by the server, sent, painted |
| again | the same after loading the page anew: the server keeps the map of a generation |
| pan, zoom, hover | times between frames while the map follows the pointer; 16.7 ms is the screen's pace |
| answer | from choosing a photo to the pictures of the pairs behind its best label |
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

FRAMES = """
window.frames_seen = [];
let last = performance.now();
const next = (now) => { frames_seen.push(now - last); last = now; requestAnimationFrame(next); };
requestAnimationFrame(next);
"""
PATIENCE_MS = 120_000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", required=True, help="the server")
    parser.add_argument("--photo", type=Path, required=True, help="an image to ask about")
    parser.add_argument("--chromium", type=Path, required=True)
    parser.add_argument("--packages", type=Path, required=True, help="where the driver is")
    told = parser.parse_args()
    sys.path.insert(0, str(told.packages))
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=told.chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
        page.set_default_timeout(PATIENCE_MS)

        def drawn() -> float:
            begun = time.monotonic()
            page.locator("#plane").scroll_into_view_if_needed()
            page.wait_for_selector("#map-state", state="hidden")
            return time.monotonic() - begun

        page.goto(told.url)
        print(f"map     {drawn():.2f} s")
        page.reload()
        print(f"again   {drawn():.2f} s; {page.locator('#map-about').text_content()}")

        box = page.locator("#canvas").bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

        def pan() -> None:
            page.mouse.move(x, y)
            page.mouse.down()
            for step in range(60):
                page.mouse.move(x + 4 * step, y + 2 * step)
            page.mouse.up()

        def zoom() -> None:
            page.keyboard.down("Control")
            for step in range(40):
                page.mouse.wheel(0, -120 if step < 20 else 120)
            page.keyboard.up("Control")

        def hover() -> None:
            for step in range(100):
                page.mouse.move(x - 200 + 4 * step, y - 50 + step)

        page.evaluate(FRAMES)
        for act in (pan, zoom, hover):
            page.evaluate("frames_seen.length = 0")
            act()
            frames = sorted(page.evaluate("frames_seen"))
            middle, slow = frames[len(frames) // 2], frames[len(frames) * 19 // 20]
            print(
                f"{act.__name__:7} {len(frames)} frames: median {middle:.1f} ms, 95 % within "
                f"{slow:.1f} ms, longest {frames[-1]:.1f} ms"
            )

        begun = time.monotonic()
        page.set_input_files("#file", told.photo)
        page.wait_for_function(
            "() => { const all = [...document.querySelectorAll('#why .picture')];"
            " return all.length > 0 && all.every((box) =>"
            " box.classList.contains('gone') || box.querySelector('img')?.naturalWidth > 0); }"
        )
        print(f"answer  {time.monotonic() - begun:.2f} s")
        browser.close()


if __name__ == "__main__":
    main()
