"""The four operations that migration teams measure first."""

import random

from rest_framework import generics
from rest_framework.response import Response
from rest_framework.views import APIView

from demo.django_shop.models import Record
from demo.django_shop.serializers import RecordSerializer


class RandomView(APIView):
    def get(self, request):
        return Response({"randomNumber": random.randint(1, 10**9)})


class EchoView(APIView):
    def post(self, request):
        return Response({"echo": request.data})


class RecordView(APIView):
    def get(self, request, id):
        record = generics.get_object_or_404(Record, pk=id)
        return Response({"id": record.pk, "randomNumber": random.randint(1, 10**9)})


class RecordCreateView(generics.CreateAPIView):
    serializer_class = RecordSerializer

    def get_success_headers(self, data):
        return {}
