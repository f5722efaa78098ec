"""The page of the table: sorted, filtered, and by the score that is chosen."""

from __future__ import annotations

from tests.leaderboard.site.pages import Site, column, heads, models, wait_for


def test_the_table_sorts_by_mouse_and_by_keyboard(site: Site) -> None:
    tab = site.open("index")
    first = models(tab)
    assert first[0] == "oracle_irm"
    assert set(first) == {"oracle_irm", "net_small", "net_large", "mixture", "mixture_share"}
    tab.get_by_role("button", name="Parameters").click()
    head = tab.get_by_role("columnheader", name="Parameters")
    assert head.get_attribute("aria-sort") == "ascending"
    assert models(tab)[:2] == ["net_small", "net_large"]
    assert tab.locator("#board tbody tr:visible").last.locator("td").nth(0).inner_text() == ""  # no value, so below
    tab.get_by_role("button", name="Model").focus()
    tab.keyboard.press("Enter")
    assert models(tab) == sorted(first)
    tab.keyboard.press("Space")
    assert models(tab) == sorted(first, reverse=True)
    assert "Sorted by Model, descending" in tab.locator("#shown").inner_text()
    assert head.get_attribute("aria-sort") is None


def test_rows_are_filtered_by_role_and_name(site: Site) -> None:
    tab = site.open("index")
    tab.get_by_label("ceiling").uncheck()
    tab.get_by_label("floor").uncheck()
    assert sorted(models(tab)) == ["net_large", "net_small"]
    tab.locator("#search").fill("LARGE")
    assert models(tab) == ["net_large"]
    assert tab.locator("#shown").inner_text().startswith("1 of 5 rows")
    tab.get_by_role("button", name="Show all rows").click()
    assert len(models(tab)) == 5


def test_one_target_shows_its_intervals_and_groups(site: Site) -> None:
    tab = site.open("index")
    assert tab.get_by_role("columnheader", name="Not distinguished").count() == 0
    tab.locator("#view").select_option(label="voice")
    assert tab.get_by_role("columnheader", name="Not distinguished").count() == 1
    assert tab.get_by_role("columnheader", name="95% interval").count() == 1
    assert tab.get_by_role("columnheader", name="band").count() == 0
    assert " to " in tab.locator("#board tbody tr").first.inner_text()


def test_all_targets_show_the_score_that_is_chosen(site: Site) -> None:
    tab = site.open("index")
    choice = tab.get_by_role("combobox", name="Score")
    assert choice.locator("option").all_inner_texts() == ["SDR", "SIR", "SAR", "ISR"]
    by_rank, first = models(tab), heads(tab)
    ranks = column(tab, "Rank")
    assert "band" in first
    assert tab.locator("#board td[style]:visible").count() == 10  # intervals
    choice.focus()
    tab.keyboard.press("ArrowDown")
    assert [head.removesuffix(" SIR") for head in heads(tab)] == first
    assert "band SIR" in heads(tab)
    assert models(tab) == by_rank  # still by SDR
    assert column(tab, "Rank") == ranks
    caption = tab.locator("#board caption").inner_text()
    assert "each track's median SIR over windows" in caption
    assert "Ranks, places, and groups are still those by SDR" in caption
    assert tab.locator("#shown").inner_text() == "5 of 5 rows. Scores: SIR. Ranked by SDR."
    assert tab.locator("#board td[style]:visible").count() == 0
    choice.select_option(label="SAR")
    shares = dict(zip(models(tab), column(tab, "band SAR"), strict=True))
    assert shares["mixture"] == "∞"
    choice.select_option(label="SDR")
    assert heads(tab) == first
    assert "SDR over windows" in tab.locator("#board caption").inner_text()
    assert "Ranks" not in tab.locator("#board caption").inner_text()


def test_rows_are_sorted_by_the_score_that_is_chosen(site: Site) -> None:
    def numbers(label: str) -> list[float]:
        texts = [text.replace("−", "-").replace("∞", "inf") for text in column(tab, label)]
        return [float(text) for text in texts if text != "–"]

    tab = site.open("index")
    choice = tab.locator("#score")
    choice.select_option(label="ISR")
    tab.get_by_role("button", name="voice ISR").click()
    assert numbers("voice ISR") == sorted(numbers("voice ISR"), reverse=True)
    choice.select_option(label="SIR")  # the order follows
    assert numbers("voice SIR") == sorted(numbers("voice SIR"), reverse=True)
    assert tab.get_by_role("columnheader", name="voice SIR").get_attribute("aria-sort") == "descending"
    assert tab.locator("#board th[aria-sort]").count() == 1
    choice.select_option(label="SDR")
    assert numbers("voice") == sorted(numbers("voice"), reverse=True)


def test_the_address_keeps_the_score_and_the_target(site: Site) -> None:
    tab = site.open("index")
    page = tab.url
    tab.locator("#score").select_option(label="ISR")
    assert tab.url == f"{page}#score=ISR"
    tab.reload()
    assert "band ISR" in heads(tab)
    tab.locator("#view").select_option(label="voice")
    assert tab.url == f"{page}#score=ISR&target=voice"
    assert tab.locator("#score").is_disabled()  # one target shows all its scores, and bars of the first
    assert {"voice", "voice SIR", "voice SAR", "voice ISR", "95% interval"} <= set(heads(tab))
    assert "SDR over windows" in tab.locator("#board caption").inner_text()
    tab.reload()
    assert "Not distinguished" in heads(tab)
    tab.locator("#view").select_option(label="all targets")
    assert "band ISR" in heads(tab)
    tab.evaluate("location.hash = '#score=none'")  # as somebody may type it
    wait_for(tab, "document.getElementById('board').dataset.view === 'all'")
    tab.locator("#score").select_option(label="SIR")
    tab.locator("#score").select_option(label="SDR")
    assert tab.url == page


def test_without_scripts_the_table_shows_what_ranks(site: Site) -> None:
    tab = site.open("index", java_script_enabled=False)
    assert not tab.locator("#filters").is_visible()
    assert "band" in heads(tab)
    assert "band SIR" not in heads(tab)
