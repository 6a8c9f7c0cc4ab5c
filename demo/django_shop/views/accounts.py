"""Login by session and by token, and the account of who is logged in."""

from django.contrib.auth import authenticate, login, logout
from rest_framework import status
from rest_framework.authtoken.models import Token
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from demo.django_shop.serializers import AccountSerializer, CurrencyInput, LoginInput

BAD_CREDENTIALS = {"detail": "Unable to log in with provided credentials."}


class _CredentialsView(APIView):
    authentication_classes = ()

    def user_of(self, request):
        data = LoginInput(data=request.data)
        data.is_valid(raise_exception=True)
        return authenticate(request._request, **data.validated_data)


class LoginView(_CredentialsView):
    def post(self, request):
        user = self.user_of(request)
        if user is None:
            return Response(BAD_CREDENTIALS, status=status.HTTP_400_BAD_REQUEST)
        login(request._request, user)
        return Response({"id": user.pk, "username": user.username})


class TokenView(_CredentialsView):
    def post(self, request):
        user = self.user_of(request)
        if user is None:
            return Response(BAD_CREDENTIALS, status=status.HTTP_400_BAD_REQUEST)
        token, _ = Token.objects.get_or_create(user=user)
        return Response({"token": token.key})


class LogoutView(APIView):
    permission_classes = (IsAuthenticated,)

    def post(self, request):
        logout(request._request)
        return Response(status=status.HTTP_204_NO_CONTENT)


class AccountView(APIView):
    permission_classes = (IsAuthenticated,)

    def get(self, request):
        return Response(AccountSerializer(request.user).data)


class CurrencyView(APIView):
    """Remembers the currency in a cookie that only the server reads."""

    def post(self, request):
        data = CurrencyInput(data=request.data)
        data.is_valid(raise_exception=True)
        currency = data.validated_data["currency"]
        response = Response({"currency": currency})
        response.set_cookie("currency", currency, max_age=2_592_000, httponly=True, samesite="Lax")
        return response
