"""Accessibility, screenshots in both themes, narrow screens."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from .stage import OnPage

LABELS = "horse, dog, cat, bird, cup of coffee, flower, motorcycle, house"
SERIOUS = ("serious", "critical")


class Looks(OnPage):
    def look(self, name: str, width: int, height: int, scheme: str, **more: object) -> None:
        """The page with everything on it: kept as a picture, judged by axe, and not too wide."""
        self.open(viewport={"width": width, "height": height}, color_scheme=scheme, **more)
        self.ready()
        self.check(f"{name}, empty")
        self.page.fill("#labels", LABELS)
        self.upload("horse", "coffee")
        self.answered(8)
        self.explained()
        self.page.locator("#why .card").nth(1).get_by_role("button", name="Exclude this pair").click()
        expect(self.page.locator(".bars.compared")).to_be_visible()
        self.answered(8)
        self.explained()
        self.page.locator("#plane").scroll_into_view_if_needed()
        expect(self.page.locator("#map-state")).to_be_hidden()
        self.page.focus("#canvas")
        self.page.keyboard.press("ArrowLeft")
        self.page.keyboard.press("Enter")
        self.until("document.querySelector('#pair img')?.naturalWidth > 0")
        self.check(name)
        self.page.evaluate("scrollTo(0, 0)")
        self.shoot(name, full=True)
        wide = self.page.evaluate("document.documentElement.scrollWidth")
        self.assertLessEqual(wide, width, f"{name}: it scrolls sideways")

    def check(self, name: str) -> None:
        found = Axe().run(self.page, options={"resultTypes": ["violations"]}).response["violations"]
        serious = [
            f"{v['id']}: {v['help']}: {node['html'][:160]}"
            for v in found
            if v["impact"] in SERIOUS
            for node in v["nodes"]
        ]
        self.assertEqual([], serious, name)

    def test_wide_and_light(self) -> None:
        self.look("wide-light", 1280, 900, "light")

    def test_wide_and_dark(self) -> None:
        self.look("wide-dark", 1280, 900, "dark")

    def test_tablet(self) -> None:
        self.look("tablet-light", 768, 1024, "light")

    def test_narrow_and_light(self) -> None:
        self.look("narrow-light", 360, 740, "light")

    def test_as_narrow_as_a_page_enlarged_four_times(self) -> None:
        self.look("narrowest-light", 320, 640, "light")

    def test_narrow_and_dark(self) -> None:
        self.look("narrow-dark", 360, 740, "dark")

    def test_with_the_systems_own_colours(self) -> None:
        """Figures that are lengths keep their paint, and the map its sources' colours."""
        self.look("forced-colours", 1280, 900, "dark", forced_colors="active")
        paint = "(part) => getComputedStyle(document.querySelector(part)).backgroundColor"
        ground = self.page.evaluate(paint, "body")
        for part in (".track .now", ".swatch"):
            self.assertNotEqual(ground, self.page.evaluate(paint, part), part)
        coloured = self.page.evaluate(
            "() => { const { width, height } = canvas;"
            " const d = canvas.getContext('2d').getImageData(0, 0, width, height).data;"
            " const seen = new Set(); for (let i = 0; i < d.length; i += 4)"
            "   if (d[i + 3] > 0 && Math.max(d[i], d[i + 1], d[i + 2]) - Math.min(d[i], d[i + 1], d[i + 2]) > 60)"
            "     seen.add((d[i] >> 5) + ' ' + (d[i + 1] >> 5) + ' ' + (d[i + 2] >> 5));"
            " return seen.size; }"
        )
        self.assertGreater(coloured, 3)

    def test_the_theme_can_be_chosen_and_is_kept(self) -> None:
        ground = "getComputedStyle(document.body).backgroundColor"
        light = self.page.evaluate(ground)
        button = self.page.locator("#theme")
        for _ in range(2):
            button.click()
        expect(button).to_have_text("Theme: dark")
        dark = self.page.evaluate(ground)
        self.assertNotEqual(light, dark)
        self.page.reload()
        self.assertEqual(dark, self.page.evaluate(ground))
