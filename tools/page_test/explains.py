"""The pairs behind a label, the sum, answers without pairs, and generations."""

from __future__ import annotations

import re
import subprocess

from playwright.sync_api import expect

from . import stage
from .stage import OnPage, number

LABELS = "horse, dog, cup of coffee, flower"


class Explains(OnPage):
    def test_1_a_label_opens_the_pairs_with_pictures_that_load(self) -> None:
        self.ready()
        self.ask("horse", LABELS)
        bar = self.page.locator(".bars .bar", has_text="dog")
        bar.click()
        expect(bar).to_have_attribute("aria-expanded", "true")
        expect(self.page.locator("#why-title")).to_have_text("Why “dog”?")
        self.explained()
        cards = self.page.locator("#why .card")
        self.assertEqual(12, cards.count())
        gone = self.page.locator("#why .gone").count()
        self.assertEqual(12 - gone, self.page.locator("#why .card img").count())
        self.assertLessEqual(gone, 1)
        first = cards.first
        expect(first.locator(".caption")).not_to_be_empty()
        expect(first.locator(".origin")).to_contain_text("GPL-2.0")
        for meter in first.locator(".meter dd").all_text_contents():
            self.assertLessEqual(-1, number(meter))
            self.assertLessEqual(number(meter), 1)
        self.page.get_by_role("button", name="More pairs").click()
        expect(cards).to_have_count(36)
        # The button was made anew, and is still the one that has the focus.
        expect(self.page.get_by_role("button", name="More pairs")).to_be_focused()
        self.explained()

    def test_2_the_lines_of_the_sum_add_up(self) -> None:
        self.ready()
        self.ask("horse", LABELS)
        for label in LABELS.split(", "):
            self.page.locator(".bars .bar", has_text=label).click()
            expect(self.page.locator("#why-title")).to_have_text(f"Why “{label}”?")
            self.explained()
            amounts = self.page.locator(".sum tbody .amount").all_text_contents()
            total = self.page.locator(".sum tfoot .amount").text_content() or ""
            self.assertGreaterEqual(len(amounts), 3)
            rounding = 0.0005 * (len(amounts) + 1)
            self.assertAlmostEqual(number(total), sum(map(number, amounts)), delta=rounding)
            listed = self.page.locator("#why .card .share strong").all_text_contents()
            up = sum(x for x in map(number, listed) if x > 0)
            self.assertAlmostEqual(number(amounts[0]), up, delta=0.0005 * (len(listed) + 1))

    def test_3_a_pair_is_taken_out_and_put_back(self) -> None:
        self.ready()
        self.ask("horse", LABELS)
        before = self.scores()
        caption = self.page.locator("#why .caption").first.text_content()
        self.page.locator("#why .card").first.get_by_role("button", name="Exclude this pair").click()
        expect(self.page.locator(".chip")).to_contain_text(caption or "?")
        expect(self.page.locator(".bars.compared")).to_be_visible()
        self.answered(4)
        without = self.scores()
        self.assertLess(without["horse"], before["horse"])
        # The old figure stands beside the new one, and the same label is explained.
        shown = self.page.locator(".bars .bar", has_text="horse").locator(".was").text_content() or ""
        self.assertIn(f"{before['horse']:.1f} %", shown)
        expect(self.page.locator("#why-title")).to_have_text("Why “horse”?")
        self.explained()
        self.assertNotIn(caption, self.page.locator("#why .caption").all_text_contents()[:1])
        self.shoot("without-a-pair")
        # A second one joins the first.
        self.page.locator("#why .card").first.get_by_role("button", name="Exclude this pair").click()
        expect(self.page.locator(".chip")).to_have_count(2)
        self.answered(4)
        pairs = self.scores()
        # And a source joins them.
        source = self.page.locator("#leave-out option").nth(1).get_attribute("value") or ""
        self.page.select_option("#leave-out", source)
        expect(self.page.locator(".chip")).to_have_count(3)
        expect(self.page.locator(".chip").first).to_contain_text(source)
        self.answered(4)
        self.assertNotIn(self.scores(), (before, pairs))
        expect(self.page.locator("#leave-out")).to_have_value(source)
        for _ in range(3):
            self.page.locator(".chip button").first.click()
        expect(self.page.locator(".chip")).to_have_count(0)
        expect(self.page.locator(".bars.compared")).to_have_count(0)
        self.assertEqual(before, self.scores())

    def test_4_a_picture_that_is_gone_is_said_so(self) -> None:
        self.ready()
        self.ask("horse", LABELS)
        self.page.locator(".bars .bar", has_text="dog").click()
        expect(self.page.locator("#why-title")).to_have_text("Why “dog”?")
        gone = self.page.locator("#why .card", has=self.page.locator(".picture.gone"))
        expect(gone.locator(".picture")).to_contain_text("no longer exists")
        expect(gone.locator(".caption")).to_have_text(stage.told.lost)
        self.shoot("picture-gone", full=True)

    def test_5_what_goes_live_is_followed_and_equals_what_was_thought_away(self) -> None:
        self.ready()
        self.ask("horse", LABELS)
        before = self.scores()
        source = self.page.locator("#leave-out option").nth(1).get_attribute("value") or ""
        self.page.select_option("#leave-out", source)
        expect(self.page.locator(".chip")).to_contain_text(source)
        expect(self.page.locator(".bars.compared")).to_be_visible()
        self.answered(4)
        without = self.scores()
        self.assertNotEqual(before, without)
        self.shoot("without-a-source", full=True)
        self.page.locator(".chip button").click()
        expect(self.page.locator(".chip")).to_have_count(0)
        self.assertEqual(before, self.scores())
        # The same pairs go for good: the page follows by itself.
        subprocess.run(
            [stage.told.asif, "anchors", "remove", stage.told.set, "--where", f"source={source}"],
            check=True, capture_output=True,
        )  # fmt: skip
        expect(self.page.locator("#pulse-text")).to_contain_text("generation 2")
        expect(self.page.locator("#why-about")).to_have_text("generation 2")
        self.answered(4)
        self.assertEqual(without, self.scores())
        rows = self.page.locator("#history li")
        expect(rows).to_have_count(2)
        expect(rows.first).to_contain_text("live")
        # And the old generation still answers who asks for it.
        self.page.get_by_role("button", name="Use generation 1").click()
        expect(self.page.locator(".chip")).to_contain_text("generation 1")
        expect(self.page.locator(".bars.compared")).to_be_visible()
        self.answered(4)
        self.assertEqual(before, self.scores())
        expect(self.page.locator("#facts")).to_contain_text(re.compile(r"Swaps since the start\s*1"))
        self.page.locator("#history").scroll_into_view_if_needed()
        self.shoot("generations", full=True)
