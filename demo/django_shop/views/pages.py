"""What a browser sees, and the answers that are not from the API framework."""

from urllib.parse import urlencode

from django.conf import settings
from django.http import FileResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from demo.django_shop.models import Category, Link, Product


@require_GET
def home(request):
    products = Product.objects.order_by("-added_at", "-id")[:8]
    return render(request, "home.html", {"categories": Category.objects.all(), "products": products})


@require_GET
def product(request, id):
    found = get_object_or_404(Product.objects.select_related("category"), pk=id)
    return render(request, "product.html", {"product": found, "reviews": found.reviews.all()})


@require_GET
def size_chart(request):
    return FileResponse((settings.BASE_DIR / "files" / "size-chart.json").open("rb"), filename="size-chart.json")


@require_GET
def short_link(request, slug):
    """Sends a campaign's link on to its product; the campaign's parameters go with it."""
    target = reverse("product-page", args=[get_object_or_404(Link, slug=slug).product_id])
    query = urlencode(list(request.GET.items()))
    return redirect(f"{target}?{query}" if query else target)


def not_found(request, exception):
    return JsonResponse({"detail": "Not found."}, status=404)
