"""Promote and roll back. Promote opens only while the gate passes and asks for a name; roll back is one click at any time."""

from __future__ import annotations

import streamlit as st

from dashboard import controls, figures
from dashboard.reads import RouteView, forget
from dashboard.session import current_policy, current_settings, opened
from gate.steps import next_stop
from store.errors import StoreError

_WITHOUT_STORE = "`paritygate cutover rollback` tells the proxies directly and needs no store."


def show(view: RouteView) -> None:
    """The controls of a route, and what the last one did."""
    refused = controls.may_write(current_settings())
    standing, verdict = view.row.standing, view.verdict
    stop = next_stop(standing, current_policy(view.row.route))
    opens = verdict.verdict == "pass" and stop is not None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input("Your name", key="actor", max_chars=controls.NAME_LENGTH, persist_state="session", width=260)
        if st.button(
            "Promote…",
            type="primary",
            key="promote",
            disabled=not opens or bool(refused),
            help="Takes the next configured step. Open only while every guard holds.",
        ):
            # Kept with the number that was seen: what happens to the route in between is noticed when the form is sent.
            st.session_state["confirming"] = (view.row.route, standing.seq, figures.state_word(standing), str(stop))
        if st.button("Roll back", key="rollback", disabled=bool(refused), help="The primary answers again. Needs no guard."):
            _ask("rollback", view.row.route, _typed_name(), standing.seq)
            st.rerun()
        if current_policy(view.row.route).approvals and st.button(
            "Approve",
            key="approve",
            disabled=bool(refused),
            help="Records that you agree to a promotion on the present evidence.",
        ):
            if _typed_name():
                _ask("approve", view.row.route, _typed_name(), standing.seq)
            else:
                st.session_state["outcome"] = (
                    view.row.route,
                    False,
                    "An approval needs a name: write yours beside the buttons.",
                )
            st.rerun()
    if refused:
        st.caption(figures.literal(refused))
    elif stop is None:
        st.caption("Promote is closed: no step leads up from here.")
    elif not opens:
        st.caption(f"Promote is closed: the gate says {figures.gate_word(verdict.verdict)}.")
    else:
        st.caption(f"The next step is {figures.literal(str(stop))}.")
    _report(view.row.route)
    asked = st.session_state.get("confirming")
    if asked is not None and asked[0] == view.row.route:
        _confirm(*asked)


def _typed_name() -> str:
    return str(st.session_state.get("actor", "") or "").strip()


def _confirm(route: str, seq: int, state: str, stop: str) -> None:
    """The second step of a promotion: what will happen, and in whose name."""
    with st.form("promotion", width=640):
        st.subheader("Promote this route?")
        st.code(route, language=None, wrap_lines=True)
        st.text(f"Now: {state}\nNext: {stop}\nThe gate is asked once more, and the change is recorded with your name.")
        name = st.text_input("Who promotes", value=_typed_name(), key="promoter", max_chars=controls.NAME_LENGTH)
        with st.container(horizontal=True):
            sent = st.form_submit_button("Promote", type="primary", key="promote_now")
            left = st.form_submit_button("Cancel", key="promote_not")
    if left:
        st.session_state.pop("confirming", None)
        st.rerun()
    if sent and not name.strip():
        st.error("A promotion needs a name.")
    elif sent:
        st.session_state.pop("confirming", None)
        _ask("promote", route, name, seq)
        st.rerun()


def _ask(action: str, route: str, actor: str, seq: int) -> None:
    """Carries it out and keeps the outcome for the next run of the page."""
    configured = current_settings()
    try:
        decision = controls.request(opened(configured.store_url), configured, current_policy(route), action, route, actor, seq)
    except controls.NotDone as error:
        outcome = (route, False, str(error))
    except StoreError as error:
        outcome = (route, False, f"{error}\n{_WITHOUT_STORE if action == 'rollback' else ''}".strip())
    except TimeoutError:
        text = "The store did not answer in time; look at the audit page to see whether it was done."
        outcome = (route, False, f"{text}\n{_WITHOUT_STORE if action == 'rollback' else ''}".strip())
    else:
        share = figures.percent(decision.weight_bp / 10_000)
        outcome = (route, True, f"{action} done: {decision.state}, the candidate serves {share} of the clients.")
        forget()
    st.session_state["outcome"] = outcome


def _report(route: str) -> None:
    outcome = st.session_state.get("outcome")
    if outcome is None or outcome[0] != route:
        return
    (st.success if outcome[1] else st.error)("✓ Done" if outcome[1] else "✗ Not done")
    st.code(figures.visible(outcome[2]), language=None, wrap_lines=True)
