"""All routes of the monolith."""

from django.urls import path

from demo.django_shop.views import accounts, admin, benchmark, catalogue, checkout, pages, reporting

handler404 = "demo.django_shop.views.pages.not_found"

urlpatterns = [
    path("api/accounts/login/", accounts.LoginView.as_view()),
    path("api/accounts/token/", accounts.TokenView.as_view()),
    path("api/accounts/logout/", accounts.LogoutView.as_view()),
    path("api/account/", accounts.AccountView.as_view()),
    path("api/account/currency/", accounts.CurrencyView.as_view()),
    path("api/products/", catalogue.ProductListView.as_view()),
    path("api/products/<int:id>/", catalogue.ProductView.as_view()),
    path("api/products/<int:id>/reviews/", catalogue.ReviewListView.as_view()),
    path("api/products/<int:id>/stock/", catalogue.stock),
    path("api/categories/", catalogue.CategoryListView.as_view()),
    path("api/categories/<slug:slug>/", catalogue.CategoryView.as_view()),
    path("api/suppliers/<int:id>/", catalogue.SupplierView.as_view()),
    path("api/search/", catalogue.SearchView.as_view()),
    path("api/checkout/quote/", checkout.QuoteView.as_view()),
    path("api/cart/", checkout.CartView.as_view()),
    path("api/cart/items/", checkout.CartItemCreateView.as_view()),
    path("api/cart/items/<int:id>/", checkout.CartItemView.as_view()),
    path("api/orders/", checkout.OrderListView.as_view()),
    path("api/orders/<int:id>/", checkout.OrderView.as_view()),
    path("api/reports/sales/", reporting.SalesView.as_view()),
    path("api/reports/sales.csv", reporting.SalesCsvView.as_view()),
    path("api/reports/top-products/", reporting.TopProductsView.as_view()),
    path("api/admin/users/", admin.UserListView.as_view()),
    path("api/admin/users/<int:id>/", admin.UserView.as_view()),
    path("bench/random/", benchmark.RandomView.as_view()),
    path("bench/echo/", benchmark.EchoView.as_view()),
    path("bench/records/", benchmark.RecordCreateView.as_view()),
    path("bench/records/<int:id>/", benchmark.RecordView.as_view()),
    path("shop/", pages.home),
    path("shop/products/<int:id>/", pages.product, name="product-page"),
    path("shop/size-chart.json", pages.size_chart),
    path("go/<slug:slug>/", pages.short_link),
]
