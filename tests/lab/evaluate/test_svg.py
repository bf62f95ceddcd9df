"""Pictures are well-formed, complete and the same every time."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from stillwatch.lab.evaluate.svg import SHARE, Panel, Scale, dots, panels

SVG = "{http://www.w3.org/2000/svg}"


def circles(picture: str) -> list[str]:
    """Hover texts of the dots of a picture, but for those of the legend."""
    found = ET.fromstring(picture).iter(f"{SVG}circle")
    return [each.findtext(f"{SVG}title") or "" for each in found]


def test_every_value_has_a_dot_that_says_it() -> None:
    rows = [("A-one", {"ours": 0.9, "theirs": 0.25}), ("B <two>", {"theirs": 1.0})]
    picture = dots("a title", rows, ("ours", "theirs"), SHARE)
    assert circles(picture) == [
        *("ours", "theirs"),
        *("A-one, theirs: 0.25", "A-one, ours: 0.9", "B <two>, theirs: 1"),
    ]
    assert picture == dots("a title", rows, ("ours", "theirs"), SHARE)
    assert ET.fromstring(picture).get("aria-label") == "a title"


def test_a_value_off_the_scale_stays_in_the_picture() -> None:
    picture = dots("t", [("a", {"x": 99.0}), ("b", {"x": -1.0})], ("x",), Scale(0, 10, ((0, "0"),)))
    places = [float(each.get("cx") or 0) for each in ET.fromstring(picture).iter(f"{SVG}circle")]
    assert all(0 <= place <= 640 for place in places)


def test_panels_draw_a_line_for_each_series() -> None:
    each = [Panel(name, {"accounts": [(0, 1), (1, 0.5)], "campaigns": [(0, 1), (1, 1)]}) for name in "abcd"]
    root = ET.fromstring(panels("t", each, SHARE, SHARE, diagonal=True))
    assert len(list(root.iter(f"{SVG}polyline"))) == 8
    assert [text.text for text in root.iter(f"{SVG}text") if text.get("class") == "b"] == list("abcd")
