"""Streamlit pages over the store and the gate: layout only, every figure comes from functions that the command line prints too."""
