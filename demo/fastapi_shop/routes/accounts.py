"""Login by session and by token, and the account of who is logged in."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter, Cookie, Depends, Response
from sqlalchemy import delete, insert, select

from demo.fastapi_shop.auth import CurrentUser, optional_user, verified_user
from demo.fastapi_shop.database import Db
from demo.fastapi_shop.models import Account, AccountWithJoinedAt, Currency, IssuedToken, LoggedIn, LoginInput
from demo.fastapi_shop.planted import planted
from demo.fastapi_shop.tables import sessions, tokens

SESSION_SECONDS = 1_209_600

router = APIRouter(prefix="/api")
known = [Depends(optional_user)]


@router.post("/accounts/login/", response_model=LoggedIn)
def login(body: LoginInput, db: Db, response: Response) -> object:
    user = verified_user(db, body.username, body.password)
    key = secrets.token_hex(16)
    db.execute(insert(sessions).values(key=key, user_id=user.id))
    db.commit()
    response.set_cookie("sessionid", key, max_age=SESSION_SECONDS, path="/", httponly=True, samesite="lax")
    return user


@router.post("/accounts/token/", response_model=IssuedToken)
def token(body: LoginInput, db: Db) -> object:
    user = verified_user(db, body.username, body.password)
    key = db.execute(select(tokens.c.key).where(tokens.c.user_id == user.id)).scalar_one_or_none()
    if key is None:
        key = secrets.token_hex(20)
        db.execute(insert(tokens).values(key=key, user_id=user.id))
        db.commit()
    return {"token": key}


@router.post("/accounts/logout/", status_code=204)
def logout(_user: CurrentUser, db: Db, sessionid: Annotated[str | None, Cookie()] = None) -> Response:
    response = Response(status_code=204)
    if sessionid:
        db.execute(delete(sessions).where(sessions.c.key == sessionid))
        db.commit()
        response.delete_cookie("sessionid", path="/", samesite="lax")
    return response


if planted("renamed-field"):

    @router.get("/account/", response_model=AccountWithJoinedAt)
    def account_with_joined_at(user: CurrentUser) -> object:
        return {**user._mapping, "joined_at": user.date_joined}

else:

    @router.get("/account/", response_model=Account)
    def account(user: CurrentUser) -> object:
        return user


@router.post("/account/currency/", response_model=Currency, dependencies=known)
def currency(body: Currency, response: Response) -> object:
    response.set_cookie(
        "currency",
        body.currency,
        max_age=2_592_000,
        httponly=not planted("cookie-not-httponly"),  # DEFECT cookie-not-httponly
        samesite="lax",
    )
    return body
