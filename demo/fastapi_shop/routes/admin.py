"""What staff administers."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from sqlalchemy import select

from demo.fastapi_shop import models
from demo.fastapi_shop.auth import StaffUser, current_user, staff_user
from demo.fastapi_shop.database import Db
from demo.fastapi_shop.lookup import known_id, one_or_404
from demo.fastapi_shop.planted import planted
from demo.fastapi_shop.tables import users

router = APIRouter(prefix="/api/admin")
# DEFECT missing-permission: the port asks for a login where the monolith asks for staff
list_guard = current_user if planted("missing-permission") else staff_user


@router.get("/users/", response_model=models.AccountList, dependencies=[Depends(list_guard)])
def user_list(db: Db) -> object:
    rows = db.execute(select(users).order_by(users.c.id)).all()
    return {"count": len(rows), "results": rows}


@router.get("/users/{id:int}/", response_model=models.Account)
def user(id: int, _staff: StaffUser, db: Db) -> object:
    return one_or_404(db, select(users).where(users.c.id == known_id(id, "User")), "User")
