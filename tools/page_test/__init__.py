"""Drives the server's page in Chromium, as a person would, against the real server.

    python3 -m page_test --url URL --photos DIR --set DIR.asif --asif PROGRAM --lost CAPTION
                         --chromium PROGRAM --packages DIR --out DIR
                         --locked URL --key KEY

`--packages` is the folder of the pinned driver (`setup.packages page-driver`).

| module | what it asks |
|---|---|
| asks | images by choice, drop and paste; labels, bars, templates; what goes wrong |
| explains | the pairs behind a label, the sum, answers without pairs, generations |
| maps | the map by pointer and by keys |
| looks | accessibility, screenshots, narrow screens |
| keys | a server that asks for a key |
| stage | the browser, and what must not happen on any page |
| speed | a command of its own: how fast the page is on a set of any size |

Called by tests/serve_page.rs.
"""
