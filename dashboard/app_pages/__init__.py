"""Pages, run by Streamlit as flat scripts."""
