"""The About page: how it works as a drawing, figures that are those measured, what is not known said."""

import json
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from streamlit.testing.v1 import AppTest

from apps.dashboard import diagram, model_charts
from apps.dashboard.views import about
from apps.dashboard.wiring import Dashboard
from contracts.errors import FatalError
from contracts.settings import MongoSettings, Settings
from model import preset_figures
from model.manifest import load_preset, preset_names
from model.preset_figures import Curves, Decades, TrainingData, parse

ROOT = Path(__file__).parents[3]
SCRIPT = "from apps.dashboard.views import about\nabout.page()\n"


def opened() -> AppTest:
    app = AppTest.from_string(SCRIPT, default_timeout=60).run()
    assert not app.exception, app.exception
    return app


def charts(app: AppTest) -> list[str]:
    found = app.get("vega_lite_chart") or app.get("arrow_vega_lite_chart")
    return [chart.proto.alt for chart in found]


def drawn(chart: model_charts.alt.TopLevelMixin) -> list[dict[str, object]]:
    (rows,) = chart.to_dict()["datasets"].values()
    return list(rows)


@pytest.mark.parametrize("preset", preset_names())
def test_the_packaged_errors_are_those_that_were_measured(preset: str) -> None:
    found = preset_figures.decades(preset)
    assert found is not None
    measured = json.loads((ROOT / "docs/results" / found.result).read_text())["figures"]
    assert measured["preset"] == preset
    assert measured["sha256"] == load_preset(preset).sha256, "measured with this very preset"
    assert {str(decade): msgspec.to_builtins(one) for decade, one in found.decades.items()} == {
        decade: {name: one[name] for name in ("n", "mae", "bias", "within5", "coverage", "width")}
        for decade, one in measured["decades"].items()
    }


def test_the_page_shows_errors_by_age_with_words_and_a_table(dashboard: Dashboard) -> None:
    app = opened()
    assert [words.split(".")[0] for words in charts(app)][:2] == ["Mean error by true age", "Faces measured by age"]
    assert "40-49: 5.7 years" in charts(app)[0]
    rows = next(table.value for table in app.table if "mean error" in table.value)
    assert rows["faces"].sum() == 1738
    assert about.UNKNOWN_TRAINING not in [element.value for element in app.markdown]


def test_a_preset_without_training_figures_says_so(dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preset_figures, "curves", lambda _: None)
    monkeypatch.setattr(preset_figures, "training_data", lambda _: None)
    app = opened()
    assert about.UNKNOWN_TRAINING in [element.value for element in app.markdown]


def test_a_preset_of_ours_shows_its_training(dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch) -> None:
    curves = Curves([1, 2, 3], [9.0, 7.0, 6.0], [9.5, 8.0, 7.4])
    data = TrainingData({"one": {0: 10, 30: 5}, "two": {30: 7}})
    monkeypatch.setattr(preset_figures, "curves", lambda _: curves)
    monkeypatch.setattr(preset_figures, "training_data", lambda _: data)
    app = opened()
    assert "It ends at 7.4 years on faces it never saw" in charts(app)[2]
    assert "22 faces of 2 data sets" in charts(app)[3]
    assert about.UNKNOWN_TRAINING not in [element.value for element in app.markdown]
    assert [row["mae"] for row in drawn(model_charts.training(curves))] == [9.0, 7.0, 6.0, 9.5, 8.0, 7.4]
    assert drawn(model_charts.data(data))[1] == {"data set": "one", "age": "30-39", "faces": 5}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (Curves, b'{"epochs": [1, 2], "train_mae": [1], "validation_mae": [1]}'),
        (Curves, b'{"epochs": [1], "train_mae": [-1], "validation_mae": [1]}'),
        (Curves, b'{"epochs": [], "train_mae": [], "validation_mae": [], "more": 1}'),
        (TrainingData, b'{"sets": {"a": {"young": 3}}}'),
        (Decades, b'{"data": "d", "result": "r", "decades": {"0": {"n": 1}}}'),
        (Decades, b"not JSON"),
    ],
)
def test_figures_that_make_no_sense_are_refused_by_name(kind: type[msgspec.Struct], body: bytes) -> None:
    with pytest.raises(FatalError, match=r"curves\.json of preset 'x' refused"):
        parse(body, kind, "curves.json of preset 'x'")


def test_a_preset_need_not_bring_figures() -> None:
    assert preset_figures.curves("cydral") is None
    assert preset_figures.training_data("cydral") is None


class Tags(HTMLParser):
    """Balanced markup, and what it is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.colours: set[str] = set()
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.colours |= {str(value) for name, value in attrs if name in ("fill", "stroke")}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_drawing_is_readable_on_any_ground_and_heard_by_who_cannot_see_it() -> None:
    tags = Tags()
    tags.feed(diagram.drawing())
    assert not tags.open
    assert tags.colours == {"currentColor", "none", diagram.AMBER}, "text has the theme's own colour"
    assert tags.texts.count("Processor") == 2, "side by side, and below each other"
    assert "live: 2 minutes" in tags.texts, "times are those of the topics"
    assert diagram.drawing().count('role="img" aria-label="The life of one picture.') == 2


def test_limits_say_how_long_the_history_is_kept() -> None:
    settings = Settings(mongo=MongoSettings(history_days=3, frame_minutes=5, upload_hours=12))
    assert any("history 3 days" in limit and "5 minutes" in limit for limit in about.limits(settings))
