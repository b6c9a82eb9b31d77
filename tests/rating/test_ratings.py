from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_srgan.rating.ratings import Rating, read_ratings, write_ratings

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=9).map(
    str.strip
)
ROWS = st.lists(
    st.builds(
        Rating,
        NAMES,
        NAMES.filter(bool),
        NAMES.filter(bool),
        NAMES.filter(bool),
        st.integers(1, 5),
        st.integers(0, 2000),
    ),
    min_size=1,
    unique_by=lambda row: row.version,
)


def table(folder, text, name="ratings.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@given(ROWS)
def test_what_is_written_is_read_whatever_the_names(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "ratings.csv"
    write_ratings(rows, path)
    assert read_ratings([path]) == rows


def test_columns_may_stand_in_any_order_beside_others_and_after_a_byte_order_mark(tmp_path):
    path = table(tmp_path, "\ufeffrating,note,rater,method,image\n3,!,ann,bicubic,a.png\n")
    assert read_ratings([path]) == [Rating("", "a.png", "bicubic", "ann", 3)]


def test_a_line_without_a_rating_is_a_rating_that_was_not_given(tmp_path):
    path = table(tmp_path, "image,method,rater,rating\na,HR,ann,\na,nearest,ann,1\n")
    assert [row.method for row in read_ratings([path])] == ["nearest"]


def test_tables_of_several_raters_are_put_together(tmp_path):
    paths = [
        table(tmp_path, f"image,method,rater,rating\na,HR,{name},5\n", f"{name}.csv")
        for name in ("ann", "ben")
    ]
    assert [row.rater for row in read_ratings(paths)] == ["ann", "ben"]


@pytest.mark.parametrize("rating", ["0", "6", "3.5", "good", "-1", "05", "²", "1e0", "nan"])
def test_what_is_no_score_is_refused_with_its_line(tmp_path, rating):
    path = table(tmp_path, f"image,method,rater,rating\na,HR,ann,5\na,nearest,ann,{rating}\n")
    with pytest.raises(ValueError, match=f"line 3: the rating is '{rating}'"):
        read_ratings([path])


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "no column image, method, rater and 1 more.*found nothing"),
        ("image;method;rater;rating\na;b;c;1\n", "no column"),
        ("image,method,rater,rating\n", "There is no rating"),
        ("image,method,rater,rating\na,HR,,3\n", "line 2: rater is empty"),
        ("image,method,rater,rating\na,HR\n", "line 2: the line ends"),
        ('image,method,rater,rating\n"a,HR,ann,3\n', "no CSV file"),
        ("image,method,rater,rating\na,HR,ann,3\na,HR,ann,4\n", "line 3: ann has rated HR of a"),
    ],
)
def test_what_is_no_table_of_ratings_is_refused_in_words(tmp_path, text, match):
    with pytest.raises(ValueError, match=match):
        read_ratings([table(tmp_path, text)])


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_bytes(b"\x89PNG\r\n\xff\xfe")
    with pytest.raises(ValueError, match="no CSV file in UTF-8"):
        read_ratings([path])


def test_one_file_given_twice_is_told(tmp_path):
    path = table(tmp_path, "image,method,rater,rating\na,HR,ann,3\n")
    copy = table(tmp_path, path.read_text(encoding="utf-8"), "copy.csv")
    with pytest.raises(ValueError, match=r"copy.csv, line 2: ann has rated HR of a before"):
        read_ratings([path, copy])
