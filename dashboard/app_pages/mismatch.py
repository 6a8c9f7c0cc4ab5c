"""One cluster of mismatches: an example with both answers, where they differ, the rules that applied, and the example as a test."""

import streamlit as st

from dashboard import answers, tables
from dashboard.figures import moment
from dashboard.reads import cluster as cluster_of
from dashboard.reads import clusters, examples

st.title("Mismatches")
known = {row.id: row for row in clusters()}
chosen = st.query_params.get("cluster", "")
if chosen and chosen not in known:
    merged = cluster_of(chosen)
    chosen = merged.id if merged is not None else chosen
if chosen not in known:
    if chosen:
        st.warning("There is no cluster of that id (any more). These are the ones there are:")
    picked = tables.clusters(list(known.values()), "all_clusters")
    if picked is not None:
        st.switch_page("app_pages/mismatch.py", query_params={"cluster": picked})
    st.stop()
if st.button("All clusters", key="all"):
    st.switch_page("app_pages/mismatch.py")

cluster = known[chosen]
tables.cluster(cluster)
kept = examples(chosen)
if not kept:
    st.info("No example of this cluster is kept; its counts stay.")
    st.stop()
number = 1
if len(kept) > 1:
    number = (
        st.segmented_control("Example", list(range(1, len(kept) + 1)), default=1, key=f"example_{chosen}", required=True) or 1
    )
example = kept[number - 1]
st.text(f"Example {number} of {len(kept)}, {moment(example.at)}, live side: {example.live_side}, redacted before it was stored")
st.subheader("Differences")
tables.differences(example)
answers.show(example)
answers.exports(kept, example)
