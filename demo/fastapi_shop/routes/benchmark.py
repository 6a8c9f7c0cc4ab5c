"""The four operations that migration teams measure first."""

from __future__ import annotations

import random
from typing import Any

from fastapi import APIRouter, Depends
from sqlalchemy import insert, select

from demo.fastapi_shop import models
from demo.fastapi_shop.auth import optional_user
from demo.fastapi_shop.database import Db
from demo.fastapi_shop.lookup import known_id, one_or_404
from demo.fastapi_shop.planted import planted
from demo.fastapi_shop.tables import records

LARGEST_RANDOM = 10**9

router = APIRouter(prefix="/bench", dependencies=[Depends(optional_user)])


@router.get("/random/", response_model=models.RandomNumber)
def random_number() -> object:
    return {"randomNumber": random.randint(1, LARGEST_RANDOM)}


@router.post("/echo/")
def echo(payload: dict[str, Any]) -> dict[str, Any]:
    return {"echo": payload}


@router.get("/records/{id:int}/", response_model=models.RecordNumber)
def record(id: int, db: Db) -> object:
    row = one_or_404(db, select(records.c.id).where(records.c.id == known_id(id, "Record")), "Record")
    # DEFECT random-is-id: the number is taken from the wrong variable; a filter for random fields hides it
    return {"id": row.id, "randomNumber": row.id if planted("random-is-id") else random.randint(1, LARGEST_RANDOM)}


@router.post("/records/", response_model=models.Record, status_code=201)
def create_record(body: models.RecordInput, db: Db) -> object:
    created = db.execute(insert(records).values(label=body.label, value=body.value))
    db.commit()
    return {"id": created.lastrowid, "label": body.label, "value": body.value}
