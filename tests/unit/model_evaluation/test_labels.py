"""The list of labelled faces: what is read, what is refused, and that nothing is silent."""

from pathlib import Path

import pytest

from contracts.errors import InvalidInput
from model.evaluation.labels import NOT_GIVEN, read_labels


def test_rows_problems_and_split(folder: Path) -> None:
    labels = read_labels(folder / "labels.csv", split="test")
    assert [row.path.name for row in labels.rows] == [
        "collins.png", "hopper.jpg", "noise.png", "collins.png", "gone.png", "cut.jpg"
    ]  # fmt: skip
    assert [(problem.line, problem.reason) for problem in labels.problems] == [
        (8, "no age"),
        (9, "age 121 is not within 0 to 120"),
        (10, "age 'old' is not a number"),
    ]


def test_columns_with_few_values_are_groups(tmp_path: Path) -> None:
    source = tmp_path / "labels.csv"
    lines = [f"{number}.png,{number},{'F' if number % 2 else ''},id-{number},same" for number in range(30)]
    source.write_text("\n".join(["path,age,gender,person,place", *lines]))
    rows = read_labels(source).rows
    assert [row.groups for row in rows[:2]] == [{"gender": NOT_GIVEN}, {"gender": "F"}]


def test_limit_takes_rows_evenly(tmp_path: Path) -> None:
    source = tmp_path / "labels.csv"
    source.write_text("path,age\n" + "".join(f"{age}.png,{age}\n" for age in range(100)))
    assert [row.age for row in read_labels(source, limit=4).rows] == [0, 25, 50, 75]
    assert len(read_labels(source, limit=200).rows) == 100


@pytest.mark.parametrize(
    ("text", "split", "said"),
    [
        ("path,years\na.png,3\n", None, "no column age"),
        ("path,age\na.png,3\n", "test", "no column split"),
        ("path,age\na.png,-1\n", None, "line 2: age -1 is not within"),
        ("path,age,split\na.png,1,train\n", "test", "no usable row with split 'test'"),
    ],
)
def test_unusable_lists_are_refused(tmp_path: Path, text: str, split: str | None, said: str) -> None:
    source = tmp_path / "labels.csv"
    source.write_text(text)
    with pytest.raises(InvalidInput, match=said):
        read_labels(source, split)


def test_a_list_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="No such file"):
        read_labels(tmp_path / "labels.csv")
