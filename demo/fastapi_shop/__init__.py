"""The shop's port to FastAPI, faithful but for the defects that `demo/defects.yaml` documents."""
