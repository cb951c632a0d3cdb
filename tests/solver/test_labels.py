"""No two rooms, teachers, groups or courses are called alike, and nobody is called by an id that no person can read."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from solver.labels import Labels, Named, labels_of, readable
from solver.model import Faculty
from tests.builders import course, dataset, group, room, teacher

UUIDS = ("6f1d2a34-8f0e-4b67-9c55-2f6f8c1a0b7d", "0b7d2a34-8f0e-4b67-9c55-2f6f8c1a6f1d")


def test_rooms_of_one_number_are_told_apart_by_building_else_by_code() -> None:
    data = dataset(
        *(course("c"), room("r1", name="101", building="North"), room("r2", name="101", building="South")),
        *(
            room("r3", name="102", building="North", code="N-102"),
            room("r4", name="102", building="North", code="N-102b"),
        ),
        *(
            room("r5", name="103", building=UUIDS[0], code="A-103"),
            room("r6", name="103", building=UUIDS[1], code="B-103"),
        ),
        room("r7", name="104", building="North"),
    )
    assert list(Labels(data).rooms.values()) == [
        *("101 (North)", "101 (South)", "102 (N-102)", "102 (N-102b)", "103 (A-103)", "103 (B-103)", "104"),
    ]


def test_teachers_of_one_name_are_told_apart_by_code_else_by_id_else_by_number() -> None:
    def named(*teachers: Faculty) -> list[str]:
        return list(Labels(dataset(course("c"), *teachers)).teachers.values())

    assert named(teacher("f1", name="A. Rao", code="CS-7"), teacher("f2", name="A. Rao", code="EE-3")) == [
        *("A. Rao (CS-7)", "A. Rao (EE-3)"),
    ]
    assert named(teacher("f1", name="A. Rao", code="7"), teacher("f2", name="A. Rao")) == ["A. Rao (f1)", "A. Rao (f2)"]
    nameless = [teacher(id, name="A. Rao") for id in UUIDS]
    assert named(*nameless, teacher("f3", name="A. Rao (1)")) == ["A. Rao (3)", "A. Rao (4)", "A. Rao (1)"]


def test_parallel_sections_of_one_code_are_told_apart_by_their_names() -> None:
    sections = [course(f"x_off_{UUIDS[0]}_sec{n}", code="CS1", name=f"Logic (Sec {n + 1}/2)") for n in range(2)]
    found = Labels(dataset(*sections, course("c2", code="CS2", name="Sets"))).courses
    assert list(found.values()) == ["CS1 Logic (Sec 1/2)", "CS1 Logic (Sec 2/2)", "CS2"]


def test_an_id_made_by_a_program_says_nothing_to_people() -> None:
    assert [readable(text) for text in ("F017", "", None, UUIDS[0], f"c_off_{UUIDS[1]}_sec0", "x" * 41)] == [
        *("F017", "", "", "", "", ""),
    ]


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "a (1)", "a (2)", "a (b)"]), st.sampled_from(["", "b", "1", "2"])), max_size=8
    ),
    st.integers(0, 99),
)
def test_labels_differ_whatever_the_names_and_marks_are(given_: list[tuple[str, str]], seed: int) -> None:
    named = [Named(str(n), name, (mark, mark and f"{mark}{n}")) for n, (name, mark) in enumerate(given_)]
    Random(seed).shuffle(named)
    found = labels_of(named)
    assert found.keys() == {one.id for one in named}
    assert len(set(found.values())) == len(found)


def test_everybody_has_a_label() -> None:
    data = dataset(course("c", groups="g1 g2"), group("g1", name="CSE-1"), group("g2", name="CSE-1"))
    labels = Labels(data)
    assert labels.groups == {"g1": "CSE-1 (g1)", "g2": "CSE-1 (g2)"}
    assert labels.rooms == {"r1": "r1"}
