"""Refused fields told in two shapes, where the two frameworks name one place differently."""

from __future__ import annotations

from typing import Any

import pytest

from differ.validation_errors import field_differences


def fastapi(*errors: tuple[str, list[Any]]) -> dict[str, Any]:
    return {"detail": [{"type": kind, "loc": place, "msg": "m"} for kind, place in errors]}


def test_null_is_no_body_to_fastapi_and_no_data_to_drf() -> None:
    assert field_differences({"non_field_errors": ["No data provided"]}, fastapi(("missing", ["body"])), False) == []


def test_a_missing_body_stands_for_every_field_only_where_none_was_sent() -> None:
    refused = {"sku": ["This field is required."]}

    assert field_differences(refused, fastapi(("missing", ["body"])), True) == []
    assert field_differences(refused, fastapi(("missing", ["body"])), False) == [(("sku",), "removed")]


@pytest.mark.parametrize("place", [["body", "prices", "10"], ["body", "prices", 10]])
def test_digits_are_one_step_as_a_name_and_as_an_index(place: list[Any]) -> None:
    assert field_differences({"prices": {"10": ["x"]}}, fastapi(("t", place)), False) == []
