"""What a browser sees, and the answers that are no JSON API."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse
from fastapi.templating import Jinja2Templates
from sqlalchemy import select

from demo.fastapi_shop.database import Db
from demo.fastapi_shop.lookup import known_id, one_or_404
from demo.fastapi_shop.planted import planted
from demo.fastapi_shop.tables import categories, links, products, reviews

_HERE = Path(__file__).resolve().parents[1]

router = APIRouter(default_response_class=HTMLResponse)
templates = Jinja2Templates(_HERE / "templates")


@router.get("/shop/")
def home(request: Request, db: Db) -> HTMLResponse:
    context = {
        "categories": db.execute(select(categories).order_by(categories.c.position, categories.c.id)).all(),
        "products": db.execute(select(products).order_by(products.c.added_at.desc(), products.c.id.desc()).limit(8)).all(),
    }
    return templates.TemplateResponse(request, "home.html", context)


@router.get("/shop/products/{id:int}/")
def product_page(id: int, request: Request, db: Db) -> HTMLResponse:
    query = select(products, categories.c.name.label("category_name")).join(
        categories, categories.c.id == products.c.category_id
    )
    product = one_or_404(db, query.where(products.c.id == known_id(id, "Product")), "Product")
    context = {
        "product": product,
        "since": f"{product.added_at.day} {product.added_at:%b %Y}",
        "reviews": db.execute(select(reviews).where(reviews.c.product_id == id).order_by(reviews.c.id)).all(),
    }
    return templates.TemplateResponse(request, "product.html", context)


@router.get("/shop/size-chart.json")
def size_chart() -> FileResponse:
    return FileResponse(_HERE / "files" / "size-chart.json", filename="size-chart.json", content_disposition_type="inline")


@router.get("/go/{slug}/")
def short_link(slug: str, request: Request, db: Db) -> RedirectResponse:
    """Sends a campaign's link on to its product; the campaign's parameters go with it."""
    link = one_or_404(db, select(links).where(links.c.slug == slug), "Link")
    target = f"/shop/products/{link.product_id}/"
    query = urlencode(list(request.query_params.items()))
    if query and not planted("redirect-loses-query"):  # DEFECT redirect-loses-query
        target = f"{target}?{query}"
    return RedirectResponse(target)
