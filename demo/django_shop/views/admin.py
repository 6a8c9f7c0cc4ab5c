"""What staff administers."""

from django.contrib.auth import get_user_model
from rest_framework import generics
from rest_framework.permissions import IsAdminUser
from rest_framework.response import Response
from rest_framework.views import APIView

from demo.django_shop.serializers import AccountSerializer


class UserListView(APIView):
    permission_classes = (IsAdminUser,)

    def get(self, request):
        users = get_user_model().objects.select_related("profile").order_by("id")
        return Response({"count": users.count(), "results": AccountSerializer(users, many=True).data})


class UserView(generics.RetrieveAPIView):
    lookup_field = "id"
    permission_classes = (IsAdminUser,)
    serializer_class = AccountSerializer
    queryset = get_user_model().objects.select_related("profile")
