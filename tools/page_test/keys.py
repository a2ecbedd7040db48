"""A server that asks for a key."""

from __future__ import annotations

from playwright.sync_api import expect

from . import stage
from .stage import OnPage


class Keys(OnPage):
    url_option = "locked"

    def test_the_key_is_asked_for_once_and_kept_for_the_tab(self) -> None:
        self.expected = [r"^401 "]
        form = self.page.locator("#key-form")
        expect(form).to_be_visible()
        expect(self.page.locator("#key")).to_be_focused()
        self.shoot("key")
        self.page.fill("#key", "not-the-right-key-at-all")
        self.page.keyboard.press("Enter")
        expect(form).to_contain_text("Wrong key")
        self.page.fill("#key", stage.told.key)
        self.page.keyboard.press("Enter")
        self.ready()
        expect(form).to_be_hidden()
        self.ask("horse", "horse, dog")
        # Pictures come with the key too: an address alone would be refused.
        self.assertGreater(self.page.locator("#why .card img").count(), 0)
        self.page.reload()
        self.ready()
        expect(form).to_be_hidden()
        stored = self.page.evaluate("JSON.stringify([localStorage, document.cookie])")
        self.assertNotIn(stage.told.key, stored)
