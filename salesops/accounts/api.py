"""Accounts and contacts for programs: within the same window and by the same services as the pages."""

from __future__ import annotations

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from salesops.accounts.filters import AccountFilter, ContactFilter
from salesops.accounts.models import Account, Contact
from salesops.accounts.selectors import account_for, accounts_for, contact_for, contacts_for
from salesops.accounts.serializers import (
    AccountAssignSerializer,
    AccountCreateSerializer,
    AccountEditSerializer,
    AccountSerializer,
    ContactCreateSerializer,
    ContactEditSerializer,
    ContactSerializer,
)
from salesops.accounts.services import create_account, create_contact, edit_account, edit_contact, set_owner
from salesops.core.viewsets import ScopedViewSet, key_of


class AccountViewSet(ScopedViewSet, mixins.ListModelMixin):
    """Accounts."""

    serializer_class = AccountSerializer
    filterset_class = AccountFilter

    def get_queryset(self) -> QuerySet[Account]:
        """The accounts that the actor sees, by name."""
        return Account.objects.none() if self.is_description else accounts_for(self.actor)

    def _shown(self, account: Account, code: int = status.HTTP_200_OK) -> Response:
        return Response(AccountSerializer(account).data, status=code)

    @extend_schema(responses=AccountSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        """One account."""
        return self._shown(account_for(self.actor, key_of(pk)))

    @extend_schema(request=AccountCreateSerializer, responses={201: AccountSerializer})
    def create(self, request: Request) -> Response:
        """Make an account."""
        account = create_account(actor=self.actor, at=self.now, **self.given(AccountCreateSerializer))
        return self._shown(account, status.HTTP_201_CREATED)

    @extend_schema(request=AccountEditSerializer, responses=AccountSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change fields; 409 when the account is newer than `seen_at`."""
        account = account_for(self.actor, key_of(pk))
        given = self.given(AccountEditSerializer)
        return self._shown(edit_account(actor=self.actor, account_id=account.pk, at=self.now, **given))

    @extend_schema(request=AccountAssignSerializer, responses={200: AccountSerializer, 204: None})
    @action(detail=True, methods=["post"])
    def assign(self, request: Request, pk: str) -> Response:
        """Give to another owner; 204 when the giver does not see it any more."""
        account = account_for(self.actor, key_of(pk))
        given = set_owner(actor=self.actor, account_id=account.pk, at=self.now, **self.given(AccountAssignSerializer))
        if not accounts_for(self.actor).filter(pk=given.pk).exists():
            return Response(status=status.HTTP_204_NO_CONTENT)
        return self._shown(given)


class ContactViewSet(ScopedViewSet, mixins.ListModelMixin):
    """People at companies."""

    serializer_class = ContactSerializer
    filterset_class = ContactFilter

    def get_queryset(self) -> QuerySet[Contact]:
        """The contacts of the accounts that the actor sees, by name."""
        return Contact.objects.none() if self.is_description else contacts_for(self.actor)

    def _shown(self, contact: Contact, code: int = status.HTTP_200_OK) -> Response:
        return Response(ContactSerializer(contact).data, status=code)

    @extend_schema(responses=ContactSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        """One contact."""
        return self._shown(contact_for(self.actor, key_of(pk)))

    @extend_schema(request=ContactCreateSerializer, responses={201: ContactSerializer})
    def create(self, request: Request) -> Response:
        """Add a contact to an account."""
        given = self.given(ContactCreateSerializer)
        account = given.pop("account")
        contact = create_contact(actor=self.actor, account_id=account.pk, at=self.now, **given)
        return self._shown(contact, status.HTTP_201_CREATED)

    @extend_schema(request=ContactEditSerializer, responses=ContactSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change fields; 409 when the contact is newer than `seen_at`."""
        contact = contact_for(self.actor, key_of(pk))
        given = self.given(ContactEditSerializer)
        return self._shown(edit_contact(actor=self.actor, contact_id=contact.pk, at=self.now, **given))


router = SimpleRouter()
router.register("accounts", AccountViewSet, basename="account")
router.register("contacts", ContactViewSet, basename="contact")
