"""Images by choice, drop and paste; labels, bars, templates; what goes wrong."""

from __future__ import annotations

import base64
import re

from playwright.sync_api import expect

from .stage import OnPage

LABELS = "horse, dog, cup of coffee, flower"


class Asks(OnPage):
    def test_nothing_is_asked_of_the_server_before_there_is_an_image(self) -> None:
        self.ready()
        expect(self.page.get_by_text("Choose an image and enter some labels.")).to_be_visible()
        expect(self.page.locator("#why")).to_be_hidden()
        self.shoot("empty")

    def test_an_uploaded_image_gets_a_bar_a_label_best_first(self) -> None:
        self.ready()
        self.ask("horse", LABELS)
        scores = self.scores()
        self.assertEqual({"horse", "dog", "cup of coffee", "flower"}, set(scores))
        self.assertEqual(sorted(scores.values(), reverse=True), list(scores.values()))
        self.assertAlmostEqual(100, sum(scores.values()), delta=0.3)
        self.assertEqual("horse", next(iter(scores)))
        widths = self.page.locator(".bars .now").evaluate_all(
            "(bars) => bars.map((bar) => bar.getBoundingClientRect().width"
            " / bar.parentElement.getBoundingClientRect().width * 100)"
        )
        for width, score in zip(widths, scores.values(), strict=True):
            self.assertAlmostEqual(score, width, delta=1)
        # Who does not see the bars hears the best one.
        expect(self.page.locator("#said")).to_have_text(f"horse: {scores['horse']:.1f} %")

    def test_other_labels_are_another_question(self) -> None:
        self.ready()
        self.ask("horse", LABELS)
        self.page.fill("#labels", "a teapot\nan animal\nan animal\n\n a word ,")
        self.answered(3)
        self.assertEqual({"a teapot", "an animal", "a word"}, set(self.scores()))

    def test_every_choice_of_templates_is_one_that_the_server_knows(self) -> None:
        self.ready()
        self.ask("horse", LABELS)
        expect(self.page.locator("#templates optgroup option")).not_to_have_count(0)
        seen = set()
        for value in self.page.locator("#templates option").evaluate_all("(o) => o.map((x) => x.value)"):
            with self.subTest(value), self.page.expect_response(re.compile("/v1/classify$")) as got:
                # The first is chosen already.
                if value == "":
                    self.page.fill("#labels", f"{LABELS}, bird")
                self.page.select_option("#templates", value)
            self.assertEqual(200, got.value.status, value)
            self.answered(5)
            seen.add(str(self.scores()))
        self.assertGreater(len(seen), 4)

    def test_of_many_labels_the_best_are_shown_and_then_all(self) -> None:
        self.ready()
        many = [f"thing number {n}" for n in range(13)]
        self.page.fill("#labels", "\n".join(["horse", *many]))
        self.upload("horse")
        self.answered(10)
        self.page.get_by_role("button", name="Show all 14 labels").click()
        self.answered(14)
        expect(self.page.locator(".bars .bar").nth(10)).to_be_focused()
        # What is explained stays in sight, whatever its rank.
        last = self.page.locator(".bars .bar").last
        label = last.locator(".label").text_content() or "?"
        last.click()
        expect(self.page.locator("#why-title")).to_have_text(f"Why “{label}”?")

    def test_several_images_are_answered_one_by_one(self) -> None:
        self.ready()
        self.page.fill("#labels", LABELS)
        self.upload("horse", "coffee", "flower")
        strip = self.page.locator("#strip .thumb")
        expect(strip).to_have_count(3)
        for at, label in enumerate(("horse", "cup of coffee", "flower")):
            expect(strip.nth(at)).to_contain_text(label)
            strip.nth(at).click()
            self.answered(4)
            self.assertEqual(label, next(iter(self.scores())))
            expect(strip.nth(at)).to_be_focused()
        self.page.get_by_role("button", name="Remove horse.png").click()
        expect(strip).to_have_count(2)

    def test_an_image_is_dropped_or_pasted(self) -> None:
        self.ready()
        self.page.fill("#labels", LABELS)
        bytes64 = base64.b64encode(self.photo("coffee").read_bytes()).decode()
        transfer = self.page.evaluate_handle(
            "(bytes) => { const t = new DataTransfer(); t.items.add(new File("
            "[Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], 'c.png', {type: 'image/png'}));"
            " return t; }",
            bytes64,
        )
        self.page.dispatch_event("main", "drop", {"dataTransfer": transfer})
        self.answered(4)
        self.assertEqual("cup of coffee", next(iter(self.scores())))
        self.page.evaluate(
            "(t) => dispatchEvent(new ClipboardEvent('paste', {clipboardData: t}))", transfer
        )
        expect(self.page.locator("#strip .thumb")).to_have_count(2)

    def test_a_dropped_file_that_is_no_image_is_said_so(self) -> None:
        self.ready()
        transfer = self.page.evaluate_handle(
            "() => { const t = new DataTransfer();"
            " t.items.add(new File(['words'], 'notes.txt', {type: 'text/plain'})); return t; }"
        )
        self.page.dispatch_event("main", "drop", {"dataTransfer": transfer})
        said = self.page.locator("#refused")
        expect(said).to_have_text("“notes.txt” is not an image.")
        self.assertEqual(0, self.page.locator(".bars .bar").count())
        self.upload("horse")
        expect(said).to_be_hidden()

    def test_what_is_no_image_is_an_error_with_the_servers_words(self) -> None:
        self.ready()
        self.page.set_input_files(
            "#file", {"name": "a.png", "mimeType": "image/png", "buffer": b"this is no picture"}
        )
        alert = self.page.get_by_role("alert")
        expect(alert).to_contain_text("cannot be used")
        self.assertEqual(0, self.page.locator(".bars .bar").count())
        # The next one is not troubled by it.
        self.upload("horse")
        self.answered(8)

    def test_a_refused_question_names_its_request(self) -> None:
        self.expected = [r"400 .*/v1/classify"]
        self.ready()
        self.upload("horse")
        self.answered(8)
        self.page.select_option("#templates", "own")
        self.page.fill("#own-templates", "no place for the label\nnor here")
        alert = self.page.get_by_role("alert")
        expect(alert).to_contain_text("{}")
        expect(alert.locator("code")).to_have_text(re.compile(r"\S{8,}"))
        self.shoot("refused")
        self.page.fill("#own-templates", "a drawing of a {}.")
        self.answered(8)

    def test_a_server_that_is_gone_is_said_so_and_found_again(self) -> None:
        self.expected = [r"ERR_FAILED"]
        self.ready()
        self.upload("horse")
        self.answered(8)
        self.page.route(re.compile("/v1/"), lambda route: route.abort())
        self.page.fill("#labels", LABELS)
        expect(self.page.get_by_role("alert").first).to_contain_text("does not answer")
        expect(self.page.locator("#pulse")).to_have_attribute("data-state", "down")
        self.shoot("server-gone")
        self.page.unroute_all()
        self.ready()
        self.page.get_by_role("button", name="Try again").first.click()
        self.answered(4)

    def test_a_pair_of_the_set_can_be_the_question(self) -> None:
        self.ready()
        # The last pair: one of the others has lost its picture, and cannot be asked.
        self.page.evaluate("Math.random = () => 1 - 2 ** -20")
        self.page.get_by_role("button", name="Use a random picture of the anchor set").click()
        self.answered(8)
        expect(self.page.locator("#preview")).to_be_visible()

    def test_without_a_pointer(self) -> None:
        """By keyboard alone: labels, an answer, the pairs of another label, one of them taken out."""
        self.ready()
        keyboard = self.page.keyboard
        keyboard.press("Tab")
        expect(self.page.locator(":focus")).to_have_text("Skip to the question")
        keyboard.press("Enter")
        self.tab_to("file")
        # The dialog of the system cannot be driven; the field that opens it was reached.
        self.upload("horse")
        self.answered(8)
        self.tab_to("labels")
        keyboard.press("Control+A")
        keyboard.type(LABELS)
        keyboard.press("Control+Enter")
        self.answered(4)
        self.explained()
        self.tab_until("() => document.activeElement.classList.contains('bar')")
        keyboard.press("Tab")
        label = self.page.locator(":focus .label").text_content()
        keyboard.press("Enter")
        expect(self.page.locator("#why-title")).to_have_text(f"Why “{label}”?")
        self.explained()
        expect(self.page.locator("#said")).to_contain_text(f"{label} has the similarity")
        before = self.scores()
        self.tab_until("() => document.activeElement.getAttribute('aria-label')"
                       "?.startsWith('Exclude this pair')")
        keyboard.press("Enter")
        expect(self.page.locator(".bars.compared")).to_be_visible()
        self.answered(4)
        self.assertNotEqual(before, self.scores())
        # The focus is not lost with the button that had it.
        expect(self.page.locator("#answer-title")).to_be_focused()
        self.tab_to("canvas")
        self.assertTrue(self.page.locator("#canvas").is_visible())

    def tab_to(self, element: str) -> None:
        self.tab_until(f"() => document.activeElement.id === '{element}'")

    def tab_until(self, reached: str) -> None:
        for _ in range(120):
            self.page.keyboard.press("Tab")
            if self.page.evaluate(reached):
                return
        self.fail(f"Tab never came to {reached}")

    def test_labels_that_are_taken_away_while_they_are_asked_leave_nothing_busy(self) -> None:
        self.expected = [r"ERR_ABORTED|ERR_FAILED"]
        self.ready()
        self.page.route(re.compile("/v1/classify$"), lambda route: None)
        self.upload("horse")
        body = self.page.locator("#answer-body")
        expect(body).to_have_attribute("aria-busy", "true")
        self.page.fill("#labels", "")
        expect(body).to_contain_text("Type a label or two")
        expect(self.page.locator("#answer-body[aria-busy]")).to_have_count(0)

    def test_the_focus_stays_near_what_was_removed(self) -> None:
        self.ready()
        self.page.fill("#labels", LABELS)
        self.upload("horse", "coffee", "flower")
        remove = self.page.locator("#strip .remove")
        expect(remove).to_have_count(3)
        remove.nth(1).press("Enter")
        expect(remove).to_have_count(2)
        expect(remove.nth(1)).to_be_focused()
        remove.nth(1).press("Enter")
        expect(self.page.locator("#file")).to_be_focused()
