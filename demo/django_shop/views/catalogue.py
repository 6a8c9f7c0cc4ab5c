"""Products, categories, suppliers, reviews, stock and search."""

from django.http import JsonResponse
from django.shortcuts import get_object_or_404
from django.utils.decorators import method_decorator
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_GET
from rest_framework import generics
from rest_framework.filters import OrderingFilter
from rest_framework.pagination import PageNumberPagination
from rest_framework.response import Response
from rest_framework.views import APIView

from demo.django_shop.models import Category, Product, Supplier
from demo.django_shop.serializers import (
    CategorySerializer,
    ProductListSerializer,
    ProductSerializer,
    ReviewSerializer,
    SearchInput,
    SupplierSerializer,
)


class CataloguePagination(PageNumberPagination):
    page_size = 20
    page_size_query_param = "page_size"
    max_page_size = 50


class StableOrderingFilter(OrderingFilter):
    """DRF's ordering with the id as the last word, so that equal prices keep one order."""

    def get_ordering(self, request, queryset, view):
        return (*(super().get_ordering(request, queryset, view) or ()), "id")


class ProductListView(generics.ListAPIView):
    serializer_class = ProductListSerializer
    pagination_class = CataloguePagination
    filter_backends = (StableOrderingFilter,)
    ordering_fields = ("price", "name", "id")

    def get_queryset(self):
        products = Product.objects.select_related("category")
        category = self.request.query_params.get("category")
        return products.filter(category__slug=category) if category else products


class ProductView(generics.RetrieveAPIView):
    lookup_field = "id"
    queryset = Product.objects.select_related("category")
    serializer_class = ProductSerializer


class ReviewListView(APIView):
    def get(self, request, id):
        product = generics.get_object_or_404(Product, pk=id)
        return Response({"product": product.pk, "results": ReviewSerializer(product.reviews.all(), many=True).data})


@require_GET
def stock(request, id):
    """A view from before the API framework: JsonResponse, whose times end at milliseconds."""
    product = get_object_or_404(Product, pk=id)
    return JsonResponse({"product": product.pk, "stock": product.stock, "counted_at": product.counted_at})


@method_decorator(cache_control(public=True, max_age=300), name="dispatch")
class CategoryListView(generics.ListAPIView):
    queryset = Category.objects.all()
    serializer_class = CategorySerializer


class CategoryView(APIView):
    def get(self, request, slug):
        category = generics.get_object_or_404(Category, slug=slug)
        products = category.products.select_related("category").order_by("name", "id")
        return Response({**CategorySerializer(category).data, "products": ProductListSerializer(products, many=True).data})


class SupplierView(generics.RetrieveAPIView):
    lookup_field = "id"
    queryset = Supplier.objects.all()
    serializer_class = SupplierSerializer


class SearchView(APIView):
    def get(self, request):
        data = SearchInput(data=request.query_params)
        data.is_valid(raise_exception=True)
        query = data.validated_data["q"]
        products = Product.objects.select_related("category").filter(name__icontains=query).order_by("name", "id")[:15]
        return Response({"q": query, "results": ProductListSerializer(products, many=True).data})
