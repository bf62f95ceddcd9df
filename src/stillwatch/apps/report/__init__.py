"""The self-contained `report.html`: what happened, how sure that is and what to do, on one page that works offline.

The page has no script, loads nothing, prints no clock: the same run gives the same bytes. Every value in it comes
from somebody else's log, so every value is escaped and characters that would hide are spelled out.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from stillwatch.apps.report import words
from stillwatch.apps.report.chapters import MAX_EXAMPLES, MAX_MEMBERS, write_chapter
from stillwatch.apps.report.history import draw_history
from stillwatch.apps.report.summary import summarise, worst_first
from stillwatch.apps.run import Run

__all__ = ["render_report"]


def render_report(run: Run) -> str:
    """Write the report of one run as an HTML page."""
    stories = worst_first(run.stories)
    chapters = [write_chapter(number, story) for number, story in enumerate(stories, start=1)]
    page = _environment().get_template("report.html.j2")
    return page.render(
        summary=summarise(run),
        loud=[chapter for chapter in chapters if not chapter.calm],
        calm=[chapter for chapter in chapters if chapter.calm],
        history=draw_history(run.lineage, {one.campaign.campaign_id: one.anchor for one in chapters}),
        manifest=run.manifest,
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=words.show_unseen,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(
        count=words.count,
        day=words.day,
        minute=words.minute,
        percent=words.percent,
        probability=words.probability,
        sentence=words.sentence,
        short_count=words.short_count,
        signed=words.signed,
        top_shares=words.top_shares,
    )
    environment.globals.update(
        verdict_words=words.VERDICT_WORDS, max_members=MAX_MEMBERS, max_examples=MAX_EXAMPLES, plural=words.plural
    )
    return environment
