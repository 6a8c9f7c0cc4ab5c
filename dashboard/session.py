"""What all pages share, opened once a process: settings, policy, rules and the store. What is wrong is said as one sentence."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import NoReturn, TypeVar

import streamlit as st

from dashboard.client import StoreClient
from gate.policies import Policies, policies_for
from gate.policy import Policy
from rules.errors import RuleError
from rules.load import EMPTY
from rules.model import RuleSet
from settings.load import SettingsError, load_settings
from settings.model import Settings
from settings.rulefiles import read_rules
from store.errors import StoreError

T = TypeVar("T")
REFRESH_S = 5


@st.cache_resource(max_entries=4, show_spinner=False)
def opened(url: str) -> StoreClient:
    """The store's client; one for all sessions."""
    return StoreClient(url)


@st.cache_resource(ttl=30, max_entries=4, show_spinner=False)
def _loaded(config: str | None) -> Settings:
    return load_settings(Path(config) if config else None)


def current_settings() -> Settings:
    """The settings, or the end of this page with the sentence that says what is wrong with them."""
    try:
        return _loaded(os.environ.get("PARITYGATE_CONFIG"))
    except SettingsError as error:
        _stop("The configuration cannot be used", str(error))


def current_policy(route: str | None = None) -> Policy:
    """The gate's policy of a route, as the command line makes it of the same settings; without one that of most routes."""
    policies = current_policies()
    return policies.usual if route is None else policies.of(route)


def current_policies() -> Policies:
    """The gate's policies of all routes."""
    gate = current_settings().gate
    try:
        return policies_for(gate.profile, gate.parity, gate.alpha, gate.model_dump(exclude={"profile", "parity", "alpha"}))
    except ValueError as error:
        _stop("The gate's configuration cannot be used", str(error))


def current_rules(today: date) -> RuleSet:
    """The rules of the configured files. With a mistake in them: no rules, and the mistake is shown."""
    try:
        return read_rules(current_settings(), today)
    except (RuleError, SettingsError) as error:
        st.warning("The rules cannot be read; exported tests do not take them into account:")
        st.code(str(error), language=None)
        return EMPTY


def answered(question: Callable[[str], T]) -> T:
    """What `question(store url)` says, or the end of this page with the store's own sentence."""
    try:
        return question(current_settings().store_url)
    except TimeoutError:
        _stop("The store did not answer in time", "Live traffic is not touched by this. Reload the page to try again.")
    except StoreError as error:
        _stop("The store cannot be read", str(error))


def _stop(title: str, text: str) -> NoReturn:
    st.error(title)
    st.code(text, language=None, wrap_lines=True)
    st.stop()
