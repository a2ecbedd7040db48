"""The map by pointer and by keys."""

from __future__ import annotations

import re

from playwright.sync_api import Route, expect

from .stage import OnPage

ACCENT = (0x0B, 0x6B, 0x5F)
"""What speaks for a label, in the light theme."""


class Maps(OnPage):
    def drawn(self) -> None:
        self.ready()
        self.page.locator("#plane").scroll_into_view_if_needed()
        expect(self.page.locator("#map-state")).to_be_hidden()
        expect(self.page.locator("#legend input").first).to_be_checked()

    def painted(self, colour: tuple[int, int, int] | None = None) -> int:
        """How many pixels have this colour, or any."""
        return self.page.evaluate(
            "(colour) => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {"
            " const { width, height } = canvas;"
            " const copy = new OffscreenCanvas(width, height).getContext('2d', {willReadFrequently: true});"
            " copy.drawImage(canvas, 0, 0);"
            " const d = copy.getImageData(0, 0, width, height).data;"
            " let n = 0; for (let i = 0; i < d.length; i += 4)"
            "   n += d[i + 3] > 0 && (!colour || colour.every((c, k) => c === d[i + k]));"
            " done(n); })))",
            colour,
        )

    def find_a_point(self) -> tuple[float, float]:
        """Moves the pointer over the map until it points at a pair."""
        box = self.page.locator("#canvas").bounding_box()
        assert box is not None
        for step in range(1, 400):
            x = box["x"] + box["width"] * (0.1 + 0.8 * (step * 0.618 % 1))
            y = box["y"] + box["height"] * (0.1 + 0.8 * (step * 0.324 % 1))
            self.page.mouse.move(x, y)
            if self.page.locator("#canvas.on").count() > 0:
                return x, y
        self.fail("there is no point under the pointer anywhere")

    def test_a_click_opens_the_pair_with_its_picture_and_captions(self) -> None:
        self.drawn()
        x, y = self.find_a_point()
        expect(self.page.locator("#tip span")).to_have_text(re.compile(r"\S"))
        self.page.mouse.click(x, y)
        pair = self.page.locator("#pair")
        expect(pair.locator("img")).to_have_js_property("complete", True)
        self.until("document.querySelector('#pair img')?.naturalWidth > 0")
        expect(pair.locator("h3")).not_to_be_empty()
        expect(pair).to_contain_text("GPL-2.0")
        said = self.page.locator("#tip span").text_content() if self.page.locator("#tip").is_visible() else None
        if said:
            expect(pair).to_contain_text(said)

    def test_keys_go_from_pair_to_pair_and_open_one(self) -> None:
        self.drawn()
        self.page.focus("#canvas")
        self.page.keyboard.press("ArrowRight")
        said = self.page.locator("#said")
        expect(said).to_have_text(re.compile(r"\S"))
        first = said.text_content() or ""
        self.page.keyboard.press("ArrowRight")
        expect(said).not_to_have_text(first)
        self.page.keyboard.press("Enter")
        expect(self.page.locator("#pair h3")).not_to_be_empty()
        self.until("document.querySelector('#pair img')?.naturalWidth > 0")

    def test_the_legend_filters_and_zoom_changes_what_is_seen(self) -> None:
        self.drawn()
        whole = self.painted()
        self.assertGreater(whole, 500)
        self.page.get_by_role("button", name="None").click()
        self.assertEqual(0, self.painted())
        self.page.locator("#legend input").first.check()
        self.assertLess(0, self.painted())
        self.page.get_by_role("button", name="All").click()
        self.assertEqual(whole, self.painted())
        for _ in range(4):
            self.page.get_by_role("button", name="Zoom in").click()
        self.assertNotEqual(whole, self.painted())
        self.page.get_by_role("button", name="Overview").click()
        self.assertEqual(whole, self.painted())

    def test_the_image_is_placed_among_its_pairs(self) -> None:
        self.drawn()
        self.assertEqual(0, self.painted(ACCENT))
        self.ask("horse", "horse, dog, flower")
        self.page.locator("#why .card").first.get_by_role("button", name="Show on the map").click()
        expect(self.page.locator("#pair h3")).to_have_text("A horse.")
        # The rings of the pairs that speak for it, and the frame of the image.
        self.assertGreater(self.painted(ACCENT), 200)
        self.shoot("map")

    def test_a_pair_of_the_map_can_be_asked_and_taken_out(self) -> None:
        self.drawn()
        self.page.mouse.click(*self.find_a_point())
        self.page.get_by_role("button", name="Classify this picture").click()
        self.answered(8)
        self.page.locator("#pair").get_by_role("button", name="Exclude", exact=True).click()
        expect(self.page.locator(".bars.compared")).to_be_visible()

    def test_a_pair_is_opened_once_the_map_is_there(self) -> None:
        held: list[Route] = []
        # A page of its own: the first one may have asked for its map by now.
        self.open({re.compile("/map$"): lambda route: held.append(route)})
        self.ready()
        self.ask("horse", "horse, dog, flower")
        self.page.locator("#why .card").first.get_by_role("button", name="Show on the map").click()
        expect(self.page.locator("#map-state")).to_have_text("Loading the map…")
        self.wait(lambda: held, "the map was never asked for")
        held[0].continue_()
        expect(self.page.locator("#pair h3")).to_have_text("A horse.")

    def test_points_and_marks_move_together(self) -> None:
        self.drawn()
        for _ in range(7):
            self.page.get_by_role("button", name="Zoom in").click()
        self.page.focus("#canvas")
        for _ in range(6):
            self.page.keyboard.press("ArrowDown")
            seen = self.painted()
            self.page.evaluate("dispatchEvent(new Event('asif-theme'))")
            self.assertEqual(self.painted(), seen)
