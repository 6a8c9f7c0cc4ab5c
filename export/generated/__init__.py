"""Files that are copied beside every exported test. They import nothing of Paritygate: only httpx and the standard library."""
