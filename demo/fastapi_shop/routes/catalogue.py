"""Products, categories, suppliers, reviews, stock and search."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from sqlalchemy import ColumnElement, Select, func, select

from demo.fastapi_shop import models
from demo.fastapi_shop.auth import optional_user
from demo.fastapi_shop.database import Db
from demo.fastapi_shop.lookup import known_id, one_or_404
from demo.fastapi_shop.planted import planted
from demo.fastapi_shop.tables import categories, products, reviews, suppliers

PAGE_SIZE = 20
MAX_PAGE_SIZE = 50
LOCAL_OFFSET = timedelta(hours=-6)

router = APIRouter(prefix="/api", dependencies=[Depends(optional_user)])
# The stock view never knew about accounts: it answers whatever token comes along.
anonymous_router = APIRouter(prefix="/api")


def summaries() -> Select[Any]:
    """Products as lists show them."""
    return select(
        products.c.id,
        products.c.name,
        categories.c.slug.label("category"),
        products.c.price,
        (products.c.stock > 0).label("in_stock"),
    ).join(categories, categories.c.id == products.c.category_id)


def _order(ordering: str | None) -> list[ColumnElement[Any]]:
    columns: list[ColumnElement[Any]] = []
    for name in (part.strip() for part in (ordering or "").split(",")):
        if name.lstrip("-") in ("price", "name", "id"):
            column = products.c[name.lstrip("-")]
            columns.append(column.desc() if name.startswith("-") else column.asc())
    return [*columns, products.c.id.asc()]


def _page_size(text: str | None) -> int:
    size = int(text) if text and text.isdecimal() else 0
    return min(size, MAX_PAGE_SIZE) or PAGE_SIZE


@router.get("/products/", response_model=models.ProductPage)
def product_list(
    request: Request,
    db: Db,
    page: str | None = None,
    page_size: str | None = None,
    ordering: str | None = None,
    category: str | None = None,
) -> object:
    chosen = select(products.c.id).join(categories, categories.c.id == products.c.category_id)
    if category:
        chosen = chosen.where(categories.c.slug == category)
    count = db.execute(select(func.count()).select_from(chosen.subquery())).scalar_one()
    size = _page_size(page_size)
    number = int(page) if page and page.isdecimal() else 0 if page else 1
    if not 1 <= number <= max(1, -(-count // size)):
        raise HTTPException(404, "Invalid page.")
    order = _order(ordering)
    ids = chosen.order_by(*order).limit(size).offset((number - 1) * size)
    rows = summaries().where(products.c.id.in_(ids))
    if not planted("page-order"):  # DEFECT page-order: the ids are chosen in order, their rows are fetched without one
        rows = rows.order_by(*order)
    return {
        "count": count,
        "next": str(request.url.include_query_params(page=number + 1)) if number * size < count else None,
        "previous": str(request.url.include_query_params(page=number - 1)) if number > 1 else None,
        "results": db.execute(rows).all(),
    }


@router.get("/products/{id:int}/", response_model=models.Product)
def product(id: int, db: Db) -> object:
    query = select(products, categories.c.slug, categories.c.name.label("category_name")).join(
        categories, categories.c.id == products.c.category_id
    )
    row = one_or_404(db, query.where(products.c.id == known_id(id, "Product")), "Product")
    return {
        **row._mapping,
        "category": {"id": row.category_id, "slug": row.slug, "name": row.category_name},
        "supplier": row.supplier_id,
        "price": float(row.price) if planted("decimal-as-float") else row.price,  # DEFECT decimal-as-float
    }


@router.get("/products/{id:int}/reviews/", response_model=models.ReviewList)
def review_list(id: int, db: Db) -> object:
    one_or_404(db, select(products.c.id).where(products.c.id == known_id(id, "Product")), "Product")
    rows = db.execute(select(reviews).where(reviews.c.product_id == id).order_by(reviews.c.id)).all()
    # DEFECT local-time: the importer read the server's local time and called it UTC
    shift = LOCAL_OFFSET if planted("local-time") else timedelta(0)
    return {"product": id, "results": [{**row._mapping, "created_at": row.created_at + shift} for row in rows]}


@anonymous_router.get("/products/{id:int}/stock/", response_model=models.Stock)
def stock(id: int, db: Db) -> object:
    row = one_or_404(db, select(products).where(products.c.id == known_id(id, "Product")), "Product")
    return {"product": row.id, "stock": row.stock, "counted_at": row.counted_at}


@router.get("/categories/", response_model=list[models.Category])
def category_list(db: Db, response: Response) -> object:
    if not planted("lost-cache-control"):  # DEFECT lost-cache-control: the decorator's header was not ported
        response.headers["Cache-Control"] = "public, max-age=300"
    return db.execute(select(categories).order_by(categories.c.position, categories.c.id)).all()


@router.get("/categories/{slug}/", response_model=models.CategoryPage)
def category(slug: str, db: Db) -> object:
    row = one_or_404(db, select(categories).where(categories.c.slug == slug), "Category")
    query = summaries().where(products.c.category_id == row.id).order_by(products.c.name, products.c.id)
    return {**row._mapping, "products": db.execute(query).all()}


@router.get("/suppliers/{id:int}/", response_model=models.Supplier)
def supplier(id: int, db: Db) -> object:
    # DEFECT overflow-500: an id of more than 64 bits reaches the database driver, which cannot bind it
    wanted = id if planted("overflow-500") else known_id(id, "Supplier")
    return one_or_404(db, select(suppliers).where(suppliers.c.id == wanted), "Supplier")


@router.get("/search/", response_model=models.SearchResult)
def search(db: Db, q: Annotated[str, Query(min_length=2, max_length=60)]) -> object:
    query = summaries().where(products.c.name.icontains(q, autoescape=True))
    return {"q": q, "results": db.execute(query.order_by(products.c.name, products.c.id).limit(15)).all()}
