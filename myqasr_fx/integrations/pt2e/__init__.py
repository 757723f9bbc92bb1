"""Our schemes in torchao's PT2E flow; needs the ``torchao`` extra, except for the report of what it can express."""
