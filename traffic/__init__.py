"""Facts: requests, responses, exchanges, routes, outcomes, the ledger and redaction. Pure: no IO."""
